"""Writes a snapshot to a folder, in one of its formats, and the audit trail's line about it."""

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ConfigError, HomeError
from corelab.export import check_format, format_companions, format_tables
from pipelines.export_source import ExportSource, find_source

if TYPE_CHECKING:
    from corelab.store import Home, Snapshot

Progress = Callable[[int, int], None]
WHOLE_FORMATS: Final = ("xpt", "h5ad", "pdf")
"""Formats whose files are not those of single tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """The files that were written, and what the checks of the format found, each in one line."""

    files: list[str]
    findings: list[str]


def export(  # noqa: PLR0913 - the options of the command
    home: "Home",
    out: Path,
    *,
    at: dt.datetime,
    actor: str,
    format_name: str = "csv",
    tables: Sequence[str] = (),
    snapshot_id: str | None = None,
    with_replay: bool = False,
    language: str = "en",
    is_external: bool = False,
    progress: Progress | None = None,
) -> ExportReport:
    """Write a snapshot in a format, with dictionary, code lists and provenance.

    An external copy has moved dates and no small groups (`corelab.export.external`).

    Raises
    ------
    HomeError
        If there is no snapshot yet, or none of that id.
    ConfigError
        If a table or the format is unknown, the folder cannot be written, a replay bundle is asked of a
        snapshot that cannot be made again, or an external copy of what cannot be one.
    """
    from corelab.store.objects import compute_sha256

    check_format(format_name)
    if is_external:
        check_external(format_name, with_replay=with_replay)
    snapshot = find_snapshot(home, snapshot_id)
    names = _check_names(tables, snapshot, format_name)
    source = find_source(home, snapshot, names, is_external=is_external)
    report = ExportReport(files=[], findings=[])
    hashes: list[str] = []
    # Before anything is written: a snapshot that cannot be made again has no bundle.
    bundle = _make_replay(home, snapshot, names) if with_replay else {}
    # Before a file leaves: one that fails half-way has left something too.
    home.registry.audit.append(
        actor=actor, role="", action="export", object=snapshot.id,
        new=f"{format_name}{' (external copy)' if is_external else ''}: {', '.join(names)}", at=at,
    )  # fmt: skip
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = _files(
            home, source, names, format_name=format_name, findings=report.findings, progress=progress,
            language=language,
        )  # fmt: skip
        for name, data in itertools.chain(written, bundle.items()):
            (out / name).write_bytes(data)
            report.files.append(name)
            hashes.append(f"{name} sha256 {compute_sha256(data)}")
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", place=out.name) from error
    finally:
        # By which a file that turns up somewhere is told again: whose export it was.
        home.registry.audit.append(
            actor=actor, role="", action="export_files", object=snapshot.id, new="; ".join(hashes), at=at
        )
    return report


def check_external(format_name: str, *, with_replay: bool) -> None:
    """Check that an external copy can be made; see `corelab.export.external.check_external_format`."""
    from corelab.export.external import check_external_format

    check_external_format(format_name, with_replay=with_replay)


def _make_replay(home: "Home", snapshot: "Snapshot", names: tuple[str, ...]) -> dict[str, bytes]:
    from pipelines.replay import make_bundle

    return {"replay.zip": make_bundle(home, snapshot, names)}


def find_snapshot(home: "Home", snapshot_id: str | None) -> "Snapshot":
    """Return the snapshot of an id, or the current one.

    Raises
    ------
    HomeError
        If there is none.
    """
    snapshot = home.snapshots.get(snapshot_id) if snapshot_id else home.snapshots.current()
    if snapshot is None:
        raise HomeError("there is no snapshot yet", place=home.path.name, remedy="make one with corelab run")
    return snapshot


def _files(  # noqa: PLR0913 - the options of the command
    home: "Home", source: ExportSource, names: tuple[str, ...], *, format_name: str, findings: list[str],
    progress: Progress | None, language: str,
) -> Iterator[tuple[str, bytes]]:  # fmt: skip
    if format_name == "xpt":
        yield from _format_xpt(home, source, findings)
    elif format_name == "h5ad":
        yield from _format_h5ad(home, source, findings, progress=progress)
    elif format_name == "pdf":
        from pipelines.reports import make_reports

        yield from make_reports(home, source.snapshot, language=language)
    else:
        yield from format_tables(
            names, format_name=format_name, read_table=source.read_table, read_parquet=source.read_parquet,
            mark=source.mark,
        )  # fmt: skip
    provenance = describe_provenance(home, source.snapshot)
    yield from format_companions(
        {name: source.schemas[name] for name in names}, source.describe_provenance(provenance)
    )
    yield from source.list_notes()


def _format_h5ad(
    home: "Home", source: ExportSource, findings: list[str], *, progress: Progress | None
) -> Iterator[tuple[str, bytes]]:
    from corelab.export.single_cells import add_clusters, build_events, build_populations, format_h5ad
    from corelab.singlecell.model import parse_model
    from pipelines.sketch import SEED, read_limits, sketch_events

    snapshot = source.snapshot
    about = {"snapshot": snapshot.id, "study": home.study.id, "corelab": version("corelab")}
    if source.mark:
        about["copy"] = source.mark
    populations = source.read_table("populations")
    yield (
        "populations.h5ad",
        format_h5ad(build_populations(populations, source.read_table("expression"), uns=about)),
    )
    position = dict(home.snapshots.positions()).get(snapshot.id) or None
    report = sketch_events(
        home, snapshot.table("populations"), read_limits(snapshot), position=position, seed=SEED,
        progress=progress,
    )  # fmt: skip
    findings += report.findings
    frozen = home.cell_models.current()
    chosen = {
        **about, "seed": SEED, "most_cells_per_compartment_and_file": report.limit,
        "cell_model": frozen.object_id if frozen else "",
    }  # fmt: skip
    events = build_events(source.rename_files(report.sketches), populations, uns=chosen)
    if frozen:
        add_clusters(events, parse_model(home.cell_models.read(frozen)))
    yield "events.h5ad", format_h5ad(events)


def _format_xpt(home: "Home", source: ExportSource, findings: list[str]) -> Iterator[tuple[str, bytes]]:
    from corelab.export.cdisc import build_submission, format_submission

    tables = {name: source.read_table(name) for name in source.snapshot.table_names}
    cutoff = str(source.snapshot.manifest.get("cutoff", ""))
    study = source.mark_study(home.study)
    submission = build_submission(tables, study=study, cutoff=cutoff, move=source.move)
    counts = submission.breaches.groupby(["dataset", "rule", "variable", "rule_text"], sort=True)
    findings += [
        f"{dataset}.{variable}: {len(rows)} x {rule} ({text}), first {rows['found'].iloc[0]!r}"
        for (dataset, rule, variable, text), rows in counts
    ]
    yield from format_submission(submission, study=study, moment=source.moment)


def describe_provenance(home: "Home", snapshot: "Snapshot") -> dict[str, Any]:
    """Say which snapshot an export shows and what that was made of; nothing of the moment of export."""
    made_of = {name: value for name, value in snapshot.manifest.items() if name != "analysis_columns"}
    return {"snapshot": snapshot.id, "study_title": home.study.title, **made_of}


def _check_names(tables: Sequence[str], snapshot: "Snapshot", format_name: str) -> tuple[str, ...]:
    unknown = [name for name in tables if name not in snapshot.table_names]
    if unknown:
        raise ConfigError(f"table {unknown[0]!r} is unknown", expected=", ".join(snapshot.table_names))
    if tables and format_name in WHOLE_FORMATS:
        raise ConfigError(f"format {format_name!r} holds the whole trial", remedy="leave --tables out")
    return tuple(dict.fromkeys(tables)) or snapshot.table_names
