"""Specimens that reached the laboratory too late: their values stay and are not analysed."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from corelab.kinetics.parameter import join_reasons
from corelab.tables.clock import DRAW_KEY, Clocks, parse_moment
from corelab.tables.inputs import Inputs
from corelab.vocabulary import Level, Status

STABILITY: Final = "STAB_FAIL"
ANY: Final = "any"
_TABLES: Final = ("cytokines", "plate_layout")


def mark_unstable(concentrations: pd.DataFrame, inputs: Inputs, *, clocks: Clocks) -> pd.DataFrame:
    """Fail what was received later after the draw than its matrix is stable.

    The limits are the study's (``cytokine: stability_hours``, by matrix or for ``any``); without one, or
    where nobody told when the specimen came, nothing is said.
    """
    limits = {
        str(matrix).casefold(): float(hours)
        for matrix, hours in clocks.study.settings["cytokine"]["stability_hours"].items()
    }
    late = _find_late(inputs, limits, clocks)
    if late.empty:
        return concentrations
    exact = pd.MultiIndex.from_frame(concentrations[[*DRAW_KEY, "matrix"]])
    drawn = pd.MultiIndex.from_frame(concentrations[DRAW_KEY])
    whole = late.loc[late["matrix"] == "", DRAW_KEY]  # no matrix told: whatever was drawn then
    is_late = exact.isin(pd.MultiIndex.from_frame(late)) | drawn.isin(pd.MultiIndex.from_frame(whole))
    reasons = [
        join_reasons((STABILITY, reason)) if failed else reason
        for failed, reason in zip(is_late, concentrations["reason"], strict=True)
    ]
    return concentrations.assign(
        reason=pd.Series(reasons, index=concentrations.index, dtype=object),
        status=concentrations["status"].mask(
            pd.Series(is_late, index=concentrations.index), Status.FAILED.value
        ),
    )


def _find_late(inputs: Inputs, limits: Mapping[str, float], clocks: Clocks) -> pd.DataFrame:
    """Return the draw and the matrix of every specimen that came too late."""
    tables = [getattr(inputs, name) for name in _TABLES] if limits else []
    found = [
        (row.subject_id, row.visit, row.collected_at, row.matrix.strip().casefold())
        for table in tables
        for row in table[table["received_at"] != ""].itertuples(index=False)
        if _is_late(row, limits, clocks)
    ]
    return pd.DataFrame(found, columns=[*DRAW_KEY, "matrix"])


def find_unstable(concentrations: pd.DataFrame) -> pd.DataFrame:
    """Name the draws of which a specimen came too late."""
    rows = concentrations[concentrations["reason"].str.contains(STABILITY, regex=False)]
    first = rows.sort_values("source_id").drop_duplicates(DRAW_KEY)
    return first.assign(
        object=first["source_id"], check=STABILITY, level=Level.FAIL.value, value=float("nan"),
        reason="received later than the specimen is stable; its concentrations are not analysed",
    )[["subject_id", "visit", "object", "check", "level", "value", "reason"]]  # fmt: skip


def _is_late(row: Any, limits: Mapping[str, float], clocks: Clocks) -> bool:
    limit = limits.get(row.matrix.strip().casefold(), limits.get(ANY))
    drawn = parse_moment(row.collected_at, clocks.study)
    received = parse_moment(row.received_at, clocks.study, place=row.source_id)
    if limit is None or drawn is None or received is None:
        return False
    return (received - drawn).total_seconds() > limit * 3600
