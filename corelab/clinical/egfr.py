"""Estimated glomerular filtration of a child.

References
----------
Schwartz GJ. J Am Soc Nephrol 2009;20:629 (bedside equation, IDMS-traceable creatinine).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from corelab.study.schedule import add_months
from corelab.units import convert

UNIT: Final = "mL/min/1.73m2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Height:
    """A height in cm and the date on which it was taken."""

    date: dt.date
    cm: float


def compute_bedside_schwartz(height_cm: float, creatinine_umol_l: float, *, factor: float = 0.413) -> float:
    """Return eGFR in mL/min/1.73 m2: factor x height in cm / creatinine in mg/dL.

    Examples
    --------
    >>> round(compute_bedside_schwartz(130, 159), 3), round(compute_bedside_schwartz(140, 88.4), 2)
    (29.85, 57.82)
    """
    creatinine_mg_dl = convert(creatinine_umol_l, "umol/L", "mg/dL", substance="CREAT")
    return factor * height_cm / creatinine_mg_dl


def choose_height(heights: Sequence[Height], on: dt.date, *, months: int) -> tuple[Height | None, str]:
    """Return the height nearest in time, or why there is none; a tie goes to the earlier one."""
    if not heights:
        return None, "NO_HEIGHT"
    nearest = min(heights, key=lambda height: (abs((height.date - on).days), height.date, height.cm))
    early, late = sorted((nearest.date, on))
    return (nearest, "") if late <= add_months(early, months) else (None, "HEIGHT_TOO_OLD")
