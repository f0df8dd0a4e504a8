"""One instrument and one staining: gains, spillover, noise and brightness, drawn from wide ranges."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.synthetic.cells import CLASS_CODE, CLASSES
from corelab.synthetic.panels import FLUOROCHROMES, LASER_ORDER, SPELLINGS, spell_label
from corelab.synthetic.seeding import log_uniform, spawn_generator
from corelab.vocabulary import Panel

Floats = npt.NDArray[np.float64]

TOP_IN_NOISE: Final[Mapping[str, tuple[float, float]]] = MappingProxyType({
    "viability": (60, 250), "CD45": (90, 250), "CD3": (60, 200), "CD4": (60, 250),
    "CD8": (80, 300), "CAR": (10, 60), "CD45RA": (25, 80), "CCR7": (11, 24), "CD95": (20, 70),
    "PD-1": (11, 30), "TIM-3": (10, 25), "LAG-3": (10, 22), "HLA-DR": (25, 90), "CD25": (10, 25),
    "CD14": (60, 200), "CD19": (30, 120), "CD20": (50, 220), "CD27": (60, 160),
    "IgD": (40, 180), "IgM": (30, 120), "CD38": (90, 250), "CD24": (60, 180), "CD22": (30, 90),
    "CD56": (25, 120),
})  # fmt: skip
"""Brightest population's median in standard deviations of the compensated negative."""

SPREAD: Final[Mapping[str, tuple[float, float]]] = MappingProxyType({
    "CD45RA": (0.35, 0.55), "CCR7": (0.42, 0.6), "CD95": (0.3, 0.45), "CAR": (0.3, 0.55),
    "PD-1": (0.3, 0.45), "TIM-3": (0.3, 0.4), "LAG-3": (0.3, 0.4), "CD25": (0.3, 0.4),
    "HLA-DR": (0.35, 0.6), "CD38": (0.2, 0.3), "CD24": (0.2, 0.3), "CD27": (0.25, 0.4),
    "IgD": (0.3, 0.45), "IgM": (0.3, 0.45), "viability": (0.35, 0.5),
})  # fmt: skip
"""Standard deviation of the logarithm of staining inside a positive population."""

_OTHER_SPREAD: Final = (0.18, 0.3)
_BRIGHTEST: Final = 70_000.0
_BRIGHTEST_BEAD: Final = 190_000.0
_LARGEST_CONDITION: Final = 20.0
_REFERENCE_CLASSES: Final = ("cd4.naive", "cd4.em", "cd8.em", "naive_b", "nk")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optics:
    """How light becomes numbers for one panel on one instrument.

    Parameters
    ----------
    markers, detectors, labels
        By fluorescence channel, in the order of the file.
    spillover
        ``(n, n)``, row = fluorochrome, column = detector, diagonal 1.
    noise
        ``(n,)`` electronic noise, standard deviation in channel units.
    photon
        ``(n,)`` channel units for one photo-electron: the variance of light is ``photon`` times it.
    autofluorescence
        ``(n,)`` light of an unstained resting lymphocyte.
    top
        ``(n,)`` median of the marker's brightest population, channel units.
    unspecific
        ``(n,)`` median staining of a cell without the antigen.
    spread
        ``(n,)`` standard deviation of log staining inside a population.
    scatter_gain
        Factors on forward and side scatter.
    area_over_height
        Ratio FSC-A / FSC-H of a single particle.
    bead
        ``(n,)`` light of a counting bead.
    """

    panel: Panel
    markers: tuple[str, ...]
    detectors: tuple[str, ...]
    labels: tuple[str, ...]
    spillover: Floats
    noise: Floats
    photon: Floats
    autofluorescence: Floats
    top: Floats
    unspecific: Floats
    spread: Floats
    scatter_gain: tuple[float, float]
    area_over_height: float
    bead: Floats


def class_levels(markers: tuple[str, ...]) -> Floats:
    """Tabulate the cell classes: ``(n_classes, n_markers)`` fractions of the brightest population."""
    return np.array([[cell.levels.get(marker, 0.0) for marker in markers] for cell in CLASSES])


def draw_optics(seed: int, *, panel: Panel, subject_id: str, visit: str) -> Optics:
    """Draw the instrument of the trial, bent by the child's run and the day's gains.

    The panel's matrix, noise and brightness belong to the seed; a child (its reagent lots, its
    instrument's spelling) and a visit (gains of the day) move them by some ten percent.

    Parameters
    ----------
    seed
        Seed of the trial.
    panel
        Which panel was stained.
    subject_id, visit
        Whose tube it is.

    Returns
    -------
    Optics
    """
    markers = tuple(FLUOROCHROMES[panel])
    base = spawn_generator(seed, "optics", panel)
    child = spawn_generator(seed, "optics", panel, subject_id)
    # The controls of a visit run with its full tube, so tubes share the day's gains.
    day = spawn_generator(seed, "optics", panel, subject_id, visit)
    n = len(markers)
    spillover = _draw_spillover(base, FLUOROCHROMES[panel])
    noise = np.array([_draw_noise(base, marker) for marker in markers])
    photon = noise * base.uniform(0.004, 0.03, n)
    autofluorescence = noise * base.uniform(0.1, 1.2, n)
    depth = np.array([log_uniform(base, *TOP_IN_NOISE[marker]) for marker in markers])
    depth *= np.exp(child.normal(0, 0.06, n))
    spread = np.array([base.uniform(*SPREAD.get(marker, _OTHER_SPREAD)) for marker in markers])
    levels = class_levels(markers)
    top = _scale_tops(depth, levels, spillover=spillover, noise=noise, photon=photon)
    gain = np.exp(child.normal(0, 0.15, n) + day.normal(0, 0.05, n))
    spelling = int(child.integers(SPELLINGS))
    return Optics(
        panel=panel,
        markers=markers,
        detectors=tuple(f"{dye}-A" for dye in FLUOROCHROMES[panel].values()),
        labels=tuple(spell_label(m, d, spelling) for m, d in FLUOROCHROMES[panel].items()),
        spillover=spillover * gain[None, :] / gain[:, None],
        noise=noise * gain,
        photon=photon * gain,
        autofluorescence=autofluorescence * gain,
        top=top * gain,
        unspecific=noise * base.uniform(0.05, 0.5, n) * gain,
        spread=_limit_spread(spread, depth, markers),
        scatter_gain=_draw_scatter_gain(base, day),
        area_over_height=base.uniform(1.0, 1.7),
        bead=np.minimum((noise * base.uniform(80, 250, n) + 5_000) * gain, _BRIGHTEST_BEAD),
    )


def _draw_noise(rng: np.random.Generator, marker: str) -> float:
    # Markers read on three levels need room between the noise and the end of the scale.
    high = 350.0 if marker in {"CD38", "CD24", "CD45", "CD20"} else 900.0
    return log_uniform(rng, 60.0, high)


def _draw_scatter_gain(base: np.random.Generator, day: np.random.Generator) -> tuple[float, float]:
    forward = base.uniform(0.6, 1.0) * np.exp(day.normal(0, 0.03))
    side = base.uniform(0.55, 1.1) * np.exp(day.normal(0, 0.04))
    return float(forward), float(side)


def _draw_spillover(rng: np.random.Generator, fluorochromes: Mapping[str, str]) -> Floats:
    """Draw a matrix with strong neighbours, more so towards longer wavelengths."""
    place = np.array([LASER_ORDER.index(dye) for dye in fluorochromes.values()])
    distance = place[None, :] - place[:, None]
    far = np.exp(rng.normal(np.log(0.004), 1.2, distance.shape)).clip(0, 0.08)
    up = rng.uniform(0.04, 0.35, distance.shape)
    down = rng.uniform(0.005, 0.12, distance.shape)
    second = rng.uniform(0.0, 0.1, distance.shape)
    off = np.select([distance == 1, distance == -1, distance == 2], [up, down, second], far)
    np.fill_diagonal(off, 0.0)
    matrix: Floats = np.eye(len(place)) + off
    while np.linalg.cond(matrix) > _LARGEST_CONDITION:
        off *= 0.8
        matrix = np.eye(len(place)) + off
    return np.round(matrix, 6)


def compute_compensated_sd(light: Floats, *, spillover: Floats, noise: Floats, photon: Floats) -> Floats:
    """Compute the noise of compensated values for cells of known light.

    Parameters
    ----------
    light
        ``(n_cells, n)`` light by fluorochrome, channel units.
    spillover, noise, photon
        As in `Optics`.

    Returns
    -------
    array
        ``(n_cells, n)`` standard deviations. With the variance v of each detector, compensated
        values have the variances of v · (S⁻¹)², the squares taken element by element.
    """
    variance = (light @ spillover) * photon + noise**2
    inverse = np.linalg.inv(spillover)
    return np.asarray(np.sqrt(variance @ inverse**2))


def _scale_tops(depth: Floats, levels: Floats, *, spillover: Floats, noise: Floats, photon: Floats) -> Floats:
    """Find the brightness that stands ``depth`` deviations above the negative it is gated against."""
    rows = levels[[CLASS_CODE[name] for name in _REFERENCE_CLASSES]]
    top = depth * noise
    for _ in range(4):
        deviation = compute_compensated_sd(rows * top, spillover=spillover, noise=noise, photon=photon)
        negative = np.where(rows < 0.05, deviation, 0.0).max(axis=0)
        top = np.minimum(depth * np.maximum(negative, noise), _BRIGHTEST)
    return top


def _limit_spread(spread: Floats, depth: Floats, markers: tuple[str, ...]) -> Floats:
    """Narrow a dim marker so that nearly all its positives stand clear of the negative."""
    dim = np.log(np.maximum(depth, 6.0) / 4.5) / 2.3
    is_smear = np.isin(markers, ["CCR7", "CD45RA"])
    return np.where(is_smear, spread, np.minimum(spread, dim))
