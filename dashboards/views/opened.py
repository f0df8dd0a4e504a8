"""What the page of one acquisition is built from, gathered once for all its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corelab.cytometry.gate_view import GateView, describe_view
from dashboards.desk import Known, Look
from dashboards.site import SnapshotTables
from dashboards.views.acquisition import choose_population, read_populations
from dashboards.views.address import GateAddress
from dashboards.views.point import Finding, list_findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Everything that the parts of the page are built from."""

    tables: SnapshotTables
    known: Known
    look: Look
    address: GateAddress
    population: str
    rows: Sequence[Mapping[str, Any]]
    view: GateView | None
    findings: tuple[Finding, ...]


def open_page(tables: SnapshotTables, known: Known, look: Look, address: GateAddress) -> Opened:
    """Gather what the page shows."""
    rows = read_populations(tables, look.file.file_id)
    population = choose_population(rows, address.population)
    view = None
    if look.bench is not None and population:
        view = describe_view(look.bench, population, x=address.x, y=address.y)
    findings = list_findings(tables["quality"], look.file.file_id)
    return Opened(
        tables=tables, known=known, look=look, address=address, population=population, rows=rows, view=view,
        findings=findings,
    )  # fmt: skip


def count_now(opened: Opened) -> tuple[int, int] | None:
    """Return the events of the chosen population and of its parent, with what was decided so far."""
    return opened.look.bench.count(opened.population) if opened.look.bench and opened.population else None
