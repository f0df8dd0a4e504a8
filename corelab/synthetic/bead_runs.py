"""Quality beads of the instruments: a tube at the first run of each month; one detector fades for a while."""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from corelab.synthetic.fcs import Channel, encode_fcs
from corelab.synthetic.panels import FLUOROCHROMES
from corelab.synthetic.seeding import log_uniform, spawn_generator
from corelab.synthetic.tube import TIMESTEP
from corelab.vocabulary import BEAD_QC, Panel

BEADS: Final = 1_500
_PANEL: Final = Panel.CART
_LEVELS: Final = (0.02, 0.2, 1.0)
"""Brightness of the three kinds of beads in a set, as parts of the brightest."""
_BEAD_CV: Final = 0.03
_NOISE: Final = 60.0
_DEBRIS: Final = 0.04
_RUN_TO_RUN: Final = 0.002
_BEFORE_SAMPLES: Final = dt.timedelta(minutes=30)
_SECONDS: Final = 30
_SCATTER: Final = ("FSC-A", "FSC-H", "SSC-A")
_FADING: Final = "PE-A"
_FADES: Final = (0.975, 0.95, 0.932)
"""What is left of its light at the last runs but one, until the laser is set anew."""
_FEWEST_RUNS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class BeadRun:
    """One tube of quality beads: when it ran on which instrument, and what a detector lost."""

    path: str
    acquired_at: dt.datetime
    instrument: str
    batch: str
    fading: float = 1.0


def plan_beads(runs: Iterable[tuple[str, dt.datetime, str, str]]) -> tuple[BeadRun, ...]:
    """Plan a tube of beads before the samples of each instrument's first run of a month.

    Parameters
    ----------
    runs
        Path, time, instrument and batch of the tubes of samples.

    Returns
    -------
    tuple of BeadRun
        In the order of time. Of the instrument with the most of them (nine or more), one detector fades over
        three; the last run is in order again.
    """
    first: dict[tuple[str, int, int], tuple[str, dt.datetime, str, str]] = {}
    for run in sorted(runs, key=lambda run: (run[1], run[0])):
        first.setdefault((run[2], run[1].year, run[1].month), run)
    ordered = list(first.values())
    instruments = [instrument for _, _, instrument, _ in ordered]
    worn = min(set(instruments), key=lambda name: (-instruments.count(name), name), default="")
    places = [place for place, instrument in enumerate(instruments) if instrument == worn]
    fading = dict(zip(places[-4:-1], _FADES, strict=False)) if len(places) >= _FEWEST_RUNS else {}
    return tuple(
        BeadRun(
            path=path.replace(path[path.rindex("_tube") :], "_tube00.fcs"),
            acquired_at=at - _BEFORE_SAMPLES,
            instrument=instrument,
            batch=batch,
            fading=fading.get(place, 1.0),
        )
        for place, (path, at, instrument, batch) in enumerate(ordered)
    )


def describe_fading(runs: Iterable[BeadRun]) -> dict[str, object]:
    """Name the tubes in which a detector fades, for the list of traps; nothing where there is none."""
    faded = {run.path: run.fading for run in runs if run.fading != 1.0}
    return {"fading_detector": {"detector": _FADING, "left": faded}} if faded else {}


def list_manifest_rows(runs: Iterable[BeadRun]) -> Iterator[dict[str, str]]:
    """Give the rows of a manifest; beads are no child's."""
    for run in runs:
        yield {
            "file": run.path, "collected_at": run.acquired_at.isoformat(timespec="minutes"),
            "panel": _PANEL.value, "tube": BEAD_QC, "batch": run.batch, "instrument": run.instrument,
        }  # fmt: skip


def render_beads(seed: int, run: BeadRun) -> bytes:
    """Draw the events of a tube of beads and write them down as an FCS file.

    Parameters
    ----------
    seed
        Seed of the trial.
    run
        Which tube.
    """
    detectors = tuple(f"{dye}-A" for dye in FLUOROCHROMES[_PANEL].values())
    base = spawn_generator(seed, "beads", run.instrument)
    brightest = np.array([log_uniform(base, 15e3, 90e3) for _ in (*detectors, "side scatter", "forward")])
    rng = spawn_generator(seed, "beads", run.instrument, run.acquired_at.isoformat())
    gain = np.exp(_RUN_TO_RUN * rng.standard_normal(len(brightest)))
    gain[: len(detectors)] *= np.where(np.array(detectors) == _FADING, run.fading, 1.0)
    light = _draw_light(rng, brightest * gain)
    values = np.column_stack((light[:, -1], 0.8 * light[:, -1], light[:, -2], light[:, :-2], _draw_time(rng)))
    channels = [Channel(name=name) for name in (*_SCATTER, *detectors, "Time")]
    begin, end = run.acquired_at, run.acquired_at + dt.timedelta(seconds=_SECONDS)
    keywords = {
        "$CYT": "Synthetic cytometer", "$CYTSN": f"SYN-{run.instrument}",
        "$DATE": begin.strftime("%d-%b-%Y").upper(), "$BTIM": begin.strftime("%H:%M:%S"),
        "$ETIM": end.strftime("%H:%M:%S"), "$TIMESTEP": f"{TIMESTEP:g}", "CREATOR": "corelab simulate",
        "TUBE NAME": "Quality beads", "EXPERIMENT NAME": f"Batch {run.batch}",
    }  # fmt: skip
    return encode_fcs((np.rint(values * 16) / 16).astype(np.float32), channels, keywords)


def _draw_light(rng: np.random.Generator, brightest: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Draw beads of all kinds with some debris, ``(n, n_detectors)``; scatter is the same for all kinds."""
    shape = (BEADS, len(brightest))
    level = np.repeat(rng.choice(_LEVELS, BEADS)[:, None], len(brightest), axis=1)
    level[:, -2:] = 1.0
    light = level * brightest * (1 + _BEAD_CV * rng.standard_normal(shape))
    debris = rng.random(BEADS) < _DEBRIS
    light[debris] *= rng.uniform(0.0, 0.3, (int(debris.sum()), 1))
    return np.asarray(light + _NOISE * rng.standard_normal(shape))


def _draw_time(rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.sort(rng.integers(0, int(_SECONDS / TIMESTEP), BEADS))
