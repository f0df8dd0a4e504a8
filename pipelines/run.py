"""Brings every table up to date: inputs -> gates -> tables -> a new snapshot, if anything changed."""

import datetime as dt
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import cache, partial
from importlib import resources
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import IntegrityError
from corelab.store.plate_locks import RULES
from pipelines import loading
from pipelines.executor import HERE, Place, begin_call, start_early

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from corelab.cytometry.interchange.revision import Decision
    from corelab.cytometry.records import GateTables
    from corelab.store import Home, Snapshot
    from corelab.store.registry import Position, TrialRows
    from corelab.tables.inputs import Inputs
    from corelab.tables.trial import PlacedInputs
    from pipelines.gating import SubjectGates, SubjectJob

Progress = Callable[[int, int], None]
_DERIVING: Final = (
    "clinical",
    "cytometry",
    "immunoassay",
    "ingest",
    "kinetics",
    "statistics",
    "study",
    "tables",
)
_PACKAGES: Final = ("numpy", "pandas", "pyarrow", "scipy")
_TIMED: Final = ("acquisitions", "labs", "cytokines", "qpcr", "assessments", "plate_layout")
_PROGRAM: Final = ("study", "study_sha256", RULES, "code", "packages")
"""What of a manifest names the program and the study by which tables are derived."""
_MANIFEST_FORMAT: Final = 1
_LARGE: Final = 10_000
"""Rows from which on reading them takes as long as a process takes to start, which is then started early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What a run did. ``is_new`` is false where nothing had changed and nothing was computed."""

    snapshot_id: str
    is_new: bool
    n_files: int
    n_failed: int


def run(
    home: "Home",
    *,
    at: dt.datetime,
    place: Place = HERE,
    as_of: dt.datetime | None = None,
    progress: Progress | None = None,
    actor: str = "corelab",
) -> RunReport:
    """Compute the tables that follow from the registry's present rows.

    Parameters
    ----------
    home
        The home.
    at
        The present moment, for the registry; it enters no table.
    place
        Where gating runs: here, on processes, or on a Dask cluster.
    as_of
        Data cut-off; by default the newest ``collected_at``.
    progress
        Told the number of gated files and of all files.
    actor
        Who runs, for the audit trail.
    """
    home.plate_locks.check_rules(hash_plate_rules(home))
    # Everything is read as it stood at one position, so that rows which arrive meanwhile take no part.
    position = home.registry.position()
    is_large = position["record"] >= _LARGE
    with start_early(place, loading.load_for_gating) if is_large else nullcontext(place) as ready:
        rows = home.registry.read(position)
        made_of = describe_rows(home, rows, as_of=as_of)
        run_key = compute_run_key(made_of)
        current = _find_sound_snapshot(home)
        if current is not None and current.run_key == run_key:
            return RunReport(snapshot_id=current.id, is_new=False, n_files=0, n_failed=0)
        derived = derive(home, made_of, rows, place=ready, progress=progress, cache_dir=home.cache)
    snapshot = home.snapshots.write(
        derived.tables, derived.manifest, run_key=run_key, at=at, actor=actor, position=position
    )
    return RunReport(snapshot_id=snapshot.id, is_new=True, n_files=derived.n_files, n_failed=derived.n_failed)


def _find_sound_snapshot(home: "Home") -> "Snapshot | None":
    """Return the current snapshot, or None where there is none or its files are lost: then it is remade."""
    try:
        return home.snapshots.current()
    except IntegrityError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """Tables as they follow from the registry at a position, with the manifest that says so."""

    tables: "Mapping[str, pa.Table]"
    manifest: Mapping[str, Any]
    n_files: int
    n_failed: int


def derive(
    home: "Home", made_of: Mapping[str, Any], rows: "TrialRows", *, place: Place = HERE,
    progress: Progress | None = None, cache_dir: "Path | None" = None,
) -> Derived:  # fmt: skip
    """Compute every table from the registry's rows at a position; nothing is written but the cache.

    Parameters
    ----------
    home
        The home.
    made_of
        What `describe_rows` says of the rows.
    rows
        The rows.
    place
        Where gating runs.
    progress
        Told the number of gated files and of all files.
    cache_dir
        Where gates and tables are kept by all that they were made of; by default nothing is read or kept.
    """
    from pipelines.gating import gate_jobs

    rows = rows.place()
    as_of = made_of["parameters"]["as_of"]

    @cache
    def place_once() -> "tuple[PlacedInputs, dt.datetime | None]":
        from corelab.tables.trial import place_inputs

        inputs = rows.build_inputs()
        cutoff = dt.datetime.fromisoformat(as_of) if as_of else find_cutoff(inputs)
        return place_inputs(inputs, study=home.study, as_of=cutoff), cutoff

    def prepare() -> None:
        """Do what needs no gate while other processes gate, and let them import what comes next."""
        begin_call(place, loading.load_for_tables)
        loading.load_for_rows()
        place_once()
        loading.load_for_tables()

    tubes = rows.list_tubes()
    jobs = _plan(home, tubes, rows.gates, cache_dir)
    gated = gate_jobs(jobs, place=place, progress=progress, meanwhile=prepare)
    # Imported only now, so that nothing waits for it where other processes gate.
    from corelab.store.frames import lay_out_frame
    from corelab.tables.derive import derive_whole
    from corelab.tables.schemas import SCHEMAS
    from corelab.tables.trial import list_surveyed, survey_trial
    from pipelines.children import Frames, Kept, associate_once, derive_changed_children
    from pipelines.gating import frame_gates
    from pipelines.plates import derive_changed_plates

    placed, cutoff = place_once()
    kept = Kept(
        cache_dir=cache_dir / "tables" if cache_dir else None,
        program=json.dumps([made_of[name] for name in _PROGRAM], sort_keys=True),
        rows=made_of["subjects"],
    )
    trial = survey_trial(
        placed, frame_gates(gated, counts_of=list_surveyed(home.study)), study=home.study,
        judge_plates=lambda ordered: derive_changed_plates(
            ordered, home.objects.read, settings=home.study.settings["immunoassay"],
            cache_dir=kept.cache_dir, program=kept.program,
        ),
    )  # fmt: skip
    children = derive_changed_children(trial, gated, kept)
    whole, wide = derive_whole(
        trial,
        Frames(children),
        begin=partial(begin_call, place),
        associate=lambda pairs, study: associate_once(pairs, study, kept, place),
    )
    tables = {**children, **{name: lay_out_frame(table) for name, table in whole.items()}}
    manifest = {
        **made_of,
        "cutoff": cutoff.isoformat() if cutoff else "",
        # The variables of the wide table depend on what was measured, so they are described here.
        "analysis_columns": [asdict(column) for column in wide.columns],
    }
    return Derived(
        tables={name: tables[name] for name in (*SCHEMAS, wide.name)},
        manifest=manifest,
        n_files=len(tubes),
        n_failed=_count_failed(gated),
    )


def _count_failed(gated: "Sequence[SubjectGates]") -> int:
    """Count the files that failed by what was found on them alone."""
    import pyarrow.compute as pc

    failed = [one.table.filter(pc.equal(one.table["level"], "fail"))["file_id"] for one in gated]
    return sum(len(files.unique()) for files in failed)


def gate_inputs(
    home: "Home", inputs: "Inputs", *, decisions: "Mapping[str, tuple[Decision, ...]]",
    cache_dir: "Path | None",
) -> "GateTables":  # fmt: skip
    """Gate the files of a home by what people decided about them, both as they stood at one position."""
    from pipelines.gating import frame_gates, gate_jobs

    tubes = inputs.acquisitions.to_dict(orient="records")
    return frame_gates(gate_jobs(_plan(home, tubes, decisions, cache_dir)))


def _plan(
    home: "Home", tubes: Sequence[Mapping[str, Any]], decisions: "Mapping[str, tuple[Decision, ...]]",
    cache_dir: "Path | None",
) -> "list[SubjectJob]":  # fmt: skip
    from corelab.cytometry.quality import build_quality_limits
    from pipelines.gating import plan_jobs

    return plan_jobs(
        tubes, home.objects.map, cache_dir / "gates" if cache_dir else None, decisions,
        limits=build_quality_limits(home.study.settings["flow_quality"]),
    )  # fmt: skip


def describe_inputs(
    home: "Home", *, as_of: dt.datetime | None, position: "Position | None" = None
) -> dict[str, Any]:
    """Say what a run's tables will be made of: rows by subject, study, code, packages, parameters."""
    return describe_rows(home, home.registry.read(position), as_of=as_of)


def describe_rows(home: "Home", rows: "TrialRows", *, as_of: dt.datetime | None) -> dict[str, Any]:
    """Say what the tables of some rows will be made of, as `describe_inputs`."""
    return {
        "format": _MANIFEST_FORMAT,
        "study": home.study.id,
        RULES: hash_plate_rules(home),
        "study_sha256": hashlib.sha256(home.study.source.encode("utf-8")).hexdigest(),
        "subjects": rows.hash_subjects(),
        "gates": {
            file_id: {f"{one.kind} {one.gate}".strip(): one.version for one in decisions}
            for file_id, decisions in sorted(rows.gates.items())
        },
        **describe_code(),
        "parameters": {"as_of": as_of.isoformat() if as_of else ""},
    }


def hash_plate_rules(home: "Home") -> str:
    """Hash the settings by which plates are judged."""
    text = json.dumps(home.study.settings["immunoassay"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def describe_code() -> dict[str, Any]:
    """Say which program and packages run here."""
    return {
        "code": {"corelab": version("corelab"), "sha256": compute_code_hash()},
        "packages": {"python": platform.python_version()} | {name: version(name) for name in _PACKAGES},
    }


def compute_run_key(made_of: Mapping[str, Any]) -> str:
    """Hash what a run is made of; equal keys give equal tables."""
    text = json.dumps(made_of, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@cache
def compute_code_hash() -> str:
    """Hash the source files on which a table's numbers depend, templates and settings among them."""
    digest = hashlib.sha256()
    for part in _DERIVING:
        for name, data in _source_files(resources.files(f"corelab.{part}"), part):
            digest.update(f"{name}:{len(data)}\n".encode())
            digest.update(data)
    for name in ("units.py", "vocabulary.py"):
        digest.update(resources.files("corelab").joinpath(name).read_bytes())
    return digest.hexdigest()


def _source_files(folder: Any, place: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in sorted(folder.iterdir(), key=lambda one: str(one.name)):
        name = f"{place}/{entry.name}"
        if entry.is_dir():
            found += _source_files(entry, name)
        elif entry.name.endswith((".py", ".yaml")):
            found.append((name, entry.read_bytes()))
    return found


def find_cutoff(inputs: "Inputs") -> dt.datetime | None:
    """Return the newest time of collection, or None where there is none."""
    moments = [
        dt.datetime.fromisoformat(text)
        for name in _TIMED
        for text in getattr(inputs, name)["collected_at"].unique()
        if text
    ]
    return max(moments, default=None)
