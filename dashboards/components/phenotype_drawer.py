"""The drawer of the page of single cells: a cluster, a cluster in one sample, or a gated subset."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from dash import dcc, html

from corelab.figures.course import to_float
from corelab.figures.numbers import format_count, format_interval, format_number
from dashboards.cells import CellTables, find_cells
from dashboards.components.evidence import build_evidence
from dashboards.components.outcome_drawer import select_row
from dashboards.components.pick import build_close, read_words
from dashboards.site import Site, SnapshotTables

Row = Mapping[str, Any]
Parts = dict[str, Any]
FEWEST_SHOWN: Final = 8


def build_phenotype_drawer(
    site: Site, tables: SnapshotTables, sent: object, *, store: str
) -> list[Any] | None:
    """Build the drawer for a choice, or None for none or for one that is not there."""
    kind = read_words(sent, 1)
    told = TELLERS.get(kind[0]) if kind else None
    words = read_words(sent, told[0]) if told else None
    parts = told[1](site, tables, words) if told and words else None
    if parts is None:
        return None
    links = [dcc.Link(text, href=href, className="button") for text, href in parts.pop("links", [])]
    return build_evidence(close=build_close(site, store), foot=[html.Nav(links)] if links else (), **parts)


def name_facts(site: Site, facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Put the catalog's words before facts."""
    return [(site.text(f"phenotype.fact.{name}"), fact) for name, fact in facts.items()]


def tell_cluster(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> Parts | None:
    """Tell a cluster: its markers, its size, the gates its cells passed, and its share by dose group."""
    cells = find_cells(site, tables)
    row = None if cells is None else select_row(cells["clusters"], cluster=words[1])
    if row is None or cells is None:
        return None
    facts = {
        "cells": format_count(row["cells"]),
        "share": site.text("phenotype.percent", value=format_number(row["percent"])),
        "files": format_count(row["files"]),
        "children": format_count(row["children"]),
        "gates": list_gates(site, cells, str(row["panel"]), words[1]),
        "activation": list_medians(cells, str(row["panel"]), words[1]),
    }
    compartment = "b_cells" if row["panel"] == "bcell" else "car_t"
    href = f"/phenotype?view=clusters&of={compartment}"
    return {
        "title": site.text("phenotype.cluster", name=words[1]), "lead": str(row["description"]),
        "facts": name_facts(site, facts), "links": [(site.text("phenotype.over_time"), href)],
    }  # fmt: skip


def list_gates(site: Site, cells: CellTables, panel: str, cluster: str) -> list[Any]:
    """List the gated populations that a cluster's cells are of; they were not among what divides cells."""
    own = cells.cells(panel)
    own = own[own["cluster"] == cluster]
    held = own.groupby("population")["weight"].sum().sort_values(ascending=False, kind="stable")
    total = max(float(held.sum()), 1e-9)
    return [
        html.Div(
            site.text("phenotype.gate", name=name, share=format_number(100 * float(weight) / total, digits=2))
        )
        for name, weight in held.head(FEWEST_SHOWN).items()
        if weight / total >= 0.01
    ]


def list_medians(cells: CellTables, panel: str, cluster: str) -> list[Any]:
    """List the markers that divide nothing, scaled over the clusters."""
    heat = cells.of_panel("heat", panel)
    rows = heat[(heat["cluster"] == cluster) & (heat["divides"] == "no")].to_dict(orient="records")
    return [html.Div(f"{row['marker']} {format_number(row['scaled'], digits=2)}") for row in rows]


def tell_abundance(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> Parts | None:
    """Tell the share of a cluster in one sample with the cells behind it."""
    cells = find_cells(site, tables)
    row = None if cells is None else select_row(cells["abundance"], file_id=words[1], cluster=words[2])
    if row is None:
        return None
    facts = {
        "estimate": write_share(site, row),
        "seen": format_count(row["cells_seen"]),
        "looked_at": format_count(row["cells_chosen"]),
        "stand_for": format_number(row["cells"]),
        "limits": site.text("phenotype.limits"),
        "reason": row["reason"],
        "collected": str(row["collected_at"])[:16].replace("T", " "),
    }
    return {
        "title": f"{row['subject_id']} · {row['visit_label']} · {words[2]}",
        "lead": write_lead(site, row), "facts": name_facts(site, facts),
        "links": [
            (site.text("phenotype.to_child", subject=row["subject_id"]), f"/patients/{row['subject_id']}"),
            (site.text("phenotype.to_gates"), f"/samples/{words[1]}"),
        ],
    }  # fmt: skip


def tell_subset(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> Parts | None:
    """Tell a gated subset with its counts and limits."""
    row = select_row(
        tables["phenotype"], subject_id=words[1], visit_label=words[2], compartment=words[3], subset=words[4]
    )
    if row is None:
        return None
    name = site.figure_catalog.text(f"shares.subset.{words[4]}")
    counts = [to_float(row["count"]), to_float(row["parent_count"])]
    counted = " / ".join(format_count(one) for one in counts if math.isfinite(one))
    facts = {
        "estimate": write_share(site, row), "counted": counted, "reason": row["reason"],
        "of": site.figure_catalog.text(f"shares.compartment.{words[3]}"),
        "collected": str(row["collected_at"])[:16].replace("T", " "),
    }  # fmt: skip
    return _tell_child(site, row, f"{words[1]} · {words[2]} · {name}", facts)


def tell_ratio(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> Parts | None:
    """Tell a ratio of CD4 to CD8 with its limits."""
    population = site.figure_catalog.text(f"shares.compartment.{words[3]}")
    found = select_row(
        tables["measurements"], subject_id=words[1], visit_label=words[2], name=f"{words[4]}:CD4/CD8"
    )
    if found is None:
        return None
    row = {**found, "percent": found["value"]}
    facts = {
        "estimate": write_share(site, row, unit=""), "reason": row["reason"], "of": population,
        "collected": str(row["collected_at"])[:16].replace("T", " "),
    }  # fmt: skip
    title = f"{words[1]} · {words[2]} · {site.text('phenotype.ratio')}"
    return _tell_child(site, row, title, facts, unit="")


def _tell_child(site: Site, row: Row, title: str, facts: Mapping[str, Any], *, unit: str = "%") -> Parts:
    subject = str(row["subject_id"])
    return {
        "title": title, "lead": write_lead(site, row, unit=unit), "facts": name_facts(site, facts),
        "links": [(site.text("phenotype.to_child", subject=subject), f"/patients/{subject}")],
    }  # fmt: skip


def write_lead(site: Site, row: Row, *, unit: str = "%") -> str:
    """Write the estimate, or its status where it has none."""
    value = to_float(row["percent"])
    if not math.isfinite(value):
        return site.figure_catalog.text(f"status.{row['status']}")
    return f"{format_number(value)} {unit}".strip()


def write_share(site: Site, row: Row, *, unit: str = "%") -> str:
    """Write an estimate with its limits; empty where it has none."""
    value, low, high = (to_float(row[name]) for name in ("percent", "ci_low", "ci_high"))
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    interval = format_interval(low, high, estimate=value)
    return f"{format_number(value)} {unit} ({site.text('phenotype.interval', interval=interval)})"


Teller = Callable[[Site, SnapshotTables, tuple[str, ...]], Parts | None]

TELLERS: Final[Mapping[str, tuple[int, Teller]]] = {
    "cluster": (2, tell_cluster),
    "abundance": (3, tell_abundance),
    "subset": (5, tell_subset),
    "ratio": (5, tell_ratio),
}
"""By the first word of a choice: how many words it has, and who tells it."""
