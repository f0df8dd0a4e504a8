"""One acquisition made ready for gating: markers found, events compensated, noise measured."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from corelab.cytometry.compensation import Compensated, compensate
from corelab.cytometry.markers import MarkerMap, match_markers
from corelab.cytometry.recipes import DEFAULT_SCALE, compute_scale
from corelab.cytometry.records import Finding, Mask, Values
from corelab.cytometry.scatter import BeadGate, find_beads
from corelab.cytometry.single_stains import MeasuredSpillover, measure_spillover
from corelab.cytometry.template import Template
from corelab.ingest.fcs import Acquisition, Spillover

_FEWEST_DETECTORS: Final = 3
_MANY_DETECTORS: Final = 8
_BRIGHTER: Final = 0.4
_SAMPLED: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tube:
    """An acquisition ready for gating.

    ``events`` is ``(n_events, n_channels)`` compensated, column-major; ``beads`` the counting beads
    among them, if there are any; ``scales`` the noise of every channel, ``own_scale`` whether it
    was measured (no negatives: 150 is taken).
    """

    acquisition: Acquisition
    markers: MarkerMap
    compensated: Compensated
    events: Values
    beads: BeadGate | None
    scales: Values
    own_scale: Mask

    def column(self, marker: str) -> int | None:
        """Return the column of a marker, None where it is not there."""
        return self.markers.columns.get(marker)

    def scatter(self, name: str) -> Values | None:
        """Return a scatter or time channel as recorded, None where it is not there."""
        column = self.markers.scatter.get(name)
        return None if column is None else self.acquisition.events[:, column]

    def read(self, channel: str) -> Values | None:
        """Return a marker compensated or a scatter channel as recorded, time in seconds where it can be."""
        return read_channel(channel, self.markers, self.events, acquisition=self.acquisition)


def read_channel(
    channel: str, markers: MarkerMap, events: Values, *, acquisition: Acquisition
) -> Values | None:
    """Return a channel as gates that are drawn by hand see it; None where it is not there.

    Parameters
    ----------
    channel
        A marker, a scatter channel or ``time``.
    markers, events, acquisition
        Where which marker is, the compensated events, and the acquisition as recorded.
    """
    column = markers.columns.get(channel)
    if column is not None:
        return events[:, column]
    place = markers.scatter.get(channel)
    if place is None:
        return None
    values = acquisition.events[:, place]
    step = acquisition.time_step if channel == "time" else None
    return values if step is None else np.asarray(values * step)


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
    events = compensated.events
    # Beads are bright everywhere: compensated, they scatter far below zero and are no noise.
    dark = ~_find_bright(acquisition, markers)
    noise = _fill(_measure_scales(events, dark))
    beads = _find_beads(acquisition, markers, noise)
    scales = _measure_scales(events, None if beads is None else ~beads.mask)
    return Tube(
        acquisition=acquisition,
        markers=markers,
        compensated=compensated,
        events=events,
        beads=beads,
        scales=_fill(scales),
        own_scale=np.isfinite(scales),
    )


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


def _measure_scales(events: Values, among: Mask | None) -> Values:
    columns = (events[:, i] for i in range(events.shape[1]))
    return np.array([compute_scale(column if among is None else column[among]) for column in columns])


def _fill(scales: Values) -> Values:
    return np.where(np.isfinite(scales), scales, DEFAULT_SCALE)


def _find_bright(acquisition: Acquisition, markers: MarkerMap) -> Mask:
    """Mark events that are among the brighter ones in all detectors but one, whatever their units.

    No cell carries everything, so these may be beads; that some are none does no harm to the noise.
    """
    observed = acquisition.events[:, list(markers.fluorescence)]
    if observed.shape[1] < _FEWEST_DETECTORS or not len(observed):
        return np.zeros(len(observed), dtype=bool)
    step = max(1, len(observed) // _SAMPLED)
    limits = np.quantile(observed[::step], _BRIGHTER, axis=0)
    brighter = np.zeros(len(observed), dtype=np.int16)
    for i, limit in enumerate(limits):
        brighter += observed[:, i] > limit
    return np.asarray(brighter >= observed.shape[1] - 1)


def _find_beads(acquisition: Acquisition, markers: MarkerMap, scales: Values) -> BeadGate | None:
    """Look for beads by the second lowest of the recorded detectors, the lowest of a few."""
    columns = list(markers.fluorescence)
    if len(columns) < _FEWEST_DETECTORS:
        return None
    lowest, second = (np.full(acquisition.n_events, np.inf) for _ in range(2))
    for column in columns:
        value = acquisition.events[:, column] / scales[column]
        second = np.minimum(second, np.maximum(lowest, value))
        lowest = np.minimum(lowest, value)
    brightness = second if len(columns) >= _MANY_DETECTORS else lowest
    scatter = [markers.scatter[name] for name in ("FSC-A", "SSC-A") if name in markers.scatter]
    return find_beads(brightness, [acquisition.events[:, column] for column in scatter])
