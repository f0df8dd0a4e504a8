"""The whole synthetic trial as a stream of files, one in memory at a time."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from corelab.errors import ConfigError
from corelab.study import Study
from corelab.synthetic.bead_runs import list_manifest_rows, render_beads
from corelab.synthetic.plan import TrialPlan, TubePlan, plan_trial
from corelab.synthetic.render import RenderedTube, render_tube
from corelab.synthetic.tables import delivered_tables, format_csv, truth_tables

Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFile:
    """One file of the delivery or of its truth: a relative POSIX path and its bytes."""

    path: str
    data: bytes


def simulate_trial(*, subjects: int, events: int, seed: int, study: Study) -> Iterator[SimulatedFile]:
    """Generate a synthetic delivery with its truth, file by file.

    Parameters
    ----------
    subjects
        Number of children, at least 1.
    events
        Events a tube, at least 500.
    seed
        Seed of the trial, not negative. The same seed gives the same bytes.
    study
        Visits, windows and doses.

    Yields
    ------
    SimulatedFile
        The FCS files each with its truth, then the tables.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """
    check_counts(subjects=subjects, events=events, seed=seed)
    plan = plan_trial(subjects=subjects, events=events, seed=seed, study=study)
    rendered = (render_tube(seed, tube) for tube in plan.tubes)
    yield from assemble_delivery(plan, rendered)


def check_counts(*, subjects: int, events: int, seed: int) -> None:
    """Refuse numbers for which no trial can be drawn.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """
    limits = {"subjects": (subjects, 1, 999), "events": (events, 500, 5_000_000), "seed": (seed, 0, 2**63)}
    for name, (value, low, high) in limits.items():
        if not low <= value <= high:
            raise ConfigError(
                f"{name} is {value}", expected=f"{low} to {high}", remedy=f"give another --{name}"
            )


def assemble_delivery(plan: TrialPlan, rendered: Iterable[RenderedTube]) -> Iterator[SimulatedFile]:
    """Put rendered tubes and the tables of a plan together.

    Parameters
    ----------
    plan
        The planned trial.
    rendered
        One result per tube of the plan, in its order.

    Yields
    ------
    SimulatedFile
    """
    manifest: list[Row] = []
    counts: list[Row] = []
    for tube, result in zip(plan.tubes, rendered, strict=True):
        yield SimulatedFile(path=tube.path, data=result.fcs)
        stem = PurePosixPath(tube.path).stem
        yield SimulatedFile(path=f"truth/events/{stem}.npz", data=result.truth)
        counts.extend(_count_rows(tube, result))
        if tube.is_named:
            manifest.append(_manifest_row(tube, result))
    for run in plan.beads:
        yield SimulatedFile(path=run.path, data=render_beads(plan.seed, run))
    manifest.extend(list_manifest_rows(plan.beads))
    tables = {
        "manifest.csv": format_csv("manifest.csv", manifest),
        "truth/files.csv": format_csv("truth/files.csv", counts),
        "truth/traps.json": (json.dumps(dict(plan.traps), indent=2, sort_keys=True) + "\n").encode(),
    }
    tables |= delivered_tables(plan) | truth_tables(plan)
    for path in sorted(tables):
        yield SimulatedFile(path=path, data=tables[path])


def _manifest_row(tube: TubePlan, result: RenderedTube) -> Row:
    return {
        "file": tube.path,
        "subject_id": tube.draw.child.subject_id,
        "visit": tube.draw.visit,
        "collected_at": tube.draw.child.stamp(tube.draw.collected_at),
        "panel": tube.panel.value,
        "tube": tube.tube,
        "beads_per_tube": str(result.beads_per_tube),
        "blood_volume_ul": f"{result.blood_volume_ul:g}",
        "predilution": f"{tube.predilution:g}",
        "batch": tube.batch,
        "instrument": tube.instrument,
    }


def _count_rows(tube: TubePlan, result: RenderedTube) -> Iterator[Row]:
    for population, count in result.counts.items():
        yield {
            "file": tube.path,
            "subject_id": tube.draw.child.subject_id,
            "visit": tube.draw.visit,
            "panel": tube.panel.value,
            "tube": tube.tube,
            "population": population,
            "count": str(count),
        }
