"""Files of gates in a delivery or named by a person: kept, matched, judged, and recorded as revisions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from corelab.cytometry.interchange.archive import strip_gates
from corelab.cytometry.interchange.imported import (
    GateFile,
    SampleGates,
    describe_parity,
    judge_sample,
    list_troubles,
    match_samples,
    read_gates,
)
from corelab.cytometry.interchange.mapping import NameMap
from corelab.cytometry.interchange.parity import ParityRow
from corelab.cytometry.interchange.revision import Decision, Kind, Scope, Target
from corelab.errors import CorelabError, InputError
from corelab.ingest.book import StoredFile
from corelab.ingest.fcs import Acquisition
from corelab.store.objects import compute_sha256
from corelab.vocabulary import GateSource

if TYPE_CHECKING:
    from corelab.store import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenGates:
    """What one file of gates gives: itself to be kept, decisions by file id, what to tell.

    ``troubles`` are gates that are refused or count otherwise, ``remarks`` all else.
    """

    file: StoredFile
    decisions: tuple[tuple[Target, Decision], ...]
    parity: tuple[ParityRow, ...]
    troubles: tuple[str, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """The FCS files for which gates may stand: path to id, and how to read one.

    ``names`` says which population a gate stands for (None: the usual names). Where a Gating-ML
    document ``must_name`` its file, or be called like it, it never stands for all.
    """

    files: Mapping[str, str]
    read: Callable[[str], Acquisition]
    names: NameMap | None = None
    must_name: bool = False


def take_gates(home: "Home", data: bytes, *, name: str, among: Among) -> TakenGates:
    """Read a file of gates, keep it de-identified, and judge its gates on the files it stands for.

    Parameters
    ----------
    home
        Where it is kept.
    data
        As delivered.
    name
        Its path in the delivery.
    among
        The files that it may mean.

    Raises
    ------
    InputError
        If it is no such file, or names none of the files.
    """
    gates = read_gates(data, name=name)
    matched, problems = match_samples(gates, among.files, must_name=among.must_name)
    if not matched:
        raise InputError(
            _why_none(problems), place=name, expected="gates of files that come with it or are chosen",
            remedy="deliver them together, or use corelab gates import and --files",
        )  # fmt: skip
    known = {PurePosixPath(path).name: file_id for path, file_id in among.files.items()}
    stored = StoredFile(
        file_id=compute_sha256(data),
        object_id=home.objects.write(strip_gates(data, name=name, known=known)),
        kind=PurePosixPath(name).suffix.lower().removeprefix("."),
        name=name,
        facts={"samples": str(len(gates.samples)), "matched": str(len(matched))},
    )
    return _judge(gates, matched, stored, problems=problems, among=among)


def _why_none(problems: Sequence[str]) -> str:
    return problems[0] if problems else "it names none of the FCS files"


def _judge(
    gates: GateFile,
    matched: Mapping[str, SampleGates],
    stored: StoredFile,
    *,
    problems: Sequence[str],
    among: Among,
) -> TakenGates:
    decisions: list[tuple[Target, Decision]] = []
    parity: list[ParityRow] = []
    troubles = [f"{gates.name}: {problem}" for problem in problems]
    remarks: list[str] = []
    for file_id, sample in sorted(matched.items(), key=lambda pair: (pair[1].name, pair[0])):
        try:
            acquisition = among.read(file_id)
        except CorelabError as error:
            troubles.append(f"{gates.name}: {error}")
            continue
        judged = judge_sample(sample, acquisition, source=gates.source, names=among.names)
        if _stands_for_any_file(gates, sample) and not _has_shape(judged.decisions):
            continue
        target = Target(scope=Scope.ACQUISITION, file_id=file_id)
        decisions += [(target, decision) for decision in judged.decisions]
        parity += judged.rows
        place = f"{gates.name}: {acquisition.name}"
        troubles += [f"{place}: {trouble}" for trouble in list_troubles(judged.rows)]
        remarks.append(f"{place}: {_count_shapes(judged.decisions)}; {describe_parity(judged.rows)}")
    spare = len(gates.samples) - len({id(sample) for sample in matched.values()}) - len(problems)
    if spare:
        remarks.append(f"{gates.name}: {spare} of its samples have no file here")
    if not decisions and not troubles:
        troubles.append(f"{gates.name}: none of its gates stands for a population of the trial")
    return TakenGates(
        file=stored, decisions=tuple(decisions), parity=tuple(parity), troubles=tuple(troubles),
        remarks=tuple(remarks),
    )  # fmt: skip


def _stands_for_any_file(gates: GateFile, sample: SampleGates) -> bool:
    return gates.source is GateSource.GATINGML and not sample.file_id


def _has_shape(decisions: Sequence[Decision]) -> bool:
    return any(decision.kind is Kind.SHAPE for decision in decisions)


def _count_shapes(decisions: Sequence[Decision]) -> str:
    n = sum(decision.kind is Kind.SHAPE for decision in decisions)
    return f"{n} gate{'' if n == 1 else 's'} of the trial"
