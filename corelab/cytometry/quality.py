"""The checks of one tube: what is worth a warning, and what makes a tube fail."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from corelab.cytometry.records import Cut, Finding, Mask
from corelab.cytometry.template import Template
from corelab.cytometry.timing import TimeCheck
from corelab.vocabulary import GateSource, Level

TIME_REMOVED: Final = (0.02, 0.30)
TREND: Final = 0.05
MARGIN: Final = (0.01, 0.05)
DOUBLETS: Final = 0.15
VIABILITY: Final = (85.0, 70.0)
BEADS: Final = (1000, 500)
CAR_CD19: Final = 20

Select = Callable[[str], Mask | None]


def check_drift(check: TimeCheck | None) -> list[Finding]:
    """Judge the share of events left out over time, and a trend that cannot be cut out."""
    if check is None:
        return []
    findings = []
    if check.removed >= TIME_REMOVED[0]:
        level = Level.FAIL if check.removed > TIME_REMOVED[1] else Level.WARN
        findings.append(_finding(
            "TIME_DRIFT", level, check.removed, TIME_REMOVED[level == Level.FAIL],
            "share of the events in stretches of time that depart from the rest; left out",
        ))  # fmt: skip
    if check.trend > TREND:
        findings.append(_finding(
            "TIME_DRIFT", Level.WARN, check.trend, TREND,
            "lasting trend, as change of the mean rank between first and last third; not removed",
        ))  # fmt: skip
    return findings


def check_margin(margin: Mask, among: Mask) -> list[Finding]:
    """Judge the share of events at the end of a range."""
    share = float(margin[among].mean()) if among.any() else 0.0
    if share <= MARGIN[0]:
        return []
    level = Level.FAIL if share > MARGIN[1] else Level.WARN
    return [_finding(
        "MARGIN", level, share, MARGIN[level == Level.FAIL], "share of events at the end of a range"
    )]  # fmt: skip


def check_doublets(singlets: Mask, usable: Mask) -> list[Finding]:
    """Judge the share of events that are no singlets, margin and beads aside."""
    share = 1 - float(singlets[usable].mean()) if usable.any() else 0.0
    if share <= DOUBLETS:
        return []
    return [_finding("DOUBLETS", Level.WARN, share, DOUBLETS, "share of doublets")]


def check_viability(select: Select, leukocyte: Mask | None, alive: Mask | None) -> list[Finding]:
    """Judge the viable share of the CD45+ singlets (of all singlets where CD45 is not measured)."""
    singlets = select("singlets")
    if singlets is None or alive is None:
        return []
    cells = singlets if leukocyte is None else singlets & leukocyte
    if not cells.any():
        return []
    percent = 100 * float(alive[cells].mean())
    if percent >= VIABILITY[0]:
        return []
    failed = percent < VIABILITY[1]
    return [_finding(
        "VIABILITY", Level.FAIL if failed else Level.WARN, percent, VIABILITY[failed],
        "percent viable of CD45+ singlets",
    )]  # fmt: skip


def check_events(template: Template, select: Select) -> list[Finding]:
    """Judge the number of cells of the population that limits sensitivity."""
    mask = select(template.minimum_population)
    if mask is None:
        return []
    n, name = int(mask.sum()), template.minimum_population
    if n < template.minimum_fail:
        reason = f"too few {name} for any result"
        return [_finding("FEW_EVENTS", Level.FAIL, n, template.minimum_fail, reason)]
    if n < template.minimum_warn:
        reason = f"fewer {name} than a valid negative needs"
        return [_finding("LIMITED_SENSITIVITY", Level.WARN, n, template.minimum_warn, reason)]
    return []


def check_beads(beads: Mask | None) -> list[Finding]:
    """Judge the number of counting beads; too few spoil the concentrations, not the percentages."""
    if beads is None or (n := int(beads.sum())) >= BEADS[0]:
        return []
    failed = n < BEADS[1]
    return [_finding(
        "BEADS", Level.FAIL if failed else Level.WARN, n, BEADS[failed], "counting beads acquired"
    )]  # fmt: skip


def check_double_positive(select: Select) -> list[Finding]:
    """Count CAR+ T cells that also bind anti-CD19; they stay where they are."""
    mask = select("car_cd19_double")
    n = 0 if mask is None else int(mask.sum())
    if n < CAR_CD19:
        return []
    reason = "CD3+ CAR+ CD20- events that bind anti-CD19; counted as CAR-T cells"
    return [_finding("CAR_CD19_DOUBLE", Level.WARN, n, CAR_CD19, reason)]


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
