"""One acquisition made ready for gating: markers found, events compensated, noise measured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.columns import Columns
from corelab.cytometry.compensation import Compensated, compensate
from corelab.cytometry.markers import MarkerMap, match_markers
from corelab.cytometry.recipes import DEFAULT_SCALE, compute_floored_scale, compute_scale
from corelab.cytometry.records import Finding, Mask, Values, fair_rows
from corelab.cytometry.scatter import BeadGate, Recorded, find_beads
from corelab.cytometry.single_stains import MeasuredSpillover, measure_spillover
from corelab.cytometry.template import Template
from corelab.ingest.fcs import Acquisition, Spillover

_FEWEST_DETECTORS: Final = 3
_MANY_DETECTORS: Final = 8
_BRIGHTER: Final = 0.4
_SAMPLED: Final = 20_000
_FEW_NEGATIVES: Final = 10_000
_BLOCK: Final = 1 << 14
"""Events that are looked at together, so that they stay in the processor's cache."""

_Negatives = tuple[npt.NDArray[np.int32], Values]
"""Places in a fair part of the events, and the negative values there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tube:
    """An acquisition ready for gating.

    ``values`` gives a channel compensated, ``(n_events,)`` float64, by its column; ``beads`` are the counting
    beads among the events, if there are any; ``scales`` the noise of every channel, ``own_scale`` whether it
    was measured (no negatives: 150 is taken), ``n_below`` the values that tell it, ``noise`` what it was
    taken for when beads were looked for.
    """

    acquisition: Acquisition
    markers: MarkerMap
    compensated: Compensated
    values: Columns
    beads: BeadGate | None
    scales: Values
    own_scale: Mask
    n_below: npt.NDArray[np.int64]
    noise: Values

    def column(self, marker: str) -> int | None:
        """Return the column of a marker, None where it is not there."""
        return self.markers.columns.get(marker)

    def scatter(self, name: str) -> Values | None:
        """Return a scatter or time channel as recorded, None where it is not there."""
        column = self.markers.scatter.get(name)
        return None if column is None else self.acquisition.column(column)

    def recorded(self, name: str) -> Recorded | None:
        """Return a scatter or time channel where it lies, in the width of the file."""
        column = self.markers.scatter.get(name)
        return None if column is None else self.acquisition.events[:, column]

    def read(self, channel: str) -> Values | None:
        """Return a marker compensated or a scatter channel as recorded, time in seconds where it can be."""
        return read_channel(channel, self.markers, self.acquisition, values=self.values)


def read_channel(
    channel: str, markers: MarkerMap, acquisition: Acquisition, *, values: Callable[[int], Values]
) -> Values | None:
    """Return a channel as gates that are drawn by hand see it; None where it is not there.

    Parameters
    ----------
    channel
        A marker, a scatter channel or ``time``.
    markers, acquisition
        Where which marker is, and the acquisition as recorded.
    values
        Gives a column compensated.
    """
    column = markers.columns.get(channel)
    if column is not None:
        return values(column)
    place = markers.scatter.get(channel)
    if place is None:
        return None
    recorded = acquisition.column(place)
    step = acquisition.time_step if channel == "time" else None
    return recorded if step is None else np.asarray(recorded * step)


def prepare_tube(
    acquisition: Acquisition,
    *,
    template: Template,
    marker_labels: Mapping[str, str] | None = None,
    spillover: Spillover | None = None,
    stains: Mapping[str, Acquisition] | None = None,
) -> Tube:
    """Match markers, compensate and measure the noise of every channel.

    The given matrix goes before that of the single-stain controls, if these cover every marker of the
    tube, and that before the embedded one.

    Raises
    ------
    InputError
        If the spillover matrix cannot belong to the file.
    """
    markers = match_markers(acquisition, required=template.required, marker_labels=marker_labels)
    measured = _measure(acquisition, markers, stains) if stains and spillover is None else None
    compensated = compensate(acquisition, external=measured.spillover if measured else spillover)
    if measured:
        findings = (*measured.findings, *compensated.findings)
        compensated = replace(compensated, findings=findings)
    left_out = _find_left_out(compensated, markers)
    compensated = replace(compensated, findings=(*compensated.findings, *left_out))
    values = Columns(compensated)
    negatives = _Part(compensated, values)
    # Beads are bright everywhere: compensated, they scatter far below zero and are no noise.
    dark = ~_find_bright(acquisition, markers)
    own = np.array([compute_scale(low[dark[places]]) for places, low in negatives])
    noise = _fill(_mend_floored(own, acquisition, markers, dark)[0])
    beads = _find_beads(acquisition, markers, noise)
    cells = np.ones(acquisition.n_events, dtype=bool) if beads is None else ~beads.mask
    part = cells[fair_rows(acquisition.n_events)]
    found = (low[part[places]] for places, low in negatives)
    is_part = len(part) < len(cells)
    scales, n_below = np.full(len(own), np.nan), np.zeros(len(own), dtype=np.int64)
    for i, low in enumerate(found):
        negative = _list_negatives(values(i), cells) if is_part and len(low) < _FEW_NEGATIVES else low
        scales[i], n_below[i] = compute_scale(negative), len(negative)
    scales, floored = _mend_floored(scales, acquisition, markers, part)
    return Tube(
        acquisition=acquisition,
        markers=markers,
        compensated=compensated,
        values=values,
        beads=beads,
        scales=_fill(scales),
        own_scale=np.isfinite(scales),
        n_below=np.maximum(n_below, floored),
        noise=noise,
    )


def _mend_floored(
    scales: Values, acquisition: Acquisition, markers: MarkerMap, among: Mask
) -> tuple[Values, npt.NDArray[np.int64]]:
    """Put the noise of channels that hold nothing below zero in place of what compensation left there.

    ``among`` says of which events of the fair part. With the noise come the values at zero that told it.
    """
    mended, n_floored = scales.copy(), np.zeros(len(scales), dtype=np.int64)
    rows = fair_rows(acquisition.n_events)
    for column in markers.fluorescence:
        observed = acquisition.events[rows, column]
        if len(observed) and observed.min() == 0:
            own = np.asarray(observed[among], dtype=np.float64)
            floored = compute_floored_scale(own)
            if np.isfinite(floored):
                mended[column], n_floored[column] = floored, np.count_nonzero(own == 0)
    return mended, n_floored


def _list_negatives(values: Values, among: Mask) -> Values:
    return values[(values < 0) & among]


class _Part:
    """Goes over the channels' negative values in a fair part of the events, and their places in it.

    Those of a part are kept; where the part is the whole file, channels are computed anew each time.
    """

    def __init__(self, compensated: Compensated, values: Columns) -> None:
        n_events, self._n_channels = compensated.acquisition.events.shape
        step = fair_rows(n_events).step
        self._values = values
        self._kept = _find_negatives(compensated, step) if step > 1 else []

    def __iter__(self) -> Iterator[_Negatives]:
        if self._kept:
            yield from self._kept
            return
        for column in range(self._n_channels):
            values = self._values(column)
            places = np.flatnonzero(values < 0)
            yield places.astype(np.int32), values[places]


def _find_negatives(compensated: Compensated, step: int) -> list[_Negatives]:
    """Find the negative values of each channel in every so manieth event."""
    n_events, n_channels = compensated.acquisition.events.shape
    found: list[list[_Negatives]] = [[] for _ in range(n_channels)]
    for begin in range(0, -(-n_events // step), _BLOCK):
        rows = slice(begin * step, (begin + _BLOCK) * step, step)
        for column, values in enumerate(compensated.compute(range(n_channels), rows)):
            places = np.flatnonzero(values < 0)
            found[column].append(((begin + places).astype(np.int32), values[places]))
    return [_join(parts) for parts in found]


def _join(parts: Sequence[_Negatives]) -> _Negatives:
    return np.concatenate([places for places, _ in parts]), np.concatenate([low for _, low in parts])


def _measure(
    acquisition: Acquisition, markers: MarkerMap, stains: Mapping[str, Acquisition]
) -> MeasuredSpillover:
    """Measure the matrix of the single-stain controls; one that leaves a marker out is not used."""
    measured = measure_spillover(stains, markers, acquisition.detectors)
    covered = set(measured.spillover.detectors) if measured.spillover else set()
    names = {m: acquisition.detectors[column] for m, column in markers.columns.items()}
    lacking = sorted(marker for marker, name in names.items() if name not in covered)
    if not lacking:
        return measured
    # The matrix of fewer colours would leave the spill of the others where it is.
    finding = Finding(
        check="COMPENSATION", level="warn", value=float("nan"), limit=float("nan"),
        reason=f"no usable single stain of {', '.join(lacking)}; the controls' matrix is not applied",
    )  # fmt: skip
    return MeasuredSpillover(spillover=None, findings=(*measured.findings, finding))


def _find_left_out(compensated: Compensated, markers: MarkerMap) -> list[Finding]:
    """Name the markers whose channels the applied matrix does not hold: they stay as recorded."""
    if compensated.spillover is None:
        return []
    names, held = compensated.acquisition.detectors, set(compensated.spillover.detectors)
    left_out = [marker for marker, column in markers.columns.items() if names[column] not in held]
    if not left_out:
        return []
    reason = f"the matrix leaves out {', '.join(sorted(left_out))}: not compensated"
    return [
        Finding(check="COMPENSATION", level="warn", value=float("nan"), limit=float("nan"), reason=reason)
    ]


def _fill(scales: Values) -> Values:
    return np.where(np.isfinite(scales), scales, DEFAULT_SCALE)


def _find_bright(acquisition: Acquisition, markers: MarkerMap) -> Mask:
    """Mark, in the fair part, events that are among the brighter ones in all detectors but one.

    No cell carries everything, so these may be beads, whatever their units; that some are none does no
    harm to the noise.
    """
    rows = fair_rows(acquisition.n_events)
    n_rows = len(acquisition.events[rows, 0])
    n_brighter = np.zeros(n_rows, dtype=np.int16)
    if len(markers.fluorescence) < _FEWEST_DETECTORS or not n_rows:
        return n_brighter > 0
    for column in markers.fluorescence:
        observed = acquisition.events[rows, column]
        n_brighter += observed > np.quantile(observed[:: max(1, n_rows // _SAMPLED)], _BRIGHTER)
    return np.asarray(n_brighter >= len(markers.fluorescence) - 1)


def _find_beads(acquisition: Acquisition, markers: MarkerMap, scales: Values) -> BeadGate | None:
    """Look for beads by the second lowest of the recorded detectors, the lowest of a few."""
    if len(markers.fluorescence) < _FEWEST_DETECTORS:
        return None
    return find_beads(
        measure_brightness(acquisition, markers, scales), list_bead_scatter(acquisition, markers)
    )


def measure_brightness(acquisition: Acquisition, markers: MarkerMap, scales: Values) -> Values:
    """Return how bright each event's second darkest detector is (the darkest of a few), in units of noise."""
    columns = list(markers.fluorescence)
    rank = 1 if len(columns) >= _MANY_DETECTORS else 0
    brightness = np.empty(acquisition.n_events)
    for begin in range(0, acquisition.n_events, _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        brightness[rows] = _find_low([acquisition.events[rows, one] / scales[one] for one in columns])[rank]
    return brightness


def list_bead_scatter(acquisition: Acquisition, markers: MarkerMap) -> list[Recorded]:
    """Return the scatter channels in which beads are tight, as recorded; side scatter last."""
    scatter = [markers.scatter[name] for name in ("FSC-A", "SSC-A") if name in markers.scatter]
    return [acquisition.events[:, column] for column in scatter]


def _find_low(rows: Sequence[Values]) -> tuple[Values, Values]:
    """Return the lowest and the second lowest value of each event, of one array a channel."""
    lowest, second = rows[0], np.full_like(rows[0], np.inf)
    for row in rows[1:]:
        second = np.minimum(second, np.maximum(lowest, row))
        lowest = np.minimum(lowest, row)
    return lowest, second
