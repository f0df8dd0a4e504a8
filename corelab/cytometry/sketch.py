"""A fair choice of cells from one gated tube: rare populations whole, common ones cut to the same size."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.recipes import to_axis
from corelab.cytometry.records import Mask
from corelab.cytometry.tube import Tube
from corelab.statistics.sampling import choose_fairly
from corelab.vocabulary import B_SUBSETS, T_MEMORY_SUBSETS

COMPARTMENTS: Final[Mapping[str, tuple[str, ...]]] = {"cart": ("car_t", "car_neg_t"), "bcell": ("b_cells",)}
"""By panel: the populations whose cells are taken."""
_LINEAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "car_t": ("car_cd4", "car_cd8"), "car_neg_t": ("car_neg_cd4", "car_neg_cd8"),
}  # fmt: skip
# What CD95 tells apart goes before what it leaves open: gating knows the events of all three.
_MEMORY: Final = ("naive_or_scm", *T_MEMORY_SUBSETS)

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellSketch:
    """Cells chosen from one file.

    ``events`` are their rows in the file, ``population`` the smallest population each belongs to,
    ``weight`` how many cells of that population one stands for. ``compensated`` is ``(n, markers)`` in
    linear units, ``transformed`` the same as asinh(x / (2.5 noise of the channel)).
    """

    file_id: str
    markers: tuple[str, ...]
    events: Indices
    compartment: npt.NDArray[np.object_]
    population: npt.NDArray[np.object_]
    weight: npt.NDArray[np.float64]
    compensated: Floats
    transformed: Floats


def sketch_tube(
    tube: Tube, membership: Mapping[str, Mask], *, file_id: str, panel: str, limit: int, seed: int
) -> CellSketch:
    """Choose cells of a gated tube.

    Parameters
    ----------
    tube
        The tube as prepared for gating.
    membership
        Events of each population.
    file_id, panel
        Of the file; the choice depends on both and on nothing that happened before.
    limit
        Most cells of one compartment.
    seed
        Seed of the trial's sketch.
    """
    rng = np.random.default_rng([seed, int(file_id[:15] or "0", 16)])
    parts = [
        (compartment, *_choose(membership, compartment, limit=limit, rng=rng))
        for compartment in COMPARTMENTS.get(panel, ())
        if compartment in membership
    ]
    markers = tuple(sorted(tube.markers.columns))
    columns = [tube.markers.columns[marker] for marker in markers]
    events = np.concatenate([rows for _, rows, _, _ in parts]) if parts else np.zeros(0, dtype=np.int64)
    values = tube.compensated.compute(columns, events).T
    return CellSketch(
        file_id=file_id,
        markers=markers,
        events=events,
        compartment=_stack([np.full(len(rows), name, dtype=object) for name, rows, _, _ in parts], object),
        population=_stack([labels for _, _, labels, _ in parts], object),
        weight=_stack([weights for _, _, _, weights in parts], np.float64),
        compensated=values.astype(np.float32),
        transformed=to_axis(values, tube.scales[columns]).astype(np.float32),
    )


def _stack(parts: list[Any], kind: Any) -> Any:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=kind)


def _choose(
    membership: Mapping[str, Mask], compartment: str, *, limit: int, rng: np.random.Generator
) -> tuple[Indices, npt.NDArray[np.object_], npt.NDArray[np.float64]]:
    members = np.flatnonzero(membership[compartment])
    labels = np.full(len(members), compartment, dtype=object)
    for population in list_parts(compartment):
        mask = membership.get(population)
        if mask is not None:
            labels[mask[members]] = population
    chosen, weights = choose_fairly(labels, limit=limit, rng=rng)
    return members[chosen], labels[chosen], weights


def list_parts(compartment: str) -> Iterator[str]:
    """List the populations inside a compartment, each before its own parts."""
    if compartment == "b_cells":
        yield from B_SUBSETS
        return
    if compartment == "car_t":
        yield from (f"car_t.{subset}" for subset in _MEMORY)
    for lineage in _LINEAGES.get(compartment, ()):
        yield lineage
        yield from (f"{lineage}.{subset}" for subset in _MEMORY)
