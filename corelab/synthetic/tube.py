"""The events of one tube: which cells pass the laser, and what the detectors make of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.synthetic.cells import CHECKPOINTS, CLASS_CODE, CLASSES, FLAG_BIT
from corelab.synthetic.fcs import RANGE
from corelab.synthetic.optics import Optics, class_levels

TIMESTEP: Final = 0.01
"""Seconds in one tick of the Time channel."""

_GRID: Final = 16.0
"""Values are written in sixteenths, so that a last-bit difference between machines cannot show."""

_LOW_LEVEL: Final = 0.1
_CODES: Final = {
    lineage: np.array([code for code, cell in enumerate(CLASSES) if cell.lineage == lineage])
    for lineage in ("bead", "debris", "t", "b")
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeContent:
    """What is in a tube before it meets the instrument.

    Parameters
    ----------
    shares
        Expected share of events by cell class; sums to 1.
    checkpoints
        Flag (``pd1`` ...) to the probability by cell class name; absent means 0.
    cd19_positive
        Probability that a B cell carries CD19.
    viability
        Live share of nucleated cells.
    doublets
        Share of events in which two particles pass together.
    false_car
        Probability that a T cell without the CAR looks as if it had one.
    without
        Marker left out of the stain (a fluorescence-minus-one control), or empty.
    drift
        First and last share of the run and the factor on all channels between, or None.
    """

    shares: Mapping[str, float]
    checkpoints: Mapping[str, Mapping[str, float]]
    cd19_positive: float
    viability: float
    doublets: float
    false_car: float
    without: str = ""
    drift: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """A drawn tube: ``values`` as the file stores them and the truth of every event.

    Parameters
    ----------
    values
        ``(n, 4 + n_fluorescence)`` float32: FSC-A, FSC-H, SSC-A, fluorescence, Time.
    cell_class
        ``(n,)`` uint8 place in `CLASSES`.
    flags
        ``(n,)`` uint16 bits of `FLAGS`.
    """

    values: npt.NDArray[np.float32]
    cell_class: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint16]


def draw_events(
    rng: np.random.Generator, content: TubeContent, optics: Optics, *, n_events: int, seconds: float
) -> Events:
    """Draw the events of one tube.

    Parameters
    ----------
    rng
        Random stream of this file alone.
    content
        Composition of the tube.
    optics
        Instrument and stain.
    n_events
        Events to acquire.
    seconds
        Duration of the acquisition.

    Returns
    -------
    Events

    Notes
    -----
    Light of a fluorochrome is log-normal staining; the detectors see the light times the spillover
    matrix plus autofluorescence, Poisson noise on that sum (as a normal of the same variance) and
    electronic noise. Noise comes after the mixing, as in a real cytometer: only so does
    compensation widen a negative by its bright neighbours.
    """
    cell_class = _draw_classes(rng, content.shares, n_events)
    flags = _draw_flags(rng, cell_class, content)
    partner = rng.integers(0, n_events, n_events)
    light = _draw_light(rng, cell_class, flags, content=content, optics=optics)
    scatter = _draw_scatter(rng, cell_class, flags, optics)
    paired = np.flatnonzero(flags & FLAG_BIT["doublet"])
    light[paired] += light[partner[paired]]
    beads = (cell_class == CLASS_CODE["bead"]) * 1.0
    beads[paired] += beads[partner[paired]]
    scatter = _join_doublets(scatter, paired, partner[paired])
    observed = _detect(rng, light, cell_class, beads=beads, optics=optics)
    values = np.empty((n_events, observed.shape[1] + 4), dtype=np.float64)
    values[:, :3] = scatter
    values[:, 3:-1] = observed
    flags = _drift(values, flags, content.drift)
    np.clip(values, None, RANGE - 1, out=values)
    values[:, -1] = np.sort(rng.integers(0, int(seconds / TIMESTEP), n_events))
    np.rint(values * _GRID, out=values)
    return Events(
        values=(values / _GRID).astype(np.float32),
        cell_class=cell_class.astype(np.uint8),
        flags=flags,
    )


def _draw_classes(
    rng: np.random.Generator, shares: Mapping[str, float], n_events: int
) -> npt.NDArray[np.int64]:
    expected = np.array([shares.get(cell.name, 0.0) for cell in CLASSES])
    counts = rng.multinomial(n_events, expected / expected.sum())
    return rng.permutation(np.repeat(np.arange(len(CLASSES)), counts))


def _draw_flags(
    rng: np.random.Generator, cell_class: npt.NDArray[np.int64], content: TubeContent
) -> npt.NDArray[np.uint16]:
    n = len(cell_class)
    is_particle = np.isin(cell_class, [*_CODES["bead"], *_CODES["debris"]])
    is_t = np.isin(cell_class, _CODES["t"])
    is_car = np.array([cell.name.startswith("car_") for cell in CLASSES])[cell_class]
    chances = {
        "car": is_car * 1.0,
        "cd19": np.isin(cell_class, _CODES["b"]) * content.cd19_positive,
        "false_car": (is_t & ~is_car) * content.false_car,
        "dead": ~is_particle * (1.0 - content.viability),
        "doublet": np.full(n, content.doublets),
    }
    for flag, by_class in content.checkpoints.items():
        chances[flag] = np.array([by_class.get(cell.name, 0.0) for cell in CLASSES])[cell_class]
    flags = np.zeros(n, dtype=np.uint16)
    for flag in sorted(chances):
        flags |= (rng.random(n) < chances[flag]) * np.uint16(FLAG_BIT[flag])
    return flags


def _has(flags: npt.NDArray[np.uint16], name: str) -> npt.NDArray[np.bool_]:
    return np.asarray((flags & np.uint16(FLAG_BIT[name])) != 0)


def _draw_light(
    rng: np.random.Generator,
    cell_class: npt.NDArray[np.int64],
    flags: npt.NDArray[np.uint16],
    *,
    content: TubeContent,
    optics: Optics,
) -> npt.NDArray[np.float64]:
    """Draw staining, ``(n, n_fluorochromes)`` light before spillover."""
    level = class_levels(optics.markers)[cell_class]
    column = {marker: place for place, marker in enumerate(optics.markers)}
    is_t = np.isin(cell_class, _CODES["t"])
    for flag, marker in CHECKPOINTS.items():
        if marker in column:
            level[is_t, column[marker]] = _has(flags, flag)[is_t]
    is_b = np.isin(cell_class, _CODES["b"])
    plasma = np.where(cell_class == CLASS_CODE["plasmablasts"], 0.5, 1.0)
    level[is_b, column["CD19"]] = (_has(flags, "cd19") * plasma)[is_b]
    if "CAR" in column:
        false_car = _has(flags, "false_car")
        level[false_car, column["CAR"]] = rng.uniform(0.4, 1.2, false_car.sum())
    dead = _has(flags, "dead")
    level[dead] *= 0.6
    level[dead, column["viability"]] = 1.0
    level[cell_class == CLASS_CODE["debris"], column["viability"]] = 0.02
    shape = level.shape
    size = rng.normal(0.0, 0.08, (shape[0], 1))
    # What is barely there varies most: the long shoulder of CD45RA and CCR7 on memory cells.
    spread = optics.spread * np.where(level < _LOW_LEVEL, 1.8, 1.0)
    light = level * optics.top * np.exp(spread * rng.standard_normal(shape) + size)
    sticky = np.where(dead, 6.0, 1.0)[:, None]
    light += optics.unspecific * sticky * np.exp(rng.normal(0.0, 0.4, (shape[0], 1)))
    if content.without:
        light[:, column[content.without]] = 0.0
    beads = cell_class == CLASS_CODE["bead"]
    light[beads] = 0.0
    return light


def _draw_scatter(
    rng: np.random.Generator,
    cell_class: npt.NDArray[np.int64],
    flags: npt.NDArray[np.uint16],
    optics: Optics,
) -> npt.NDArray[np.float64]:
    """Draw FSC-A, FSC-H and SSC-A, ``(n, 3)``."""
    n = len(cell_class)
    median = np.array([(cell.fsc, cell.ssc) for cell in CLASSES])[cell_class]
    deviation = np.array([cell.scatter_cv for cell in CLASSES])[cell_class]
    dead = _has(flags, "dead")
    median[dead] *= (0.65, 1.4)
    area = median * optics.scatter_gain * np.exp(deviation * rng.standard_normal((n, 2)))
    height = area[:, 0] / optics.area_over_height * (1.0 + 0.025 * rng.standard_normal(n))
    return np.column_stack((area[:, 0], height, area[:, 1]))


def _join_doublets(
    scatter: npt.NDArray[np.float64],
    first: npt.NDArray[np.int64],
    second: npt.NDArray[np.int64],
) -> npt.NDArray[np.float64]:
    """Add the areas of two particles; the height stays that of the taller one."""
    joined = scatter.copy()
    joined[first] = scatter[first] + scatter[second]
    joined[first, 1] = 1.06 * np.maximum(scatter[first, 1], scatter[second, 1])
    return joined


def _detect(
    rng: np.random.Generator,
    light: npt.NDArray[np.float64],
    cell_class: npt.NDArray[np.int64],
    *,
    beads: npt.NDArray[np.float64],
    optics: Optics,
) -> npt.NDArray[np.float64]:
    """Turn light into detector values: spillover, autofluorescence, photon and electronic noise."""
    own = np.array([cell.autofluorescence for cell in CLASSES])[cell_class]
    own = own * np.exp(0.25 * rng.standard_normal(len(light)))
    expected = light @ optics.spillover + own[:, None] * optics.autofluorescence
    carriers = np.flatnonzero(beads)
    brightness = beads[carriers] * np.exp(0.05 * rng.standard_normal(len(carriers)))
    expected[carriers] += brightness[:, None] * optics.bead
    variance = expected * optics.photon + optics.noise**2
    return np.asarray(expected + np.sqrt(variance) * rng.standard_normal(expected.shape))


def _drift(
    values: npt.NDArray[np.float64],
    flags: npt.NDArray[np.uint16],
    drift: tuple[float, float, float] | None,
) -> npt.NDArray[np.uint16]:
    """Weaken all channels of a part of the run, in place, and mark its events."""
    if drift is None:
        return flags
    start, stop = (int(share * len(values)) for share in drift[:2])
    values[start:stop] *= drift[2]
    marked = flags.copy()
    marked[start:stop] |= np.uint16(FLAG_BIT["drift"])
    return marked
