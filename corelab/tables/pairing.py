"""`pairing`: which cytokine draw and which flow tube are one draw, and how far apart they were taken."""

from typing import Any, Final

import pandas as pd

from corelab.tables.clock import DRAW_KEY, Clocks
from corelab.vocabulary import Assay, Status

_MIDNIGHT: Final = "T00:00:00"
_FLOW: Final = ["subject_id", "panel", "file_id", "visit", "collected_at", "instant"]


def derive_pairing(measurements: pd.DataFrame, tubes: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Pair every draw of cytokines with the primary tube of each panel of the same draw.

    Times decide, not the names of visits. A pair lies within a tolerance that is wider later on; of two
    tubes the nearest is taken, of two equally near ones the earlier, and a tube belongs to one draw. What was
    passed over is named. Where only dates are known (midnight), the visit and the date must agree.
    """
    settings = clocks.study.settings["cytokine"]
    draws = _list_draws(measurements, clocks)
    draws["tolerance_hours"] = [
        settings["pair_hours"] if day <= settings["pair_until_day"] else settings["pair_hours_late"]
        for day in draws["study_day"].fillna(-1)
    ]
    primary = tubes[tubes["is_primary"] & (tubes["subject_id"] != "")][_FLOW]
    pairs = draws.merge(primary, on="subject_id", suffixes=("", "_flow"))
    hours = (pairs["instant_flow"] - pairs["instant"]) / 3600
    pairs = pairs.assign(hours=hours, far=hours.abs())
    near = pairs[(pairs["far"] <= pairs["tolerance_hours"]) | _is_by_date(pairs)]
    near = near.sort_values(["far", "instant", "instant_flow", "file_id"], kind="stable")
    rows = [row for _, group in near.groupby(["subject_id", "panel"]) for row in _take(group)]
    rows += _list_lonely(draws, primary, {(*row["draw"], row["panel"]) for row in rows})
    columns = [*DRAW_KEY, "panel", "file_id", "flow_visit", "flow_collected_at", "hours", "tolerance_hours",
               "state", "reason", "discarded"]  # fmt: skip
    table = pd.DataFrame(rows, columns=[*columns, "draw"])[columns]
    when = ["arm", "visit_label", "study_day"]
    return table.merge(clocks.draws[[*DRAW_KEY, *when]], on=DRAW_KEY, how="left")


def _list_draws(measurements: pd.DataFrame, clocks: Clocks) -> pd.DataFrame:
    """Return every draw with a concentration that was not failed."""
    stands = (measurements["assay"] == Assay.CYTOKINE.value) & (measurements["metric"] == "concentration")
    rows = measurements[stands & (measurements["status"] != Status.FAILED.value)]
    draws = rows[DRAW_KEY].drop_duplicates()
    placed = draws.merge(clocks.draws[[*DRAW_KEY, "study_day", "instant"]], on=DRAW_KEY)
    return placed[placed["instant"].notna()].sort_values(DRAW_KEY, ignore_index=True)


def _is_by_date(pairs: pd.DataFrame) -> "pd.Series[bool]":
    unknown = pairs["collected_at"].str.contains(_MIDNIGHT, regex=False)
    unknown |= pairs["collected_at_flow"].str.contains(_MIDNIGHT, regex=False)
    same_day = pairs["collected_at"].str[:10] == pairs["collected_at_flow"].str[:10]
    return unknown & same_day & (pairs["visit"] == pairs["visit_flow"])


def _take(near: pd.DataFrame) -> list[dict[str, Any]]:
    """Take the nearest pairs of one panel, each draw and each tube once, and name what was passed over."""
    taken: dict[tuple[str, ...], dict[str, Any]] = {}
    used: set[str] = set()
    for row in near.itertuples(index=False):
        draw = (row.subject_id, row.visit, row.collected_at)
        if draw in taken or row.file_id in used:
            continue
        used.add(row.file_id)
        reasons = ["VISIT_DIFFERS"] if row.visit != row.visit_flow else []
        reasons += ["TIME_UNKNOWN"] if row.far > row.tolerance_hours or _MIDNIGHT in row.collected_at else []
        taken[draw] = {
            **dict(zip(DRAW_KEY, draw, strict=True)), "draw": draw, "panel": row.panel,
            "file_id": row.file_id, "flow_visit": row.visit_flow, "flow_collected_at": row.collected_at_flow,
            "hours": row.hours, "tolerance_hours": row.tolerance_hours, "state": "paired",
            "reason": ";".join(reasons),
        }  # fmt: skip
    tubes: dict[tuple[str, ...], list[str]] = {}
    for *draw, file_id in near[[*DRAW_KEY, "file_id"]].itertuples(index=False, name=None):
        tubes.setdefault(tuple(draw), []).append(file_id)
    for key, one in taken.items():
        one["discarded"] = " ".join(sorted(name for name in tubes[key] if name != one["file_id"]))
    return list(taken.values())


def _list_lonely(
    draws: pd.DataFrame, primary: pd.DataFrame, paired: set[tuple[str, ...]]
) -> list[dict[str, Any]]:
    """Return the draws that have no tube of a panel, though the child has such tubes."""
    panels = primary.groupby("subject_id")["panel"].agg(lambda found: sorted(set(found)))
    return [
        {
            "subject_id": row.subject_id, "visit": row.visit, "collected_at": row.collected_at,
            "panel": panel, "tolerance_hours": row.tolerance_hours, "state": "unpaired",
            "reason": "NO_TUBE_WITHIN_TOLERANCE",
            "file_id": "", "flow_visit": "", "flow_collected_at": "", "discarded": "", "hours": float("nan"),
        }
        for row in draws.itertuples(index=False)
        for panel in panels.get(row.subject_id, [])
        if (row.subject_id, row.visit, row.collected_at, panel) not in paired
    ]  # fmt: skip
