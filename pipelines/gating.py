"""Gate every acquisition of a trial: per subject, on processes, each file only once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.quality import QualityLimits, builtin_limits
from corelab.cytometry.records import GatedAcquisition, GateTables, frame_rows, list_rows
from corelab.cytometry.template import Template, load_template
from corelab.errors import CorelabError
from corelab.ingest.fcs import Acquisition, read_fcs
from corelab.ingest.spillover import parse_spillover_csv
from corelab.vocabulary import GateSource, Level, Panel
from pipelines.gate_cache import Rows, compute_cache_key, read_cache, write_cache
from pipelines.run_tubes import Stains, find_stains

if TYPE_CHECKING:
    import pandas as pd

ReadObject = Callable[[str], bytes]
Progress = Callable[[int, int], None]

_PLACE: Final = ("file_id", "object_id", "visit", "collected_at", "panel", "tube")
_SOLID_SCORE: Final = 0.3
_SOLID_REFERENCE: Final = 500
_SETTLED: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeFile:
    """One FCS file of a job: its ids, where it belongs, and what was given from outside.

    ``labels`` are marker names, ``spillover_id`` is the object of a delivered matrix, ``stains`` the
    single-stain controls of its run.
    """

    file_id: str
    object_id: str
    visit: str
    collected_at: str
    panel: str
    tube: str
    labels: tuple[tuple[str, str], ...] = ()
    spillover_id: str = ""
    stains: Stains = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectJob:
    """All FCS files of one subject; a worker needs nothing else."""

    tubes: tuple[TubeFile, ...]
    read_object: ReadObject
    templates: tuple[tuple[str, Template], ...]
    cache_dir: Path | None
    limits: QualityLimits


def gate_all(  # noqa: PLR0913 - one argument for each thing a run has to say
    acquisitions: "pd.DataFrame",
    read_object: ReadObject,
    *,
    workers: int = 1,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    marker_labels: Mapping[str, Mapping[str, str]] | None = None,
    limits: QualityLimits | None = None,
) -> GateTables:
    """Gate all acquisitions.

    Every tube is gated with the controls of its visit; then those whose limits had too few events
    are gated again with the limits of the child's other visits, in units of noise.

    Parameters
    ----------
    acquisitions
        As in `corelab.tables.inputs.Inputs.acquisitions`.
    read_object
        Gives the bytes of an object by its id; must be picklable for more than one worker.
    workers
        Processes; 1 runs here.
    cache_dir
        Where results are kept by the content of the file, its controls, limits of other visits,
        the template and the gating code. May be deleted at any time.
    progress
        Told the files that are done and all files.
    marker_labels
        By file id: detector to label, for files that name no marker themselves.
    limits
        When quality warns and fails; by default as the built-in study says.

    Returns
    -------
    GateTables
        The same bytes whatever the number of workers and the order of the rows. A file that cannot
        be read or gated is a finding ``UNREADABLE``.
    """
    jobs = plan_jobs(
        acquisitions,
        read_object,
        cache_dir,
        marker_labels=marker_labels or {},
        limits=limits or builtin_limits(),
    )
    total = sum(len(job.tubes) for job in jobs)
    rows: Rows = []
    finished = 0
    for job, done in _run(jobs, workers):
        rows += done
        finished += len(job.tubes)
        if progress:
            progress(finished, total)
    order = sorted(range(len(rows)), key=lambda i: rows[i]["file_id"])
    return frame_rows([rows[i] for i in order])


def plan_jobs(
    acquisitions: "pd.DataFrame",
    read_object: ReadObject,
    cache_dir: Path | None,
    *,
    marker_labels: Mapping[str, Mapping[str, str]],
    limits: QualityLimits,
) -> list[SubjectJob]:
    """Group the files by subject, the largest group first; a file without subject stands alone."""
    groups: dict[str, list[TubeFile]] = {}
    rows = acquisitions.to_dict(orient="records")
    stains = find_stains(rows)
    for row in rows:
        tube = TubeFile(
            **{name: str(row[name]) for name in _PLACE},
            labels=tuple(sorted(marker_labels.get(row["file_id"], {}).items())),
            spillover_id=str(row.get("spillover_id", "")),
            stains=stains.get(row["file_id"], ()),
        )
        groups.setdefault(row["subject_id"] or f"\0{tube.file_id}", []).append(tube)
    templates = tuple((panel, load_template(panel)) for panel in Panel)
    jobs = [
        SubjectJob(
            tubes=tuple(sorted(tubes, key=lambda tube: tube.file_id)),
            read_object=read_object,
            templates=templates,
            cache_dir=cache_dir,
            limits=limits,
        )
        for _, tubes in sorted(groups.items())
    ]
    return sorted(jobs, key=lambda job: -len(job.tubes))


def _run(jobs: Sequence[SubjectJob], workers: int) -> Iterable[tuple[SubjectJob, Rows]]:
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job, gate_subject(job)
        return
    context = get_context("spawn")  # a fork would copy the locks of a serving process
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        futures = {pool.submit(gate_subject, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()


def gate_subject(job: SubjectJob) -> Rows:
    """Gate the files of one subject in two passes; the rows of all four tables."""
    runner = _Subject(job)
    first = {tube.file_id: runner.rows(tube, {}) for tube in job.tubes}
    rows: Rows = []
    for tube in job.tubes:
        priors = collect_priors(tube, job.tubes, first)
        needed = needs_priors(first[tube.file_id], priors)
        rows += runner.rows(tube, priors) if needed else first[tube.file_id]
    return rows


def collect_priors(tube: TubeFile, tubes: Sequence[TubeFile], rows: Mapping[str, Rows]) -> dict[str, float]:
    """Collect the limits of the child's other full tubes of this panel, as medians by gate."""
    if tube.tube != "full":
        return {}
    found: dict[str, list[float]] = {}
    for other in tubes:
        if other.file_id == tube.file_id or (other.panel, other.tube) != (tube.panel, "full"):
            continue
        for row in rows[other.file_id]:
            if row["table"] == "cuts" and _is_solid(row):
                found.setdefault(row["gate"], []).append(float(row["units"]))
    return {gate: float(np.median(units)) for gate, units in sorted(found.items())}


def _is_solid(row: Mapping[str, Any]) -> bool:
    """Tell whether a cut was placed by its own data well enough to speak for another visit."""
    return bool(
        row["gate_source"] == GateSource.AUTO
        and np.isfinite(row["units"])
        and row["score"] >= _SOLID_SCORE
        and row["n_reference"] >= _SOLID_REFERENCE
    )


def needs_priors(rows: Rows, priors: Mapping[str, float]) -> bool:
    """Tell whether any cut rests on the template or on few negative events and has a prior."""
    return any(
        row["table"] == "cuts"
        and row["gate"] in priors
        and (
            row["gate_source"] == GateSource.TEMPLATE
            or (row["recipe"] == "negative" and row["n_reference"] < _SETTLED)
        )
        for row in rows
    )


class _Subject:
    """Gates the tubes of one subject, from the cache where it can."""

    def __init__(self, job: SubjectJob) -> None:
        self.job = job
        self.templates = dict(job.templates)
        self.controls: dict[str, GatedAcquisition] = {}

    def rows(self, tube: TubeFile, priors: Mapping[str, float]) -> Rows:
        """Return the rows of one tube; a bad file gives one finding."""
        template = self.templates.get(tube.panel)
        if template is None:
            return _unreadable(tube, f"no gating template for panel {tube.panel!r}")
        controls = find_controls(tube, self.job.tubes)
        key = compute_cache_key(
            repr(template),
            repr(self.job.limits),
            tube.object_id,
            tube.tube,
            repr((tube.labels, tube.spillover_id, tube.stains)),
            *(
                f"{one.tube}:{one.object_id}:{(one.labels, one.spillover_id, one.stains)!r}"
                for one in controls
            ),
            *(f"{gate}={value!r}" for gate, value in sorted(priors.items())),
        )
        cached = read_cache(self.job.cache_dir, key)
        if cached is None:
            cached = self._gate(tube, template, controls, priors)
            write_cache(self.job.cache_dir, key, cached)
        return [{**row, "file_id": tube.file_id} for row in cached]

    def _gate(
        self,
        tube: TubeFile,
        template: Template,
        controls: Sequence[TubeFile],
        priors: Mapping[str, float],
    ) -> Rows:
        gated_controls = {}
        try:
            for control in controls:
                gated = self._gate_control(control, template)
                if gated is not None:
                    gated_controls[control.tube] = gated
            if tube.tube == "full":
                result = self._gate_file(tube, template, gated_controls, priors)
            else:
                result = self._gate_once(tube, template)
        except (CorelabError, OSError) as error:
            return _unreadable(tube, str(error))
        return list_rows(tube.file_id, result)

    def _gate_file(
        self,
        tube: TubeFile,
        template: Template,
        controls: Mapping[str, GatedAcquisition],
        priors: Mapping[str, float],
    ) -> GatedAcquisition:
        spillover = None
        if tube.spillover_id:
            place = f"the matrix delivered with {tube.file_id[:12]}"
            spillover = parse_spillover_csv(self.job.read_object(tube.spillover_id), name=place)
        return gate_acquisition(
            read_fcs(self.job.read_object(tube.object_id), name=tube.file_id[:12]),
            template=template, tube=tube.tube, controls=controls, priors=priors,
            marker_labels=dict(tube.labels), spillover=spillover, stains=self._read_stains(tube),
            limits=self.job.limits,
        )  # fmt: skip

    def _read_stains(self, tube: TubeFile) -> dict[str, Acquisition]:
        """Read the single-stain controls of a tube; one that cannot be read says so in its own row."""
        if tube.spillover_id:
            return {}
        stains = {}
        for name, object_id in tube.stains:
            try:
                stains[name] = read_fcs(self.job.read_object(object_id), name=name)
            except (CorelabError, OSError):
                continue
        return stains

    def _gate_once(self, tube: TubeFile, template: Template) -> GatedAcquisition:
        """Gate a tube that is needed for its own rows and as a control of others."""
        if tube.file_id not in self.controls:
            self.controls[tube.file_id] = self._gate_file(tube, template, {}, {})
        return self.controls[tube.file_id]

    def _gate_control(self, tube: TubeFile, template: Template) -> GatedAcquisition | None:
        """Gate a control; one that cannot be read is no control, and its own row says why."""
        try:
            return self._gate_once(tube, template)
        except (CorelabError, OSError):
            return None


def find_controls(tube: TubeFile, tubes: Sequence[TubeFile]) -> list[TubeFile]:
    """Find the FMO tubes of the same visit and panel; of several the one nearest before in time."""
    if tube.tube != "full":
        return []
    candidates = [
        other
        for other in tubes
        if other.tube.startswith("fmo_") and (other.visit, other.panel) == (tube.visit, tube.panel)
        and (tube.visit != "UNS" or other.collected_at[:10] == tube.collected_at[:10])
    ]  # fmt: skip
    best: dict[str, TubeFile] = {}
    for other in sorted(
        candidates, key=lambda c: (c.collected_at == tube.collected_at, c.collected_at, c.file_id)
    ):
        best[other.tube] = other
    return [best[name] for name in sorted(best)]


def _unreadable(tube: TubeFile, reason: str) -> Rows:
    return [{
        "table": "findings", "file_id": tube.file_id, "check": "UNREADABLE", "level": Level.FAIL.value,
        "value": float("nan"), "limit": float("nan"), "reason": reason,
    }]  # fmt: skip
