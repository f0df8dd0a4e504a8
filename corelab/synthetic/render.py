"""One planned tube becomes the bytes of an FCS file, its manifest row and its truth."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from corelab.synthetic.composition import Mixture, compose_tube
from corelab.synthetic.course import BloodState, blood_on
from corelab.synthetic.fcs import Channel, encode_fcs, format_spillover
from corelab.synthetic.optics import Optics, draw_optics
from corelab.synthetic.plan import TubePlan
from corelab.synthetic.schedule import Draw
from corelab.synthetic.seeding import spawn_generator
from corelab.synthetic.truth import encode_event_truth, population_masks
from corelab.synthetic.tube import TIMESTEP, draw_events

_DRAW_TO_DRAW: Final = 0.04


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedTube:
    """A tube as delivered, and the truth of it."""

    fcs: bytes
    truth: bytes
    counts: dict[str, int]
    beads_per_tube: int
    blood_volume_ul: float


def blood_of(seed: int, draw: Draw) -> BloodState:
    """Give the blood of one draw: the course of the child with the scatter of a venepuncture."""
    rng = spawn_generator(seed, "blood", draw.child.subject_id, draw.visit)
    blood = blood_on(draw.child.course, draw.day)
    factors = np.exp(_DRAW_TO_DRAW * rng.standard_normal(6))
    names = ("car", "t", "b", "nk", "granulocyte", "monocyte")
    return replace(
        blood,
        **{name: getattr(blood, name) * float(f) for name, f in zip(names, factors, strict=True)},
    )


def mix_tube(seed: int, tube: TubePlan) -> Mixture:
    """Compose a tube; tubes of one panel and draw share the composition."""
    child, visit = tube.draw.child, tube.draw.visit
    return compose_tube(
        blood_of(seed, tube.draw),
        spawn_generator(seed, "mixture", child.subject_id, visit, tube.panel),
        n_events=tube.n_events,
        quality=tube.quality,
        predilution=tube.predilution,
    )


def render_tube(seed: int, tube: TubePlan) -> RenderedTube:
    """Draw the events of a planned tube and write them down.

    Parameters
    ----------
    seed
        Seed of the trial.
    tube
        What to acquire. The result depends on these two alone, not on any other tube.

    Returns
    -------
    RenderedTube
    """
    child, visit = tube.draw.child, tube.draw.visit
    mixture = mix_tube(seed, tube)
    optics = draw_optics(seed, panel=tube.panel, subject_id=child.subject_id, visit=visit)
    events = draw_events(
        spawn_generator(seed, "events", *tube.identity),
        mixture.content,
        optics,
        n_events=tube.n_events,
        seconds=mixture.seconds,
    )
    masks = population_masks(tube.panel, events.cell_class, events.flags)
    return RenderedTube(
        fcs=encode_fcs(events.values, _channels(optics), _keywords(tube, optics, mixture.seconds)),
        truth=encode_event_truth(tube.panel, events.cell_class, events.flags),
        counts={name: int(mask.sum()) for name, mask in masks.items()},
        beads_per_tube=mixture.beads_per_tube,
        blood_volume_ul=mixture.blood_volume_ul,
    )


def _channels(optics: Optics) -> tuple[Channel, ...]:
    scatter = tuple(Channel(name=name) for name in ("FSC-A", "FSC-H", "SSC-A"))
    stained = tuple(
        Channel(name=detector, label=label)
        for detector, label in zip(optics.detectors, optics.labels, strict=True)
    )
    return (*scatter, *stained, Channel(name="Time"))


def _keywords(tube: TubePlan, optics: Optics, seconds: float) -> dict[str, str]:
    begin = tube.acquired_at
    end = begin + dt.timedelta(seconds=round(seconds))
    keywords = {
        "$CYT": "Synthetic cytometer",
        "$CYTSN": f"SYN-{tube.instrument}",
        "$DATE": begin.strftime("%d-%b-%Y").upper(),
        "$BTIM": begin.strftime("%H:%M:%S"),
        "$ETIM": end.strftime("%H:%M:%S"),
        "$TIMESTEP": f"{TIMESTEP:g}",
        "$SPILLOVER": format_spillover(optics.detectors, optics.spillover),
        "CREATOR": "corelab simulate",
        "TUBE NAME": f"Tube_{tube.path[-6:-4]}",
        "EXPERIMENT NAME": f"Batch {tube.batch}",
    }
    if not tube.patient_name:
        return keywords
    named = {
        "$SRC": tube.patient_name,
        "$FIL": f"{tube.patient_name} {tube.draw.visit}.fcs",
        "$SMNO": f"ward 7 {tube.patient_name}",
        "$OP": "Operator^Invented",
        "PATIENT NAME": tube.patient_name,
        "EXPERIMENT NAME": f"{tube.patient_name} {begin:%Y-%m-%d}",
    }
    return keywords | named
