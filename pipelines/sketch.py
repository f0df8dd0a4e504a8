"""Chooses cells of a snapshot's files: lays the limits that it kept on each file, and checks the counts."""

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from corelab.cytometry.bench import make_cuts, open_bench
from corelab.cytometry.interchange.revision import read_labels
from corelab.cytometry.records import MOST_AT_ONCE, Cut
from corelab.cytometry.run_tubes import read_matrix, read_stains
from corelab.cytometry.sketch import COMPARTMENTS, CellSketch, list_parts, sketch_tube
from corelab.cytometry.template import load_template
from corelab.cytometry.tube import prepare_tube
from corelab.errors import CorelabError
from corelab.ingest.fcs import read_fcs
from pipelines.executor import HERE, Lost, Place, run_jobs
from pipelines.gate_cache import compute_cache_key
from pipelines.gating import ReadObject, TubeFile, plan_jobs

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store import Home, Snapshot
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchJob:
    """One file to choose cells of: its limits and counts in the snapshot. A worker needs nothing else."""

    tube: TubeFile
    cuts: tuple[Cut, ...]
    counts: Mapping[str, int]
    read_object: ReadObject
    cache_dir: Path
    limit: int
    seed: int

    @property
    def key(self) -> str:
        """Hash of all that decides which cells are chosen."""
        return compute_cache_key(
            "sketch", repr(load_template(self.tube.panel)), self.tube.object_id, self.tube.file_id,
            self.tube.given, repr(self.cuts), repr(sorted(self.counts.items())),
            str(self.limit), str(self.seed),
        )  # fmt: skip


def sketch_events(  # noqa: PLR0913 - one argument for each thing that is said of a sketch
    home: "Home",
    populations: "pd.DataFrame",
    cuts: "pd.DataFrame",
    *,
    position: "Position | None" = None,
    limit: int | None = None,
    seed: int = SEED,
    place: Place = HERE,
    progress: Progress | None = None,
) -> SketchReport:
    """Choose CAR+ and CAR- T cells and B cells of every sound full tube of a snapshot.

    One file a worker is open at a time; the chosen cells of a file are kept in the home's cache.

    Parameters
    ----------
    home
        The home, for the stored files.
    populations, cuts
        The snapshot's tables.
    position
        Where the registry stood when the snapshot was made; as it is now where that is not known.
    limit
        Most cells of one compartment of a file; by default so many that `MOST_CELLS` are not passed, or
        `FEWEST_PER_COMPARTMENT` where there are very many files.
    seed
        Seed of the choice.
    place
        Where the files are read.
    progress
        Told the files that are done and all files.
    """
    wanted = find_wanted(populations)
    report = SketchReport(sketches=[], limit=limit or find_limit(wanted), findings=[])
    jobs, lost = plan_sketches(home, wanted, cuts, position=position, limit=report.limit, seed=seed)
    report.findings.extend(f"{one}: no longer part of the trial; its cells are left out" for one in lost)
    for done, (job, result) in enumerate(run_jobs(sketch_file, jobs, place=place), start=1):
        if isinstance(result, CellSketch):
            report.sketches.append(result)
        else:
            reason = "the process that read it was ended from outside" if isinstance(result, Lost) else result
            report.findings.append(f"{job.tube.file_id}: {reason}; its cells are left out")
        if progress:
            progress(done, len(jobs))
    report.sketches.sort(key=lambda sketch: sketch.file_id)
    report.findings.sort()
    return report


def read_limits(snapshot: "Snapshot") -> "pd.DataFrame":
    """Return the table of limits; an older snapshot keeps none."""
    from corelab.tables.schemas import SCHEMAS

    return snapshot.table("cuts") if "cuts" in snapshot.table_names else SCHEMAS["cuts"].empty()


def plan_sketches(
    home: "Home", wanted: "pd.DataFrame", cuts: "pd.DataFrame", *, position: "Position | None", limit: int,
    seed: int,
) -> tuple[list[SketchJob], list[str]]:  # fmt: skip
    """Make a job of every wanted file, in the order of their ids, and list those that are gone."""
    rows = home.registry.read(position).place()
    groups = plan_jobs(rows.list_tubes(), home.objects.map, None, rows.gates)
    tubes = {tube.file_id: tube for group in groups for tube in group.tubes}
    counts = {str(name): rows for name, rows in wanted.groupby("file_id")}
    limits = {str(name): rows for name, rows in cuts.groupby("file_id")}
    jobs = [
        SketchJob(
            tube=tubes[file_id],
            cuts=tuple(make_cuts(limits[file_id].to_dict(orient="records"))) if file_id in limits else (),
            counts={str(row.population): int(row.count) for row in counts[file_id].itertuples(index=False)},
            read_object=home.objects.map, cache_dir=home.cache / "sketches", limit=limit, seed=seed,
        )
        for file_id in sorted(counts) if file_id in tubes
    ]  # fmt: skip
    return jobs, sorted(set(counts) - set(tubes))


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


def sketch_file(job: SketchJob) -> CellSketch | str:
    """Choose cells of one file, or say why it has none: it cannot be read, or counts otherwise."""
    path = job.cache_dir / job.key[:2] / f"{job.key}.npz"
    kept = _read_sketch(path)
    if kept is not None:
        return kept
    if not job.cuts:
        return "the snapshot keeps no limits of it"
    try:
        sketch = _sketch(job)
    except (CorelabError, OSError) as error:
        return " ".join(str(error).split())
    if sketch is None:
        return "gated otherwise than in the snapshot"
    _write_sketch(path, sketch)
    return sketch


def _sketch(job: SketchJob) -> CellSketch | None:
    tube, template = job.tube, load_template(job.tube.panel)
    data = job.read_object(tube.object_id)
    prepared = prepare_tube(
        read_fcs(data, name=tube.file_id[:12], by_column=MOST_AT_ONCE), template=template,
        marker_labels=read_labels(tube.decisions), spillover=read_matrix(tube.spillover_id, job.read_object),
        stains=read_stains(tube.stains, job.read_object),
    )  # fmt: skip
    bench = open_bench(prepared, template=template, name=tube.tube, cuts=job.cuts, decisions=tube.decisions)
    names = [name for one in COMPARTMENTS.get(tube.panel, ()) for name in (one, *list_parts(one))]
    known = bench.population_names
    membership = {name: mask for name in names if name in known and (mask := bench.select(name)) is not None}
    told = all(int(membership[name].sum()) == n for name, n in job.counts.items() if name in membership)
    if not told or not set(job.counts) <= set(membership):
        return None
    return sketch_tube(
        prepared, membership, file_id=tube.file_id, panel=tube.panel, limit=job.limit, seed=job.seed
    )


_TEXTS: Final = ("compartment", "population")


def _read_sketch(path: Path) -> CellSketch | None:
    """Read a kept sketch; None where there is none or it cannot be read."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as archive:
            values: dict[str, Any] = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, KeyError, EOFError):
        return None
    values |= {name: values[name].astype(object) for name in _TEXTS}
    return CellSketch(
        **values | {"file_id": str(values["file_id"]), "markers": tuple(map(str, values["markers"]))}
    )


def _write_sketch(path: Path, sketch: CellSketch) -> None:
    """Keep a sketch; a half-written file never stands under its name."""
    from corelab.store.objects import write_durably

    buffer = io.BytesIO()
    np.savez(buffer, **dict(_list_arrays(sketch)))
    write_durably(path, buffer.getvalue())


def _list_arrays(sketch: CellSketch) -> Iterator[tuple[str, Any]]:
    for field in fields(sketch):
        value = getattr(sketch, field.name)
        yield field.name, value.astype(str) if field.name in _TEXTS else np.asarray(value)
