"""Replay of a gate tree on an acquisition: which events each gate holds, and which gates cannot be used."""

from typing import Final

from corelab.cytometry.interchange.model import OWN, GateTree, list_dimensions
from corelab.cytometry.interchange.reference import ReadOwn, Replay, evaluate_plainly
from corelab.ingest.fcs import Acquisition

FEWEST_EVENTS: Final = 20_000
"""Below this, laying out the tables costs more than the loops save."""


def evaluate(tree: GateTree, acquisition: Acquisition, *, read_own: ReadOwn | None = None) -> Replay:
    """Apply every gate of a tree.

    Parameters
    ----------
    tree
        As read.
    acquisition
        As recorded; each gate says by itself how its channels are compensated.
    read_own
        What gives the channels of gates that were drawn here, by marker; without it they are refused.

    Returns
    -------
    Replay
        A gate holds events of its parent only. A gate whose channel, scale, matrix or parent is not
        there is refused with its cause, and with it what rests on it; the others are applied.

    Notes
    -----
    Compiled loops (`corelab.cytometry.kernel.gates`) and NumPy give the same events; which of them runs is a
    matter of time alone. NumPy takes small files and trees with channels that only the tube gives.
    """
    if acquisition.n_events < FEWEST_EVENTS or _asks_the_tube(tree):
        return evaluate_plainly(tree, acquisition, read_own=read_own)
    from corelab.cytometry.kernel.gates import evaluate_compiled

    return evaluate_compiled(tree, acquisition)


def _asks_the_tube(tree: GateTree) -> bool:
    dimensions = (one for gate in tree.gates.values() for one in list_dimensions(gate.geometry))
    return any(dimension.compensation == OWN for dimension in dimensions)
