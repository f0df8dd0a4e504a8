"""Levey-Jennings series of a run control, judged by Westgard rules."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class WestgardRules:
    """Limits in standard deviations, and how many accepted runs must stand behind them.

    From ``provisional_from`` earlier runs on a violated rule warns; from ``minimum_runs`` on it rejects.
    """

    warn_sd: float
    reject_sd: float
    provisional_from: int
    minimum_runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One run: its distance from the mean of the earlier ones, and the rule that it broke.

    ``z`` is NaN while too few runs stand behind it; ``rule`` is ``1-3s``, ``2-2s``, ``1-2s`` or empty.
    """

    z: float
    rule: str
    n_runs: int
    is_firm: bool

    @property
    def is_rejected(self) -> bool:
        """Whether the results of the run do not stand."""
        return self.is_firm and self.rule in {"1-3s", "2-2s"}


def judge_runs(values: npt.ArrayLike, sampling_errors: npt.ArrayLike, rules: WestgardRules) -> list[Verdict]:
    """Judge the runs of one control lot in the order of time.

    Mean and standard deviation are those of the accepted runs before; a rejected run enters none. The
    standard deviation is never taken as less than the counting error of the run itself.

    Parameters
    ----------
    values
        Result of the control in each run.
    sampling_errors
        Standard error of each by counting alone.
    rules
        The limits.

    References
    ----------
    Westgard et al. 1981, Clin Chem 27:493: 1-3s and 2-2s reject, 1-2s warns.

    Examples
    --------
    >>> rules = WestgardRules(warn_sd=2, reject_sd=3, provisional_from=3, minimum_runs=4)
    >>> [v.rule for v in judge_runs([50, 52, 48, 50, 57, 50, 53.5, 54.5], [0.1] * 8, rules)]
    ['', '', '', '', '1-3s', '', '1-2s', '2-2s']
    """
    accepted: list[float] = []
    verdicts: list[Verdict] = []
    for value, error in zip(np.asarray(values, dtype=float), np.asarray(sampling_errors), strict=True):
        verdict = _judge(float(value), float(error), accepted, verdicts, rules)
        verdicts.append(verdict)
        if not verdict.is_rejected:
            accepted.append(float(value))
    return verdicts


def _judge(
    value: float, error: float, accepted: Sequence[float], before: Sequence[Verdict], rules: WestgardRules
) -> Verdict:
    n = len(accepted)
    if n < max(rules.provisional_from, 2):
        return Verdict(z=float("nan"), rule="", n_runs=n, is_firm=False)
    spread = max(float(np.std(accepted, ddof=1)), error, 1e-12)
    z = (value - float(np.mean(accepted))) / spread
    last = before[-1].z if before else float("nan")
    rule = ""
    if abs(z) > rules.reject_sd:
        rule = "1-3s"
    elif abs(z) > rules.warn_sd:
        rule = "2-2s" if abs(last) > rules.warn_sd and last * z > 0 else "1-2s"
    return Verdict(z=z, rule=rule, n_runs=n, is_firm=n >= rules.minimum_runs)
