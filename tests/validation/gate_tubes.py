"""Synthetic tubes with the truth of every event, harder than those of the trial where asked."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.ingest.fcs import Acquisition, Spillover
from corelab.synthetic.composition import TubeQuality, compose_tube
from corelab.synthetic.course import BloodState
from corelab.synthetic.fcs import RANGE
from corelab.synthetic.optics import Optics, draw_optics
from corelab.synthetic.truth import population_masks
from corelab.synthetic.tube import draw_events
from corelab.vocabulary import Panel

Bools = npt.NDArray[np.bool_]

KINDS: Final = ("plain", "smeared", "wide", "few")
_EVENTS: Final = {"plain": 20_000, "smeared": 20_000, "wide": 20_000, "few": 1_500}
CAR_LEVELS: Final = (0.0, 5.0, 60.0, 400.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruthTube:
    """A tube as read from its file, and the true members of every population."""

    acquisition: Acquisition
    truth: Mapping[str, Bools]
    drifted: Bools


def draw_tube(
    seed: int,
    panel: Panel,
    *,
    kind: str = "plain",
    car: float | None = None,
    b: float | None = None,
    n_events: int = 0,
    gains: npt.NDArray[np.float64] | None = None,
    drift: tuple[float, float, float] | None = None,
    visit: str = "D14",
) -> TruthTube:
    """Draw one tube of a blood that the seed makes.

    ``smeared`` widens CCR7 and CD45RA inside a population by 1.4, ``wide`` gives every detector two to
    four times the noise and light (negatives of 120 to 3,600 units), ``few`` leaves 1,500 events (200 to
    1,000 T cells). ``gains`` multiplies each detector; the matrix follows.
    """
    rng = np.random.default_rng(seed)
    chosen = float(rng.choice(CAR_LEVELS))
    level_t, chosen_b = rng.uniform(200, 1200), float(rng.choice([3, 60, 400]))
    blood = BloodState(
        day=14, car=chosen if car is None else car, t=level_t,
        b=chosen_b if b is None else b, nk=rng.uniform(50, 300),
        granulocyte=3000, monocyte=400, platelets=200e3, haemoglobin=120,
    )  # fmt: skip
    optics = _bend(draw_optics(seed, panel=panel, subject_id=f"V{seed}", visit=visit), kind, rng)
    n = n_events or _EVENTS[kind]
    quality = TubeQuality(viability=0.93, doublets=0.03, false_car=0.0, cd19_positive=0.98, drift=drift)
    mixture = compose_tube(blood, rng, n_events=n, quality=quality, predilution=1.0)
    stream = np.random.default_rng([seed, sum(map(ord, visit))])
    events = draw_events(stream, mixture.content, optics, n_events=n, seconds=60)
    factors = np.ones(len(optics.markers)) if gains is None else gains
    values = events.values.astype(np.float64)
    values[:, 3:-1] *= factors
    matrix = optics.spillover * factors[None, :] / factors[:, None]
    acquisition = Acquisition(
        name=f"synthetic {seed}", version="FCS3.1", events=values,
        detectors=("FSC-A", "FSC-H", "SSC-A", *optics.detectors, "Time"),
        labels=("", "", "", *optics.labels, ""), time_step=0.01, keywords={},
        ranges=np.array([RANGE] * 3 + list(RANGE * factors) + [RANGE], dtype=np.float64),
        spillover=Spillover(detectors=optics.detectors, matrix=matrix),
    )  # fmt: skip
    truth = population_masks(panel, events.cell_class, events.flags)
    return TruthTube(acquisition=acquisition, truth=truth, drifted=~truth["time_ok"])


def _bend(optics: Optics, kind: str, rng: np.random.Generator) -> Optics:
    markers = np.array(optics.markers)
    if kind == "smeared":
        smear = np.where(np.isin(markers, ["CCR7", "CD45RA"]), 1.4, 1.0)
        return replace(optics, spread=optics.spread * smear)
    if kind == "wide":
        factor = rng.uniform(2.0, 4.0, len(markers))
        top = np.minimum(optics.top * factor, 90_000.0)
        return replace(optics, noise=optics.noise * factor, top=top, photon=optics.photon * factor)
    return optics


def compute_f1(found: Bools, true: Bools) -> float:
    """Compute the harmonic mean of precision and recall, event by event."""
    total = int(found.sum() + true.sum())
    return 2 * int((found & true).sum()) / total if total else 1.0
