"""From the blood of a day to the shares of events in a tube."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.synthetic.cells import CLASSES
from corelab.synthetic.course import BloodState
from corelab.synthetic.tube import TubeContent
from corelab.vocabulary import B_SUBSETS, T_MEMORY_SUBSETS

_CD4_MEMORY: Final = (0.42, 0.03, 0.30, 0.21, 0.04)
_CD8_MEMORY: Final = (0.38, 0.03, 0.12, 0.24, 0.23)
_CAR_PEAK: Final = (0.03, 0.05, 0.30, 0.50, 0.12)
_CAR_LATE: Final = (0.04, 0.08, 0.55, 0.25, 0.08)
_B_ACTIVE_LUPUS: Final = (0.06, 0.08, 0.52, 0.08, 0.13, 0.13)
_B_EARLY_RETURN: Final = (0.02, 0.45, 0.47, 0.02, 0.02, 0.02)
_B_LATE_RETURN: Final = (0.01, 0.15, 0.74, 0.04, 0.04, 0.02)

# probability of a marker on a resting T cell by memory subset, on a CAR-T cell at the peak and late
_RESTING: Final = {
    "pd1": (0.02, 0.05, 0.20, 0.35, 0.20),
    "tim3": (0.01, 0.01, 0.02, 0.04, 0.03),
    "lag3": (0.01, 0.01, 0.03, 0.06, 0.05),
    "hla_dr": (0.02, 0.04, 0.08, 0.18, 0.15),
    "cd25": (0.02, 0.03, 0.15, 0.08, 0.02),
}
_CAR_MARKER: Final = {
    "pd1": (0.60, 0.30), "tim3": (0.50, 0.15), "lag3": (0.45, 0.15), "hla_dr": (0.75, 0.30),
    "cd25": (0.45, 0.12),
}  # fmt: skip
_SMALLEST_BEADS: Final = 620
_DEBRIS: Final = 0.07
_GRANULOCYTE_SHARE: Final = 0.18
_VOLUMES_UL: Final = ((600.0, 100.0), (150.0, 200.0), (0.0, 300.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """A tube's content together with what its label says of beads and blood."""

    content: TubeContent
    beads_per_tube: int
    blood_volume_ul: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeQuality:
    """What happened to a tube: viability, doublets, false CAR signal, CD19 on B cells, traps."""

    viability: float
    doublets: float
    false_car: float
    cd19_positive: float
    without: str = ""
    drift: tuple[float, float, float] | None = None


def activation(day: float) -> float:
    """Tell how far CAR-T cells of a day are from rest: 1 around the peak, falling to 0."""
    return float(np.exp(-max(day - 14.0, 0.0) / 25.0))


def _mix(first: tuple[float, ...], second: tuple[float, ...], weight: float) -> npt.NDArray[np.float64]:
    mixed = weight * np.array(first) + (1.0 - weight) * np.array(second)
    return np.asarray(mixed / mixed.sum())


def t_shares(blood: BloodState, rng: np.random.Generator) -> dict[str, float]:
    """Split the T cells of a day into classes, cells per microlitre."""
    active = activation(blood.day)
    other = 0.04
    cd4_share = rng.uniform(0.52, 0.62) * (1.0 - other)
    car_cd8 = 0.55 + 0.2 * active
    split = {
        "cd4": (blood.t * cd4_share, _CD4_MEMORY),
        "cd8": (blood.t * (1.0 - other - cd4_share), _CD8_MEMORY),
        "car_cd4": (blood.car * (1.0 - car_cd8), tuple(_mix(_CAR_PEAK, _CAR_LATE, active))),
        "car_cd8": (blood.car * car_cd8, tuple(_mix(_CAR_PEAK, _CAR_LATE, active))),
    }
    shares = {"other_t": blood.t * other}
    for lineage, (cells, memory) in split.items():
        bent = rng.dirichlet(np.array(memory) * 150.0)
        for subset, share in zip(T_MEMORY_SUBSETS, bent, strict=True):
            shares[f"{lineage}.{subset}"] = cells * float(share)
    return shares


def b_shares(blood: BloodState, rng: np.random.Generator) -> dict[str, float]:
    """Split the B cells of a day into subsets, cells per microlitre."""
    if blood.day < 20.0:
        memory = np.array(_B_ACTIVE_LUPUS)
    else:
        memory = _mix(_B_EARLY_RETURN, _B_LATE_RETURN, float(np.exp(-max(blood.day - 90, 0) / 120)))
    bent = rng.dirichlet(memory * 150.0)
    return {name: blood.b * float(share) for name, share in zip(B_SUBSETS, bent, strict=True)}


def _checkpoints(day: float) -> dict[str, dict[str, float]]:
    active = activation(day)
    table: dict[str, dict[str, float]] = {}
    for flag, resting in _RESTING.items():
        peak, late = _CAR_MARKER[flag]
        chance = active * peak + (1.0 - active) * late
        by_class = {"other_t": resting[2]}
        for lineage in ("cd4", "cd8"):
            for subset, rest in zip(T_MEMORY_SUBSETS, resting, strict=True):
                by_class[f"{lineage}.{subset}"] = rest
                by_class[f"car_{lineage}.{subset}"] = chance
        table[flag] = by_class
    return table


def _cell_shares(blood: BloodState, rng: np.random.Generator) -> dict[str, float]:
    """Cells per microlitre by class; granulocytes thinned as a storage gate does."""
    cells = t_shares(blood, rng) | b_shares(blood, rng)
    cells |= {"nk": blood.nk, "monocyte": min(blood.monocyte, 0.5 * sum(cells.values()))}
    room = _GRANULOCYTE_SHARE / (1.0 - _GRANULOCYTE_SHARE) * sum(cells.values())
    return cells | {"granulocyte": min(blood.granulocyte, room)}


def compose_tube(
    blood: BloodState,
    rng: np.random.Generator,
    *,
    n_events: int,
    quality: TubeQuality,
    predilution: float,
) -> Mixture:
    """Compose a tube so that cells per bead give the blood's concentrations back.

    Parameters
    ----------
    blood
        Concentrations on the day of the draw.
    rng
        Random stream of the draw (shared by the tubes of one specimen).
    n_events
        Events that will be acquired.
    quality
        Viability and the traps of this tube.
    predilution
        Factor by which the blood was diluted before the tube.

    Returns
    -------
    Mixture

    Notes
    -----
    Granulocytes and surplus monocytes are thinned, as acquisition with a storage gate thins them;
    lymphocytes and beads are kept whole, so cells per microlitre of lymphocytes stay right.
    """
    cells = _cell_shares(blood, rng)
    per_ul = sum(cells.values()) / quality.viability
    bead_share = float(np.clip(_SMALLEST_BEADS / n_events, 0.06, 0.30))
    debris_share = _DEBRIS if bead_share < 0.2 else 0.5 * _DEBRIS
    wanted = bead_share / (1.0 - bead_share - debris_share) * per_ul
    volume = next(volume for least, volume in _VOLUMES_UL if blood.lymphocytes >= least)
    beads_per_tube = max(int(round(wanted * volume / predilution, -2)), 100)
    shares = {name: value / quality.viability for name, value in cells.items()}
    shares["bead"] = beads_per_tube * predilution / volume
    shares["debris"] = debris_share / (1.0 - debris_share) * sum(shares.values())
    total = sum(shares.values())
    content = TubeContent(
        shares={cell.name: shares.get(cell.name, 0.0) / total for cell in CLASSES},
        checkpoints=_checkpoints(blood.day),
        cd19_positive=quality.cd19_positive,
        viability=quality.viability,
        doublets=quality.doublets,
        false_car=quality.false_car,
        without=quality.without,
        drift=quality.drift,
    )
    return Mixture(
        content=content,
        beads_per_tube=beads_per_tube,
        blood_volume_ul=volume,
        seconds=float(n_events / rng.uniform(600, 1500)),
    )
