"""Expected concentrations of standards and controls: the delivery's table before the export's own."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.immunoassay.series import SeriesFault, find_series_faults
from corelab.ingest.names import spell_analyte
from corelab.ingest.plates.records import PlateExport

NAN: Final = float("nan")
_MOST_NAMED: Final = 4
_SAME: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found on a plate; ``level`` is ``warn`` or ``fail``."""

    check: str
    level: str
    reason: str
    value: float = NAN
    limit: float = NAN


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardRow:
    """One row of ``plates/standards.csv``, the analyte in our spelling."""

    level: str
    analyte: str
    nominal: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why an analyte's expected concentrations cannot be used, and the levels at which they are wrong."""

    reason: str
    levels: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAmount:
    """An expected concentration with its unit; NaN where none is known."""

    concentration: float = NAN
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expected:
    """Expected concentrations by (export's analyte, level in lower case), and units by analyte."""

    delivered: Mapping[tuple[str, str], KnownAmount]
    exported: Mapping[tuple[str, str], KnownAmount]
    units: Mapping[str, str]

    def find(self, analyte: str, names: Sequence[str], nominal: float = NAN) -> KnownAmount:
        """Return what a well should hold: by ``standards.csv``, the layout, then the export.

        Parameters
        ----------
        analyte
            As the export names it.
        names
            What the well's level may be called.
        nominal
            What the layout says for every analyte of the well; NaN if nothing.
        """
        unit = self.units.get(analyte, "")
        for name in names:
            if found := self.delivered.get((analyte, name.casefold())):
                return found
        if nominal >= 0:
            return KnownAmount(concentration=nominal, unit=unit)
        for name in names:
            if found := self.exported.get((analyte, name.casefold())):
                return found
        return KnownAmount(unit=unit)


def build_expected(
    export: PlateExport, standards: Sequence[StandardRow], analytes: Mapping[str, str]
) -> Expected:
    """Gather what the delivery and the export say."""
    by_name: dict[str, list[str]] = {}
    for analyte, ours in analytes.items():
        for name in sorted({ours.casefold(), analyte.casefold(), spell_analyte(analyte).casefold()}):
            by_name.setdefault(name, []).append(analyte)
    delivered = {
        (analyte, row.level.casefold()): KnownAmount(concentration=row.nominal, unit=row.unit)
        for row in standards
        for analyte in by_name.get(row.analyte.casefold(), ())
    }
    exported = {
        (one.analyte, one.level.casefold()): KnownAmount(concentration=one.concentration, unit=one.unit)
        for one in export.nominals
    }
    units = dict(export.units)
    for (analyte, _), amount in delivered.items():
        if amount.unit:
            units[analyte] = amount.unit
    return Expected(delivered=delivered, exported=exported, units=units)


def report_replaced(export: PlateExport, expected: Expected, analytes: Mapping[str, str]) -> list[Finding]:
    """Name the levels whose delivered concentration is another than the export's."""
    levels: dict[str, list[str]] = {}
    for key, amount in expected.exported.items():
        given = expected.delivered.get(key)
        if given and abs(given.concentration - amount.concentration) > _SAME * amount.concentration:
            words = f"{analytes[key[0]]} {amount.concentration:g} to {given.concentration:g}"
            levels.setdefault(key[1], []).append(words)
    names = {one.level.casefold(): one.level for one in export.nominals}
    return [
        Finding(
            check="NOMINAL_REPLACED", level="warn", value=float(len(words)),
            reason=f"standards.csv corrects {names[level]}: {_shorten(words)}",
        )
        for level, words in levels.items()
    ]  # fmt: skip


def find_faults(
    nominals: Mapping[str, Mapping[str, float]], *, tolerance_percent: float
) -> tuple[dict[str, Fault], list[Finding]]:
    """Find nominal concentrations that contradict their own dilution series.

    Returns
    -------
    tuple of dict and list of Finding
        Why an analyte cannot be judged, where its table is wrong, and one finding for each level that is off.
    """
    faults: dict[str, list[SeriesFault]] = {}
    for analyte, levels in nominals.items():
        numbers = number_levels(levels)
        ordered = {level: levels[level] for level in numbers}
        faults[analyte] = find_series_faults(
            ordered, places=list(numbers.values()), tolerance_percent=tolerance_percent
        )
    slips = {analyte: [fault for fault in found if fault.is_slip] for analyte, found in faults.items()}
    wrong_tables = {
        analyte: Fault(
            reason="EXPECTED_CONCENTRATION: " + _shorten([_describe(fault) for fault in found]),
            levels=frozenset(fault.level for fault in found),
        )
        for analyte, found in slips.items()
        if found
    }
    wrong = {fault.level for found in slips.values() for fault in found}
    by_level: dict[str, list[str]] = {}
    for analyte, found in faults.items():
        for fault in found:
            by_level.setdefault(fault.level, []).append(f"{analyte} {_describe_amounts(fault)}")
    findings = [
        Finding(
            check="EXPECTED_CONCENTRATION", level="fail" if level in wrong else "warn",
            value=float(len(words)), limit=tolerance_percent,
            reason=f"{level} contradicts its dilution series in {len(words)} of {len(nominals)} analytes: "
            f"{_shorten(words)}",
        )
        for level, words in by_level.items()
    ]  # fmt: skip
    return wrong_tables, findings


def number_levels(levels: Iterable[str]) -> dict[str, int]:
    """Return the place of each level by the number in its name, else in the order given.

    Examples
    --------
    >>> number_levels(["STD10", "STD2", "STD1"]), number_levels(["high", "low"])
    ({'STD1': 1, 'STD2': 2, 'STD10': 10}, {'high': 0, 'low': 1})
    """
    names = list(levels)
    numbers = [re.findall(r"\d+", name) for name in names]
    places = [int(found[-1]) for found in numbers if found]
    if len(set(places)) < len(names):
        return {name: place for place, name in enumerate(names)}
    return dict(sorted(zip(names, places, strict=True), key=lambda pair: pair[1]))


def _describe(fault: SeriesFault) -> str:
    return f"{fault.level} is {_describe_amounts(fault)}"


def _describe_amounts(fault: SeriesFault) -> str:
    return f"{fault.stated:g}, its series implies {fault.implied:g}: {fault.explanation}"


def _shorten(words: Sequence[str]) -> str:
    more = f" and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    return "; ".join(words[:_MOST_NAMED]) + more
