"""One acquisition made ready for gating: markers found, events compensated, noise measured."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from corelab.cytometry.compensation import Compensated, compensate
from corelab.cytometry.markers import MarkerMap, match_markers
from corelab.cytometry.recipes import DEFAULT_SCALE, compute_scale
from corelab.cytometry.records import Mask, Values
from corelab.cytometry.template import Template
from corelab.ingest.fcs import Acquisition, Spillover


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tube:
    """An acquisition ready for gating.

    ``events`` is ``(n_events, n_channels)`` compensated, column-major; ``scales`` the noise of
    every channel, ``own_scale`` whether it was measured (no negatives: 150 is taken).
    """

    acquisition: Acquisition
    markers: MarkerMap
    compensated: Compensated
    events: Values
    scales: Values
    own_scale: Mask

    def column(self, marker: str) -> int | None:
        """Return the column of a marker, None where it is not there."""
        return self.markers.columns.get(marker)

    def scatter(self, name: str) -> Values | None:
        """Return a scatter or time channel as recorded, None where it is not there."""
        column = self.markers.scatter.get(name)
        return None if column is None else self.acquisition.events[:, column]


def prepare_tube(
    acquisition: Acquisition,
    *,
    template: Template,
    marker_labels: Mapping[str, str] | None = None,
    spillover: Spillover | None = None,
) -> Tube:
    """Match markers, compensate and measure the noise of every channel.

    Raises
    ------
    InputError
        If the spillover matrix cannot belong to the file.
    """
    markers = match_markers(acquisition, required=template.required, marker_labels=marker_labels)
    compensated = compensate(acquisition, external=spillover)
    events = np.asfortranarray(compensated.events)
    scales = np.array([compute_scale(events[:, i]) for i in range(events.shape[1])])
    own = np.isfinite(scales)
    return Tube(
        acquisition=acquisition,
        markers=markers,
        compensated=compensated,
        events=events,
        scales=np.where(own, scales, DEFAULT_SCALE),
        own_scale=own,
    )
