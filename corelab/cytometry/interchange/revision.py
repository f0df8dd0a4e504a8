"""Gates that a person set: what was decided, for which tubes, and which decision counts for one."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from corelab.cytometry.interchange.model import GateTree
from corelab.cytometry.interchange.stored import format_shape, parse_shape
from corelab.errors import InputError
from corelab.vocabulary import GateSource

PEOPLE: Final = (GateSource.MANUAL, GateSource.FLOWJO, GateSource.GATINGML)


class Scope(StrEnum):
    """For which tubes a decision holds, the narrowest first."""

    ACQUISITION = "acquisition"
    VISIT = "visit"
    CHILD = "child"
    PANEL = "panel"


class Kind(StrEnum):
    """What was decided."""

    CUT = "cut"
    SHAPE = "shape"
    LABELS = "labels"
    REFUSED = "refused"
    """A gate of a file that could not be read: kept, so that every run says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The tubes of a decision.

    An acquisition is named by ``file_id`` alone; a visit by subject, visit and panel; a child by
    subject and panel; all by panel. What a scope does not need is empty.
    """

    scope: Scope
    file_id: str = ""
    subject_id: str = ""
    visit: str = ""
    panel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TubeKey:
    """What names one tube, for finding the decisions about it."""

    file_id: str
    subject_id: str
    visit: str
    panel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person set about one gate.

    ``gate`` is a cut of the template (``CD3``; ``lymphocytes`` for side scatter) for a cut, a
    population for a shape, empty for labels, and the name in its file for a gate that was refused.
    ``content`` is JSON: a limit in linear compensated units, a gate with its tree, labels by
    detector, or the cause; empty takes back what was decided for the same tubes.
    """

    kind: Kind
    gate: str
    content: str
    source: GateSource

    @property
    def version(self) -> str:
        """A short hash of the content: the same decision has the same version anywhere."""
        text = "\n".join((self.kind, self.gate, self.source, self.content))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRevision:
    """One decision as it was recorded.

    ``supersedes`` is the id of the one it replaced, else None; ``origin`` the id of the delivered
    file from which it came, empty where a person set it here.
    """

    id: int
    target: Target
    decision: Decision
    author: str
    at: str
    reason: str
    supersedes: int | None
    origin: str = ""


def decide_cut(gate: str, limit: float) -> Decision:
    """Set a limit by hand.

    Raises
    ------
    InputError
        If it is no finite number.
    """
    if not math.isfinite(limit):
        raise InputError(f"limit {limit}", place=gate, expected="a finite number in linear units")
    return Decision(kind=Kind.CUT, gate=gate, content=json.dumps(limit), source=GateSource.MANUAL)


def decide_shape(population: str, tree: GateTree, gate: str, *, source: GateSource) -> Decision:
    """Set the shape of a population: a gate of a tree, kept with everything it rests on.

    Raises
    ------
    InputError
        If the tree has no such gate.
    """
    content = format_shape(tree, gate)
    return Decision(kind=Kind.SHAPE, gate=population, content=content, source=source)


def decide_labels(labels: Mapping[str, str], source: GateSource) -> Decision:
    """Name the markers of a file."""
    content = json.dumps(dict(sorted(labels.items())), ensure_ascii=False)
    return Decision(kind=Kind.LABELS, gate="", content=content, source=source)


def note_refusal(gate: str, cause: str, source: GateSource) -> Decision:
    """Keep in mind that a gate could not be read, and why."""
    return Decision(kind=Kind.REFUSED, gate=gate, content=json.dumps(cause), source=source)


def take_back(decision: Decision) -> Decision:
    """Return the decision that takes another back."""
    return Decision(kind=decision.kind, gate=decision.gate, content="", source=GateSource.MANUAL)


def check_target(target: Target) -> Target:
    """Return a target that names exactly what its scope needs.

    Raises
    ------
    InputError
        If something is missing or too much.
    """
    needed = {
        Scope.ACQUISITION: {"file_id"},
        Scope.VISIT: {"subject_id", "visit", "panel"},
        Scope.CHILD: {"subject_id", "panel"},
        Scope.PANEL: {"panel"},
    }[target.scope]
    given = {name for name in ("file_id", "subject_id", "visit", "panel") if getattr(target, name)}
    if given != needed:
        found = ", ".join(sorted(given)) or "nothing"
        expected = ", ".join(sorted(needed))
        raise InputError(f"scope {target.scope} with {found}", place="gate revision", expected=expected)
    return target


def pick_decisions(revisions: Iterable[GateRevision], tube: TubeKey) -> tuple[Decision, ...]:
    """Pick what counts for one tube.

    Parameters
    ----------
    revisions
        All that were ever recorded, in any order.
    tube
        The tube.

    Returns
    -------
    tuple of Decision
        For each gate the newest decision of the narrowest scope that holds for the tube
        (acquisition, visit, child, panel), sorted; one that was taken back lets the wider one
        count. Gates without any are fitted.
    """
    newest: dict[tuple[Kind, str, Scope], GateRevision] = {}
    for revision in sorted(revisions, key=lambda one: one.id):
        if _holds(revision.target, tube):
            decision = revision.decision
            newest[decision.kind, decision.gate, revision.target.scope] = revision
    picked: dict[tuple[Kind, str], Decision] = {}
    for scope in reversed(Scope):
        for (kind, gate, own_scope), revision in newest.items():
            if own_scope is scope and revision.decision.content:
                picked[kind, gate] = revision.decision
    return tuple(picked[key] for key in sorted(picked))


def pick_for_tubes(
    revisions: Iterable[GateRevision], tubes: Iterable[TubeKey]
) -> dict[str, tuple[Decision, ...]]:
    """Pick what counts for each of many tubes; those about which nothing was decided are not there."""
    by_file: dict[str, list[GateRevision]] = {}
    wide: list[GateRevision] = []
    for revision in revisions:
        target = revision.target
        (by_file.setdefault(target.file_id, []) if target.scope is Scope.ACQUISITION else wide).append(
            revision
        )
    picked = {tube.file_id: pick_decisions([*wide, *by_file.get(tube.file_id, ())], tube) for tube in tubes}
    return {file_id: decisions for file_id, decisions in picked.items() if decisions}


def _holds(target: Target, tube: TubeKey) -> bool:
    if target.scope is Scope.ACQUISITION:
        return target.file_id == tube.file_id
    return (
        target.panel == tube.panel
        and (target.scope is Scope.PANEL or (target.subject_id == tube.subject_id != ""))
        and (target.scope is not Scope.VISIT or target.visit == tube.visit)
    )


def read_limit(decision: Decision) -> float:
    """Return the limit of a cut."""
    return float(json.loads(decision.content))


def read_cause(decision: Decision) -> str:
    """Return why a gate was refused."""
    return str(json.loads(decision.content))


def read_shape(decision: Decision) -> tuple[GateTree, str]:
    """Return the tree of a shape and the gate that is the population.

    Raises
    ------
    InputError
        If the content is no tree.
    """
    return parse_shape(decision.content)


def read_labels(decisions: Iterable[Decision]) -> dict[str, str]:
    """Return the labels by detector that decisions give a file."""
    return {
        detector: label
        for decision in decisions
        if decision.kind is Kind.LABELS
        for detector, label in json.loads(decision.content).items()
    }
