"""Chooses cells of a snapshot's files: gates them again as the run did, and checks that it did."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from corelab.cytometry.interchange.revision import read_labels
from corelab.cytometry.quality import build_quality_limits
from corelab.cytometry.records import GatedAcquisition
from corelab.cytometry.run_tubes import read_matrix, read_stains
from corelab.cytometry.sketch import COMPARTMENTS, CellSketch, sketch_tube
from corelab.cytometry.template import load_template
from corelab.cytometry.tube import Tube, prepare_tube
from corelab.errors import CorelabError
from corelab.ingest.fcs import read_fcs
from pipelines.gating import SubjectJob, TubeFile, gate_as_run, plan_jobs

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store import Home
    from corelab.store.registry import Position

SEED: Final = 20250401
MOST_CELLS: Final = 100_000
FEWEST_PER_COMPARTMENT: Final = 100
MOST_PER_COMPARTMENT: Final = 2000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchReport:
    """The cells by file, the most that a compartment of a file gave, and what was left out and why."""

    sketches: list[CellSketch]
    limit: int
    findings: list[str]


def sketch_events(
    home: "Home",
    populations: "pd.DataFrame",
    *,
    position: "Position | None" = None,
    seed: int = SEED,
    progress: Progress | None = None,
) -> SketchReport:
    """Choose CAR+ and CAR- T cells and B cells of every sound full tube of a snapshot.

    One subject's files are open at a time, and no more cells are kept than `MOST_CELLS` (or
    `FEWEST_PER_COMPARTMENT` for each compartment of a file, where there are very many files).

    Parameters
    ----------
    home
        The home, for the stored files.
    populations
        The snapshot's table.
    position
        Where the registry stood when the snapshot was made; as it is now where that is not known.
    seed
        Seed of the choice.
    progress
        Told the files that are done and all files.
    """
    wanted = find_wanted(populations)
    limit = find_limit(wanted)
    report = SketchReport(sketches=[], limit=limit, findings=[])
    acquisitions = home.registry.inputs(position).acquisitions
    known = acquisitions[acquisitions["file_id"].isin(populations["file_id"])]
    lost = sorted(set(wanted["file_id"]) - set(known["file_id"]))
    report.findings.extend(
        f"{file_id}: no longer part of the trial; its cells are left out" for file_id in lost
    )
    jobs = plan_jobs(
        known, home.objects.read, home.cache / "gates", home.registry.gate_decisions(position),
        limits=build_quality_limits(home.study.settings["flow_quality"]),
    )  # fmt: skip
    counts = wanted.set_index(["file_id", "population"])["count"]
    done = 0
    for job in sorted(jobs, key=lambda job: job.tubes[0].file_id):
        for tube, result in _gate(job, set(wanted["file_id"])):
            if isinstance(result, str) or not _agrees(tube, result, counts):
                reason = result if isinstance(result, str) else "gated otherwise than in the snapshot"
                report.findings.append(f"{tube.file_id}: {reason}; its cells are left out")
            else:
                sketch = _sketch(job, tube, result, limit=limit, seed=seed)
                report.sketches.append(sketch)
            done += 1
            if progress:
                progress(done, wanted["file_id"].nunique())
    report.sketches.sort(key=lambda sketch: sketch.file_id)
    return report


def find_wanted(populations: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows of the compartments of sound full tubes that belong to a subject."""
    is_sound = (
        (populations["tube"] == "full") & (populations["subject_id"] != "") & (populations["qc"] != "fail")
    )
    names = [name for panel in COMPARTMENTS.values() for name in panel]
    rows = populations[is_sound & populations["population"].isin(names) & populations["count"].notna()]
    pairs = {(panel, name) for panel, listed in COMPARTMENTS.items() for name in listed}
    of_panel = [pair in pairs for pair in zip(rows["panel"], rows["population"], strict=True)]
    return rows.loc[rows.index[np.array(of_panel, dtype=bool)]]


def find_limit(wanted: "pd.DataFrame") -> int:
    """Return the most cells that a compartment of one file may give."""
    share = MOST_CELLS // max(len(wanted), 1)
    return min(max(share, FEWEST_PER_COMPARTMENT), MOST_PER_COMPARTMENT)


def _gate(job: SubjectJob, wanted: set[str]) -> Iterator[tuple[TubeFile, GatedAcquisition | str]]:
    """Gate the wanted files of a subject one by one; one that cannot be read gives its reason."""
    for tube in job.tubes:
        if tube.file_id in wanted:
            try:
                yield tube, gate_as_run(job, [tube.file_id])[tube.file_id]
            except (CorelabError, OSError) as error:
                yield tube, " ".join(str(error).split())


def _agrees(tube: TubeFile, gated: GatedAcquisition, counts: "pd.Series[int]") -> bool:
    """Tell whether the compartments have as many events as the snapshot says."""
    told = counts.loc[tube.file_id]
    return all(gated.count(str(population)) == count for population, count in told.items())


def _sketch(job: SubjectJob, tube: TubeFile, gated: GatedAcquisition, *, limit: int, seed: int) -> CellSketch:
    return sketch_tube(
        _prepare(job, tube), gated.membership, file_id=tube.file_id, panel=tube.panel, limit=limit, seed=seed
    )


def _prepare(job: SubjectJob, tube: TubeFile) -> Tube:
    """Prepare a tube as its gating did."""
    acquisition = read_fcs(job.read_object(tube.object_id), name=tube.file_id[:12])
    return prepare_tube(
        acquisition, template=load_template(tube.panel), marker_labels=read_labels(tube.decisions),
        spillover=read_matrix(tube.spillover_id, job.read_object),
        stains=read_stains(tube.stains, job.read_object),
    )  # fmt: skip
