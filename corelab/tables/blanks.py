"""Pre-infusion tubes as the blank of CAR-T detection: limit of blank, pooled counts, failed blanks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from corelab.statistics.rare_events import EventFloors, compute_limit_of_blank, compute_limit_of_detection
from corelab.tables.tubes import Tubes
from corelab.vocabulary import Level, Panel, Status

NAN: Final = float("nan")
FMO: Final = "fmo_car"
RUN_BLANK: Final = "assay_blank"
CAR_COUNTS: Final = ("n_car", "n_cd3", "n_lymphocytes")
CAR_POPULATIONS: Final = ("car_t", "t_cells", "lymphocytes")
"""Populations whose events `CAR_COUNTS` are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CarRules:
    """How rare CAR-T events are judged; from the study file's section ``rare_events``."""

    floors: EventFloors
    blank_visits: tuple[str, ...]
    z: float
    lob_from_blanks: int
    firm_from_blanks: int
    valid_negative: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blanks:
    """The blanks of a trial that stand.

    ``table`` has one row per tube: subject_id, n_car, n_cd3, n_lymphocytes. ``limit_percent`` is the limit
    of blank in % of CD3+ (NaN with too few blanks); ``is_provisional`` while few stand behind it.
    ``suspect_subjects`` have a blank that warned or failed.
    """

    table: pd.DataFrame
    limit_percent: float
    is_provisional: bool
    suspect_subjects: frozenset[str]


def describe_for(blanks: Blanks, subject_id: str) -> str:
    """Say what of the blanks a subject is judged by: where it has no usable ones of its own, all of them."""
    own = blanks.table[blanks.table["subject_id"] == subject_id]
    references = [name for name in CAR_COUNTS if name != "n_car"]
    is_enough = all((own[name] > 0).any() for name in references)
    used = (own if is_enough else blanks.table).to_dict("list")
    is_suspect = subject_id in blanks.suspect_subjects
    return repr((blanks.limit_percent, blanks.is_provisional, is_suspect, used))


def build_car_rules(raw: Mapping[str, Any]) -> CarRules:
    """Read the settings of a study file."""
    return CarRules(
        floors=EventFloors(
            lod_events=int(raw["lod_events"]), lloq_events=int(raw["lloq_events"]), alpha=float(raw["alpha"])
        ),
        blank_visits=tuple(raw["blank_visits"]),
        z=float(raw["lob_z"]),
        lob_from_blanks=int(raw["lob_from_blanks"]),
        firm_from_blanks=int(raw["minimum_blanks"]),
        valid_negative=int(raw["valid_negative_cd3"]),
    )


def collect_car_counts(counts: pd.DataFrame, tubes: Tubes) -> pd.DataFrame:
    """Return one row per primary CAR-T tube with its events: n_car, n_cd3, n_lymphocytes.

    ``n_car_low`` and ``n_car_high`` are the CAR+ events with the limit moved a little. Beside them stand the
    counts of the FMO tube of the draw (``fmo_``) and of the blanks of the run, summed (``run_``): of the same
    batch, else of the same day. A count is NaN where its gate is missing.
    """
    table = tubes.table
    cart = _count_car(table[table["panel"] == Panel.CART.value], counts)
    rows = cart[cart["is_primary"]]
    passed = cart[cart["qc"] != Level.FAIL.value]
    fmo = passed[passed["tube"] == FMO].drop_duplicates(["subject_id", "visit_label"], keep="last")
    rows = rows.merge(
        fmo[["subject_id", "visit_label", *CAR_COUNTS]].rename(columns=lambda name: _prefix("fmo_", name)),
        on=["subject_id", "visit_label"],
        how="left",
    )
    return rows.merge(_sum_run_blanks(rows, passed[passed["tube"] == RUN_BLANK]), on="file_id", how="left")


def _prefix(prefix: str, name: str) -> str:
    return f"{prefix}{name}" if name in CAR_COUNTS else name


def _sum_run_blanks(rows: pd.DataFrame, blanks: pd.DataFrame) -> pd.DataFrame:
    """Return the summed counts of the blanks that ran with each tube."""
    columns = ["file_id", *(f"run_{name}" for name in CAR_COUNTS)]
    found: list[dict[str, Any]] = []
    days = blanks["collected_at"].str[:10]
    batches, dates = set(blanks["batch"]), set(days)
    for row in rows[["file_id", "batch", "collected_at"]].itertuples(index=False):
        if (row.batch not in batches) if row.batch else (row.collected_at[:10] not in dates):
            continue
        own = blanks[(blanks["batch"] == row.batch) if row.batch else (days == row.collected_at[:10])]
        if len(own):
            found.append({"file_id": row.file_id, **{f"run_{name}": own[name].sum() for name in CAR_COUNTS}})
    return pd.DataFrame(found, columns=columns).astype(dict.fromkeys(columns[1:], "float64"))


def _count_car(table: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    rows = table.copy()
    known = counts[counts["status"] != Status.MISSING.value]
    for column, population, value in (
        ("n_car", "car_t", "count"), ("n_cd3", "t_cells", "count"),
        ("n_lymphocytes", "lymphocytes", "count"), ("n_car_low", "car_t", "band_low"),
        ("n_car_high", "car_t", "band_high"),
    ):  # fmt: skip
        events = known[known["population"] == population].set_index("file_id")[value]
        rows[column] = rows["file_id"].map(events).astype("float64")
    return rows


def find_blanks(car_counts: pd.DataFrame, rules: CarRules) -> tuple[Blanks, pd.DataFrame]:
    """Judge the pre-infusion tubes and pool those that stand.

    A blank is judged against the limits of the other subjects' blanks: above the limit of blank it warns,
    above the limit of detection it fails; both only from the fewest events that can be detected. While too
    few blanks give a limit, it warns from those events on. A failed blank is taken out and the others are
    judged again.

    Returns
    -------
    blanks
        The blanks that stand.
    findings
        file_id, check, level, value, limit, reason.
    """
    is_blank = (
        car_counts["is_before"].astype(bool)
        & car_counts["visit"].isin(rules.blank_visits)
        & (car_counts["qc"] != Level.FAIL.value)
        & (car_counts["n_cd3"] > 0)
        & car_counts["n_car"].notna()
    )
    tubes = car_counts[is_blank].assign(percent=lambda rows: 100 * rows["n_car"] / rows["n_cd3"])
    failures: list[dict[str, Any]] = []
    while failed := _find_failed(tubes, rules):
        failures += failed
        tubes = tubes[~tubes["file_id"].isin([finding["file_id"] for finding in failed])]
    findings = pd.DataFrame(
        failures + _find_warnings(tubes, rules),
        columns=["file_id", "check", "level", "value", "limit", "reason"],
    )
    suspects = car_counts.loc[car_counts["file_id"].isin(findings["file_id"]), "subject_id"]
    return _pool(tubes, rules, frozenset(suspects)), findings


def _pool(tubes: pd.DataFrame, rules: CarRules, suspects: frozenset[str]) -> Blanks:
    is_enough = len(tubes) >= rules.lob_from_blanks
    return Blanks(
        table=tubes[["subject_id", "n_car", "n_cd3", "n_lymphocytes"]],
        limit_percent=compute_limit_of_blank(tubes["percent"], z=rules.z) if is_enough else NAN,
        is_provisional=is_enough and len(tubes) < rules.firm_from_blanks,
        suspect_subjects=suspects,
    )


def _limits_of_others(tubes: pd.DataFrame, subject_id: str, rules: CarRules) -> tuple[float, float]:
    """Return limits of blank and detection in %; the spread of blanks stands for that of low samples."""
    others = tubes.loc[tubes["subject_id"] != subject_id, "percent"]
    if len(others) < rules.lob_from_blanks:
        return NAN, NAN
    limit = compute_limit_of_blank(others, z=rules.z)
    return limit, compute_limit_of_detection(limit, float(others.std(ddof=1)), z=rules.z)


def _judge(tubes: pd.DataFrame, rules: CarRules) -> list[tuple[Any, float, float]]:
    eventful = tubes[tubes["n_car"] >= rules.floors.lod_events]
    return [
        (row, *_limits_of_others(tubes, row.subject_id, rules)) for row in eventful.itertuples(index=False)
    ]


def _find_failed(tubes: pd.DataFrame, rules: CarRules) -> list[dict[str, Any]]:
    """Return the worst failing blank alone, so that it does not lift the limits of the others."""
    failing = [(row, limit) for row, _, limit in _judge(tubes, rules) if row.percent > limit]
    if not failing:
        return []
    row, limit = max(failing, key=lambda pair: (pair[0].percent, pair[0].file_id))
    return [_finding(row, Level.FAIL, limit, "CAR+ of CD3+ before infusion above the limit of detection")]


def _find_warnings(tubes: pd.DataFrame, rules: CarRules) -> list[dict[str, Any]]:
    return [
        _finding(row, Level.WARN, limit, "CAR+ of CD3+ before infusion above the blank")
        for row, limit, _ in _judge(tubes, rules)
        if not row.percent <= limit
    ]


def _finding(row: Any, level: Level, limit: float, reason: str) -> dict[str, Any]:
    return {
        "file_id": row.file_id, "check": "BLANK", "level": level.value, "value": row.percent, "limit": limit,
        "reason": reason,
    }  # fmt: skip
