"""One acquisition made ready for gating: markers found, events compensated, noise measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from corelab.cytometry.compensation import Compensated, compensate
from corelab.cytometry.markers import MarkerMap, match_markers
from corelab.cytometry.recipes import DEFAULT_SCALE, compute_scale
from corelab.cytometry.records import Finding, Mask, Values, fair_rows
from corelab.cytometry.scatter import BeadGate, find_beads
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tube:
    """An acquisition ready for gating.

    ``kept`` holds the compensated values of the markers' channels, one ``(n_events,)`` by column;
    ``beads`` the counting beads among the events, if there are any; ``scales`` the noise of every channel,
    ``own_scale`` whether it was measured (no negatives: 150 is taken).
    """

    acquisition: Acquisition
    markers: MarkerMap
    compensated: Compensated
    kept: Mapping[int, Values]
    beads: BeadGate | None
    scales: Values
    own_scale: Mask

    def column(self, marker: str) -> int | None:
        """Return the column of a marker, None where it is not there."""
        return self.markers.columns.get(marker)

    def values(self, column: int) -> Values:
        """Return a channel compensated."""
        return compute_values(self.compensated, self.kept, column)

    def scatter(self, name: str) -> Values | None:
        """Return a scatter or time channel as recorded, None where it is not there."""
        column = self.markers.scatter.get(name)
        return None if column is None else self.acquisition.column(column)

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
    columns = sorted(set(markers.columns.values()))
    kept = dict(zip(columns, compensated.compute(columns), strict=True))
    rows = fair_rows(acquisition.n_events)
    part = _take_part(compensated, kept, rows)
    # Beads are bright everywhere: compensated, they scatter far below zero and are no noise.
    dark = ~_find_bright(acquisition, markers)
    noise = _fill(np.array([compute_scale(values[dark]) for values in part]))
    beads = _find_beads(acquisition, markers, noise)
    cells = np.ones(acquisition.n_events, dtype=bool) if beads is None else ~beads.mask
    scales = np.array([compute_scale(values[cells[rows]]) for values in part])
    unsure = _find_unsure(part, cells[rows]) if len(cells[rows]) < len(cells) else []
    for column in unsure:
        scales[column] = compute_scale(compute_values(compensated, kept, column)[cells])
    return Tube(
        acquisition=acquisition,
        markers=markers,
        compensated=compensated,
        kept=kept,
        beads=beads,
        scales=_fill(scales),
        own_scale=np.isfinite(scales),
    )


def compute_values(compensated: Compensated, kept: Mapping[int, Values], column: int) -> Values:
    """Return a channel compensated, from what is kept if it is there."""
    return kept[column] if column in kept else compensated.compute([column])[0]


def _take_part(compensated: Compensated, kept: Mapping[int, Values], rows: slice) -> list[Values]:
    """Take a fair part of the events of every channel."""
    n_channels = len(compensated.acquisition.detectors)
    rest = [column for column in range(n_channels) if column not in kept]
    found = dict(zip(rest, compensated.compute(rest, rows), strict=True))
    return [kept[i][rows] if i in kept else found[i] for i in range(n_channels)]


def _find_unsure(part: Sequence[Values], cells: Mask) -> list[int]:
    """List the channels with so few negative values in a part that all events have to be asked."""
    return [i for i, values in enumerate(part) if np.count_nonzero((values < 0) & cells) < _FEW_NEGATIVES]


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
    observed = acquisition.events[fair_rows(acquisition.n_events), list(markers.fluorescence)]
    if observed.shape[1] < _FEWEST_DETECTORS or not len(observed):
        return np.zeros(len(observed), dtype=bool)
    step = max(1, len(observed) // _SAMPLED)
    brighter = observed > np.quantile(observed[::step], _BRIGHTER, axis=0)
    return np.asarray(brighter.sum(axis=1) >= observed.shape[1] - 1)


def _find_beads(acquisition: Acquisition, markers: MarkerMap, scales: Values) -> BeadGate | None:
    """Look for beads by the second lowest of the recorded detectors, the lowest of a few."""
    columns = list(markers.fluorescence)
    if len(columns) < _FEWEST_DETECTORS:
        return None
    rank = 1 if len(columns) >= _MANY_DETECTORS else 0
    brightness = np.empty(acquisition.n_events)
    for begin in range(0, acquisition.n_events, _BLOCK):
        rows = slice(begin, begin + _BLOCK)
        observed = acquisition.events[rows, columns].T / scales[columns, None]
        brightness[rows] = _find_low(observed)[rank]
    scatter = [markers.scatter[name] for name in ("FSC-A", "SSC-A") if name in markers.scatter]
    return find_beads(brightness, [acquisition.column(column) for column in scatter])


def _find_low(rows: Values) -> tuple[Values, Values]:
    """Return the lowest and the second lowest value of each column."""
    lowest, second = rows[0], np.full_like(rows[0], np.inf)
    for row in rows[1:]:
        second = np.minimum(second, np.maximum(lowest, row))
        lowest = np.minimum(lowest, row)
    return lowest, second
