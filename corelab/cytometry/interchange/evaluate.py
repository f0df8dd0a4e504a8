"""Replay of a gate tree on an acquisition: which events each gate holds, and which gates cannot be used."""

from typing import Final

from corelab.cytometry.interchange.model import GateTree
from corelab.cytometry.interchange.reference import Replay, evaluate_plainly
from corelab.ingest.fcs import Acquisition

FEWEST_EVENTS: Final = 20_000
"""Below this, laying out the tables costs more than the loops save."""


def evaluate(tree: GateTree, acquisition: Acquisition) -> Replay:
    """Apply every gate of a tree.

    Parameters
    ----------
    tree
        As read.
    acquisition
        As recorded; each gate says by itself how its channels are compensated.

    Returns
    -------
    Replay
        A gate holds events of its parent only. A gate whose channel, scale, matrix or parent is not
        there is refused with its cause, and with it what rests on it; the others are applied.

    Notes
    -----
    Compiled loops (`corelab.cytometry.kernel.gates`) and NumPy give the same events; which of them runs is a
    matter of time alone.
    """
    if acquisition.n_events < FEWEST_EVENTS:
        return evaluate_plainly(tree, acquisition)
    from corelab.cytometry.kernel.gates import evaluate_compiled

    return evaluate_compiled(tree, acquisition)
