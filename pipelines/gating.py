"""Gate every acquisition of a trial: per subject, on processes, each file only once."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.cytometry.gating import gate_acquisition
from corelab.cytometry.interchange.revision import Decision
from corelab.cytometry.quality import QualityLimits, builtin_limits
from corelab.cytometry.records import MOST_AT_ONCE, GatedAcquisition, GateTables, frame_rows, list_rows
from corelab.cytometry.run_tubes import Stains, find_stains, read_matrix, read_stains
from corelab.cytometry.template import Template, load_template
from corelab.errors import ConfigError, CorelabError
from corelab.ingest.fcs import FcsBytes, read_fcs
from corelab.vocabulary import Level, Panel
from pipelines.executor import HERE, Lost, Place, run_alone, run_jobs
from pipelines.gate_cache import (
    Rows,
    compute_cache_key,
    format_table,
    holds_unreadable,
    lay_out,
    lay_out_gates,
    parse_table,
    read_cache,
    read_sealed,
    stack_gates,
    write_cache,
    write_sealed,
)
from pipelines.gate_controls import find_controls, has_failed
from pipelines.gate_priors import Priors, collect_priors, needs_priors

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ReadObject = Callable[[str], FcsBytes]
Progress = Callable[[int, int], None]

_PLACE: Final = ("file_id", "object_id", "visit", "collected_at", "panel", "tube")


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeFile:
    """One FCS file of a job: its ids, where it belongs, and what was given with it.

    ``decisions`` are what people decided about its gates, ``spillover_id`` is the object of a delivered
    matrix, ``stains`` are the single-stain controls of its run.
    """

    file_id: str
    object_id: str
    visit: str
    collected_at: str
    panel: str
    tube: str
    decisions: tuple[Decision, ...] = ()
    spillover_id: str = ""
    stains: Stains = ()

    @property
    def decided(self) -> tuple[str, ...]:
        """The decisions as short texts that differ wherever they do."""
        return tuple(f"{one.kind}:{one.gate}:{one.version}" for one in self.decisions)

    @property
    def given(self) -> str:
        """Everything that was given with the file, as a text that differs wherever it does."""
        return repr((self.decided, self.spillover_id, self.stains))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubjectJob:
    """All FCS files of one subject, or one without; ``spelled`` are the templates as one text."""

    tubes: tuple[TubeFile, ...]
    read_object: ReadObject
    templates: tuple[tuple[str, Template], ...]
    spelled: str
    cache_dir: Path | None
    limits: QualityLimits
    subject_id: str = ""

    @property
    def key(self) -> str:
        """What everything on which the subject's rows depend is kept under, the templates among it."""
        tubes = [(*(getattr(tube, name) for name in _PLACE), tube.given) for tube in self.tubes]
        return compute_cache_key(self.spelled, *map(repr, (self.limits, *tubes)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubjectGates:
    """The rows of one job. ``mark`` is their hash; empty where a file could not be read this time."""

    job: SubjectJob
    table: "pa.Table"
    mark: str


def gate_all(  # noqa: PLR0913 - one argument for each thing a run has to say
    acquisitions: "pd.DataFrame",
    read_object: ReadObject,
    *,
    place: Place = HERE,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    decisions: Mapping[str, tuple[Decision, ...]] | None = None,
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
        Gives the bytes of an object by its id, read or mapped; must be picklable for more than one worker.
    place
        Where the work is done: here, on processes, or on a Dask cluster.
    cache_dir
        Where results are kept by the content of the file, its controls, limits of other visits,
        the template and the gating code, and those of a subject by its tubes. May be deleted at any time.
    progress
        Told the files that are done and all files.
    decisions
        By file id: what people decided about limits, shapes and names of markers.
    limits
        When quality warns and fails; by default as the built-in study says.

    Returns
    -------
    GateTables
        The same bytes whatever the number of workers and the order of the rows. A file that cannot
        be read or gated is a finding ``UNREADABLE``.
    """
    rows = acquisitions.to_dict(orient="records")
    jobs = plan_jobs(rows, read_object, cache_dir, decisions or {}, limits=limits)
    return frame_gates(gate_jobs(jobs, place=place, progress=progress))


def gate_jobs(
    jobs: Sequence[SubjectJob], *, place: Place = HERE, progress: Progress | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> list[SubjectGates]:  # fmt: skip
    """Gate the files of each subject, or read what was kept of them, in no particular order.

    ``meanwhile`` is called once while other processes work, if they do.
    """
    total = sum(len(job.tubes) for job in jobs)
    gated = []
    finished = 0
    for one in _collect(jobs, place, meanwhile):
        gated.append(one)
        finished += len(one.job.tubes)
        if progress:
            progress(finished, total)
    return gated


def frame_gates(gated: Iterable[SubjectGates], *, counts_of: frozenset[str] | None = None) -> GateTables:
    """Put the rows of subjects into the five tables, by file.

    With ``counts_of`` only what tubes are compared by: the counts of these populations, findings and beads.
    """
    tables = [one.table if counts_of is None else _choose_rows(one.table, counts_of) for one in gated]
    return frame_rows(stack_gates(tables))


def _choose_rows(table: "pa.Table", populations: frozenset[str]) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    of = table["table"]
    counted = pc.is_in(table["population"], pa.array(sorted(populations), pa.string()))
    is_count = pc.and_(pc.equal(of, "counts"), pc.fill_null(counted, fill_value=False))
    return table.filter(pc.or_(is_count, pc.is_in(of, pa.array(["findings", "bead_peaks"]))))


def plan_jobs(
    rows: "Sequence[Mapping[str, Any]]",
    read_object: ReadObject,
    cache_dir: Path | None,
    decisions: Mapping[str, tuple[Decision, ...]],
    *,
    limits: QualityLimits | None = None,
) -> list[SubjectJob]:
    """Group the files by subject, the largest group first; a file without subject stands alone."""
    groups: dict[str, list[TubeFile]] = {}
    stains = find_stains(rows)
    for row in rows:
        tube = TubeFile(
            **{name: str(row[name]) for name in _PLACE},
            decisions=decisions.get(row["file_id"], ()),
            spillover_id=str(row.get("spillover_id", "")),
            stains=() if row.get("spillover_id") else stains.get(row["file_id"], ()),
        )
        groups.setdefault(row["subject_id"] or f"\0{tube.file_id}", []).append(tube)
    templates = tuple((panel, load_template(panel)) for panel in Panel)
    spelled = repr(templates)
    jobs = [
        SubjectJob(
            subject_id=name if not name.startswith("\0") else "",
            tubes=tuple(sorted(tubes, key=lambda tube: tube.file_id)),
            read_object=read_object,
            templates=templates,
            spelled=spelled,
            cache_dir=cache_dir,
            limits=limits or builtin_limits(),
        )
        for name, tubes in sorted(groups.items())
    ]
    return sorted(jobs, key=lambda job: -len(job.tubes))


def _collect(
    jobs: Sequence[SubjectJob], place: Place, meanwhile: Callable[[], object] | None
) -> Iterable[SubjectGates]:
    """Give the rows of each subject, those of unchanged ones from one file each; the others are gated."""
    changed = []
    for job in jobs:
        kept = read_sealed(job.cache_dir, job.key)
        if kept is None:
            changed.append(job)
        else:
            yield SubjectGates(job=job, table=parse_table(kept), mark=_hash(kept))
    for job, rows in _run(changed, place, meanwhile):
        table = lay_out_gates(rows)
        if holds_unreadable(rows):
            yield SubjectGates(job=job, table=table, mark="")
        else:
            body = format_table(table)
            write_sealed(job.cache_dir, job.key, body)
            yield SubjectGates(job=job, table=table, mark=_hash(body))


def _hash(body: memoryview) -> str:
    return hashlib.sha256(body).hexdigest()


def _run(
    jobs: Sequence[SubjectJob], place: Place, meanwhile: Callable[[], object] | None
) -> Iterable[tuple[SubjectJob, Rows]]:
    for job, rows in run_jobs(gate_subject, jobs, place=place, meanwhile=meanwhile):
        yield job, _gate_without_poison(job) if isinstance(rows, Lost) else rows


def _gate_without_poison(job: SubjectJob) -> Rows:
    """Gate what can be gated of a subject whose files end the process that reads them; name those that do."""
    deadly = [
        tube for tube in job.tubes if isinstance(run_alone(gate_subject, replace(job, tubes=(tube,))), Lost)
    ]
    harmless = tuple(tube for tube in job.tubes if tube not in deadly)
    rows = run_alone(gate_subject, replace(job, tubes=harmless))
    if isinstance(rows, Lost):
        deadly, rows = list(job.tubes), []
    reason = "the process that gated it was ended from outside or ran out of memory, each time"
    return [*rows, *(row for tube in deadly for row in _unreadable(tube, reason))]


def gate_subject(job: SubjectJob) -> Rows:
    """Gate the files of one subject in two passes; the rows of all five tables."""
    runner = _Subject(job)
    first = {tube.file_id: runner.rows(tube, {}) for tube in job.tubes}
    rows: Rows = []
    for tube in job.tubes:
        priors = collect_priors(tube, job.tubes, first)
        needed = needs_priors(first[tube.file_id], priors)
        rows += runner.rows(tube, priors) if needed else first[tube.file_id]
    return rows


def gate_as_run(job: SubjectJob, file_ids: Iterable[str]) -> dict[str, GatedAcquisition]:
    """Gate some files of a subject as `gate_subject` does, with their events: for export and plots.

    Raises
    ------
    CorelabError
        If a file cannot be read or its panel has no template.
    """
    runner = _Subject(job)
    first = {tube.file_id: runner.rows(tube, {}) for tube in job.tubes}
    gated = {}
    for tube in (tube for tube in job.tubes if tube.file_id in set(file_ids)):
        priors = collect_priors(tube, job.tubes, first)
        used = priors if needs_priors(first[tube.file_id], priors) else {}
        gated[tube.file_id] = runner.gate(tube, runner.template(tube), used)
    return gated


class _Subject:
    """Gates the tubes of one subject, from the cache where it can."""

    def __init__(self, job: SubjectJob) -> None:
        self.job = job
        self.templates = dict(job.templates)
        self.spelled = {panel: repr(template) for panel, template in job.templates}
        self.controls: dict[str, GatedAcquisition] = {}

    def template(self, tube: TubeFile) -> Template:
        """Return the template of a tube's panel.

        Raises
        ------
        ConfigError
            If there is none.
        """
        if tube.panel not in self.templates:
            raise ConfigError(f"no gating template for panel {tube.panel!r}")
        return self.templates[tube.panel]

    def rows(self, tube: TubeFile, priors: Priors) -> Rows:
        """Return the rows of one tube; a bad file gives one finding."""
        try:
            template = self.template(tube)
        except ConfigError as error:
            return _unreadable(tube, str(error))
        controls = find_controls(tube, self.job.tubes)
        key = compute_cache_key(
            self.spelled[tube.panel], repr(self.job.limits), tube.object_id, tube.tube, tube.given,
            *(f"{control.tube}:{control.object_id}:{control.given}" for control in controls),
            *(f"{gate}={value!r}" for gate, value in sorted(priors.items())),
        )  # fmt: skip
        cached = read_cache(self.job.cache_dir, key)
        rows = self._gate_rows(tube, template, priors) if cached is None else cached.to_pylist()
        if cached is None and not holds_unreadable(rows):
            write_cache(self.job.cache_dir, key, lay_out(rows))
        return [{**row, "file_id": tube.file_id} for row in rows]

    def _gate_rows(self, tube: TubeFile, template: Template, priors: Priors) -> Rows:
        try:
            return list_rows(tube.file_id, self.gate(tube, template, priors))
        except (CorelabError, OSError) as error:
            return _unreadable(tube, str(error))

    def gate(self, tube: TubeFile, template: Template, priors: Priors) -> GatedAcquisition:
        """Gate one tube, past the cache; its controls first."""
        if tube.tube != "full":
            return self._gate_once(tube, template)
        controls = find_controls(tube, self.job.tubes)
        found = {control.tube: self._gate_control(control, template) for control in controls}
        usable = {name: gated for name, gated in found.items() if gated is not None and not has_failed(gated)}
        return self._gate_file(tube, template, usable, priors)

    def _gate_file(
        self,
        tube: TubeFile,
        template: Template,
        controls: Mapping[str, GatedAcquisition],
        priors: Priors,
    ) -> GatedAcquisition:
        return gate_acquisition(
            read_fcs(self.job.read_object(tube.object_id), name=tube.file_id[:12], by_column=MOST_AT_ONCE),
            template=template, tube=tube.tube, controls=controls, priors=priors,
            decisions=tube.decisions, limits=self.job.limits,
            spillover=read_matrix(tube.spillover_id, self.job.read_object),
            stains=read_stains(tube.stains, self.job.read_object),
        )  # fmt: skip

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


def _unreadable(tube: TubeFile, reason: str) -> Rows:
    return [{
        "table": "findings", "file_id": tube.file_id, "check": "UNREADABLE", "level": Level.FAIL.value,
        "value": float("nan"), "limit": float("nan"), "reason": reason,
    }]  # fmt: skip
