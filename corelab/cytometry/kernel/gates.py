"""A gate tree on events, block by block: membership as bits, counts, nothing of the size of a file beside."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from corelab.cytometry.interchange.model import GateTree, Refusal
from corelab.cytometry.interchange.reference import Replay, evaluate_plainly, order_gates
from corelab.cytometry.kernel.layout import Tables, UnknownKindError, lay_out
from corelab.cytometry.records import Mask
from corelab.errors import InputError
from corelab.ingest.fcs import Acquisition

Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.float32] | npt.NDArray[np.float64]

_WORD: Final = 64
_BLOCK: Final = 1 << 14
_ROWS: Final = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """A gate tree laid out for files of one set of channels, one matrix and one step of time.

    ``tables`` is None, and ``cause`` says why, where NumPy has to do it: Numba is not there, or a gate is
    of a kind that the loops do not know. ``head`` is the acquisition without its events.
    """

    tree: GateTree
    head: Acquisition
    names: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    tables: Tables | None
    cause: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Membership:
    """Which events each gate holds.

    Gate ``names[i]`` is bit ``i % 64`` of column ``i // 64`` of ``words``, ``(n_events, n_words)``.
    ``counts`` are the events of each gate, ``(n_gates,)``; ``n_judged`` counts the events that the loops left
    to NumPy because they lie on an edge to within the tables' error, or are no usual numbers.
    """

    names: tuple[str, ...]
    words: Words
    counts: npt.NDArray[np.int64]
    n_judged: int

    def mask(self, name: str) -> Mask:
        """Return the events of a gate, ``(n_events,)``.

        Raises
        ------
        ValueError
            If there is no such gate.
        """
        return _read_bit(self.words, self.names.index(name))


def make_plan(tree: GateTree, acquisition: Acquisition) -> Plan:
    """Lay a tree out for an acquisition and all others with its channels, matrix and step of time.

    Returns
    -------
    Plan
        With the gates that can be used there and the refusals of the others.
    """
    head = replace(acquisition, events=np.empty((0, len(acquisition.detectors))))
    trial = evaluate_plainly(tree, head)
    ordered = [gate for gate in order_gates(tree)[0] if gate.name in trial.masks]
    names = tuple(gate.name for gate in ordered)
    if load_loops() is None:
        tables, cause = None, "Numba is not there"
    else:
        try:
            tables, cause = lay_out(tree, ordered, head), ""
        except UnknownKindError as error:
            tables, cause = None, str(error)
    return Plan(tree=tree, head=head, names=names, refusals=trial.refusals, tables=tables, cause=cause)


def gate_rows(plan: Plan, rows: Rows, *, out: Words | None = None) -> Membership:
    """Apply a plan to events.

    Parameters
    ----------
    plan
        Made for the channels of these events.
    rows
        ``(n_events, n_channels)`` float32 or float64 in the order of the file, linear (gain divided, log
        amplification expanded), not compensated; a view of list mode as it lies in memory or a mapped file.
    out
        Room for the membership, ``(>= n_events, n_words)``; by default new.

    Returns
    -------
    Membership
        The same events as by NumPy (`corelab.cytometry.interchange.reference.evaluate_plainly`).

    Raises
    ------
    InputError
        If the rows do not have the channels of the plan.
    """
    if rows.ndim != 2 or rows.shape[1] != len(plan.head.detectors):
        raise InputError(f"events of shape {rows.shape}", expected=f"{len(plan.head.detectors)} channels")
    words = _make_room(len(rows), len(plan.names), out)
    counts = np.zeros(len(plan.names), dtype=np.int64)
    if plan.tables is None:
        left = np.arange(len(rows))
        words[:] = 0
    else:
        left = _run(plan.tables, rows, words, counts)
    if len(left):
        _judge(plan, np.asarray(rows[left], dtype=np.float64), words, counts, left)
    return Membership(names=plan.names, words=words, counts=counts, n_judged=len(left))


def evaluate_compiled(tree: GateTree, acquisition: Acquisition) -> Replay:
    """Apply every gate of a tree to an acquisition (`corelab.cytometry.interchange.evaluate.evaluate`)."""
    plan = make_plan(tree, acquisition)
    if plan.tables is None:
        return evaluate_plainly(tree, acquisition)
    words = _make_room(acquisition.n_events, len(plan.names), None)
    for begin in range(0, len(words), _ROWS):  # channel by channel or across words, rows are copied
        gate_rows(plan, acquisition.events[begin : begin + _ROWS], out=words[begin : begin + _ROWS])
    masks = {name: _read_bit(words, i) for i, name in enumerate(plan.names)}
    return Replay(masks=masks, refusals=plan.refusals)


def pack_masks(masks: Sequence[Mask]) -> Words:
    """Return masks of ``(n_events,)`` as bits, ``(n_events, n_words)``."""
    n_events = len(masks[0]) if masks else 0
    words = np.zeros((n_events, count_words(len(masks))), dtype=np.uint64)
    for i, mask in enumerate(masks):
        for begin in range(0, n_events, _BLOCK):
            own = mask[begin : begin + _BLOCK].astype(np.uint64)
            words[begin : begin + _BLOCK, i // _WORD] |= own << np.uint64(i % _WORD)
    return words


def count_words(n_gates: int) -> int:
    """Return how many words of 64 bits a number of gates takes, at least one."""
    return max(1, -(-n_gates // _WORD))


def _read_bit(words: Words, number: int) -> Mask:
    return np.asarray((words[:, number // _WORD] & np.uint64(1 << number % _WORD)) != 0)


def _make_room(n_events: int, n_gates: int, out: Words | None) -> Words:
    shape = (n_events, count_words(n_gates))
    if out is None:
        return np.empty(shape, dtype=np.uint64)
    if len(out) < shape[0] or out.shape[1] != shape[1] or not out.flags.c_contiguous:
        raise InputError(f"room of shape {out.shape} for membership", expected=f"{shape}")
    return out[:n_events]


def _run(tables: Tables, rows: Rows, words: Words, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    loops = load_loops()
    left = np.empty(len(rows), dtype=np.int64)
    n_left = loops(
        pair_rows(rows), tables.loads, tables.slots, tables.gates, tables.limits, tables.shapes,
        words, counts, left,
    )  # fmt: skip
    return left[:n_left].copy()


def pair_rows(rows: Rows) -> tuple[Rows, Rows]:
    """Return rows as the loops take them: read-only float32 and float64, one of them empty.

    Rows of another type or byte order, not aligned, or not by rows are copied.
    """
    kind = np.float32 if rows.dtype == np.float32 and rows.dtype.isnative else np.float64
    usable = np.require(rows, dtype=kind, requirements=["C", "A"]).view()
    other = np.empty((0, rows.shape[1]), dtype=np.float64 if kind is np.float32 else np.float32)
    for part in (usable, other):
        part.setflags(write=False)
    return (usable, other) if kind is np.float32 else (other, usable)


def _judge(plan: Plan, events: Any, words: Words, counts: Any, left: Any) -> None:
    """Let NumPy judge the events that were left to it."""
    masks = evaluate_plainly(plan.tree, replace(plan.head, events=events)).masks
    words[left] = pack_masks([masks[name] for name in plan.names])
    counts += np.array([int(masks[name].sum()) for name in plan.names], dtype=np.int64)


@cache
def load_loops() -> Any:
    """Return the compiled loop over blocks, None where Numba is not installed."""
    try:
        from corelab.cytometry.kernel.compiled import gate_blocks
    except ImportError:
        return None
    return gate_blocks
