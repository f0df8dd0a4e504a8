"""Fitting a standard curve: weighted least squares in log-parameters, from several deterministic starts.

Given slope, midpoint and asymmetry, both asymptotes follow from a linear problem. A coarse grid over those
three is therefore solved at once, and its best points are where the search starts: the same standards give
the same curve, without a random number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.immunoassay.curve import Curve, Values, compute_response

_Function = Callable[[Values], Values]
AICC_MARGIN: Final = 2.0
FEWEST_RESPONSES: Final = 5
FEWEST_LEVELS: Final = 4
_STARTS: Final = 3
_SLOPES: Final = np.array([0.5, 0.8, 1.1, 1.5, 2.2, 3.5])
_SYMMETRIC: Final = np.array([1.0])
_ASYMMETRIES: Final = np.array([0.3, 0.6, 1.0, 1.7, 3.0])
_MIDPOINTS: Final = 14
_FARTHEST: Final = np.log(1e3)
_MOST_CALLS: Final = 200
_HUGE: Final = 1e30
_NOISE_STEPS: Final = 40
WEIGHTINGS: Final = {
    "1/y^2": (-2.0, False), "1/y": (-1.0, False), "none": (0.0, False),
    "1/y^2 raw": (-2.0, True), "1/y raw": (-1.0, True),
}  # fmt: skip
"""Power of the response by the name of a weighting, and whether the blank is part of the response."""
_TOLERANCES: Final = {"xtol": 1e-12, "ftol": 1e-12, "gtol": 1e-12}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A fitted curve.

    ``covariance`` is of ``(lower asymptote, log(span), log|b|, log c[, log g])``; ``freedom`` responses less
    parameters. One well spreads by ``additive`` everywhere and by the share ``proportional`` of what lies
    above ``blank``; ``share`` is the mean part of the second in the variance of the fitted wells.
    """

    curve: Curve
    aicc: float
    covariance: Values
    freedom: int
    blank: float
    additive: float
    proportional: float
    share: float

    @property
    def kind(self) -> str:
        """``4PL`` or ``5PL``."""
        return "5PL" if self.covariance.shape[0] == 5 else "4PL"

    def compute_sd(self, response: npt.ArrayLike) -> Values:
        """Return the standard deviation of one well of a given response."""
        net = np.asarray(response, dtype=np.float64) - self.blank
        return np.asarray(np.hypot(self.additive, self.proportional * net))

    def count_freedom(self, response: npt.ArrayLike) -> Values:
        """Return the degrees of freedom behind the spread of a response, 1 at least.

        The two parts of the spread are each told by the wells in which they weigh.
        """
        net = np.asarray(response, dtype=np.float64) - self.blank
        part = _share_of(self.additive, self.proportional, net)
        return np.asarray(np.maximum(self.freedom * (part * self.share + (1 - part) * (1 - self.share)), 1.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    x: Values
    y: Values
    root: Values
    blank: float
    floor: float


def fit_curve(
    concentration: npt.ArrayLike, response: npt.ArrayLike, *, blank: float = 0.0, floor: float = 0.0,
    weighting: str = "1/y^2",
) -> Fit | None:  # fmt: skip
    """Fit 4PL and, where the data carry it, 5PL; the second is taken if it lowers AICc by more than 2.

    Parameters
    ----------
    concentration
        (n,) nominal concentrations; a blank is 0.
    response
        (n,) responses of single wells, rising with concentration.
    blank
        Mean response without analyte: the spread grows with what lies above it.
    floor
        Response above the blank below which the spread no longer shrinks, from the blank's own spread.
    weighting
        One of `WEIGHTINGS`: ``1/y^2`` (default), ``1/y`` or ``none``, where y is the mean response of the
        level less the blank; with ``raw`` the whole response.

    Returns
    -------
    Fit or None
        None if there are fewer than five responses or four levels, none rises, or no curve converged.

    Notes
    -----
    AICc = n ln(SSE/n) + 2k + 2k(k+1)/(n-k-1) with k parameters, the variance among them; 5PL only with
    n >= k + 2. Its asymmetry may sit on either shoulder.
    """
    x, y = np.asarray(concentration, dtype=np.float64), np.asarray(response, dtype=np.float64)
    if len(x) < FEWEST_RESPONSES or len(np.unique(x)) < FEWEST_LEVELS or np.ptp(y) <= 0:
        return None
    if not y[x == x.max()].mean() > y[x == x.min()].mean():
        return None
    weights = compute_weights(x, y, blank=blank, floor=floor, weighting=weighting)
    problem = _Problem(x=x, y=y, root=np.sqrt(weights), blank=blank, floor=floor)
    four = _fit(problem, _SYMMETRIC, side=1)
    if len(x) < 8:
        return four
    fives = [fit for side in (1, -1) if (fit := _fit(problem, _ASYMMETRIES, side=side)) is not None]
    five = min(fives, key=lambda fit: fit.aicc, default=None)
    if four is None or five is None:
        return four or five
    return five if five.aicc < four.aicc - AICC_MARGIN else four


def compute_weights(
    concentration: Values, response: Values, *, blank: float, floor: float, weighting: str = "1/y^2"
) -> Values:
    """Return weights by the mean response of each level above the blank (or raw), bounded by ``floor``.

    By the level's mean, not the single response, so that the lower of two replicates does not weigh more. A
    blank's own wells are weighted by their whole response: what lies above the blank is nothing there.
    """
    _, level = np.unique(concentration, return_inverse=True)
    means = (np.bincount(level, response) / np.bincount(level))[level]
    least = floor if floor > 0 else float(np.min(means[means > 0], initial=1.0))
    power, is_raw = WEIGHTINGS[weighting]
    net = np.where(concentration > 0, means - blank, means)
    return np.asarray(np.maximum(means if is_raw else net, least) ** power)


def _fit(problem: _Problem, asymmetries: Values, *, side: int) -> Fit | None:
    starts = _find_starts(problem, asymmetries, side=side)
    with np.errstate(all="ignore"):
        found = [_search(problem, start, side=side) for start in starts]
    settled = [one for one, start in zip(found, starts, strict=True) if _is_settled(one, start)]
    if not settled:
        # Flat or saturated standards have no best curve in reach; the best within bounds is judged by its
        # back-calculation like any other.
        settled = [one for start in starts[:1] if (one := _search_bounded(problem, start, side=side)).success]
    if not settled:
        return None
    return _describe(min(settled, key=lambda one: float(one.cost)), problem, side=side)


def _find_starts(problem: _Problem, asymmetries: Values, *, side: int) -> list[Values]:
    """Solve the asymptotes on a grid of slope, midpoint and asymmetry; return the best of it."""
    positive = problem.x[problem.x > 0]
    midpoints = np.geomspace(positive.min(), 10 * positive.max(), _MIDPOINTS)
    grid = np.meshgrid(_SLOPES, midpoints, asymmetries, indexing="ij")
    b, c, g = (axis.ravel()[:, None] for axis in grid)
    share = _rise(problem.x[None, :], b, c, g, side=side)
    error, lower, span = _solve_asymptotes(share, problem.y, problem.root)
    order = np.argsort(np.where(span > 0, error, np.inf), kind="stable")[: 4 * _STARTS : 4]
    free = 5 if len(asymmetries) > 1 else 4
    packed = [[lower[i], np.log(span[i]), *np.log([b[i, 0], c[i, 0], g[i, 0]])] for i in order if span[i] > 0]
    return [np.array(one[:free], dtype=np.float64) for one in packed]


def _rise(x: Values, b: Values, c: Values, g: Values, *, side: int) -> Values:
    """Return the part of the span reached at a concentration, between 0 and 1."""
    with np.errstate(divide="ignore", over="ignore"):
        power = (x / c) ** (side * b)
        share = (1 + power) ** -g
    return np.asarray(1 - share if side > 0 else share)


def _solve_asymptotes(rise: Values, y: Values, root: Values) -> tuple[Values, Values, Values]:
    """Return weighted squared error, lower asymptote and span for every row (y = lower + span x rise)."""
    h, t = rise * root, y * root
    s11, s12, s22 = (root**2).sum(), (h * root).sum(1), (h**2).sum(1)
    t1, t2 = (t * root).sum(), (h * t).sum(1)
    determinant = s11 * s22 - s12**2
    solvable = determinant > 1e-12 * s11 * np.maximum(s22, 1e-300)
    determinant = np.where(solvable, determinant, 1.0)
    lower = (s22 * t1 - s12 * t2) / determinant
    span = np.where(solvable, (s11 * t2 - s12 * t1) / determinant, -1.0)
    with np.errstate(over="ignore"):
        error = ((t - lower[:, None] * root - span[:, None] * h) ** 2).sum(1)
    return error, lower, span


def _make_curve(parameters: Values, *, side: int) -> Curve:
    lower = float(parameters[0])
    span, b, c = (float(value) for value in np.exp(parameters[1:4]))
    g = float(np.exp(parameters[4])) if len(parameters) > 4 else 1.0
    first, last = (lower, lower + span) if side > 0 else (lower + span, lower)
    return Curve(a=first, b=side * b, c=c, d=last, g=g)


def compute_gradient(curve: Curve, concentration: npt.ArrayLike, *, n_parameters: int) -> Values:
    """Return the derivative of the response by ``(lower, log(span), log|b|, log c[, log g])``, (n, k)."""
    x = np.atleast_1d(np.asarray(concentration, dtype=np.float64))
    span, side = curve.ceiling - curve.floor, np.sign(curve.b)
    present = x > 0
    log_ratio = np.log(np.where(present, x, curve.c) / curve.c)
    # At x = 0 the power is 0 on one side and infinite on the other; nothing but the lower asymptote counts.
    power = np.exp(np.clip(curve.b * log_ratio, -700.0, 700.0))
    share = (1 + power) ** -curve.g
    inner = span * curve.g * share * power / (1 + power) * abs(curve.b)
    columns = [span * (1 - share if side > 0 else share), inner * log_ratio, -inner]
    if n_parameters == 5:
        columns.append(side * span * share * curve.g * np.log1p(power))
    return np.column_stack([np.ones_like(x), *(np.where(present, column, 0.0) for column in columns)])


def _make_functions(problem: _Problem, side: int) -> tuple[_Function, _Function]:
    """Return weighted residuals and their derivatives."""

    def residuals(parameters: Values) -> Values:
        curve = _make_curve(parameters, side=side)
        return _limit((compute_response(curve, problem.x) - problem.y) * problem.root)

    def jacobian(parameters: Values) -> Values:
        curve = _make_curve(parameters, side=side)
        gradient = compute_gradient(curve, problem.x, n_parameters=len(parameters))
        return _limit(gradient * problem.root[:, None])

    return residuals, jacobian


def _search(problem: _Problem, start: Values, *, side: int) -> Any:
    from scipy.optimize import least_squares

    residuals, jacobian = _make_functions(problem, side)
    return least_squares(
        residuals, start, jac=jacobian, method="lm", x_scale="jac", max_nfev=_MOST_CALLS, **_TOLERANCES
    )


def _search_bounded(problem: _Problem, start: Values, *, side: int) -> Any:
    from scipy.optimize import least_squares

    residuals, jacobian = _make_functions(problem, side)
    slack = _find_slack(start)
    return least_squares(
        residuals, start, jac=jacobian, bounds=(start - slack, start + slack), method="trf", x_scale="jac",
        max_nfev=_MOST_CALLS, **_TOLERANCES,
    )  # fmt: skip


def _find_slack(start: Values) -> Values:
    """Return how far each parameter may lie from its start."""
    return np.array([np.inf, _FARTHEST, *[_FARTHEST / 2] * (len(start) - 2)])


def _limit(values: Values) -> Values:
    """Keep a step that went too far finite, so that it is taken back."""
    return np.nan_to_num(values, nan=_HUGE, posinf=_HUGE, neginf=-_HUGE)


def _is_settled(found: Any, start: Values) -> bool:
    """Tell whether a search converged, and not by running away from its start along a flat valley."""
    return bool(found.success and (np.abs(found.x - start) <= _find_slack(start)).all())


def _describe(best: Any, problem: _Problem, *, side: int) -> Fit:
    n, k = len(problem.x), len(best.x)
    curve = _make_curve(best.x, side=side)
    predicted = compute_response(curve, problem.x)
    net = np.maximum(predicted - problem.blank, 0.0)
    additive, proportional = estimate_noise(problem.y - predicted, net, n_parameters=k)
    # The weights are not the spread itself, so that the parameters' covariance is taken from both.
    bread = np.linalg.pinv(best.jac.T @ best.jac, rcond=1e-14)
    scaled = best.jac * (problem.root * np.hypot(additive, proportional * net))[:, None]
    return Fit(
        curve=curve,
        aicc=_compute_aicc(2 * float(best.cost), n=n, k=k + 1),
        covariance=bread @ (scaled.T @ scaled) @ bread,
        freedom=n - k,
        blank=problem.blank,
        additive=additive,
        proportional=proportional,
        share=float(_share_of(additive, proportional, net).mean()),
    )


def _share_of(additive: float, proportional: float, net: Values) -> Values:
    """Return the part of the proportional spread in the variance of a response."""
    variance = additive**2 + (proportional * net) ** 2
    return np.asarray((proportional * net) ** 2 / np.maximum(variance, 1e-300))


def estimate_noise(residual: Values, net: Values, *, n_parameters: int) -> tuple[float, float]:
    """Return the constant and the proportional part of the spread of a response, by maximum likelihood.

    Parameters
    ----------
    residual, net
        (n,) what the curve leaves, and its response above the blank.
    n_parameters
        Parameters of the curve, by which the likelihood's estimate is too small.

    Returns
    -------
    additive, proportional
        Of ``variance = additive**2 + (proportional * net)**2``; NaN without a degree of freedom.

    Notes
    -----
    Both are searched on a grid from a thousandth of to three times the residuals' own size; it is the same
    whatever the order of the wells.
    """
    freedom = len(residual) - n_parameters
    if freedom < 1:
        return float("nan"), float("nan")
    size = float(np.sqrt(np.mean(residual**2)))
    share = float(np.sqrt(np.mean((residual[net > 0] / net[net > 0]) ** 2))) if (net > 0).any() else 0.0
    if size <= 0:
        return 0.0, 0.0
    steps = np.concatenate([[0.0], np.geomspace(1e-3, 3.0, _NOISE_STEPS)])
    additive, proportional = (axis.ravel() for axis in np.meshgrid(size * steps, share * steps))
    variance = additive[:, None] ** 2 + (proportional[:, None] * net) ** 2
    variance = np.maximum(variance, (1e-6 * size) ** 2)
    likelihood = (np.log(variance) + residual**2 / variance).sum(1)
    best = int(np.argmin(likelihood))
    # Two parts are estimated where one usually is: the second takes a further degree of freedom.
    inflation = float(np.sqrt(len(residual) / max(freedom - 1, 1)))
    return float(additive[best]) * inflation, float(proportional[best]) * inflation


def _compute_aicc(error: float, *, n: int, k: int) -> float:
    if n - k - 1 <= 0:
        return float("inf")
    return n * float(np.log(max(error, 1e-300) / n)) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
