"""Gate one acquisition by its template and lay out counts, cuts, expression and findings."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from corelab.cytometry.columns import GatedMasks, MaskList
from corelab.cytometry.decided import NOT_GIVEN, prepare_decisions
from corelab.cytometry.engine import Engine
from corelab.cytometry.fitting import measure_control
from corelab.cytometry.interchange.revision import Decision, read_labels
from corelab.cytometry.quality import (
    QualityLimits,
    builtin_limits,
    check_beads,
    check_car_control,
    check_double_positive,
    check_doublets,
    check_drift,
    check_events,
    check_lost_car,
    check_margin,
    check_sum,
    check_templates,
    check_viability,
    find_failure,
)
from corelab.cytometry.records import (
    ControlLimit,
    Expression,
    Finding,
    GatedAcquisition,
    Mask,
    PopulationCount,
    Values,
)
from corelab.cytometry.template import PopulationRule, Template, Term
from corelab.cytometry.tube import Tube, prepare_tube
from corelab.ingest.fcs import Acquisition, Spillover, read_fcs, turn_acquisition
from corelab.vocabulary import GateSource, Level, Status, is_run_tube

GATING_VERSION: Final = "1"
_MANY_EVENTS: Final = 100_000
"""Below, NumPy has measured all medians before the compiled loops are loaded."""

_Middles = tuple[Sequence[float], Sequence[float]]
"""Medians and robust spreads of some populations."""

_ABSENT: Final = {"NO_TIME": "no time channel", "NO_SCATTER": "no scatter channel for"}


def gate_acquisition(  # noqa: PLR0913 - the seam that architecture.md names
    acquisition: Acquisition,
    *,
    template: Template,
    tube: str = "full",
    controls: Mapping[str, GatedAcquisition] | None = None,
    priors: Mapping[str, float] | None = None,
    marker_labels: Mapping[str, str] | None = None,
    spillover: Spillover | None = None,
    stains: Mapping[str, Acquisition] | None = None,
    limits: QualityLimits | None = None,
    decisions: Sequence[Decision] = (),
    only_decided: bool = False,
) -> GatedAcquisition:
    """Gate one acquisition.

    Parameters
    ----------
    acquisition
        As read.
    template
        What to gate (`corelab.cytometry.template.load_template`).
    tube
        ``full``, ``fmo_<marker>`` or a run tube.
    controls
        The gated control tubes of the same subject, visit and panel, by tube name.
    priors
        Cuts of the child's other visits in units of noise, by gate (`Cut.units`).
    marker_labels
        Detector to label, where ``$PnS`` and ``$PnN`` name no antigen.
    spillover
        A matrix to use instead of the embedded one.
    stains
        Single-stain controls by tube (``comp_<marker>``, ``unstained``); their matrix is used where no
        ``spillover`` is given.
    limits
        When quality warns and fails; by default as the built-in study says.
    decisions
        What people decided about this tube: their limits and shapes are taken as they are, the rest
        is fitted within them. A whole tree from FlowJo or Gating-ML also counts for the fitted
        populations above it; a shape drawn by hand lies inside its parent.
    only_decided
        Fit nothing: a population without decision passes its parent on where it may, else it is
        missing (``NOT_GIVEN``).

    Returns
    -------
    GatedAcquisition
        A row for every population of the template, whatever the file holds.

    Raises
    ------
    InputError
        If the spillover matrix cannot belong to the file.
    """
    if acquisition.n_events >= _MANY_EVENTS:
        acquisition = turn_acquisition(acquisition)
    labels = {**(marker_labels or {}), **read_labels(decisions)}
    prepared = prepare_tube(
        acquisition, template=template, marker_labels=labels, spillover=spillover, stains=stains
    )
    reach = {name: gated.limits for name, gated in (controls or {}).items()}
    decided = prepare_decisions(decisions, acquisition, template, read_own=prepared.read, alone=only_decided)
    engine = Engine(prepared, template, tube, controls=reach, priors=priors or {}, decided=decided)
    rules = [rule for rule in template.populations if _applies(rule, prepared)]
    for rule in rules:
        engine.select(rule.name)
    findings = _list_findings(engine, limits or builtin_limits())
    findings += _check_controls(engine, controls or {})
    return GatedAcquisition(
        name=acquisition.name,
        tube=tube,
        template=f"{template.panel}/{template.version}",
        n_events=acquisition.n_events,
        counts=tuple(_count(engine, rule, findings) for rule in rules if not rule.hidden),
        cuts=tuple(engine.cuts[name] for name in sorted(engine.cuts)),
        expression=tuple(_measure_expression(engine)),
        findings=findings,
        membership=GatedMasks(engine.masks),
        limits=_measure_limits(engine),
        spillover_sha256=prepared.compensated.sha256,
        spillover=prepared.compensated.spillover,
    )


def gate_bytes(
    data: bytes, *, name: str, template: Template, tube: str = "full", decisions: Sequence[Decision] = ()
) -> GatedAcquisition:
    """Gate one file with what people decided, without controls and other visits: for the gate editor.

    Parameters
    ----------
    data
        The FCS file (`home.objects.read`).
    name
        What to call it in an error.
    template, tube, decisions
        As for `gate_acquisition`; a decision that is still being tried goes last.

    Raises
    ------
    FcsReadError
        If the file cannot be read.
    InputError
        If the spillover matrix cannot belong to the file or a decision holds nothing usable.
    """
    latest = {(one.kind, one.gate): one for one in decisions}
    return gate_acquisition(
        read_fcs(data, name=name), template=template, tube=tube,
        decisions=tuple(one for one in latest.values() if one.content),
    )  # fmt: skip


def _applies(rule: PopulationRule, tube: Tube) -> bool:
    """Tell whether a subset belongs to a panel with, or without, the marker that it asks for."""
    wanted = not rule.with_marker or tube.column(rule.with_marker) is not None
    unwanted = bool(rule.without_marker) and tube.column(rule.without_marker) is not None
    return wanted and not unwanted


def _list_findings(engine: Engine, limits: QualityLimits) -> tuple[Finding, ...]:
    tube = engine.tube
    findings = [*tube.markers.findings, *tube.compensated.findings, *engine.decided.findings]
    findings += check_drift(engine.time, limits)
    findings += _check_scatter(engine, limits)
    findings += [*_missing_channels(engine), *check_beads(engine.select("beads"), limits)]
    if not is_run_tube(engine.name):
        dead = _above(engine, "viability")
        alive = None if dead is None else ~dead
        findings += check_viability(engine.select, _above(engine, "CD45"), alive, limits=limits)
    if engine.name == "full":
        findings += check_events(engine.template, engine.select, limits)
        findings += _check_lost(engine, limits)
    if "nk_cells" in engine.masks and engine.name == "full":
        findings += check_sum(engine.select, limits)
    if "car_cd19_double" in engine.rules and "CAR" not in tube.markers.shared:
        findings += check_double_positive(engine.select, limits)
    return (*findings, *check_templates(engine.cuts.values()))


def _check_lost(engine: Engine, limits: QualityLimits) -> list[Finding]:
    """Count CAR+ T cells by their two limits alone, in the time that was left out and in the rest."""
    car, t_cell = _above(engine, "CAR"), _above(engine, "CD3")
    if engine.time is None or car is None or t_cell is None:
        return []
    beads, kept = engine.tube.beads, engine.time.kept
    cells = t_cell if beads is None else t_cell & ~beads.mask
    lost, rest = (((car & cells & part).sum(), (cells & part).sum()) for part in (~kept, kept))
    return check_lost_car((int(lost[0]), int(lost[1])), (int(rest[0]), int(rest[1])), limits)


def _check_controls(engine: Engine, controls: Mapping[str, GatedAcquisition]) -> tuple[Finding, ...]:
    """Hold CAR-T cells against the tube without the CAR reagent, where there is one."""
    fmo = controls.get("fmo_car")
    own = (engine.masks.get("car_t"), engine.masks.get("t_cells"))
    if fmo is None or own[0] is None or own[1] is None:
        return ()
    background, total = fmo.count("car_t"), fmo.count("t_cells")
    if background is None or total is None:
        return ()
    return tuple(check_car_control((int(own[0].sum()), int(own[1].sum())), (background, total)))


def _check_scatter(engine: Engine, limits: QualityLimits) -> list[Finding]:
    """Judge margin and doublets among what is no bead."""
    parent, beads = engine.select("time_ok"), engine.select("beads")
    if parent is None:
        return []
    findings = check_margin(engine.margin, parent if beads is None else parent & ~beads, limits)
    singlets = engine.select("singlets")
    if singlets is not None and "singlets" not in engine.reasons:
        findings += check_doublets(singlets, engine.usable(parent), limits)
    return findings


def _missing_channels(engine: Engine) -> list[Finding]:
    """Say which gates pass everything on because their channel is not there."""
    return [
        Finding(
            check="CHANNEL_MISSING", level=Level.WARN, value=float("nan"), limit=float("nan"),
            reason=f"{_ABSENT[reason]} {name}: every event passes",
        )
        for name, reason in engine.reasons.items()
        if reason in _ABSENT and engine.rules[name].passes_on
    ]  # fmt: skip


def _above(engine: Engine, cut: str) -> Mask | None:
    if cut not in engine.cuts or not engine.cuts[cut].is_placed:
        return None
    return engine.meets(Term(cut=cut, positive=True, optional=False, if_shared=""))


def _count(engine: Engine, rule: PopulationRule, findings: tuple[Finding, ...]) -> PopulationCount:
    mask = engine.select(rule.name)
    parent = engine.select(rule.parent) if rule.parent else mask
    source = engine.sources.get(rule.name)
    status, reason = _judge(engine, rule, findings)
    fitted = "" if reason == NOT_GIVEN else GateSource.AUTO
    placed = source.source if source else fitted
    version = f"{engine.template.panel}/{engine.template.version}+{GATING_VERSION}"
    low, high = engine.count_band(rule)
    return PopulationCount(
        population=rule.name,
        parent=rule.parent,
        count=None if mask is None else int(np.count_nonzero(mask)),
        parent_count=None if parent is None else int(np.count_nonzero(parent)),
        status=status,
        reason=reason,
        gate_source="" if mask is None else placed,
        gate_version=version + engine.decided.describe(rule),
        control=source.control if source else "",
        band_low=low,
        band_high=high,
    )


def _judge(engine: Engine, rule: PopulationRule, findings: tuple[Finding, ...]) -> tuple[Status, str]:
    if rule.name in engine.reasons:
        return Status.MISSING, engine.reasons[rule.name]
    failure = find_failure(findings)
    if failure:
        return Status.FAILED, failure
    few_beads = any(f.check == "BEADS" and f.level == Level.FAIL for f in findings)
    if rule.name == "beads" and few_beads:
        return Status.FAILED, "BEADS"
    return Status.QUANTIFIED, ""


def _measure_expression(engine: Engine) -> list[Expression]:
    """Measure every marker in the populations that the template names, compiled where it pays."""
    tube = engine.tube
    counts = {name: _count_events(engine, name) for name in engine.template.expression}
    sizes = {name: n for name, n in counts.items() if n}
    if not sizes or not tube.markers.columns:
        return []
    measure = _choose_measure(MaskList(GatedMasks(engine.masks), list(sizes)), tube.acquisition.n_events)
    middles = {column: measure(tube.values(column)) for column in sorted(set(tube.markers.columns.values()))}
    return [
        Expression(
            population=population, marker=marker, n=n,
            median_intensity=middles[column][0][row], robust_sd=middles[column][1][row],
        )
        for row, (population, n) in enumerate(sizes.items())
        for marker, column in tube.markers.columns.items()
    ]  # fmt: skip


def _count_events(engine: Engine, population: str) -> int:
    mask = engine.select(population)
    return 0 if mask is None else int(np.count_nonzero(mask))


def _choose_measure(masks: Sequence[Mask], n_events: int) -> Callable[[Values], _Middles]:
    """Choose what gives medians and robust spreads of a channel in some populations: the same doubles."""
    if n_events >= _MANY_EVENTS:
        from corelab.cytometry.kernel.medians import prepare_measure

        return prepare_measure(masks)
    return lambda values: _measure_plainly(values, masks)


def _measure_plainly(values: Values, masks: Sequence[Mask]) -> _Middles:
    medians, spreads = [], []
    for mask in masks:
        own = values[mask]
        medians.append(float(np.median(own)))
        spreads.append(1.4826 * float(np.median(np.abs(own - medians[-1]))))
    return medians, spreads


def _measure_limits(engine: Engine) -> Mapping[str, ControlLimit]:
    limits = {rule.name: measure_control(rule, engine.evidence) for rule in engine.template.cuts.values()}
    return MappingProxyType({name: limit for name, limit in limits.items() if limit})
