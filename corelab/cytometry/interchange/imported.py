"""A delivered file of gates: read, matched to acquisitions, judged, and turned into decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from corelab.cytometry.interchange.evaluate import evaluate
from corelab.cytometry.interchange.flowjo import read_flowjo
from corelab.cytometry.interchange.gatingml import read_gatingml
from corelab.cytometry.interchange.mapping import NameMap, default_name_map, map_gates
from corelab.cytometry.interchange.model import GateTree, Refusal
from corelab.cytometry.interchange.parity import ParityRow, compare_counts, compare_total
from corelab.cytometry.interchange.reference import Replay
from corelab.cytometry.interchange.revision import (
    Decision,
    decide_labels,
    decide_shape,
    note_refusal,
)
from corelab.cytometry.markers import find_scatter
from corelab.ingest.fcs import Acquisition
from corelab.vocabulary import GateSource

WORKSPACE: Final = ".wsp"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleGates:
    """Gates of one sample of a file.

    ``file_names`` are the names by which its FCS file may be known and ``file_id`` its id, where the
    file says so; a Gating-ML document of another program says neither. ``n_events`` is what the
    other program counted in all, None where it does not say.
    """

    name: str
    file_names: tuple[str, ...]
    file_id: str
    n_events: int | None
    labels: Mapping[str, str]
    tree: GateTree
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFile:
    """A file of gates: which program's, and the gates of each of its samples."""

    name: str
    source: GateSource
    samples: tuple[SampleGates, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What a file of gates gives one acquisition: decisions, and the parity of every gate."""

    decisions: tuple[Decision, ...]
    rows: tuple[ParityRow, ...]
    replay: Replay


def read_gates(data: bytes, *, name: str) -> GateFile:
    """Read a FlowJo workspace (``.wsp``) or, by any other name, a Gating-ML 2.0 document.

    Raises
    ------
    InputError
        If it is none.
    """
    if PurePosixPath(name).suffix.lower() == WORKSPACE:
        samples = tuple(
            SampleGates(
                name=one.name, file_names=one.file_names, file_id="", n_events=one.n_events,
                labels=one.labels, tree=one.tree, refusals=one.refusals,
            )
            for one in read_flowjo(data, name=name)
        )  # fmt: skip
        return GateFile(name=name, source=GateSource.FLOWJO, samples=samples)
    read = read_gatingml(data, name=name)
    sample = SampleGates(
        name=PurePosixPath(name).stem, file_names=(), file_id=read.about.get("file_id", ""), n_events=None,
        labels={}, tree=read.tree, refusals=read.refusals,
    )  # fmt: skip
    return GateFile(name=name, source=GateSource.GATINGML, samples=(sample,))


def match_samples(
    gates: GateFile, files: Mapping[str, str], *, must_name: bool = False
) -> tuple[dict[str, SampleGates], list[str]]:
    """Find the acquisitions for which the samples of a file stand.

    Parameters
    ----------
    gates
        The file; its name is its path, so that files beside it are looked at first.
    files
        Path to id of the FCS files that it may mean.
    must_name
        Whether a Gating-ML document that names no file stands for none instead of all.

    Returns
    -------
    tuple of dict and list of str
        Id of a file to its sample, and what could not be matched, in words. A Gating-ML document goes
        to the file that it names or whose stem it has, else to all of them.
    """
    matched: dict[str, SampleGates] = {}
    problems: list[str] = []
    for sample in gates.samples:
        found = _find_files(gates, sample, files)
        if not found and gates.source is GateSource.GATINGML and not sample.file_id and not must_name:
            found = list(dict.fromkeys(files.values()))
        if gates.source is GateSource.FLOWJO and len(found) > 1:
            problems.append(f"sample {sample.name!r} names {len(found)} files; expected one")
        elif any(file_id in matched for file_id in found):
            problems.append(f"sample {sample.name!r} names a file that another sample names")
        else:
            matched |= dict.fromkeys(found, sample)
    return matched, problems


def _find_files(gates: GateFile, sample: SampleGates, files: Mapping[str, str]) -> list[str]:
    if sample.file_id:
        return [file_id for file_id in dict.fromkeys(files.values()) if file_id == sample.file_id]
    folder = PurePosixPath(gates.name).parent
    beside = {path: file_id for path, file_id in files.items() if PurePosixPath(path).parent == folder}
    for among in (beside, files):
        found = list(dict.fromkeys(i for path, i in among.items() if _is_named(path, gates, sample)))
        if found:
            return found
    return []


def _is_named(path: str, gates: GateFile, sample: SampleGates) -> bool:
    pure = PurePosixPath(path)
    if gates.source is GateSource.GATINGML:
        return pure.stem == PurePosixPath(gates.name).stem
    return pure.name in sample.file_names


def judge_sample(
    sample: SampleGates, acquisition: Acquisition, *, source: GateSource, names: NameMap | None = None
) -> Judged:
    """Replay the gates of a sample on its acquisition and turn those that mean something into decisions.

    Parameters
    ----------
    sample
        As read.
    acquisition
        Its file.
    source
        Whose gates they are.
    names
        Which population a gate stands for, by its name; by default the usual names.

    Returns
    -------
    Judged
        A gate that cannot be used is refused and becomes a decision that says so; the others count. The
        names of markers are taken where a channel of the file has none.
    """
    meanings = map_gates(sample.tree, names or default_name_map())
    replay = evaluate(sample.tree, acquisition)
    rows = compare_counts(
        acquisition.name, sample.tree, replay, refusals=sample.refusals, populations=meanings
    )
    if sample.n_events is not None:
        rows = _judge_by_total(compare_total(acquisition.name, sample.n_events, acquisition.n_events), rows)
    shapes = [
        decide_shape(population, sample.tree, gate, source=source)
        for gate, populations in meanings.items()
        if gate in replay.masks
        for population in populations
    ]
    refused = [note_refusal(row.gate, row.cause, source) for row in rows if row.verdict == "refused"]
    labels = decide_labels(sample.labels, source)
    needs_labels = bool(sample.labels) and _has_bare_channel(acquisition)
    return Judged(
        decisions=(*shapes, *refused, *([labels] if needs_labels else [])), rows=tuple(rows), replay=replay
    )


def _judge_by_total(total: ParityRow, rows: Sequence[ParityRow]) -> list[ParityRow]:
    """Put the row of all events first; where it differs, every gate that counts otherwise has its cause."""
    is_other = total.verdict == "outside"
    found = (
        replace(row, cause=total.cause) if is_other and row.verdict == "outside" else row for row in rows
    )
    return [total, *found]


def _has_bare_channel(acquisition: Acquisition) -> bool:
    pairs = zip(acquisition.detectors, acquisition.labels, strict=True)
    return any(not label and find_scatter(detector) is None for detector, label in pairs)


def describe_parity(rows: Sequence[ParityRow]) -> str:
    """Say in one line how the counts compare; the worst by name.

    Examples
    --------
    >>> describe_parity([compare_total("a.fcs", 100, 100)])
    '1 equal'
    """
    words = {"not_counted": "not counted by it"}
    verdicts = [row.verdict for row in rows]
    parts = [
        f"{verdicts.count(verdict)} {words.get(verdict, verdict)}"
        for verdict in ("equal", "within", "outside", "not_counted", "refused")
        if verdict in verdicts
    ]
    differing = [row for row in rows if row.difference]
    worst = max(differing, key=lambda row: abs(row.difference or 0), default=None)
    tail = f"; worst {worst.gate or worst.gate_type}: {worst.count} for {worst.stored_count}" if worst else ""
    return ", ".join(parts) + tail


def list_troubles(rows: Sequence[ParityRow]) -> list[str]:
    """Say of each gate that is refused or counts otherwise what is wrong; another file is said once."""
    of_all = {row.cause for row in rows if not row.gate and row.verdict == "outside"}
    return [
        f"{row.gate}: {row.cause}"
        if row.verdict == "refused"
        else f"{row.gate or row.gate_type}: {row.count} events for {row.stored_count}; {row.cause}"
        for row in rows
        if row.verdict == "refused"
        or (row.verdict == "outside" and (not row.gate or row.cause not in of_all))
    ]
