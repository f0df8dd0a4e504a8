"""The step behind ``corelab gate``: FCS files to a table of populations, without a home."""

import csv
import hashlib
import io
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from corelab.errors import ConfigError, CorelabError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from corelab.cytometry.interchange.imported import Judged, SampleGates
    from corelab.cytometry.interchange.mapping import NameMap
    from corelab.cytometry.interchange.parity import ParityRow
    from corelab.cytometry.template import Template
    from corelab.ingest.fcs import Acquisition

Progress = Callable[[int, int], None]

_FORMATS: Final = (".csv", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateJob:
    """One file for one worker."""

    path: Path
    template: "Template"
    labels: tuple[tuple[str, str], ...]
    given: "SampleGates | None" = None
    source: str = ""
    names: "NameMap | None" = None


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
        If the panel, the markers or gates file or the name of the output is wrong; nothing is written.
    """
    from corelab.cytometry.template import load_template

    if out is not None and out.suffix.lower() not in _FORMATS:
        raise ConfigError("no known format", place=out.name, expected=" or ".join(_FORMATS))
    template = load_template(panel)
    labels = {path: read_marker_labels(markers, path.name) for path in paths}
    jobs = [
        GateJob(path=path, template=template, labels=tuple(sorted(labels[path].items())))
        for path in dict.fromkeys(paths)
    ]
    if gates is not None:
        jobs = _give(jobs, gates, names)
    outcomes = []
    for outcome in _run(jobs, workers):
        outcomes.append(outcome)
        if outcome.refusal:
            print(outcome.refusal, file=stderr or sys.stderr)
        if progress:
            progress(len(outcomes), len(jobs))
    table = derive_population_rows(outcomes, template.panel)
    _write(table, out, stdout or sys.stdout)
    rows = [row for outcome in outcomes for row in outcome.parity]
    if gates is not None:
        _report(rows, parity, stderr or sys.stderr)
    bad = any(row.verdict in ("refused", "outside") for row in rows)
    return 1 if bad or any(outcome.refusal for outcome in outcomes) else 0


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
    return [
        replace(job, given=matched.get(job.path.as_posix()), source=given.source.value, names=known)
        for job in jobs
    ]


def _unbind(sample: "SampleGates") -> "SampleGates":
    """Let a document that names one file stand for the files of the command line."""
    return replace(sample, file_id="")


def _report(rows: "Sequence[ParityRow]", path: Path | None, stderr: TextIO) -> None:
    from pipelines.gates import format_parity, write_parity

    if path is not None:
        write_parity(rows, path)
        return
    for line in format_parity(rows):
        print(line, file=stderr)


def read_marker_labels(markers: Path | None, file: str) -> dict[str, str]:
    """Read detector and marker from a csv or a workspace.

    Raises
    ------
    ConfigError
        If the file cannot be read or lacks the two columns.
    """
    if markers is None:
        return {}
    try:
        data = markers.read_bytes()
    except OSError as error:
        raise ConfigError("cannot be read", place=str(markers), expected="a file") from error
    if markers.suffix.lower() == ".wsp":
        return _read_workspace(data, markers.name, file)
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
        return {row["detector"].strip(): row["marker"].strip() for row in rows}
    except (UnicodeDecodeError, KeyError, AttributeError) as error:
        raise ConfigError(
            "no such columns", place=markers.name, expected="csv in UTF-8 with detector, marker"
        ) from error


def _read_workspace(data: bytes, name: str, file: str) -> dict[str, str]:
    from corelab.cytometry.workspace import read_workspace_markers

    try:
        return read_workspace_markers(data, name=name, file=file)
    except InputError as error:
        raise ConfigError(error.found, place=error.place, expected=error.expected) from error


def _run(jobs: Sequence[GateJob], workers: int) -> Iterable[GateOutcome]:
    if workers <= 1 or len(jobs) <= 1:
        yield from map(gate_file, jobs)
        return
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=get_context("spawn")) as pool:
        yield from pool.map(gate_file, jobs)


def gate_file(job: GateJob) -> GateOutcome:
    """Gate one file; a bad one gives its refusal in one line."""
    from corelab.cytometry.gating import gate_acquisition
    from corelab.cytometry.records import list_rows
    from corelab.ingest.fcs import map_file, read_fcs

    name = job.path.name
    try:
        data = map_file(job.path)
        file_id = hashlib.sha256(data).hexdigest()
        acquisition = read_fcs(data, name=name)
        del data  # where the events were copied, the file's pages are not needed beside them
        judged = _judge(job, acquisition) if job.source else None
        gated = gate_acquisition(
            acquisition, template=job.template, marker_labels=dict(job.labels),
            decisions=judged.decisions if judged else (), only_decided=judged is not None,
        )  # fmt: skip
    except CorelabError as error:
        return GateOutcome(path=job.path, file_id="", rows=(), refusal=str(error))
    except OSError as error:
        refusal = f"{name}: cannot be read ({error.strerror}); expected an FCS file"
        return GateOutcome(path=job.path, file_id="", rows=(), refusal=refusal)
    rows = tuple(list_rows(file_id, gated))
    parity = judged.rows if judged else ()
    return GateOutcome(path=job.path, file_id=file_id, rows=rows, refusal="", parity=parity)


def _judge(job: GateJob, acquisition: "Acquisition") -> "Judged":
    from corelab.cytometry.interchange.imported import judge_sample
    from corelab.vocabulary import GateSource

    if job.given is None:
        raise InputError("the workspace has no sample of this name", place=job.path.name)
    return judge_sample(job.given, acquisition, source=GateSource(job.source), names=job.names)


def derive_population_rows(outcomes: Iterable[GateOutcome], panel: str) -> "pd.DataFrame":
    """Derive the ``populations`` table of files that belong to no subject.

    The same bytes under two names are one file.
    """
    from corelab.cytometry.records import frame_rows
    from corelab.tables.free_populations import derive_free_populations

    unique = {outcome.file_id: outcome.rows for outcome in outcomes if outcome.rows}
    return derive_free_populations(frame_rows([row for rows in unique.values() for row in rows]), panel)


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
