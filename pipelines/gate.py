"""The step behind ``corelab gate``: FCS files to a table of populations, without a home."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from corelab.errors import ConfigError, CorelabError, InputError
from pipelines.executor import open_pool
from pipelines.gate_inputs import read_marker_labels, read_spill, read_stain_folder

if TYPE_CHECKING:
    import pandas as pd

    from corelab.cytometry.interchange.imported import Judged, SampleGates
    from corelab.cytometry.interchange.mapping import NameMap
    from corelab.cytometry.interchange.parity import ParityRow
    from corelab.cytometry.template import Template
    from corelab.ingest.fcs import Acquisition, Spillover

Progress = Callable[[int, int], None]

_FORMATS: Final = (".csv", ".parquet")
_LONG: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GateJob:
    """One file for one worker."""

    path: Path
    template: "Template"
    labels: tuple[tuple[str, str], ...]
    given: "SampleGates | None" = None
    source: str = ""
    names: "NameMap | None" = None
    offered: str = ""
    spillover: "Spillover | None" = None
    stains: "tuple[tuple[str, Acquisition], ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOutcome:
    """Rows of one file, or why there are none."""

    path: Path
    file_id: str
    rows: tuple[Mapping[str, Any], ...]
    refusal: str
    parity: "tuple[ParityRow, ...]" = ()


def gate_files(  # noqa: PLR0913 - one argument per option of the command
    paths: Sequence[Path],
    *,
    panel: str | Path,
    markers: Path | None = None,
    workers: int = 1,
    out: Path | None = None,
    gates: Path | None = None,
    names: Path | None = None,
    parity: Path | None = None,
    spill: Path | None = None,
    stains: Path | None = None,
    quality: Path | None = None,
    progress: Progress | None = None,
    stdout: TextIO | None = None,
    stderr: TextIO | None = None,
) -> int:
    """Gate files and write the ``populations`` table.

    Parameters
    ----------
    paths
        FCS files.
    panel
        ``bcell``, ``cart``, or a template file.
    markers
        Names of markers for files that carry none: csv with the columns detector and marker, or a
        FlowJo workspace.
    workers
        Processes.
    out
        ``.csv`` or ``.parquet``; without it the table goes to standard output as CSV.
    gates
        A workspace or Gating-ML document whose gates are taken instead of fitted ones.
    names
        YAML that says which name means which population, instead of the usual names.
    parity
        Where to write how the given gates count, as CSV; without it the report goes to standard error.
    spill
        A spillover matrix (``*.spill.csv``) for all files, instead of the embedded one.
    stains
        A folder of single-stain controls, ``comp_<marker>.fcs`` and ``unstained.fcs``, whose matrix
        compensates the files.
    quality
        Where to write the findings about every file, as CSV.
    progress
        Told after every file.
    stdout, stderr
        Where to write instead of the program's own streams.

    Returns
    -------
    int
        0 if every file was gated, 1 if some were refused, each named in one line on standard error, or a
        given gate was refused or counts otherwise than where it was drawn.

    Raises
    ------
    ConfigError
        If the panel, the markers, matrix, control or gates file or the name of the output is wrong; nothing
        is written.
    """
    from corelab.cytometry.template import load_template

    _check_formats(out, quality)
    template = load_template(panel)
    labels = {path: read_marker_labels(markers, path.name) for path in paths}
    matrix, controls = read_spill(spill), read_stain_folder(stains)
    jobs = [
        GateJob(
            path=path,
            template=template,
            labels=tuple(sorted(labels[path].items())),
            spillover=matrix,
            stains=tuple(controls.items()),
        )
        for path in dict.fromkeys(paths)
    ]
    if gates is not None:
        _refuse_matrix(spill or stains)
        jobs = _give(jobs, gates, names)
    outcomes = list(_watch(_run(jobs, workers), len(jobs), progress, stderr or sys.stderr))
    table = derive_population_rows(outcomes, template.panel)
    _write(table, out, stdout or sys.stdout)
    if quality is not None:
        _write(derive_finding_rows(outcomes), quality, stdout or sys.stdout)
    rows = [row for outcome in outcomes for row in outcome.parity]
    if gates is not None:
        _report(rows, parity, stderr or sys.stderr)
    bad = any(row.verdict in ("refused", "outside") for row in rows)
    return 1 if bad or any(outcome.refusal for outcome in outcomes) else 0


def _check_formats(*written: Path | None) -> None:
    for path in written:
        if path is not None and path.suffix.lower() not in _FORMATS:
            raise ConfigError("no known format", place=path.name, expected=" or ".join(_FORMATS))


def _refuse_matrix(path: Path | None) -> None:
    if path is not None:
        raise ConfigError(
            "a matrix beside --gates", place=str(path),
            expected="fitted gates: given ones bring their own compensation",
        )  # fmt: skip


def _watch(
    outcomes: Iterable[GateOutcome], total: int, progress: Progress | None, stderr: TextIO
) -> Iterable[GateOutcome]:
    """Pass outcomes on; name refused files and tell how far it is."""
    for done, outcome in enumerate(outcomes, start=1):
        if outcome.refusal:
            print(outcome.refusal, file=stderr)
        if progress:
            progress(done, total)
        yield outcome


def _give(jobs: Sequence[GateJob], path: Path, names: Path | None) -> list[GateJob]:
    """Give each file its gates; one for which a workspace has none is refused when it is gated."""
    from corelab.cytometry.interchange.imported import match_samples, read_gates
    from pipelines.gates import read_name_map

    try:
        given = read_gates(path.read_bytes(), name=path.name)
    except OSError as error:
        raise ConfigError("cannot be read", place=str(path), expected="a .gml or .wsp file") from error
    except InputError as error:
        raise ConfigError(error.found, place=error.place, expected=error.expected) from error
    files = {job.path.as_posix(): job.path.as_posix() for job in jobs}
    matched, _ = match_samples(replace(given, samples=tuple(_unbind(one) for one in given.samples)), files)
    known = read_name_map(names)
    offered = ", ".join(name for sample in given.samples for name in sample.file_names)
    return [
        replace(
            job, given=matched.get(job.path.as_posix()), source=given.source.value, names=known,
            offered=offered,
        )
        for job in jobs
    ]  # fmt: skip


def _unbind(sample: "SampleGates") -> "SampleGates":
    """Let a document that names one file stand for the files of the command line."""
    return replace(sample, file_id="")


def _report(rows: "Sequence[ParityRow]", path: Path | None, stderr: TextIO) -> None:
    from pipelines.gates import format_parity, write_parity

    if rows and not any(row.population for row in rows):
        print("no gate is called like a population; say which is which with --names", file=stderr)
    if path is not None:
        write_parity(rows, path)
        return
    for line in format_parity(rows):
        print(line, file=stderr)


def _run(jobs: Sequence[GateJob], workers: int) -> Iterable[GateOutcome]:
    if workers <= 1 or len(jobs) <= 1:
        yield from map(gate_file, jobs)
        return
    with open_pool(min(workers, len(jobs))) as pool:
        yield from pool.map(gate_file, jobs)


def gate_file(job: GateJob) -> GateOutcome:
    """Gate one file; a bad one gives its refusal in one line."""
    from corelab.cytometry.gating import gate_acquisition
    from corelab.cytometry.records import MOST_AT_ONCE, list_rows
    from corelab.ingest.fcs import compute_fcs_sha256, map_file, read_fcs

    name = job.path.name
    try:
        data = map_file(job.path)
        file_id = compute_fcs_sha256(data)
        acquisition = read_fcs(data, name=name, by_column=MOST_AT_ONCE)
        del data  # where the events were copied, the file's pages are not needed beside them
        _check_labels(job, acquisition)
        judged = _judge(job, acquisition) if job.source else None
        gated = gate_acquisition(
            acquisition, template=job.template, marker_labels=dict(job.labels),
            decisions=judged.decisions if judged else (), only_decided=judged is not None,
            spillover=job.spillover, stains=dict(job.stains),
        )  # fmt: skip
    except CorelabError as error:
        return GateOutcome(path=job.path, file_id="", rows=(), refusal=str(error))
    except OSError as error:
        refusal = f"{name}: cannot be read ({error.strerror}); expected an FCS file"
        return GateOutcome(path=job.path, file_id="", rows=(), refusal=refusal)
    rows = tuple(list_rows(file_id, gated))
    parity = judged.rows if judged else ()
    return GateOutcome(path=job.path, file_id=file_id, rows=rows, refusal="", parity=parity)


def _check_labels(job: GateJob, acquisition: "Acquisition") -> None:
    """Refuse a file none of whose detectors is named by the markers that were given for it."""
    named = [detector for detector, _ in job.labels]
    if named and not set(named) & set(acquisition.detectors):
        raise InputError(
            f"the markers name {', '.join(named)[:_LONG]}", place=job.path.name,
            expected=f"some of its detectors {', '.join(acquisition.detectors)[:_LONG]}",
        )  # fmt: skip


def _judge(job: GateJob, acquisition: "Acquisition") -> "Judged":
    from corelab.cytometry.interchange.imported import judge_sample
    from corelab.vocabulary import GateSource

    if job.given is None:
        raise InputError(
            "the workspace has no sample of this name", place=job.path.name, expected=job.offered[:_LONG]
        )
    return judge_sample(job.given, acquisition, source=GateSource(job.source), names=job.names)


def derive_population_rows(outcomes: Iterable[GateOutcome], panel: str) -> "pd.DataFrame":
    """Derive the ``populations`` table of files that belong to no subject.

    The same bytes under two names are one file.
    """
    from corelab.cytometry.records import frame_rows
    from corelab.tables.free_populations import derive_free_populations

    unique = {outcome.file_id: outcome.rows for outcome in outcomes if outcome.rows}
    return derive_free_populations(frame_rows([row for rows in unique.values() for row in rows]), panel)


def derive_finding_rows(outcomes: Iterable[GateOutcome]) -> "pd.DataFrame":
    """Derive the findings of all files: file, then as in ``quality`` of a trial; a refused file is one."""
    import pandas as pd

    columns = ["file", "file_id", "check", "level", "value", "limit", "reason"]
    rows: list[Mapping[str, Any]] = []
    for one in outcomes:
        found = [row for row in one.rows if row["table"] == "findings"]
        if one.refusal:
            found = [{"check": "UNREADABLE", "level": "fail", "reason": one.refusal}]
        rows += [{**row, "file": one.path.name, "file_id": one.file_id} for row in found]
    return pd.DataFrame(rows, columns=columns)


def _write(table: "pd.DataFrame", out: Path | None, stdout: TextIO) -> None:
    if out is None:
        table.to_csv(stdout, index=False, lineterminator="\n")
        return
    try:
        if out.suffix.lower() == ".parquet":
            table.to_parquet(out, index=False)
        else:
            table.to_csv(out, index=False, lineterminator="\n")
    except OSError as error:
        raise ConfigError("cannot be written", place=str(out), expected="a folder") from error
