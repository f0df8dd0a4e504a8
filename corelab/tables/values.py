"""Delivered values as columns: parsed, converted, with what cannot be read marked as failed."""

from collections.abc import Iterable
from typing import Any, Final

import pandas as pd

from corelab.clinical.laboratory import convert_reported
from corelab.errors import InputError
from corelab.ingest.values import NAN, Measured, parse_measured
from corelab.units import parse_unit
from corelab.vocabulary import Status

UNREADABLE: Final = "UNREADABLE"
UNKNOWN_UNIT: Final = "UNKNOWN_UNIT"
MEASURED_COLUMNS: Final = ["value", "relation", "low", "high", "status", "reason"]


def parse_values(
    texts: Iterable[str],
    *,
    lods: Iterable[float],
    lloqs: Iterable[float],
    uloqs: Iterable[float],
) -> list[Measured]:
    """Parse delivered values; one that cannot be read is ``failed``, with its reason."""
    return [
        _parse_or_fail(text, lod, lloq, uloq)
        for text, lod, lloq, uloq in zip(texts, lods, lloqs, uloqs, strict=True)
    ]


def _parse_or_fail(text: str, lod: float, lloq: float, uloq: float) -> Measured:
    try:
        return parse_measured(text, lod=lod, lloq=lloq, uloq=uloq)
    except InputError:
        return Measured(value=NAN, relation="", low=NAN, high=NAN, status=Status.FAILED, reason=UNREADABLE)


def tabulate_measured(values: list[Measured], index: pd.Index) -> pd.DataFrame:
    """Lay parsed values out as columns."""
    columns: dict[str, Any] = {name: [getattr(value, name) for value in values] for name in MEASURED_COLUMNS}
    frame = pd.DataFrame(columns, index=index, columns=MEASURED_COLUMNS)
    frame["status"] = frame["status"].map(str).astype(object)
    numbers = dict.fromkeys(("value", "low", "high"), "float64")
    return frame.astype({**numbers, "relation": object, "reason": object})


def spell_units(units: "pd.Series[str]") -> "pd.Series[str]":
    """Return canonical units; an unknown one becomes empty."""
    return units.map({unit: _spell_or_blank(unit) for unit in units.unique()}).astype(object)


def _spell_or_blank(unit: str) -> str:
    try:
        return parse_unit(unit)
    except InputError:
        return ""


def convert_columns(table: pd.DataFrame, columns: Iterable[str], *, substance: str) -> pd.DataFrame:
    """Convert numeric columns from each row's ``unit`` to its ``target``, digit for digit."""
    converted = table.copy()
    differs = table["unit"] != table["target"]
    for name in columns:
        converted.loc[differs, name] = [
            convert_reported(value, unit, target, substance=key)
            for value, unit, target, key in table.loc[
                differs, [name, "unit", "target", substance]
            ].itertuples(index=False, name=None)
        ]
    return converted
