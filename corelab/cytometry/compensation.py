"""Spillover out of the events: once, the right way round, and with a fingerprint."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.markers import find_scatter, is_compensated_name
from corelab.cytometry.records import Finding, fair_rows
from corelab.errors import InputError
from corelab.ingest.fcs import Acquisition, Spillover

_MAX_CONDITION: Final = 50.0
_OFF_DIAGONAL: Final = (-0.05, 0.7)
_BRIGHT_SHARE: Final = 0.05
_MIN_BRIGHT: Final = 25
_MIN_NEGATIVE_SHARE: Final = 0.02
_MIN_SPILL: Final = 0.03
_CLEAR_OF_NOISE: Final = 10.0
_DIFFERENT: Final = 0.05
_DEFICIT: Final = 0.3
_DECISIVE: Final = 3.0
_SAMPLED: Final = 50_000
_LARGEST: Final = 1e300
_MANY: Final = 100_000
"""Below, NumPy is done before the compiled loop is loaded."""
_BLOCK: Final = 1 << 14
"""Events that are computed together, so that they stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compensated:
    """What compensation makes of an acquisition, the applied matrix with its SHA-256, and findings.

    ``spillover`` is None and the hash empty where nothing was applied. Nothing is computed until it is
    asked for, a block of events at a time: a whole tube of doubles takes four times the memory of its file.
    """

    acquisition: Acquisition
    sha256: str
    findings: tuple[Finding, ...]
    spillover: Spillover | None = None

    @property
    def events(self) -> npt.NDArray[np.float64]:
        """All channels of all events, ``(n_events, n_channels)``, made anew each time."""
        return self.compute(range(len(self.acquisition.detectors))).T

    def compute(
        self,
        columns: Sequence[int],
        rows: slice | npt.NDArray[np.int64] = slice(None),
        out: npt.NDArray[np.float64] | None = None,
    ) -> npt.NDArray[np.float64]:
        """Compute some channels of some events.

        Parameters
        ----------
        columns
            Places of the channels in the file; those that the matrix does not name come as recorded.
        rows
            Which events.
        out
            Room for them; by default new.

        Returns
        -------
        array
            ``(n_columns, n_rows)``, each channel in one piece.
        """
        inverse, events = self._invert(), self.acquisition.events
        add_up = _load_loop() if len(events) >= _MANY and events.flags.f_contiguous else None
        recorded = events[rows].T
        if add_up is not None and not recorded.flags.c_contiguous:
            recorded = np.ascontiguousarray(recorded)
            recorded.setflags(write=False)
        found = np.empty((len(columns), recorded.shape[1])) if out is None else out
        terms = [inverse.get(column, ((column,), np.ones(1))) for column in columns]
        if add_up is None or not terms:
            for place, (channels, numbers) in enumerate(terms):
                _add_up([recorded[one] for one in channels], numbers, found[place])
            return found
        starts = np.cumsum([0, *(len(channels) for channels, _ in terms)])
        used = np.array([one for channels, _ in terms for one in channels])
        add_up(recorded, starts, used, np.concatenate([numbers for _, numbers in terms]), found)
        return found

    def list_unbounded(self, columns: Sequence[int]) -> list[int]:
        """List the channels of which a value might lie beyond all numbers, by the largest recorded ones."""
        inverse, events = self._invert(), self.acquisition.events
        most = np.abs([events.max(axis=0, initial=0.0), events.min(axis=0, initial=0.0)]).max(axis=0)
        with np.errstate(over="ignore"):
            bounds = {
                column: float(most[list(channels)].astype(np.float64) @ np.abs(numbers))
                for column, (channels, numbers) in inverse.items()
            }
        return [column for column in columns if not bounds.get(column, 0.0) < _LARGEST]

    def _invert(self) -> dict[int, tuple[tuple[int, ...], npt.NDArray[np.float64]]]:
        """Give for each mixed channel the recorded ones that it is made of, and their numbers."""
        if self.spillover is None:
            return {}
        mixed = np.array([self.acquisition.detectors.index(name) for name in self.spillover.detectors])
        inverse = np.linalg.inv(self.spillover.matrix)
        found = {}
        for at, column in enumerate(mixed.tolist()):
            used = np.flatnonzero(inverse[:, at])
            found[column] = tuple(mixed[used].tolist()), inverse[used, at]
        return found


@cache
def _load_loop() -> Any:
    """Return the compiled loop, None where Numba is not installed."""
    try:
        from corelab.cytometry.kernel.products import add_up
    except ImportError:
        return None
    return add_up


def _add_up(parts: Sequence[Any], numbers: npt.NDArray[np.float64], out: npt.NDArray[np.float64]) -> None:
    """Add up recorded channels times their numbers, one after the other, as the loops of gates do.

    So a value has the same bits whichever events are computed together.
    """
    spare = np.empty(min(len(out), _BLOCK))
    for begin in range(0, len(out), _BLOCK):
        total = out[begin : begin + _BLOCK]
        product = spare[: len(total)]
        np.multiply(parts[0][begin : begin + _BLOCK], numbers[0], out=total)
        for part, number in zip(parts[1:], numbers[1:], strict=True):
            np.multiply(part[begin : begin + _BLOCK], number, out=product)
            total += product


def compute_compensated(
    observed: npt.NDArray[np.float64], matrix: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Solve ``true @ matrix = observed`` for events as rows.

    Parameters
    ----------
    observed
        ``(n_events, n)`` linear values.
    matrix
        ``(n, n)``, row = fluorochrome, column = detector.

    Examples
    --------
    >>> compute_compensated(np.array([[1020.0, 600.0]]), np.array([[1, 0.2], [0.05, 1]])).round(6)
    array([[1000.,  400.]])
    """
    return np.asarray(observed @ np.linalg.inv(matrix))


def check_spillover(spillover: Spillover, detectors: Sequence[str], *, place: str) -> list[int]:
    """Return the columns of a matrix that may be applied, or raise.

    Raises
    ------
    InputError
        If a channel is not there, twice there, or scatter; if the diagonal is not 1 (within 1 %);
        or if the matrix cannot be inverted.
    """
    absent = [name for name in spillover.detectors if name not in detectors]
    double = [name for name in spillover.detectors if list(detectors).count(name) > 1]
    wrong = [name for name in spillover.detectors if find_scatter(name)]
    if absent or double or wrong or len(set(spillover.detectors)) < len(spillover.detectors):
        found = f"channels {', '.join(absent or double or wrong) or 'named twice'}"
        raise InputError(
            f"spillover matrix for {found}", place=place,
            expected="each channel once among the fluorescence channels of the file",
        )  # fmt: skip
    matrix = spillover.matrix
    if not np.allclose(np.diag(matrix), 1.0, atol=0.01) or np.linalg.cond(matrix) > 1e6:
        raise InputError(
            "spillover matrix without a unit diagonal or without inverse", place=place,
            expected="row = fluorochrome, 1 on the diagonal",
        )  # fmt: skip
    return [list(detectors).index(name) for name in spillover.detectors]


def compute_matrix_sha256(spillover: Spillover) -> str:
    """Hash names and numbers of a matrix, independent of how a file spelt them."""
    digest = hashlib.sha256("\n".join(spillover.detectors).encode())
    digest.update(np.ascontiguousarray(spillover.matrix, dtype="<f8").tobytes())
    return digest.hexdigest()


def compensate(acquisition: Acquisition, *, external: Spillover | None = None) -> Compensated:
    """Compensate an acquisition unless it is compensated already.

    The keyword ``APPLY COMPENSATION`` is no evidence: it also stands on compensated exports. What
    counts is the channels' names (``FJComp-``, ``Comp-``) and whether the matrix would push bright
    events far below zero.

    Parameters
    ----------
    acquisition
        As recorded.
    external
        A matrix to use instead of the embedded one.

    Raises
    ------
    InputError
        If the matrix cannot belong to this file (`check_spillover`).
    """
    spillover = external or acquisition.spillover
    if any(is_compensated_name(name) for name in acquisition.detectors):
        level = "warn" if external else None
        return _unchanged(acquisition, "names say that the channels are compensated", level)
    if spillover is None:
        return _unchanged(acquisition, "no spillover matrix", "warn")
    columns = check_spillover(spillover, acquisition.detectors, place=acquisition.name)
    rows = fair_rows(acquisition.n_events, most=_SAMPLED)
    observed = acquisition.events[rows, columns].astype(np.float64)
    true = compute_compensated(observed, spillover.matrix)
    is_turned = external is not None and fits_transposed(observed, spillover.matrix)
    if not is_turned and is_overcompensated(observed, true, spillover.matrix):
        return _unchanged(acquisition, "the matrix would compensate a second time", "warn")
    findings = _matrix_findings(spillover.matrix)
    if is_turned:
        reason = "rows and columns of the delivered matrix are exchanged: row = fluorochrome is expected"
        findings += (replace(_finding(float("nan"), float("nan"), reason), level="fail"),)
    return Compensated(
        acquisition=acquisition,
        sha256=compute_matrix_sha256(spillover),
        findings=findings,
        spillover=spillover,
    )


def _unchanged(acquisition: Acquisition, reason: str, level: str | None) -> Compensated:
    findings = () if level is None else (_finding(float("nan"), float("nan"), reason),)
    return Compensated(acquisition=acquisition, sha256="", findings=findings)


def is_overcompensated(
    observed: npt.NDArray[np.float64],
    compensated: npt.NDArray[np.float64],
    matrix: npt.NDArray[np.float64],
) -> bool:
    """Tell whether compensation pushes the neighbours of bright events below zero.

    For each large spill the brightest twentieth of the events is looked at. Events that were
    recorded with spill fall to about zero where they lack the neighbour's marker; events that were
    compensated before fall to minus the spill. Values that were compensated have negatives; where
    there are none, nothing was compensated, however odd the matrix.
    """
    if not len(observed) or np.median((observed < 0).mean(axis=0)) < _MIN_NEGATIVE_SHARE:
        return False
    noise = np.array([_negative_sd(column) for column in observed.T])
    telling = _is_telling(observed, noise)
    seen, true = observed[telling], compensated[telling]
    n_bright = int(_BRIGHT_SHARE * len(seen))
    if n_bright < _MIN_BRIGHT:
        return False
    # What compensation makes of the detectors' own noise must not pass for a shift.
    after = np.sqrt(noise**2 @ np.linalg.inv(matrix) ** 2)
    votes = []
    for row in range(len(matrix)):
        # Bright before and after: not by spill from a neighbour.
        own_light = np.minimum(seen[:, row], true[:, row])
        bright = np.argpartition(own_light, -n_bright)[-n_bright:]
        shift = matrix[row] * float(np.median(true[bright, row]))
        for column in np.flatnonzero((matrix[row] >= _MIN_SPILL) & (shift > _CLEAR_OF_NOISE * after)):
            if column != row:
                low = float(np.quantile(true[bright, column], 0.1))
                votes.append(low < -0.5 * shift[column])
    return bool(votes) and sum(votes) >= len(votes) / 2


def fits_transposed(observed: npt.NDArray[np.float64], matrix: npt.NDArray[np.float64]) -> bool:
    """Tell whether rows and columns of a matrix are exchanged.

    An exchanged matrix takes too much from one of two neighbours: of the events that are brightest in
    one detector, many fall far below zero in the other. What falls below the noise, as a part of the own
    light, is summed for the matrix and for its transpose wherever the two differ.
    """
    differs = np.abs(matrix - matrix.T) >= _DIFFERENT
    if len(observed) < _MIN_BRIGHT / _BRIGHT_SHARE:
        return False
    noise = np.array([_negative_sd(column) for column in observed.T])
    seen = observed[_is_telling(observed, noise)][:: max(1, len(observed) // _SAMPLED)]
    if not differs.any() or len(seen) < _MIN_BRIGHT / _BRIGHT_SHARE:
        return False
    given, turned = (float(_measure_deficit(seen, one, noise)[differs].sum()) for one in (matrix, matrix.T))
    return given > max(_DEFICIT, _DECISIVE * turned)


def _measure_deficit(
    seen: npt.NDArray[np.float64], matrix: npt.NDArray[np.float64], noise: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """How far below its noise the lowest tenth of the brightest events lies, as part of their light."""
    true = compute_compensated(seen, matrix)
    after = np.sqrt(noise**2 @ np.linalg.inv(matrix) ** 2)
    n_bright = int(_BRIGHT_SHARE * len(seen))
    rows = []
    for own in range(len(matrix)):
        bright = np.argpartition(np.minimum(seen[:, own], true[:, own]), -n_bright)[-n_bright:]
        light = max(float(np.median(true[bright, own])), 1e-9)
        rows.append(np.maximum(-np.quantile(true[bright], 0.1, axis=0) - 3 * after, 0.0) / light)
    return np.array(rows)


def _is_telling(observed: npt.NDArray[np.float64], noise: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Leave out events at the end of a scale and such as are bright everywhere, like beads."""
    clipped = (observed >= 0.98 * observed.max(axis=0)).any(axis=1)
    everywhere = (observed > 2 * _CLEAR_OF_NOISE * noise).mean(axis=1) > 0.9
    return np.asarray(~(clipped | everywhere))


def _negative_sd(values: npt.NDArray[np.float64]) -> float:
    """Noise of a channel from the nearer half of its negative values."""
    negative = values[values < 0]
    return float(1.4826 * np.median(-negative)) if len(negative) >= _MIN_BRIGHT else 0.0


def _matrix_findings(matrix: npt.NDArray[np.float64]) -> tuple[Finding, ...]:
    off = matrix[~np.eye(len(matrix), dtype=bool)]
    condition = float(np.linalg.cond(matrix))
    findings = []
    if not off.any() and len(off):
        findings.append(_finding(0.0, float("nan"), "the matrix has no spill: nothing was compensated"))
    if condition >= _MAX_CONDITION:
        findings.append(_finding(condition, _MAX_CONDITION, "ill-conditioned spillover matrix"))
    if len(off) and off.max() > _OFF_DIAGONAL[1]:
        findings.append(_finding(float(off.max()), _OFF_DIAGONAL[1], "large spill in the matrix"))
    if len(off) and off.min() < _OFF_DIAGONAL[0]:
        findings.append(_finding(float(off.min()), _OFF_DIAGONAL[0], "negative spill in the matrix"))
    return tuple(findings)


def _finding(value: float, limit: float, reason: str) -> Finding:
    return Finding(check="COMPENSATION", level="warn", value=value, limit=limit, reason=reason)
