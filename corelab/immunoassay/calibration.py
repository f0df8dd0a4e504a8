"""A standard curve with its back-calculated standards, its range and its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from corelab.immunoassay.curve import Values, compute_concentration
from corelab.immunoassay.fitting import Fit, fit_curve
from corelab.immunoassay.settings import STRICT, RunRules

NAN = float("nan")
FEWEST_BLANKS_FOR_LOD = 3
LEAST_BLANK_CV = 0.05
_RAISED = (5.0, 25.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardLevel:
    """One standard: nominal concentration, mean response, recovery and CV in percent, and its verdict.

    ``is_anchor`` marks a level outside the range: it supports the curve and is under no criterion.
    """

    nominal: float
    n: int
    response: float
    recovery_percent: float
    cv_percent: float
    is_accepted: bool
    is_anchor: bool
    is_fitted: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A fitted curve and the range over which it holds, in concentration before dilution.

    ``reasons`` say why it is not accepted; ``remarks`` do not stand in its way. ``lod`` is NaN unless three
    blanks tell it.
    """

    fit: Fit | None
    levels: tuple[StandardLevel, ...]
    lloq: float
    uloq: float
    lod: float
    blank_mean: float
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()

    @property
    def is_accepted(self) -> bool:
        """Whether results may be read from it."""
        return self.fit is not None and not self.reasons


def calibrate(
    nominal: npt.ArrayLike, response: npt.ArrayLike, *, blanks: npt.ArrayLike = (), rules: RunRules = STRICT
) -> Calibration:
    """Fit the standards of one analyte, back-calculate them, and find the range that they support.

    Parameters
    ----------
    nominal, response
        (n,) concentration and response of the accepted wells of standards.
    blanks
        Responses of the blank wells.
    rules
        Limits of the run.

    Returns
    -------
    Calibration
        The range is the widest from one accepted standard to another within which the required share of the
        standards is accepted. Levels outside it stay in the fit as anchors: a failing end level bounds the
        range, where +-20 % hold at the next accepted one, and still tells where the curve bends.

    Notes
    -----
    The spread of a response has a part that grows with it and one that does not. Where standards far below
    the noise of the blank drown the others, the floor of the weights is raised to where the first part takes
    over (five and twenty-five times the blank's spread), and the remark ``FLOOR_RAISED`` says so.
    """
    x, y = np.asarray(nominal, dtype=np.float64), np.asarray(response, dtype=np.float64)
    empty = np.asarray(blanks, dtype=np.float64)
    hooked = find_hook(x, y, drop_percent=rules.hook_drop)
    remarks = tuple(f"HOOK: response falls at {level:g}" for level in hooked)
    used = ~np.isin(x, hooked)
    standards = _Standards(x=x, y=y, used=used, blanks=empty, hooked=tuple(hooked), rules=rules)
    fitted = standards.fit(raised=1.0, remarks=remarks)
    if fitted is None:
        return _without_curve(x, y, empty, reason=_why_no_curve(x[used]), remarks=remarks)
    for raised in _RAISED if len(empty) and not fitted.is_accepted else ():
        again = standards.fit(
            raised=raised, remarks=(*remarks, f"FLOOR_RAISED: {raised:g} times the blank's")
        )
        if again is not None and again.is_accepted:
            return again
    return fitted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Standards:
    """What a curve is fitted to."""

    x: Values
    y: Values
    used: npt.NDArray[np.bool_]
    blanks: Values
    hooked: tuple[float, ...]
    rules: RunRules

    def fit(self, *, raised: float, remarks: tuple[str, ...]) -> Calibration | None:
        """Fit, back-calculate and find the range; None where there is no curve."""
        x, y = self.x[self.used], self.y[self.used]
        fit = _fit_with_blanks(x, y, self.blanks, self.rules, raised=raised)
        if fit is None:
            return None
        levels = _judge_levels(self.x, self.y, fit, self.rules, self.hooked)
        return _find_limits(fit, levels, self.blanks, self.rules, remarks)


def _find_limits(
    fit: Fit, levels: Sequence[StandardLevel], empty: Values, rules: RunRules, remarks: tuple[str, ...]
) -> Calibration:
    blank_mean = float(empty.mean()) if len(empty) else NAN
    first, last = _find_range(levels, blank_mean, rules)
    return Calibration(
        fit=fit,
        levels=tuple(_place(level, is_inside=first <= i <= last) for i, level in enumerate(levels)),
        lloq=levels[first].nominal if last >= first else NAN,
        uloq=levels[last].nominal if last >= first else NAN,
        lod=_compute_lod(fit, empty),
        blank_mean=blank_mean,
        reasons=_list_reasons(levels, first, last, empty, rules),
        remarks=remarks,
    )


def find_hook(nominal: Values, response: Values, *, drop_percent: float) -> list[float]:
    """Return top levels whose mean response lies below the level beneath by more than a percentage."""
    levels = np.unique(nominal[nominal > 0])
    means = np.array([response[nominal == level].mean() for level in levels])
    hooked = []
    while len(levels) > 2 and means[-1] < means[-2] * (1 - drop_percent / 100):
        hooked.append(float(levels[-1]))
        levels, means = levels[:-1], means[:-1]
    return hooked


def estimate_floor(blanks: Values, nominal: Values, response: Values) -> float:
    """Return the response above the blank below which the spread no longer shrinks with the response.

    The spread of the blanks; two or three of them tell it badly, so never less than 5 % of their mean, and
    never less than the spread of the blanks together with the standards that read no higher than a blank.
    """
    middle = float(blanks.mean())
    levels = np.unique(nominal)
    empty = [level for level in levels if response[nominal == level].mean() <= middle]
    together = np.concatenate([blanks, response[np.isin(nominal, empty)]])
    spreads = [float(np.std(one, ddof=1)) for one in (blanks, together) if len(one) > 1]
    return max(LEAST_BLANK_CV * middle, *spreads, 0.0)


def _fit_with_blanks(x: Values, y: Values, blanks: Values, rules: RunRules, *, raised: float) -> Fit | None:
    if len(np.unique(x[x > 0])) < 4:
        return None
    if not len(blanks):
        return fit_curve(x, y, weighting=rules.weighting)
    return fit_curve(
        np.concatenate([np.zeros(len(blanks)), x]), np.concatenate([blanks, y]),
        blank=float(blanks.mean()), floor=raised * estimate_floor(blanks, x, y), weighting=rules.weighting,
    )  # fmt: skip


def _judge_levels(
    x: Values, y: Values, fit: Fit, rules: RunRules, hooked: Sequence[float]
) -> list[StandardLevel]:
    levels = np.unique(x[x > 0])
    return [
        _judge_level(
            float(level), y[x == level], fit, rules, is_end=place in (0, len(levels) - 1), hooked=hooked
        )
        for place, level in enumerate(levels)
    ]


def _judge_level(
    nominal: float, responses: Values, fit: Fit, rules: RunRules, *, is_end: bool, hooked: Sequence[float]
) -> StandardLevel:
    found = compute_concentration(fit.curve, responses)
    recovery = float(compute_concentration(fit.curve, responses.mean())) / nominal * 100
    cv = compute_cv(found)
    off = rules.recovery_off_at_limits if is_end else rules.recovery_off
    most_cv = rules.standard_cv_at_limits if is_end else rules.standard_cv
    is_fitted = nominal not in hooked
    close = abs(recovery - 100) <= off
    repeatable = len(responses) < 2 or cv <= most_cv
    return StandardLevel(
        nominal=nominal, n=len(responses), response=float(responses.mean()), recovery_percent=recovery,
        cv_percent=cv, is_accepted=close and repeatable and is_fitted, is_anchor=False, is_fitted=is_fitted,
    )  # fmt: skip


def compute_cv(values: npt.ArrayLike) -> float:
    """Return the coefficient of variation in percent; NaN for fewer than two values or one that is NaN.

    Examples
    --------
    >>> round(compute_cv([90, 110]), 4)
    14.1421
    """
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2 or not np.isfinite(numbers).all() or numbers.mean() <= 0:
        return NAN
    return float(np.std(numbers, ddof=1) / numbers.mean() * 100)


def _find_range(levels: Sequence[StandardLevel], blank_mean: float, rules: RunRules) -> tuple[int, int]:
    """Return the first and last level of the widest range that passes; (0, -1) where there is none."""
    ends = [
        index for index, level in enumerate(levels)
        if level.is_accepted and not level.response <= blank_mean
    ]  # fmt: skip
    best, widest = (0, -1), 0.0
    for first in ends:
        for last in ends[::-1]:
            inside = levels[first : last + 1]
            share = sum(level.is_accepted for level in inside) / len(inside) * 100 if inside else 0.0
            if share >= rules.accepted_share and len(inside) > widest:
                best, widest = (first, last), len(inside)
    return best


def _list_reasons(
    levels: Sequence[StandardLevel], first: int, last: int, blanks: Values, rules: RunRules
) -> tuple[str, ...]:
    accepted = sum(level.is_accepted for level in levels[first : last + 1])
    if accepted < rules.fewest_levels:
        return (
            f"STANDARDS: {accepted} of {len(levels)} levels back-calculate; {rules.fewest_levels} are needed",
        )
    if len(blanks) and blanks.mean() >= levels[first].response:
        return ("BLANK: as high as the lowest standard",)
    return ()


def _place(level: StandardLevel, *, is_inside: bool) -> StandardLevel:
    return replace(level, is_accepted=level.is_accepted and is_inside, is_anchor=not is_inside)


def _compute_lod(fit: Fit, blanks: Values) -> float:
    if len(blanks) < FEWEST_BLANKS_FOR_LOD:
        return NAN
    limit = blanks.mean() + 3 * np.std(blanks, ddof=1)
    return float(compute_concentration(fit.curve, limit))


def _why_no_curve(x: Values) -> str:
    n = len(np.unique(x[x > 0]))
    return f"STANDARDS: {n} levels" if n < 4 else "NO_CURVE: the standards do not rise to a curve"


def _without_curve(
    x: Values, y: Values, blanks: Values, *, reason: str, remarks: tuple[str, ...]
) -> Calibration:
    levels = tuple(
        StandardLevel(
            nominal=float(level), n=int((x == level).sum()), response=float(y[x == level].mean()),
            recovery_percent=NAN, cv_percent=NAN, is_accepted=False, is_anchor=False, is_fitted=False,
        )
        for level in np.unique(x[x > 0])
    )  # fmt: skip
    return Calibration(
        fit=None, levels=levels, lloq=NAN, uloq=NAN, lod=NAN,
        blank_mean=float(blanks.mean()) if len(blanks) else NAN, reasons=(reason,), remarks=remarks,
    )  # fmt: skip
