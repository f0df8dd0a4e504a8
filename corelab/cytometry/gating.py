"""Gate one acquisition by its template and lay out counts, cuts, expression and findings."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from corelab.cytometry.bead_peaks import check_bead_peaks, measure_bead_peaks
from corelab.cytometry.columns import GatedMasks, PackedMasks
from corelab.cytometry.controls import measure_control
from corelab.cytometry.decided import NOT_GIVEN, prepare_decisions
from corelab.cytometry.engine import NO_CELLS, Engine
from corelab.cytometry.expression import measure_expression
from corelab.cytometry.in_parts import drop_parity, gate_blocks, take_part
from corelab.cytometry.interchange.revision import Decision, read_labels
from corelab.cytometry.markers import match_markers
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
    MOST_AT_ONCE,
    BeadPeak,
    ControlLimit,
    Finding,
    GatedAcquisition,
    PopulationCount,
    Prior,
)
from corelab.cytometry.tally import CAR_KEPT, CAR_LOST, MARGIN, SINGLETS, VIABLE, Tally, count_tube
from corelab.cytometry.template import PopulationRule, Template, settle_markers
from corelab.cytometry.tube import Tube, prepare_tube
from corelab.ingest.fcs import Acquisition, Spillover, read_fcs, turn_acquisition
from corelab.vocabulary import BEAD_QC, GateSource, Level, Status

GATING_VERSION: Final = "1"

_ABSENT: Final = {"NO_TIME": "no time channel", "NO_SCATTER": "no scatter channel for"}


def gate_acquisition(  # noqa: PLR0913 - the seam that architecture.md names
    acquisition: Acquisition,
    *,
    template: Template,
    tube: str = "full",
    controls: Mapping[str, GatedAcquisition] | None = None,
    priors: Mapping[str, Prior] | None = None,
    marker_labels: Mapping[str, str] | None = None,
    spillover: Spillover | None = None,
    stains: Mapping[str, Acquisition] | None = None,
    limits: QualityLimits | None = None,
    decisions: Sequence[Decision] = (),
    only_decided: bool = False,
    at_once: int = MOST_AT_ONCE,
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
        Cuts of the child's other visits, by gate.
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
    at_once
        Events of a file that is gated as a whole. Of a larger one every k-th event is fitted, no more than
        half as many; then all are gated and counted a block after the other, medians and spreads are those of
        fine bins, and no membership is kept (`corelab.cytometry.in_parts`).

    Returns
    -------
    GatedAcquisition
        A row for every population of the template, whatever the file holds.

    Raises
    ------
    InputError
        If the spillover matrix cannot belong to the file.
    """
    is_whole = acquisition.n_events <= at_once
    labels = {**(marker_labels or {}), **read_labels(decisions)}
    present = match_markers(acquisition, required=(), marker_labels=labels).columns
    template = settle_markers(template, present)
    prepared = prepare_tube(
        turn_acquisition(acquisition) if is_whole else take_part(acquisition, most=at_once // 2),
        template=template, marker_labels=labels, spillover=spillover, stains=stains,
    )  # fmt: skip
    reach = {name: gated.limits for name, gated in (controls or {}).items()}
    decided = prepare_decisions(
        decisions, prepared.acquisition, template, read_own=prepared.read, alone=only_decided
    )
    if not is_whole:
        decided = drop_parity(decided)
    engine = Engine(prepared, template, tube, controls=reach, priors=priors or {}, decided=decided)
    rules = [rule for rule in template.populations if _applies(rule, prepared)]
    for rule in rules:
        engine.select(rule.name)
    if is_whole:
        tally, expression = count_tube(engine, rules), measure_expression(engine)
    else:
        tally, expression = gate_blocks(acquisition, engine, rules=rules, decisions=decisions)
    findings = _list_findings(engine, tally, limits or builtin_limits())
    findings += _check_controls(tally, controls or {})
    peaks = _measure_beads(engine)
    findings += tuple(check_bead_peaks(peaks))
    return GatedAcquisition(
        name=acquisition.name,
        tube=tube,
        template=f"{template.panel}/{template.version}",
        n_events=acquisition.n_events,
        counts=tuple(_count(engine, rule, tally, findings) for rule in rules if not rule.hidden),
        cuts=tuple([engine.cuts[name] for name in sorted(engine.cuts)]),
        expression=tuple(expression),
        findings=findings,
        membership=GatedMasks(engine.masks if is_whole else PackedMasks()),
        limits=_measure_limits(engine),
        spillover_sha256=prepared.compensated.sha256,
        spillover=prepared.compensated.spillover,
        bead_peaks=peaks,
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


def _list_findings(engine: Engine, tally: Tally, limits: QualityLimits) -> tuple[Finding, ...]:
    if engine.name == BEAD_QC:  # beads carry no marker and are no cells
        return tuple(check_drift(engine.time, limits))
    return _list_findings_of_cells(engine, tally, limits)


def _list_findings_of_cells(engine: Engine, tally: Tally, limits: QualityLimits) -> tuple[Finding, ...]:
    tube, counts, shares = engine.tube, tally.counts, tally.shares
    findings = [*tube.markers.findings, *_name_stand_ins(engine.template)]
    findings += [*tube.compensated.findings, *engine.decided.findings]
    findings += check_drift(engine.time, limits)
    if MARGIN in shares:
        findings += check_margin(shares[MARGIN], limits)
    if SINGLETS in shares:
        findings += check_doublets(shares[SINGLETS], limits)
    findings += [*_missing_channels(engine), *check_beads(counts.get("beads"), limits)]
    if VIABLE in shares:
        findings += check_viability(shares[VIABLE], limits)
    if engine.name == "full":
        findings += check_events(engine.template, counts[engine.template.minimum_population], limits)
        if CAR_LOST in shares:
            findings += check_lost_car(shares[CAR_LOST], shares[CAR_KEPT], limits)
    if "nk_cells" in counts and engine.name == "full":
        findings += check_sum(counts, limits)
    if "car_cd19_double" in engine.rules and "CAR" not in tube.markers.shared:
        findings += check_double_positive(counts.get("car_cd19_double"), limits)
    return (*findings, *check_templates(engine.cuts.values()))


def _name_stand_ins(template: Template) -> list[Finding]:
    return [
        Finding(
            check="MARKER_STAND_IN", level=Level.WARN, value=float("nan"), limit=float("nan"),
            reason=f"{rule.marker} stands in for {rule.instead_of}",
        )
        for rule in template.cuts.values()
        if rule.instead_of
    ]  # fmt: skip


def _check_controls(tally: Tally, controls: Mapping[str, GatedAcquisition]) -> tuple[Finding, ...]:
    """Hold CAR-T cells against the tube without the CAR reagent, where there is one."""
    fmo = controls.get("fmo_car")
    own = (tally.counts.get("car_t"), tally.counts.get("t_cells"))
    if fmo is None or own[0] is None or own[1] is None:
        return ()
    background, total = fmo.count("car_t"), fmo.count("t_cells")
    if background is None or total is None:
        return ()
    return tuple(check_car_control((own[0], own[1]), (background, total)))


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


def _measure_beads(engine: Engine) -> tuple[BeadPeak, ...]:
    """Measure the beads by which a run's instrument is judged, in a tube of them."""
    kept = engine.select("time_ok") if engine.name == BEAD_QC else None
    if kept is None:
        return ()
    return measure_bead_peaks(engine.tube.acquisition, engine.tube.markers, kept)


def _count(
    engine: Engine, rule: PopulationRule, tally: Tally, findings: tuple[Finding, ...]
) -> PopulationCount:
    count, source = tally.counts[rule.name], engine.sources.get(rule.name)
    status, reason = _judge(engine, rule, findings)
    fitted = "" if reason == NOT_GIVEN else GateSource.AUTO
    placed = source.source if source else fitted
    version = f"{engine.template.panel}/{engine.template.version}+{GATING_VERSION}"
    low, high = tally.bands[rule.name]
    return PopulationCount(
        population=rule.name,
        parent=rule.parent,
        count=count,
        parent_count=tally.counts[rule.parent] if rule.parent else count,
        status=status,
        reason=reason,
        gate_source="" if count is None else placed,
        gate_version=version + engine.decided.describe(rule),
        control=source.control if source else "",
        band_low=low,
        band_high=high,
    )


def _judge(engine: Engine, rule: PopulationRule, findings: tuple[Finding, ...]) -> tuple[Status, str]:
    reason = engine.reasons.get(rule.name)
    if reason is not None:
        return Status.NOT_CALCULATED if reason == NO_CELLS else Status.MISSING, reason
    failure = find_failure(findings)
    if failure:
        return Status.FAILED, failure
    few_beads = any(f.check == "BEADS" and f.level == Level.FAIL for f in findings)
    if rule.name == "beads" and few_beads:
        return Status.FAILED, "BEADS"
    return Status.QUANTIFIED, ""


def _measure_limits(engine: Engine) -> Mapping[str, ControlLimit]:
    limits = {rule.name: measure_control(rule, engine.evidence) for rule in engine.template.cuts.values()}
    return MappingProxyType({name: limit for name, limit in limits.items() if limit})
