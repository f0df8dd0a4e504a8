"""A plate judged: a curve, its range, its controls and its results for each analyte."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from corelab.immunoassay.acceptance import PlateState, QcVerdict, advance_plate, judge_controls
from corelab.immunoassay.calibration import Calibration, calibrate
from corelab.immunoassay.nominal import Finding
from corelab.immunoassay.plate_map import MappedPlate, MappedWell
from corelab.immunoassay.quantitation import Quantity, combine_specimen, quantify_wells
from corelab.immunoassay.settings import RunRules
from corelab.ingest.plates.records import Reading, SampleType, VendorCurve
from corelab.vocabulary import Status

NAN: Final = float("nan")
LOW_BEAD: Final = "LOW_BEAD"
REJECTED: Final = "RUN_REJECTED"
_NET_OFF: Final = 1.0
_NET_SHARE: Final = 0.02
CONTRADICTED: Final = "CONTRADICTED"
_EXCLUDING: Final = ("OUTLIER", "MALFUNCTION", LOW_BEAD, CONTRADICTED)
Specimen = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class WellResult:
    """One analyte in one well: what was read, what it should hold, and what our curve makes of it."""

    well: MappedWell
    reading: Reading
    nominal: float
    quantity: Quantity | None
    flags: tuple[str, ...]

    @property
    def is_usable(self) -> bool:
        """Whether the reading may stand in a curve or a result."""
        return math.isfinite(self.reading.signal) and not set(_EXCLUDING) & set(self.flags)

    @property
    def recovery_percent(self) -> float:
        """What the curve gives of what the well should hold."""
        if self.quantity is None or not self.nominal > 0:
            return NAN
        return self.quantity.calculated / self.nominal * 100


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnalyteRun:
    """One analyte of one plate. ``calibration`` is None while the plate waits."""

    analyte: str
    unit: str
    state: PlateState
    reasons: tuple[str, ...]
    remarks: tuple[str, ...]
    calibration: Calibration | None
    controls: QcVerdict | None
    wells: tuple[WellResult, ...]
    vendor_curve: VendorCurve | None
    results: Mapping[Specimen, Quantity]

    @property
    def is_accepted(self) -> bool:
        """Whether its results may be analysed."""
        return self.state in (PlateState.ACCEPTED, PlateState.LOCKED) and not self.reasons


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedPlate:
    """A plate with its analytes; one rejected analyte does not reject the plate."""

    mapped: MappedPlate
    runs: tuple[AnalyteRun, ...]
    state: PlateState
    reason: str
    findings: tuple[Finding, ...]


def judge_plate(mapped: MappedPlate, rules: RunRules) -> JudgedPlate:
    """Fit and judge every analyte of a plate.

    Locking is a person's decision and not made here: a locked plate keeps the state that its review gave it.
    """
    by_analyte: dict[str, list[Reading]] = {}
    for reading in mapped.export.readings:
        by_analyte.setdefault(reading.analyte, []).append(reading)
    vendor = {curve.analyte: curve for curve in mapped.export.vendor_curves}
    runs = tuple(
        _judge_analyte(mapped, exported, by_analyte.get(exported, []), vendor.get(exported), rules)
        for exported in mapped.analytes
    )
    state, reason = _decide(mapped, runs)
    return JudgedPlate(
        mapped=mapped, runs=runs, state=state, reason=reason,
        findings=(*mapped.findings, *_report_runs(runs, rules)),
    )  # fmt: skip


def _decide(mapped: MappedPlate, runs: Sequence[AnalyteRun]) -> tuple[PlateState, str]:
    if mapped.waits:
        return PlateState.PARSED, mapped.waits
    evaluated = advance_plate(PlateState.PARSED, PlateState.QC_EVALUATED)
    if any(run.is_accepted for run in runs):
        return advance_plate(evaluated, PlateState.ACCEPTED), ""
    reasons = list(dict.fromkeys(run.reasons[0] for run in runs if run.reasons))
    told = reasons[0] if len(reasons) == 1 else f"no analyte of {len(runs)} is accepted"
    return advance_plate(evaluated, PlateState.REJECTED), told


def _judge_analyte(
    mapped: MappedPlate, exported: str, readings: Sequence[Reading], vendor: VendorCurve | None,
    rules: RunRules,
) -> AnalyteRun:  # fmt: skip
    wells = [_prepare(mapped, exported, reading, rules) for reading in readings]
    analyte, unit = mapped.analytes[exported], mapped.expected.units.get(exported, "")
    if mapped.waits:
        return AnalyteRun(
            analyte=analyte, unit=unit, state=PlateState.PARSED, reasons=(mapped.waits,), remarks=(),
            calibration=None, controls=None, wells=tuple(wells), vendor_curve=vendor, results={},
        )  # fmt: skip
    calibration = _calibrate(wells, rules)
    wells = _quantify(wells, calibration)
    controls = _judge_controls(wells, rules)
    fault = mapped.faults.get(analyte)
    reasons = _list_reasons(fault.reason if fault else "", calibration, controls, rules)
    remarks = calibration.remarks if controls.n else (*calibration.remarks, "NO_QC: no control was run")
    evaluated = advance_plate(PlateState.PARSED, PlateState.QC_EVALUATED)
    state = advance_plate(evaluated, PlateState.REJECTED if reasons else PlateState.ACCEPTED)
    return AnalyteRun(
        analyte=analyte, unit=unit, state=state, reasons=reasons, remarks=remarks, calibration=calibration,
        controls=controls, wells=tuple(wells), vendor_curve=vendor,
        results=_combine(wells, calibration, rules, reasons),
    )  # fmt: skip


def _prepare(mapped: MappedPlate, exported: str, reading: Reading, rules: RunRules) -> WellResult:
    well = mapped.wells[reading.well]
    is_known = well.role in (SampleType.STANDARD, SampleType.QC)
    amount = mapped.expected.find(exported, well.names, well.nominal).concentration if is_known else NAN
    few = reading.bead_count < rules.fewest_beads
    flags = (*reading.flags, LOW_BEAD) if few and LOW_BEAD not in reading.flags else reading.flags
    fault = mapped.faults.get(mapped.analytes[exported])
    if fault and well.role is SampleType.STANDARD and well.level in fault.levels:
        flags = (*flags, CONTRADICTED)
    return WellResult(well=well, reading=reading, nominal=amount, quantity=None, flags=flags)


def _of(wells: Iterable[WellResult], role: SampleType) -> list[WellResult]:
    return [one for one in wells if one.well.role is role]


def _calibrate(wells: Sequence[WellResult], rules: RunRules) -> Calibration:
    standards = [one for one in _of(wells, SampleType.STANDARD) if one.is_usable]
    blanks = [one.reading.signal for one in _of(wells, SampleType.BLANK) if one.is_usable]
    blanks += [one.reading.signal for one in standards if one.nominal == 0]
    used = [one for one in standards if one.nominal > 0]
    return calibrate(
        [one.nominal for one in used], [one.reading.signal for one in used], blanks=blanks, rules=rules
    )


def _quantify(wells: Sequence[WellResult], calibration: Calibration) -> list[WellResult]:
    """Read every well; standards and blanks are read as they are, undiluted."""
    undiluted = (SampleType.STANDARD, SampleType.BLANK)
    quantities = quantify_wells(
        calibration,
        [one.reading.signal for one in wells],
        dilutions=[1.0 if one.well.role in undiluted else one.well.dilution for one in wells],
    )
    levels = {level.nominal: level for level in calibration.levels}
    found = []
    for one, quantity in zip(wells, quantities, strict=True):
        flags = one.flags
        level = levels.get(one.nominal) if one.well.role is SampleType.STANDARD else None
        if level is not None:
            flags += ("ANCHOR",) if level.is_anchor else () if level.is_accepted else ("FAILS",)
            flags += () if level.is_fitted else ("NOT_FITTED",)
        found.append(replace(one, quantity=quantity, flags=flags))
    return found


def _judge_controls(wells: Sequence[WellResult], rules: RunRules) -> QcVerdict:
    found: dict[float, list[float]] = {}
    for one in _of(wells, SampleType.QC):
        if one.nominal > 0 and one.quantity is not None:
            found.setdefault(one.nominal, []).append(one.quantity.calculated if one.is_usable else NAN)
    return judge_controls(found, off_percent=rules.qc_off)


def _list_reasons(
    fault: str, calibration: Calibration, controls: QcVerdict, rules: RunRules
) -> tuple[str, ...]:
    missing = "QC: no control was run" if rules.needs_qc and not controls.n else ""
    return tuple(one for one in (fault, *calibration.reasons, controls.reason, missing) if one)


def _combine(
    wells: Sequence[WellResult], calibration: Calibration, rules: RunRules, reasons: Sequence[str]
) -> dict[Specimen, Quantity]:
    """Return one result of each specimen: the mean of its accepted wells; kept as failed where it fails."""
    groups: dict[Specimen, list[WellResult]] = {}
    for one in _of(wells, SampleType.UNKNOWN):
        if one.well.specimen is not None:
            groups.setdefault(one.well.specimen, []).append(one)
    results = {}
    for specimen, group in groups.items():
        usable = [one for one in group if one.is_usable]
        quantities = [one.quantity for one in usable or group if one.quantity is not None]
        result = combine_specimen(quantities, fit=calibration.fit, rules=rules)
        if not usable:
            flags = sorted({flag for one in group for flag in one.flags if flag in _EXCLUDING})
            result = _fail(result, " ".join(flags) or result.reason)
        results[specimen] = _fail(result, f"{REJECTED} {reasons[0]}") if reasons else result
    return results


def _fail(quantity: Quantity, reason: str) -> Quantity:
    """Return a result that keeps its number and takes no part."""
    return replace(quantity, status=Status.FAILED, reason=reason)


def _report_runs(runs: Sequence[AnalyteRun], rules: RunRules) -> list[Finding]:
    findings = _report_net(runs)
    for run in runs:
        if run.state is PlateState.REJECTED:
            findings.append(
                Finding(check="RUN_REJECTED", level="fail", reason=f"{run.analyte}: {'; '.join(run.reasons)}")
            )
        findings += [
            Finding(check=remark.partition(":")[0], level="warn", reason=f"{run.analyte}: {remark}")
            for remark in run.remarks
            if not remark.startswith(("NO_QC", "FLOOR_RAISED"))
        ]
        findings += _report_beads(run, rules)
        findings += _report_replicates(run, rules)
    if runs and all(any(remark.startswith("NO_QC") for remark in run.remarks) for run in runs):
        findings.append(Finding(check="NO_QC", level="warn", reason="no control was run on this plate"))
    return findings


def _report_net(runs: Sequence[AnalyteRun]) -> list[Finding]:
    """Say where the exported net response is not the response less the mean of the blanks."""
    off = []
    for run in runs:
        blank = run.calibration.blank_mean if run.calibration is not None else NAN
        for one in run.wells:
            if one.well.role is SampleType.BLANK:
                continue
            ours = max(one.reading.signal - blank, 0.0)
            if abs(max(one.reading.net_signal, 0.0) - ours) > max(_NET_OFF, _NET_SHARE * ours):
                off.append(f"{run.analyte} {one.well.key}")
    if not off:
        return []
    named = ", ".join(off[:4]) + (" ..." if len(off) > 4 else "")
    reason = f"net responses are not those less the mean of the blanks: {named}"
    return [Finding(check="NET_MISMATCH", level="warn", value=float(len(off)), reason=reason)]


def _report_beads(run: AnalyteRun, rules: RunRules) -> list[Finding]:
    few = [one for one in run.wells if LOW_BEAD in one.flags]
    if not few:
        return []
    named = ", ".join(one.well.key for one in few[:6]) + (" ..." if len(few) > 6 else "")
    return [
        Finding(
            check=LOW_BEAD, level="warn", value=min(one.reading.bead_count for one in few),
            limit=float(rules.fewest_beads), reason=f"{run.analyte}: too few beads in {named}",
        )
    ]  # fmt: skip


def _report_replicates(run: AnalyteRun, rules: RunRules) -> list[Finding]:
    """Name specimens whose replicates differ, by the reason that their result carries."""
    words = {"REPEAT": ("fail", rules.sample_cv_repeat), "REPLICATE_CV": ("warn", rules.sample_cv_flag)}
    findings = []
    for reason, (level, limit) in words.items():
        found = [specimen for specimen, result in run.results.items() if result.reason == reason]
        if found:
            named = ", ".join(f"{subject} {visit}" for subject, visit, *_ in found[:6])
            more = f" and {len(found) - 6} more" if len(found) > 6 else ""
            findings.append(
                Finding(
                    check=reason, level=level, value=float(len(found)), limit=limit,
                    reason=f"{run.analyte}: replicates differ in {named}{more}",
                )
            )  # fmt: skip
    return findings


def compare_with_vendor(run: AnalyteRun, vendor: Mapping[str, float]) -> float:
    """Return the median absolute difference to the vendor's results within our range, in percent.

    Parameters
    ----------
    run
        The judged analyte.
    vendor
        The vendor's results by well, where they are numbers.
    """
    off = [
        abs(one.quantity.calculated / vendor[one.well.key] - 1) * 100
        for one in run.wells
        if one.quantity is not None
        and one.well.role in (SampleType.UNKNOWN, SampleType.QC, SampleType.UNSTATED)
        and one.quantity.status is Status.QUANTIFIED
        and vendor.get(one.well.key, 0.0) > 0
    ]
    return float(np.median(off)) if off else NAN
