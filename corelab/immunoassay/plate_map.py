"""What is in each well of a plate: by the layout of the delivery, else by the export's own words."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from corelab.immunoassay.nominal import (
    Expected,
    Fault,
    Finding,
    StandardRow,
    build_expected,
    find_faults,
    report_replaced,
)
from corelab.ingest.names import spell_analyte
from corelab.ingest.plates.records import PlateExport, SampleType, Well

NAN: Final = float("nan")
_BY_NAME: Final = (
    (re.compile(r"(std|standard|cal|calibrator)[\s_-]*\d+", re.IGNORECASE), SampleType.STANDARD),
    (re.compile(r"(blank|background|blk|bkg|bg)[\s_-]*\d*|b", re.IGNORECASE), SampleType.BLANK),
    (re.compile(r"(qc|control|ctrl)[\s_-]*\d+", re.IGNORECASE), SampleType.QC),
)  # fmt: skip
_MOST_NAMED: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutRow:
    """One row of ``plates/layout.csv``; numbers are NaN and texts empty where not given."""

    well: str
    sample_type: SampleType
    name: str = ""
    nominal: float = NAN
    dilution: float = NAN
    subject_id: str = ""
    visit: str = ""
    collected_at: str = ""
    kit_lot: str = ""
    matrix: str = ""
    run_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedWell:
    """One row of the export with what it holds. ``specimen`` is (subject, visit, time, matrix), or empty."""

    key: str
    role: SampleType
    name: str
    level: str
    dilution: float
    specimen: tuple[str, str, str, str] | None = None
    nominal: float = NAN
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MappedPlate:
    """A plate whose wells are known. ``analytes`` gives our name by the export's.

    ``waits`` says why it cannot be judged yet, and is empty otherwise. ``faults`` are contradictions of the
    expected concentrations by analyte.
    """

    export: PlateExport
    wells: Mapping[str, MappedWell]
    analytes: Mapping[str, str]
    expected: Expected
    findings: tuple[Finding, ...]
    waits: str
    kit_lot: str
    matrix: str
    run_at: str
    faults: Mapping[str, Fault] = field(default_factory=dict)


def map_plate(
    export: PlateExport,
    layout: Sequence[LayoutRow],
    standards: Sequence[StandardRow],
    *,
    series_off: float = 5.0,
) -> MappedPlate:
    """Say what is in each well.

    Parameters
    ----------
    export
        The plate as its reader exported it.
    layout, standards
        Rows of the delivery that name this plate.
    series_off
        By how much a nominal concentration may lie off its dilution series, in percent.

    Returns
    -------
    MappedPlate
        Roles come from the layout; where it has no row for a well, from the export's own tables; else from a
        name that begins as standards, blanks and controls do, which is said. Everything else is
        ``unstated`` and takes no part.
    """
    matrices = {row.matrix.casefold() for row in layout if row.matrix}
    only = next(iter(matrices)) if len(matrices) == 1 else ""  # told once, it holds for the plate
    rows = {row.well: replace(row, matrix=row.matrix.casefold() or only) for row in layout}
    analytes = name_analytes(export.analytes, standards)
    findings = [Finding(check="EXPORT", level="warn", reason=remark) for remark in export.remarks]
    wells = {well.key: _map_well(well, rows, findings) for well in export.wells}
    findings += _report_wells(export, rows, wells)
    expected = build_expected(export, standards, analytes)
    findings += report_replaced(export, expected, analytes)
    faults, told = find_faults(_nominals_in_use(wells, analytes, expected), tolerance_percent=series_off)
    return MappedPlate(
        export=export, wells=wells, analytes=analytes, expected=expected, findings=(*findings, *told),
        waits=_find_what_lacks(wells, analytes, expected), faults=faults,
        kit_lot=_first(row.kit_lot for row in layout) or export.lot,
        matrix=_first(row.matrix for row in layout),
        run_at=_first(row.run_at for row in layout) or export.run_at,
    )  # fmt: skip


def name_analytes(names: Iterable[str], standards: Sequence[StandardRow]) -> dict[str, str]:
    """Return our spelling by the export's; two that would become one keep the export's.

    An export that names no analyte (a plain matrix) takes the one that its standards name.
    """
    given = list(names)
    named = list(dict.fromkeys(row.analyte for row in standards))
    if given == [""]:
        return {"": named[0] if len(named) == 1 else ""}
    spelled = {name: spell_analyte(name) for name in given}
    counts = list(spelled.values())
    return {name: one if counts.count(one) == 1 else name for name, one in spelled.items()}


def _map_well(well: Well, rows: Mapping[str, LayoutRow], findings: list[Finding]) -> MappedWell:
    given = [rows[one] for one in well.wells if one in rows]
    if not given:
        return _map_unlisted(well)
    first = given[0]
    same = all(
        (row.sample_type, row.name, row.subject_id, row.visit, row.collected_at, row.matrix)
        == (first.sample_type, first.name, first.subject_id, first.visit, first.collected_at, first.matrix)
        for row in given
    )
    if not same:
        findings.append(
            Finding(
                check="LAYOUT_CONFLICT", level="fail",
                reason=f"the export gives the mean of {well.key}, which the layout fills differently",
            )
        )  # fmt: skip
        return MappedWell(key=well.key, role=SampleType.UNSTATED, name=well.name, level="", dilution=NAN)
    if well.sample_type not in (SampleType.UNSTATED, first.sample_type):
        findings.append(
            Finding(
                check="LAYOUT_CONFLICT", level="warn",
                reason=f"{well.key} is {well.sample_type} in the export, {first.sample_type} in the layout",
            )
        )  # fmt: skip
    names = tuple(dict.fromkeys(text for text in (first.name, well.level, well.name) if text))
    specimen = None
    if first.subject_id:  # serum and plasma of one draw are two specimens
        specimen = (first.subject_id, first.visit, first.collected_at, first.matrix)
    return MappedWell(
        key=well.key, role=first.sample_type, name=first.name or well.name, names=names,
        level=first.name or well.level or well.name, specimen=specimen, nominal=first.nominal,
        dilution=_choose_dilution(first.dilution, well.dilution),
    )  # fmt: skip


def _choose_dilution(*given: float) -> float:
    """Return the first dilution that is given; 1 where none is."""
    return next((one for one in given if one > 0), 1.0)


def _map_unlisted(well: Well) -> MappedWell:
    role = well.sample_type
    if role is SampleType.UNSTATED:
        role = next((kind for form, kind in _BY_NAME if form.fullmatch(well.name)), SampleType.UNSTATED)
    names = tuple(dict.fromkeys(text for text in (well.level, well.name) if text))
    return MappedWell(
        key=well.key, role=role, name=well.name, level=well.level or well.name, names=names,
        dilution=_choose_dilution(well.dilution),
    )  # fmt: skip


def _report_wells(
    export: PlateExport, rows: Mapping[str, LayoutRow], wells: Mapping[str, MappedWell]
) -> list[Finding]:  # fmt: skip
    findings = []
    read = {one: well for well in export.wells for one in well.wells}
    inferred = [
        one for one, well in read.items()
        if one not in rows and well.sample_type is SampleType.UNSTATED
        and wells[well.key].role is not SampleType.UNSTATED
    ]  # fmt: skip
    if inferred:
        kinds = sorted({wells[read[one].key].role.value for one in inferred})
        findings.append(
            _listing("ROLE_INFERRED", "warn", f"taken as {' and '.join(kinds)} by name", inferred)
        )
    if not rows:
        reason = "no row of plates/layout.csv names this plate; its specimens are not known"
        return [*findings, Finding(check="LAYOUT_MISSING", level="warn", reason=reason)]
    holes = [one for one in read if one not in rows and one not in inferred]
    if holes:
        findings.append(_listing("LAYOUT_HOLE", "fail", "no row in plates/layout.csv for", holes))
    unread = [one for one in rows if one not in read]
    if unread:
        findings.append(_listing("WELL_NOT_READ", "fail", "in the layout but not in the export:", unread))
    return findings


def _listing(check: str, level: str, words: str, wells: Sequence[str]) -> Finding:
    named = sorted(wells, key=lambda well: (well[0], int(well[1:])))
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    listed = ", ".join(named[:_MOST_NAMED])
    return Finding(check=check, level=level, reason=f"{words} {listed}{more}", value=float(len(named)))


def _nominals_in_use(
    wells: Mapping[str, MappedWell], analytes: Mapping[str, str], expected: Expected
) -> dict[str, dict[str, float]]:
    """Return the nominal concentration by analyte and level of the standards."""
    levels = {well.level: well for well in wells.values() if well.role is SampleType.STANDARD}
    return {
        ours: {
            level: expected.find(analyte, well.names, well.nominal).concentration
            for level, well in levels.items()
        }
        for analyte, ours in analytes.items()
    }


def _find_what_lacks(wells: Mapping[str, MappedWell], analytes: Mapping[str, str], expected: Expected) -> str:
    if list(analytes.values()) == [""]:
        return "ANALYTE: the export names none; expected a line Analyte or one analyte in standards.csv"
    standards = [well for well in wells.values() if well.role is SampleType.STANDARD]
    if not standards:
        return "LAYOUT: no well is known to be a standard; expected rows in plates/layout.csv"
    known = any(
        expected.find(analyte, well.names, well.nominal).concentration > 0
        for analyte in analytes
        for well in standards
    )
    return "" if known else "STANDARDS: no expected concentration; expected rows in plates/standards.csv"


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")
