"""The steps behind ``corelab gates``: files of gates into a home, and the present gates out of it."""

import csv
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from corelab.cytometry.interchange.display import with_display_scales
from corelab.cytometry.interchange.flowjo_write import SampleToWrite, write_flowjo
from corelab.cytometry.interchange.gatingml_write import write_gatingml
from corelab.cytometry.interchange.mapping import NameMap, parse_name_map
from corelab.cytometry.interchange.model import GateTree, Refusal
from corelab.cytometry.interchange.parity import COLUMNS, ParityRow, list_rows
from corelab.cytometry.interchange.revision import read_labels
from corelab.cytometry.interchange.trial import describe_trial_gates
from corelab.cytometry.quality import build_quality_limits
from corelab.cytometry.records import GatedAcquisition
from corelab.errors import ConfigError, CorelabError, InputError
from corelab.ingest.book import Changes, Happening, StoredFile
from corelab.ingest.fcs import Acquisition, read_fcs
from pipelines.gate_files import Among, TakenGates, take_gates
from pipelines.gating import SubjectJob, gate_as_run, plan_jobs

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store import Home

Progress = Callable[[int, int], None]

FORMATS: Final = ("wsp", "gml")
WORKSPACE: Final = "gates.wsp"
_SHORTEST_ID: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which acquisitions are meant; what is empty does not narrow.

    ``files`` are ids (8 letters or more of one) or delivered names.
    """

    files: tuple[str, ...] = ()
    subject_id: str = ""
    visit: str = ""
    panel: str = ""

    @property
    def is_open(self) -> bool:
        """Whether everything is meant."""
        return not (self.files or self.subject_id or self.visit or self.panel)

    def describe(self) -> str:
        """Say in words what is meant, for the audit trail."""
        named = f"{len(self.files)} named files" if self.files else ""
        words = [word for word in (named, self.subject_id, self.visit, self.panel) if word]
        return ", ".join(words) or "all acquisitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did: revisions that are new, the parity of every gate, troubles and remarks."""

    n_new: int
    parity: tuple[ParityRow, ...]
    troubles: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Exported:
    """Files that were written, and what could not be drawn or said in them."""

    paths: list[Path] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def choose_acquisitions(home: "Home", choice: Choice) -> "pd.DataFrame":
    """Return the chosen acquisitions, with the names under which their files were delivered.

    Raises
    ------
    ConfigError
        If a word names none or several, or nothing is chosen.
    """
    table = home.registry.inputs().acquisitions
    names = read_delivered_names(home)
    table = table.assign(name=[names.get(file_id, file_id) for file_id in table["file_id"]])
    for column in ("subject_id", "visit", "panel"):
        wanted = getattr(choice, column)
        table = table[table[column] == wanted] if wanted else table
    if choice.files:
        ids = [_find_one(word, table) for word in choice.files]
        table = table[table["file_id"].isin(ids)]
    if table.empty:
        raise ConfigError("no acquisition is chosen", expected="a file, subject, visit or panel of the home")
    return table.sort_values("file_id", ignore_index=True)


def _find_one(word: str, table: "pd.DataFrame") -> str:
    name = PurePosixPath(word).name
    by_id = len(word) >= _SHORTEST_ID and table["file_id"].str.startswith(word)
    found = table[
        by_id | (table["name"] == word) | (table["name"].map(lambda n: PurePosixPath(n).name) == name)
    ]
    if len(found) != 1:
        raise ConfigError(
            f"{word!r} names {len(found)} acquisitions", expected="one",
            remedy="give its id or its path in the delivery",
        )  # fmt: skip
    return str(found["file_id"].iloc[0])


def read_delivered_names(home: "Home") -> dict[str, str]:
    """Return the path in its delivery of every file that was taken, by id."""
    from corelab.store.database import reading
    from corelab.store.intake import read_files

    with reading(home.registry.engine) as connection:
        return {file_id: stored.name for file_id, stored in read_files(connection).items()}


def read_name_map(path: Path | None) -> NameMap | None:
    """Read a file of names, None where none is given.

    Raises
    ------
    ConfigError
        If it cannot be read or is no such file.
    """
    if path is None:
        return None
    try:
        return parse_name_map(path.read_text(encoding="utf-8"), place=path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read", place=str(path), expected="YAML in UTF-8") from error


def import_gates(  # noqa: PLR0913 - one argument per option of the command
    home: "Home",
    paths: Sequence[Path],
    *,
    at: dt.datetime,
    actor: str,
    reason: str = "",
    choice: Choice | None = None,
    names: NameMap | None = None,
) -> Imported:
    """Take gates for acquisitions that the home has.

    Parameters
    ----------
    home
        The home.
    paths
        Workspaces and Gating-ML documents.
    at, actor, reason
        When, by whom and why; without a reason the file's name is one.
    choice
        Which acquisitions they may stand for; by default all, but then a Gating-ML document has to name its
        file or be called like it.
    names
        Which population a gate stands for; by default the usual names.

    Returns
    -------
    Imported
        A decision that stands already is not recorded again.

    Raises
    ------
    InputError
        If a file is none of gates, or stands for none of the acquisitions; nothing is changed then.
    """
    table = choose_acquisitions(home, choice or Choice())
    objects = dict(zip(table["file_id"], table["object_id"], strict=True))
    files = dict(zip(table["name"], table["file_id"], strict=True))

    def read(file_id: str) -> Acquisition:
        name = next(name for name, found in files.items() if found == file_id)
        return read_fcs(home.objects.read(objects[file_id]), name=PurePosixPath(name).name)

    among = Among(files=files, read=read, names=names, must_name=choice is None or choice.is_open)
    taken = [take_gates(home, _read_bytes(path), name=path.name, among=among) for path in paths]
    n_new = sum(_record(home, one, at=at, actor=actor, reason=reason) for one in taken)
    return Imported(
        n_new=n_new,
        parity=tuple(row for one in taken for row in one.parity),
        troubles=tuple(line for one in taken for line in one.troubles),
        remarks=tuple(line for one in taken for line in one.remarks),
    )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", place=path.name, expected="a .wsp or .gml file"
        ) from error


def _record(home: "Home", taken: TakenGates, *, at: dt.datetime, actor: str, reason: str) -> int:
    from corelab.store.database import writing
    from corelab.store.gates import Said, record_decisions
    from corelab.store.intake import read_files, write_changes

    said = Said(
        at=at, author=actor, role="", reason=reason.strip() or f"imported from {taken.file.name}",
        origin=taken.file.file_id,
    )  # fmt: skip
    with writing(home.registry.engine) as connection:
        head = None
        if taken.file.file_id not in read_files(connection):
            head = write_changes(connection, _keep(taken.file), at=at, actor=actor)
        added, last = record_decisions(connection, taken.decisions, said)
    home.registry.audit.write_head(last or head)
    return len(added)


def _keep(stored: StoredFile) -> Changes:
    happening = Happening(action="import", object=stored.name, new=stored.file_id)
    return Changes(files=[stored], happenings=[happening])


def export_gates(
    home: "Home",
    out: Path,
    *,
    choice: Choice,
    formats: Iterable[str] = FORMATS,
    progress: Progress = lambda *_: None,
) -> Exported:
    """Write the present gates of acquisitions, fitted and decided, for other programs.

    Parameters
    ----------
    home
        The home.
    out
        A folder (``gates.wsp`` for all of them and a ``.gml`` for each), or one ``.wsp`` or ``.gml`` file.
    choice
        Which acquisitions.
    formats
        ``wsp``, ``gml`` or both, for a folder.
    progress
        Told after every acquisition.

    Raises
    ------
    ConfigError
        If nothing is chosen, or several acquisitions are to go into one Gating-ML file.
    """
    table = choose_acquisitions(home, choice)
    suffix = out.suffix.lower().removeprefix(".")
    wanted = (suffix,) if suffix in FORMATS else tuple(formats)
    if suffix == "gml" and len(table) != 1:
        raise ConfigError(
            f"{len(table)} acquisitions for one Gating-ML file", place=out.name, expected="one",
            remedy="choose one with --files, or name a folder",
        )  # fmt: skip
    exported = Exported()
    folder = out.parent if suffix in FORMATS else out
    folder.mkdir(parents=True, exist_ok=True)
    samples = []
    for drawn in draw_present_gates(home, table, exported.troubles, progress=progress):
        samples.append(drawn)
        if "gml" in wanted:
            path = out if suffix == "gml" else folder / f"{_stem(drawn, table)}.gml"
            data, refused = write_gatingml(drawn.tree, about={"file_id": drawn.file_id})
            _write(path, data, exported)
            exported.troubles += _tell(drawn.name, "gml", refused)
    if "wsp" in wanted:
        _write_workspace(out if suffix == "wsp" else folder / WORKSPACE, samples, exported)
    return exported


def _stem(drawn: "DrawnGates", table: "pd.DataFrame") -> str:
    """Call a file like the acquisition's own, with part of its id where two have that name."""
    stem = PurePosixPath(drawn.name).stem
    same = sum(PurePosixPath(name).stem == stem for name in table["name"])
    return stem if same == 1 else f"{stem}-{drawn.file_id[:_SHORTEST_ID]}"


def _write_workspace(path: Path, drawn: Sequence["DrawnGates"], exported: Exported) -> None:
    samples = [
        SampleToWrite(
            name=PurePosixPath(one.name).name, keywords=one.keywords, n_events=one.acquisition.n_events,
            tree=with_display_scales(one.tree, one.acquisition), counts=one.counts,
        )
        for one in drawn
    ]  # fmt: skip
    data, refused = write_flowjo(samples)
    _write(path, data, exported)
    for name, refusals in refused.items():
        exported.troubles += _tell(name, "wsp", refusals)


def _write(path: Path, data: bytes, exported: Exported) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", place=str(path)) from error
    exported.paths.append(path)


def _tell(name: str, where: str, refusals: Iterable[Refusal]) -> list[str]:
    return [f"{name}: {one.gate} is not in the .{where}: {one.cause}" for one in refusals]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnGates:
    """The present gates of one acquisition as a tree, with their counts."""

    file_id: str
    name: str
    acquisition: Acquisition
    tree: GateTree
    counts: Mapping[str, int]
    keywords: Mapping[str, str]


def draw_present_gates(
    home: "Home", table: "pd.DataFrame", troubles: list[str], *, progress: Progress = lambda *_: None
) -> Iterable[DrawnGates]:
    """Gate acquisitions as the run does and draw what came of it; what cannot be drawn goes to troubles."""
    rows = home.registry.read().place()
    names = dict(zip(table["file_id"], table["name"], strict=True))
    done = 0
    limits = build_quality_limits(home.study.settings["flow_quality"])
    tubes, cache = rows.list_tubes(), home.cache / "gates"
    for job in plan_jobs(tubes, home.objects.map, cache, rows.gates, limits=limits):
        for file_id in [tube.file_id for tube in job.tubes if tube.file_id in names]:
            try:
                gated = gate_as_run(job, [file_id])[file_id]
                drawn, refused = _draw(job, gated, file_id=file_id, name=names[file_id])
            except CorelabError as error:
                troubles.append(f"{names[file_id]}: {error}")
            else:
                troubles += [f"{names[file_id]}: {one.gate}: {one.cause}" for one in refused]
                yield drawn
            done += 1
            progress(done, len(names))


def _draw(
    job: SubjectJob, gated: GatedAcquisition, *, file_id: str, name: str
) -> tuple[DrawnGates, tuple[Refusal, ...]]:
    tube = next(tube for tube in job.tubes if tube.file_id == file_id)
    acquisition = read_fcs(job.read_object(tube.object_id), name=PurePosixPath(name).name)
    labels = read_labels(tube.decisions)
    tree, refused = describe_trial_gates(
        gated, acquisition, template=dict(job.templates)[tube.panel], marker_labels=labels,
        decisions=tube.decisions,
    )  # fmt: skip
    counts = {one.population: one.count for one in gated.counts if one.count is not None}
    drawn = DrawnGates(
        file_id=file_id, name=name, acquisition=acquisition, tree=tree,
        counts={gate: counts[gate] for gate in tree.gates if gate in counts},
        keywords=_name_channels(acquisition, labels),
    )  # fmt: skip
    return drawn, refused


def _name_channels(acquisition: Acquisition, labels: Mapping[str, str]) -> dict[str, str]:
    """Return the keywords by which FlowJo names channels."""
    keywords = {"$PAR": str(len(acquisition.detectors)), "$TOT": str(acquisition.n_events)}
    for i, (detector, label) in enumerate(
        zip(acquisition.detectors, acquisition.labels, strict=True), start=1
    ):
        keywords[f"$P{i}N"] = detector
        keywords[f"$P{i}S"] = label or labels.get(detector, "")
    return {name: text for name, text in keywords.items() if text}


def write_parity(rows: Sequence[ParityRow], path: Path) -> None:
    """Write a parity report as CSV.

    Raises
    ------
    ConfigError
        If the place cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(list_rows(rows))
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", place=str(path)) from error


def format_parity(rows: Sequence[ParityRow]) -> list[str]:
    """Lay a parity report out as lines, the columns under each other."""
    shown = [[name.replace("_", " ") for name in COLUMNS]]
    shown += [["" if x is None else str(x) for x in row.values()] for row in list_rows(rows)]
    widths = [max(len(line[i]) for line in shown) for i in range(len(COLUMNS))]
    return ["  ".join(x.ljust(w) for x, w in zip(line, widths, strict=True)).rstrip() for line in shown]
