"""SAS transport files, version 5: records of 80 bytes, IBM numbers, nothing of the moment of writing.

References
----------
SAS Institute, TS-140, "The Record Layout of a Data Set in SAS Transport (XPORT) Format".
"""

import datetime as dt
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from corelab.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

RECORD: Final = 80
LARGEST: Final = 16.0**63 * (1 - 2.0**-53)
SMALLEST: Final = 16.0**-65
EPOCH: Final = dt.date(1960, 1, 1)
_NAMESTR_BYTES: Final = 140
_MISSING: Final = b"." + bytes(7)
_ZERO_DATE: Final = b"01JAN60:00:00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One variable of a file: ``length`` is its bytes, 8 for a number; ``format`` a SAS format or empty."""

    name: str
    label: str
    is_number: bool
    length: int
    format: str = ""


def format_xport(table: "pd.DataFrame", fields: Sequence[Field], *, name: str, label: str) -> bytes:
    """Write a table as a SAS transport file of version 5.

    Parameters
    ----------
    table
        A column for each field: float64, NaN is missing; or ASCII text.
    fields
        The variables in order.
    name, label
        Of the data set.

    Raises
    ------
    ContractError
        If a name, a label, a text or a number does not fit into the format.
    """
    _check_fields(fields, name=name, label=label)
    head = b"".join((*_library_header(), *_member_header(name, label), *_variables(fields)))
    rows = _pad(_encode_rows(table, fields))
    return head + _header("OBS") + rows


def encode_numbers(values: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Write doubles as 8-byte IBM floating point, exactly; NaN is the missing value ``.``.

    The fraction of an IBM number has 56 bits behind a power of 16, so that all 53 of a double fit.

    Raises
    ------
    ContractError
        If a number is too large or too small for the format (about 1e-78 to 7e75).
    """
    size = np.abs(values)
    outside = (size > LARGEST) | ((size < SMALLEST) & (size > 0))
    if outside.any():
        raise ContractError(
            f"{values[outside][0]!r} does not fit into a transport file", expected="1e-78 to 7e75"
        )
    known = np.isfinite(values) & (values != 0)
    fraction, exponent = np.frexp(np.where(known, size, 0.5))
    power = -(-exponent // 4)
    whole = np.ldexp(fraction, 56 - (4 * power - exponent)).astype(np.uint64)
    sign = np.where(np.signbit(values), 0x80, 0).astype(np.uint64)
    bits = whole | ((sign | (power + 64).astype(np.uint64)) << np.uint64(56))
    encoded = np.where(known, bits, np.uint64(0)).astype(">u8").view(np.uint8).reshape(-1, 8)
    encoded[np.isnan(values)] = np.frombuffer(_MISSING, dtype=np.uint8)
    return encoded


def count_days(text: str) -> float:
    """Return a date as SAS counts it, days since 1960; NaN for a text that is no whole date.

    Examples
    --------
    >>> count_days("1960-01-02"), count_days("2025-06-10T08:00+08:00"), count_days("2025-06")
    (1.0, 23902.0, nan)
    """
    try:
        return float((dt.date.fromisoformat(text[:10]) - EPOCH).days)
    except ValueError:
        return float("nan")


def _check_fields(fields: Sequence[Field], *, name: str, label: str) -> None:
    names = [(name, label), *((field.name, field.label) for field in fields)]
    for short, long in names:
        if not (short.isascii() and 1 <= len(short) <= 8):
            raise ContractError(f"name {short!r} is too long for a transport file", expected="1 to 8 letters")
        if not (long.isascii() and len(long) <= 40):
            raise ContractError(
                f"label {long!r} is too long for a transport file", place=short, expected="40 bytes"
            )
    for field in fields:
        if not 1 <= field.length <= 200 or (field.is_number and field.length != 8):
            raise ContractError(
                f"length {field.length} is not possible", place=field.name, expected="1 to 200"
            )


def _header(kind: str, numbers: str = "0" * 30) -> bytes:
    return f"HEADER RECORD*******{kind:<8}HEADER RECORD!!!!!!!{numbers}".ljust(RECORD).encode("ascii")


def _library_header() -> tuple[bytes, ...]:
    system = b"SAS     SAS     SASLIB  9.4             " + b" " * 24 + _ZERO_DATE
    return _header("LIBRARY"), system, _ZERO_DATE.ljust(RECORD)


def _member_header(name: str, label: str) -> tuple[bytes, ...]:
    member = f"SAS     {name:<8}SASDATA 9.4             ".encode("ascii") + b" " * 24 + _ZERO_DATE
    described = _ZERO_DATE + b" " * 16 + label.encode("ascii").ljust(40) + b" " * 8
    return _header("MEMBER", "0" * 17 + "1600000000140"), _header("DSCRPTR"), member, described


def _variables(fields: Sequence[Field]) -> tuple[bytes, ...]:
    position, records = 0, []
    for number, field in enumerate(fields, start=1):
        records.append(_namestr(field, number=number, position=position))
        position += field.length
    return _header("NAMESTR", f"000000{len(fields):04d}" + "0" * 20), _pad(b"".join(records))


def _namestr(field: Field, *, number: int, position: int) -> bytes:
    width = 9 if field.format else 0
    packed = struct.pack(
        ">hhhh8s40s8shhh2s8shhl52s",
        1 if field.is_number else 2, 0, field.length, number, field.name.encode().ljust(8),
        field.label.encode().ljust(40), field.format.encode().ljust(8), width, 0, 0, bytes(2), b" " * 8, 0, 0,
        position, bytes(52),
    )  # fmt: skip
    if len(packed) != _NAMESTR_BYTES:
        message = f"a variable's record has {len(packed)} bytes"
        raise RuntimeError(message)
    return packed


def _pad(data: bytes) -> bytes:
    return data + b" " * (-len(data) % RECORD)


def _encode_rows(table: "pd.DataFrame", fields: Sequence[Field]) -> bytes:
    if table.empty:
        return b""
    columns = [_encode_column(table[field.name].tolist(), field) for field in fields]
    return np.hstack(columns).tobytes()


def _encode_column(values: list[Any], field: Field) -> npt.NDArray[np.uint8]:
    if field.is_number:
        return encode_numbers(np.array(values, dtype=np.float64))
    try:
        encoded = {text: text.encode("ascii") for text in set(values)}
    except UnicodeEncodeError as error:
        raise ContractError("holds a text that is not ASCII", place=field.name) from error
    longest = max(map(len, encoded.values()))
    if longest > field.length:
        raise ContractError(f"holds a text of {longest} bytes", place=field.name, expected=f"{field.length}")
    padded = {text: data.ljust(field.length) for text, data in encoded.items()}
    packed = b"".join(map(padded.__getitem__, values))
    return np.frombuffer(packed, dtype=np.uint8).reshape(-1, field.length)
