"""The checks of one tube: what is worth a warning, and what makes a tube fail."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from corelab.cytometry.records import Cut, Finding
from corelab.cytometry.template import Template
from corelab.cytometry.timing import TimeCheck
from corelab.errors import ConfigError
from corelab.statistics.rare_events import compute_fisher_greater
from corelab.study.model import builtin_study
from corelab.vocabulary import GateSource, Level

_CONTROL_EVENTS: Final = 500
_LOD_EVENTS: Final = 20
_EXCESS_P: Final = 0.05

WarnFail = tuple[float, float]
Counts = tuple[int, int]
"""Events of a population, or such as a check is about, and all among which they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLimits:
    """Limits of one tube, from the study's section ``flow_quality``; pairs are warn and fail."""

    time_removed: WarnFail
    car_events_lost: float
    trend: float
    margin: WarnFail
    doublets: float
    viability_percent: WarnFail
    minimum_events: tuple[tuple[str, WarnFail], ...]
    beads: WarnFail
    sum_percent: WarnFail
    car_cd19_events: float


def build_quality_limits(raw: Mapping[str, Any]) -> QualityLimits:
    """Read the limits of a study file.

    Raises
    ------
    ConfigError
        If one is missing or no number, or a pair has not two.
    """
    try:
        return QualityLimits(
            time_removed=_pair(raw["time_removed"]),
            car_events_lost=float(raw["car_events_lost"]),
            trend=float(raw["trend"]),
            margin=_pair(raw["margin"]),
            doublets=float(raw["doublets"]),
            viability_percent=_pair(raw["viability_percent"]),
            beads=_pair(raw["beads"]),
            sum_percent=_pair(raw["sum_percent"]),
            car_cd19_events=float(raw["car_cd19_events"]),
            minimum_events=tuple(sorted((str(k), _pair(v)) for k, v in raw["minimum_events"].items())),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{type(error).__name__} {error}", place="settings.flow_quality",
            expected="a number, or [warn, fail], for each limit of the built-in study",
        ) from error  # fmt: skip


def _pair(raw: Any) -> WarnFail:
    warn, fail = raw
    return float(warn), float(fail)


@cache
def builtin_limits() -> QualityLimits:
    """Return the limits of the built-in study."""
    return build_quality_limits(builtin_study().settings["flow_quality"])


def check_drift(check: TimeCheck | None, limits: QualityLimits) -> list[Finding]:
    """Judge the share of events left out over time, and a trend that cannot be cut out."""
    if check is None:
        return []
    findings = _judge_share(
        "TIME_DRIFT", check.removed, limits.time_removed,
        "share of the events in stretches of time that depart from the rest; left out",
    )  # fmt: skip
    if check.trend > limits.trend:
        findings.append(_finding(
            "TIME_DRIFT", Level.WARN, check.trend, limits.trend,
            "lasting trend, as change of the mean rank between first and last third; not removed",
        ))  # fmt: skip
    return findings


def check_lost_car(lost: Counts, kept: Counts, limits: QualityLimits) -> list[Finding]:
    """Fail a tube whose CAR+ T cells went for the most part with the time that was left out.

    Cells come in no order of time. Where the stretches that were left out hold a larger fraction of CAR+ T
    cells than the rest (Fisher, one-sided), drift has carried T cells over the limit: those were never
    CAR-T cells, so nothing was lost, and the tube is marked only.

    Parameters
    ----------
    lost, kept
        CAR+ T cells and all T cells, told alike in the stretches left out and in the rest.
    limits
        Of the study.
    """
    share = lost[0] / max(lost[0] + kept[0], 1)
    if lost[0] + kept[0] < _LOD_EVENTS or share <= limits.car_events_lost:
        return []
    excess = float(compute_fisher_greater(*lost, blank_count=kept[0], blank_total=kept[1]))
    reason = "share of the CAR+ T cells in stretches of time that were left out"
    if excess >= _EXCESS_P:
        return [_finding("TIME_DRIFT", Level.FAIL, share, limits.car_events_lost, reason)]
    reason += ", which hold more of them than the rest: T cells that drift moved over the limit"
    return [_finding("TIME_DRIFT", Level.WARN, share, limits.car_events_lost, reason)]


def check_margin(margin: Counts, limits: QualityLimits) -> list[Finding]:
    """Judge the share of events at the end of a range."""
    share = margin[0] / margin[1] if margin[1] else 0.0
    return _judge_share("MARGIN", share, limits.margin, "share of events at the end of a range")


def check_doublets(singlets: Counts, limits: QualityLimits) -> list[Finding]:
    """Judge the share of events that are no singlets, margin and beads aside."""
    share = 1 - singlets[0] / singlets[1] if singlets[1] else 0.0
    return _judge_share("DOUBLETS", share, (limits.doublets, np.inf), "share of doublets")


def _judge_share(check: str, share: float, limits: WarnFail, reason: str) -> list[Finding]:
    if share <= limits[0]:
        return []
    failed = share > limits[1]
    return [_finding(check, Level.FAIL if failed else Level.WARN, share, limits[failed], reason)]


def check_viability(viable: Counts, limits: QualityLimits) -> list[Finding]:
    """Judge the viable share of the CD45+ singlets (of all singlets where CD45 is not measured)."""
    if not viable[1]:
        return []
    percent = 100 * (viable[0] / viable[1])
    warn, fail = limits.viability_percent
    if percent >= warn:
        return []
    failed = percent < fail
    return [_finding(
        "VIABILITY", Level.FAIL if failed else Level.WARN, percent, fail if failed else warn,
        "percent viable of CD45+ singlets",
    )]  # fmt: skip


def check_events(template: Template, n: int | None, limits: QualityLimits) -> list[Finding]:
    """Judge the number of cells of the population that limits sensitivity."""
    if n is None:
        return []
    own = (template.minimum_warn, template.minimum_fail)
    warn, fail = dict(limits.minimum_events).get(template.panel, own)
    name = template.minimum_population
    if n < fail:
        return [_finding("FEW_EVENTS", Level.FAIL, n, fail, f"too few {name} for any result")]
    if n < warn:
        reason = f"fewer {name} than a valid negative needs"
        return [_finding("LIMITED_SENSITIVITY", Level.WARN, n, warn, reason)]
    return []


def check_beads(n: int | None, limits: QualityLimits) -> list[Finding]:
    """Judge the number of counting beads; too few spoil the concentrations, not the percentages."""
    warn, fail = limits.beads
    if n is None or n >= warn:
        return []
    failed = n < fail
    return [_finding(
        "BEADS", Level.FAIL if failed else Level.WARN, n, fail if failed else warn, "counting beads acquired"
    )]  # fmt: skip


def check_sum(counts: Mapping[str, int | None], limits: QualityLimits) -> list[Finding]:
    """Judge whether T, B and NK cells make up the lymphocytes."""
    parts = [counts[name] for name in ("t_cells", "b_cells", "nk_cells")]
    whole = counts["lymphocytes"]
    if not whole or any(part is None for part in parts):
        return []
    percent = 100 * sum(part for part in parts if part is not None) / whole
    low, high = limits.sum_percent
    if low <= percent <= high:
        return []
    reason = "T, B and NK cells together, in percent of the lymphocytes"
    return [_finding("SUM", Level.WARN, percent, low if percent < low else high, reason)]


def check_car_control(full: Counts, fmo: Counts) -> list[Finding]:
    """Hold the CAR+ T cells of a tube against those of its tube without the CAR reagent.

    The limit lies at the same number of spreads above each tube's own negatives. What is CAR+ in
    the control is background; from 20 events on, a tube must hold more than that.
    """
    if min(full[1], fmo[1]) < _CONTROL_EVENTS or full[0] < _LOD_EVENTS:
        return []
    if float(compute_fisher_greater(full[0], full[1], blank_count=fmo[0], blank_total=fmo[1])) < 0.05:
        return []
    share, background = full[0] / full[1], fmo[0] / fmo[1]
    reason = "CAR+ of T cells, in percent, is not above the tube without the CAR reagent (the limit given)"
    return [_finding("CAR_FMO", Level.WARN, 100 * share, 100 * background, reason)]


def check_double_positive(n: int | None, limits: QualityLimits) -> list[Finding]:
    """Tell of CAR+ T cells that also bind anti-CD19; they stay where they are."""
    if n is None or n < limits.car_cd19_events:
        return []
    reason = "CD3+ CAR+ CD20- events that bind anti-CD19; counted as CAR-T cells"
    return [_finding("CAR_CD19_DOUBLE", Level.WARN, n, limits.car_cd19_events, reason)]


def check_templates(cuts: Iterable[Cut]) -> list[Finding]:
    """Name every use of a template's default."""
    return [
        _finding("TEMPLATE_DEFAULT", Level.WARN, cut.cut, float("nan"), f"{cut.gate}: {cut.reason}")
        for cut in cuts
        if cut.source == GateSource.TEMPLATE
    ]


def find_failure(findings: Sequence[Finding]) -> str:
    """Return the first check that fails the whole tube; empty where it stands."""
    return next((f.check for f in findings if f.level == Level.FAIL and f.check != "BEADS"), "")


def _finding(check: str, level: Level, value: float, limit: float, reason: str) -> Finding:
    return Finding(
        check=check, level=level, value=float(np.round(value, 6)), limit=float(limit), reason=reason
    )
