"""What a cut may be fitted to, and what a control tube says of one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from corelab.cytometry.recipes import Negative, fit_negative
from corelab.cytometry.records import ControlLimit, Mask, Prior, Values
from corelab.cytometry.template import CutRule
from corelab.cytometry.tube import Tube

Read = Callable[[], Values]
"""Gives all values of the channel, which are not to be held while a population is asked for."""

_MANY: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What a cut may be fitted to.

    ``select`` gives the mask of a population (None where it is missing), ``controls`` the limits of
    control tubes by tube and cut, ``priors`` the cuts of other visits.
    """

    tube: Tube
    select: Callable[[str], Mask | None]
    tube_name: str
    controls: Mapping[str, Mapping[str, ControlLimit]]
    priors: Mapping[str, Prior]


def find_negative(population: str, evidence: Evidence, read: Read, *, scale: float) -> Negative | None:
    """Find the negative group of a population, None where there is none."""
    mask = evidence.select(population)
    return None if mask is None else fit_negative(read()[mask], scale=scale)


def find_fmo(rule: CutRule, evidence: Evidence) -> tuple[str, ControlLimit] | None:
    """Find the tube without this marker that has enough cells to say how far its negatives reach."""
    for tube, limits in sorted(evidence.controls.items()):
        limit = limits.get(rule.name)
        if rule.fmo and limit is not None and limit.n >= _MANY and np.isfinite(limit.spreads):
            return tube, limit
    return None


def measure_control(rule: CutRule, evidence: Evidence) -> ControlLimit | None:
    """Measure what a tube says as a control of one cut, None where it is no control of it."""
    if rule.control and rule.control == evidence.tube_name:
        return _measure_quantile(rule, evidence)
    is_fmo = evidence.tube_name.startswith("fmo_")
    if rule.fmo and is_fmo and _bare(rule.marker) == _bare(evidence.tube_name[4:]):
        return _measure_fmo(rule, evidence)
    return None


def _bare(marker: str) -> str:
    """Letters and digits alone: ``PD-1`` is ``pd1``, as in ``fmo_pd1``."""
    return "".join(sign for sign in marker.casefold() if sign.isalnum())


def _measure_fmo(rule: CutRule, evidence: Evidence) -> ControlLimit | None:
    """Measure how far the cells reach that were not stained for the marker, in their spreads."""
    column = evidence.tube.column(rule.marker)
    mask = evidence.select(rule.of[0])
    if column is None or mask is None or not mask.any():
        return None
    x = evidence.tube.values(column)[mask]
    linear = float(np.quantile(x, rule.fmo))
    negative = fit_negative(x, scale=float(evidence.tube.scales[column]))
    spreads = (linear - negative.mode) / negative.spread if negative else float("nan")
    return ControlLimit(linear=linear, spreads=spreads, n=len(x))


def _measure_quantile(rule: CutRule, evidence: Evidence) -> ControlLimit | None:
    """Measure the quantile of the reference population of a control."""
    column = evidence.tube.column(rule.marker)
    mask = evidence.select(rule.control_population)
    if column is None or mask is None or not mask.any():
        return None
    read = partial(evidence.tube.values, column)
    linear = float(np.quantile(read()[mask], rule.quantile))
    negative = find_negative(rule.otherwise, evidence, read, scale=float(evidence.tube.scales[column]))
    spreads = float("nan")
    if negative is not None and negative.n >= rule.minimum:
        spreads = (linear - negative.mode) / negative.spread
    return ControlLimit(linear=linear, spreads=spreads, n=int(mask.sum()))
