"""Reading results from a calibration: numbers in range, intervals outside it, limits after dilution."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from corelab.immunoassay.calibration import NAN, Calibration, compute_cv
from corelab.immunoassay.curve import Values, compute_concentration, compute_response, is_above, is_below
from corelab.immunoassay.fitting import Fit, compute_gradient
from corelab.immunoassay.settings import STRICT, RunRules
from corelab.vocabulary import Status

BELOW_CURVE = "BELOW_CURVE"
BELOW_LOD = "BELOW_LOD"
EXTRAPOLATED = "EXTRAPOLATED"
ABOVE_CURVE = "ABOVE_CURVE"
ABOVE_ULOQ = "ABOVE_ULOQ"
REPLICATE_CV = "REPLICATE_CV"
REPEAT = "REPEAT"
HOOK = "HOOK"
MIXED = "MIXED_REPLICATES"
NO_CURVE = "NO_CURVE"
NO_RANGE = "NO_RANGE"
NO_SIGNAL = "NO_SIGNAL"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A concentration in the specimen, dilution applied to it and to its limits.

    ``value`` is NaN unless it was measured in range; the true value then lies in ``low`` to ``high``, where a
    NaN ``high`` is open. ``calculated`` is what the curve gives wherever it gives anything, for review.
    """

    value: float
    relation: str
    low: float
    high: float
    status: Status
    reason: str
    ci_low: float
    ci_high: float
    calculated: float
    dilution: float


def quantify(calibration: Calibration, response: float, *, dilution: float = 1.0) -> Quantity:
    """Read one well; see `quantify_wells`."""
    return quantify_wells(calibration, [response], dilutions=[dilution])[0]


def quantify_wells(
    calibration: Calibration, responses: Sequence[float], *, dilutions: Sequence[float]
) -> list[Quantity]:
    """Read wells of one analyte.

    Parameters
    ----------
    calibration
        The run's curve and range for the analyte.
    responses
        Response of each well.
    dilutions
        Fold dilution of the specimen in each well.

    Returns
    -------
    list of Quantity
        Below the lower asymptote ``not_detected``; between it and the lowest accepted standard
        ``detected_blq``, unless the blanks say otherwise; above the highest one ``above_uloq``; without a
        curve or a response ``failed``.
    """
    fit = calibration.fit
    if fit is None or np.isnan(calibration.lloq):
        reason = NO_CURVE if fit is None else NO_RANGE
        found = [NAN] * len(responses) if fit is None else compute_concentration(fit.curve, responses)
        return [
            _failed(reason, calculated=float(one) * dilution, dilution=dilution)
            for one, dilution in zip(found, dilutions, strict=True)
        ]
    values = np.asarray(responses, dtype=np.float64)
    found = compute_concentration(fit.curve, values)
    low, high = compute_intervals(fit, found)
    below, above = is_below(fit.curve, values), is_above(fit.curve, values)
    return [
        _place(calibration, _Found(*row))
        for row in zip(
            found.tolist(), low.tolist(), high.tolist(), below.tolist(), above.tolist(),
            np.isnan(values).tolist(), dilutions, strict=True,
        )
    ]  # fmt: skip


class _Found(NamedTuple):
    """What a curve says of one well, before dilution."""

    concentration: float
    low: float
    high: float
    is_below: bool
    is_above: bool
    is_missing: bool
    dilution: float


def _place(calibration: Calibration, well: _Found) -> Quantity:
    found, dilution = well.concentration, well.dilution
    low_end, high_end = calibration.lloq * dilution, calibration.uloq * dilution
    if well.is_missing:
        return _failed(NO_SIGNAL, calculated=NAN, dilution=dilution)
    if well.is_below:
        return _below((0.0, low_end), Status.NOT_DETECTED, BELOW_CURVE, well)
    if well.is_above or found > calibration.uloq:
        return _above(high_end, ABOVE_CURVE if np.isnan(found) else ABOVE_ULOQ, well)
    if found < calibration.lod:
        return _below((0.0, min(calibration.lod * dilution, low_end)), Status.NOT_DETECTED, BELOW_LOD, well)
    if found < calibration.lloq:
        lod = calibration.lod * dilution if calibration.lod < calibration.lloq else 0.0
        return _below((lod, low_end), Status.DETECTED_BLQ, EXTRAPOLATED, well)
    value = found * dilution
    return Quantity(
        value=value, relation="=", low=value, high=value, status=Status.QUANTIFIED, reason="",
        ci_low=well.low * dilution, ci_high=well.high * dilution, calculated=value, dilution=dilution,
    )  # fmt: skip


def compute_interval(
    fit: Fit, concentration: float, *, replicates: int = 1, level: float = 0.95
) -> tuple[float, float]:
    """Return the confidence interval of one concentration; see `compute_intervals`."""
    low, high = compute_intervals(fit, [concentration], replicates=replicates, level=level)
    return float(low[0]), float(high[0])


def compute_intervals(
    fit: Fit, concentrations: npt.ArrayLike, *, replicates: int = 1, level: float = 0.95
) -> tuple[Values, Values]:
    """Return confidence intervals of concentrations read from a curve.

    The response's own spread, divided by its replicates, and the curve's uncertainty by the delta method make
    an interval of the response; its ends are read from the curve. An end beyond an asymptote is 0 or
    infinite.

    Returns
    -------
    low, high
        (n,); NaN where the curve has no degree of freedom or the concentration is NaN.
    """
    x = np.asarray(concentrations, dtype=np.float64)
    if fit.freedom < 1 or not len(x):
        return np.full(len(x), NAN), np.full(len(x), NAN)
    from scipy.stats import t as student

    response = compute_response(fit.curve, x)
    gradient = compute_gradient(fit.curve, x, n_parameters=len(fit.covariance))
    of_curve = np.einsum("ij,jk,ik->i", gradient, fit.covariance, gradient)
    variance = fit.compute_sd(response) ** 2 / replicates + np.maximum(of_curve, 0.0)
    half = student.ppf((1 + level) / 2, fit.count_freedom(response)) * np.sqrt(variance)
    low, high = (compute_concentration(fit.curve, end) for end in (response - half, response + half))
    known = np.isfinite(response)
    low = np.where(known & np.isnan(low), 0.0, low)
    return low, np.where(known & np.isnan(high), np.inf, high)


def compute_band(
    fit: Fit, concentrations: Sequence[float], *, level: float = 0.95
) -> tuple[list[float], list[float]]:
    """Return the confidence band of the curve itself, in responses, at concentrations (delta method)."""
    if fit.freedom < 1:
        return [NAN] * len(concentrations), [NAN] * len(concentrations)
    from scipy.stats import t as student

    gradient = compute_gradient(fit.curve, concentrations, n_parameters=len(fit.covariance))
    spread = np.sqrt(np.einsum("ij,jk,ik->i", gradient, fit.covariance, gradient))
    half = student.ppf((1 + level) / 2, fit.freedom) * spread
    centre = compute_response(fit.curve, concentrations)
    return (centre - half).tolist(), (centre + half).tolist()


def combine_specimen(
    quantities: Sequence[Quantity], *, fit: Fit | None, rules: RunRules = STRICT
) -> Quantity:
    """Return one result of a specimen whose wells may have been diluted differently.

    Replicates of one dilution are combined first; the least diluted result in range is reported. Where none
    is in range the specimen lies below the tightest lower limit, or above the highest upper one.

    Raises
    ------
    ValueError
        If there is no well.
    """
    combined = [
        combine_replicates([one for one in quantities if one.dilution == dilution], fit=fit, rules=rules)
        for dilution in sorted({one.dilution for one in quantities})
    ]
    if not combined:
        raise ValueError("a specimen has at least one well")
    in_range = [one for one in combined if one.status is Status.QUANTIFIED]
    if in_range:
        return _choose_dilution(in_range, rules)
    above = [one for one in combined if one.status is Status.ABOVE_ULOQ]
    if above:
        return max(above, key=lambda one: one.low)
    censored = [one for one in combined if one.status is not Status.FAILED]
    return min(censored, key=lambda one: one.high) if censored else combined[0]


def _choose_dilution(in_range: Sequence[Quantity], rules: RunRules) -> Quantity:
    """Return the least diluted result, or the most diluted one where dilution uncovers a hook."""
    first, last = in_range[0], in_range[-1]
    if last.value > first.value * (1 + rules.dilutions_off / 100):
        return replace(last, reason=HOOK)
    return first


def combine_replicates(
    quantities: Sequence[Quantity], *, fit: Fit | None, rules: RunRules = STRICT
) -> Quantity:
    """Return the mean of accepted replicates of one specimen, after back-calculation.

    A failed replicate is left out where another stands. Replicates that are not all in range make an
    interval: the mean of their lower and of their upper ends. A CV above the limit for repeating fails; one
    above the limit for a flag says so in ``reason``.

    Raises
    ------
    ValueError
        If there is no replicate.
    """
    if not quantities:
        raise ValueError("a specimen has at least one replicate")
    sound = [one for one in quantities if one.status is not Status.FAILED]
    if len(sound) < 2:
        return sound[0] if sound else quantities[0]
    statuses = {one.status for one in sound}
    if statuses == {Status.QUANTIFIED}:
        return _average(sound, fit, rules)
    return _join_intervals(sound, statuses)


def _average(quantities: Sequence[Quantity], fit: Fit | None, rules: RunRules) -> Quantity:
    values = [one.value for one in quantities]
    mean, cv = float(np.mean(values)), compute_cv(values)
    low = high = NAN
    if fit is not None:
        dilution = quantities[0].dilution
        ends = compute_interval(fit, mean / dilution, replicates=len(values))
        low, high = ends[0] * dilution, ends[1] * dilution
    joined = replace(
        quantities[0], value=mean, low=mean, high=mean, ci_low=low, ci_high=high, calculated=mean
    )
    if cv > rules.sample_cv_repeat:
        return replace(joined, status=Status.FAILED, reason=REPEAT)
    return replace(joined, reason=REPLICATE_CV if cv > rules.sample_cv_flag else "")


def _join_intervals(quantities: Sequence[Quantity], statuses: set[Status]) -> Quantity:
    low = float(np.mean([one.low for one in quantities]))
    high = float(np.mean([one.high for one in quantities]))
    calculated = float(np.mean([one.calculated for one in quantities]))
    first = replace(
        quantities[0], value=NAN, low=low, high=high, ci_low=NAN, ci_high=NAN, calculated=calculated
    )
    if len(statuses) == 1:
        reasons = {one.reason for one in quantities}
        return replace(first, reason=quantities[0].reason if len(reasons) == 1 else MIXED)
    if Status.ABOVE_ULOQ in statuses:
        return replace(first, relation=">", high=NAN, status=Status.ABOVE_ULOQ, reason=MIXED)
    return replace(first, relation="<", status=Status.DETECTED_BLQ, reason=MIXED)


def _below(bounds: tuple[float, float], status: Status, reason: str, well: _Found) -> Quantity:
    return Quantity(
        value=NAN, relation="<", low=bounds[0], high=bounds[1], status=status, reason=reason, ci_low=NAN,
        ci_high=NAN, calculated=well.concentration * well.dilution, dilution=well.dilution,
    )  # fmt: skip


def _above(low: float, reason: str, well: _Found) -> Quantity:
    return Quantity(
        value=NAN, relation=">", low=low, high=NAN, status=Status.ABOVE_ULOQ, reason=reason, ci_low=NAN,
        ci_high=NAN, calculated=well.concentration * well.dilution, dilution=well.dilution,
    )  # fmt: skip


def _failed(reason: str, *, calculated: float, dilution: float) -> Quantity:
    return Quantity(
        value=NAN, relation="", low=NAN, high=NAN, status=Status.FAILED, reason=reason, ci_low=NAN,
        ci_high=NAN, calculated=calculated, dilution=dilution,
    )  # fmt: skip
