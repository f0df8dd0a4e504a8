"""The list of acquisitions: where each belongs, what was counted, and how far it may be trusted."""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from corelab.store.acquisitions import AcquisitionFile
from corelab.study.model import Study
from corelab.vocabulary import GateSource, Level
from dashboards.desk import Known, is_waiting
from dashboards.site import Site, SnapshotTables

if TYPE_CHECKING:
    import pandas as pd

COUNTED: Final = ("events", "lymphocytes", "t_cells", "car_t", "b_cells")
PERCENT_OF: Final = "car_t"
STATES: Final = ("current", "waiting", "stale", "failed", "withdrawn")
FITTED: Final = (GateSource.AUTO, GateSource.CONTROL, GateSource.OTHER_VISIT, GateSource.TEMPLATE)
"""Origins of a fitted limit, the most certain first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One acquisition in the list.

    ``state`` is one of `STATES`; ``quality`` the worst level with its checks in ``checks``; ``source`` the
    least certain fitted origin; ``by_hand`` the gates that people set; ``age_h`` hours from the draw to the
    cytometer. Counts are None where nothing was counted.
    """

    file_id: str
    subject_id: str
    visit: str
    collected_at: str
    panel: str
    tube: str
    state: str
    quality: str
    checks: tuple[str, ...]
    counts: Mapping[str, float | None]
    percent: float | None
    age_h: float | None
    source: str
    by_hand: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFilter:
    """Which acquisitions to list; an empty word lets all through."""

    subject: str = ""
    visit: str = ""
    panel: str = ""
    tube: str = ""
    quality: str = ""
    state: str = ""

    @property
    def n_on(self) -> int:
        """How many filters are on."""
        return sum(bool(getattr(self, each.name)) for each in fields(self))

    def lets_through(self, row: SampleRow) -> bool:
        """Tell whether a row passes every filter that is on."""
        own = {
            "subject": row.subject_id, "visit": row.visit, "panel": row.panel, "tube": row.tube,
            "quality": row.quality, "state": row.state,
        }  # fmt: skip
        return all(not (wanted := getattr(self, name)) or wanted == found for name, found in own.items())


def parse_filter(query: Mapping[str, str]) -> SampleFilter:
    """Read the filters of an address; what is no filter is left aside.

    Examples
    --------
    >>> parse_filter({"panel": "cart", "page": "2"}).panel
    'cart'
    """
    names = {each.name for each in fields(SampleFilter)}
    return SampleFilter(**{name: word[:64] for name, word in query.items() if name in names})


def list_samples(tables: SnapshotTables | None, known: Known, study: Study) -> list[SampleRow]:
    """List every delivered acquisition, by child, visit and panel; tubes of runs come last."""
    counted = {} if tables is None else tables.remember("sample counts", lambda: summarise_counts(tables))
    found = {} if tables is None else tables.remember("file findings", lambda: collect_findings(tables))
    rows = [
        build_row(
            file, counted.get(file.file_id), found.get(file.file_id, ()), waits=_waits(tables, known, file)
        )
        for file in known.files.values()
    ]
    order = {visit.code: visit.order for visit in study.visits}
    return sorted(
        rows,
        key=lambda row: (
            not row.subject_id,
            row.subject_id,
            order.get(row.visit, 99),
            row.collected_at,
            row.panel,
            row.tube,
        ),
    )


def _waits(tables: SnapshotTables | None, known: Known, file: AcquisitionFile) -> bool:
    return tables is not None and is_waiting(tables, known, file.file_id)


def build_row(
    file: AcquisitionFile,
    counted: "Mapping[str, Any] | None",
    found: Sequence[tuple[str, str]],
    *,
    waits: bool,
) -> SampleRow:
    """Lay out one acquisition."""
    levels = [level for level, _ in found]
    worst = next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.PASS)
    quality = str(counted["qc"]) if counted and worst is not Level.PASS else worst.value
    values = counted or {}
    return SampleRow(
        file_id=file.file_id, subject_id=file.subject_id, visit=file.visit, collected_at=file.collected_at,
        panel=file.panel, tube=file.tube,
        state=find_state(file, quality, is_known=bool(counted or found), waits=waits),
        quality=quality if counted or found else "",
        checks=tuple(dict.fromkeys(check for level, check in sorted(found, key=_rank))),
        counts={name: values.get(name) for name in COUNTED},
        percent=values.get("percent"), age_h=compute_age(file), source=values.get("source", ""),
        by_hand=int(values.get("by_hand", 0)),
    )  # fmt: skip


def find_state(file: AcquisitionFile, quality: str, *, is_known: bool, waits: bool) -> str:
    """Return the state of an acquisition in one word; what waits for a run comes before what it was."""
    if file.state != "active":
        return "withdrawn"
    if not is_known:
        return "waiting"
    if waits:
        return "stale"
    return "failed" if quality == Level.FAIL else "current"


def compute_age(file: AcquisitionFile) -> float | None:
    """Return the hours from the draw to the cytometer; None where either time is not known.

    The cytometer's clock has no zone: it is taken to stand in that of the draw.
    """
    if not (file.acquired_at and file.collected_at):
        return None
    try:
        drawn = dt.datetime.fromisoformat(file.collected_at)
        acquired = dt.datetime.fromisoformat(file.acquired_at)
    except ValueError:
        return None
    hours = (acquired.replace(tzinfo=None) - drawn.replace(tzinfo=None)).total_seconds() / 3600
    return round(hours, 1)


def summarise_counts(tables: SnapshotTables) -> dict[str, dict[str, Any]]:
    """Return, by file, the counts of the key populations, quality, and where the limits came from."""
    table = tables["populations"]
    summary: dict[str, dict[str, Any]] = {}
    for file_id, rows in table.groupby("file_id", sort=False):
        sources = set(rows["gate_source"])
        summary[str(file_id)] = {
            **_read_counts(rows[rows["population"].isin(COUNTED)]),
            "qc": rows["qc"].iloc[0],
            "source": next((word.value for word in reversed(FITTED) if word in sources), ""),
            "by_hand": int((~rows["gate_source"].isin(["", *FITTED])).sum()),
        }
    return summary


def _read_counts(rows: "pd.DataFrame") -> dict[str, float | None]:
    counts: dict[str, float | None] = {}
    for row in rows.itertuples(index=False):
        counts[row.population] = _known(row.count)
        if row.population == PERCENT_OF:
            counts["percent"] = _known(row.percent_of_parent)
    return counts


def _known(value: Any) -> float | None:
    try:
        number = float(value)
    except TypeError:  # pandas' own missing value is no number at all
        return None
    return number if math.isfinite(number) else None


def _rank(finding: tuple[str, str]) -> int:
    """Rank what failed a tube before what only warns."""
    return [Level.FAIL, Level.WARN, Level.PASS].index(Level(finding[0]))


def write_checks(site: Site, checks: Sequence[str]) -> str:
    """Write in words what checks say, where the catalog knows them."""
    return "; ".join(
        f"{check}: {site.text(f'reason.{check}')}" if site.catalog.has(f"reason.{check}") else check
        for check in checks
    )


def collect_findings(tables: SnapshotTables) -> dict[str, list[tuple[str, str]]]:
    """Return level and check of every finding, by file, row or plate."""
    quality = tables["quality"]
    found: dict[str, list[tuple[str, str]]] = {}
    for thing, level, check in zip(quality["object"], quality["level"], quality["check"], strict=True):
        found.setdefault(thing, []).append((level, check))
    return found


def list_choices(rows: Iterable[SampleRow]) -> dict[str, list[str]]:
    """Return the words by which a list can be filtered, each as far as it occurs."""
    listed = list(rows)
    return {
        "subject": sorted({row.subject_id for row in listed if row.subject_id}),
        "visit": list(dict.fromkeys(row.visit for row in listed if row.visit)),
        "panel": sorted({row.panel for row in listed}),
        "tube": sorted({row.tube for row in listed}, key=lambda tube: (tube != "full", tube)),
        "quality": [level.value for level in Level if any(row.quality == level for row in listed)],
        "state": [state for state in STATES if any(row.state == state for row in listed)],
    }
