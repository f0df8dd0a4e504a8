"""External spillover matrices: read strictly, never guessed at, never turned round."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.errors import InputError
from corelab.ingest.fcs import Spillover
from corelab.ingest.tables import check_separator

_MAX_CHANNELS: Final = 200
_UNIT: Final = 0.01
_PREFIX: Final = re.compile(r"^(FJ)?Comp-", re.IGNORECASE)


def parse_spillover_csv(data: bytes, *, name: str) -> Spillover:
    """Parse a ``*.spill.csv``: detectors in the header, one row for each fluorochrome.

    A first column of names is taken where there is one; the rows are then put into the order of the
    header by these names. A name may carry its marker behind ``::`` and FlowJo's ``Comp-`` before it. A
    diagonal of 100 is in percent.

    Parameters
    ----------
    data
        The file.
    name
        What to call it in an error.

    Raises
    ------
    InputError
        If it is no UTF-8 CSV, not square, not of finite numbers, without a unit diagonal, if a name
        stands twice, or the names of the rows are not those of the header.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("no UTF-8 text", place=name, expected="a CSV in UTF-8") from None
    try:
        rows = [
            row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if any(map(str.strip, row))
        ]
    except csv.Error as error:
        raise InputError(f"not readable as CSV ({error})", place=name) from error
    if len(rows) < 2:
        raise InputError("no matrix", place=name, expected="a header of detectors and a row for each")
    check_separator(rows[0], place=name)
    header, body = [_bare(cell) for cell in rows[0]], rows[1:]
    is_named = header[0] == "" or len(body[0]) == len(header) + 1 or not _is_number(body[0][0])
    detectors = header[1:] if is_named and len(header) == len(body[0]) else header
    _check_shape(detectors, body, named=is_named, place=name)
    matrix = np.array([[_number(cell, name) for cell in row[is_named:]] for row in body])
    if is_named:
        matrix = matrix[_order([_bare(row[0]) for row in body], detectors, name)]
    return Spillover(detectors=tuple(detectors), matrix=_to_fractions(matrix, name))


def format_spillover_csv(spillover: Spillover) -> bytes:
    """Write a matrix so that reading gives the same doubles back."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["", *spillover.detectors])
    for detector, row in zip(spillover.detectors, spillover.matrix.tolist(), strict=True):
        writer.writerow([detector, *(repr(value) for value in row)])
    return buffer.getvalue().encode()


def _bare(cell: str) -> str:
    return _PREFIX.sub("", cell.split("::", maxsplit=1)[0].strip())


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, place: str) -> float:
    if not _is_number(cell) or not np.isfinite(float(cell)):
        raise InputError(f"{cell.strip()[:40]!r}", place=place, expected="a finite number in every cell")
    return float(cell)


def _check_shape(detectors: Sequence[str], body: Sequence[Sequence[str]], *, named: bool, place: str) -> None:
    n = len(detectors)
    if not 1 <= n <= _MAX_CHANNELS or len(body) != n or any(len(row) != n + named for row in body):
        raise InputError(
            f"{len(body)} rows for {n} detectors", place=place,
            expected="a square matrix: a row for each detector of the header",
        )  # fmt: skip
    if "" in detectors or len(set(detectors)) < n:
        raise InputError("a detector without a name or named twice", place=place, expected="each once")


def _order(names: Sequence[str], detectors: Sequence[str], place: str) -> list[int]:
    """Return the place of each detector among the names of the rows."""
    if sorted(names) != sorted(detectors):
        odd = next((name for name in names if name not in detectors), names[0])
        raise InputError(
            f"row {odd[:40]!r} is not in the header", place=place,
            expected="rows and columns of the same names; row = fluorochrome, column = detector",
        )  # fmt: skip
    return [names.index(detector) for detector in detectors]


def _to_fractions(matrix: npt.NDArray[np.float64], place: str) -> npt.NDArray[np.float64]:
    diagonal = np.diag(matrix)
    for unit in (1.0, 100.0):
        if np.allclose(diagonal, unit, rtol=_UNIT, atol=0.0):
            return matrix / unit
    raise InputError(
        f"diagonal {diagonal.min():g} to {diagonal.max():g}", place=place,
        expected="1 on the diagonal (or 100, in percent)",
        remedy="name each row in a first column: they stand in another order than the header"
        if _is_shuffled(matrix)
        else "export the spillover matrix, not the compensation matrix",
    )  # fmt: skip


def _is_shuffled(matrix: npt.NDArray[np.float64]) -> bool:
    """Tell a spillover matrix whose rows are in another order: a 1 for each row and for each column."""
    own = np.isclose(matrix / np.abs(matrix).max(), 1.0, rtol=_UNIT)
    return bool((own.sum(axis=0) == 1).all() and (own.sum(axis=1) == 1).all())
