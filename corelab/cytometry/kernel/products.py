"""Compiled loops over one channel: compensation of events that lie column by column, ranks over time.

Importing this module imports Numba.
"""

from typing import Any, Final

import numpy as np

from corelab.cytometry.kernel.loops import entered

BLOCK: Final = 1024


@entered
def add_up(recorded: Any, channels: Any, numbers: Any, out: Any) -> None:
    """Add up recorded channels times their numbers, one after the other: ``recorded`` is by channel."""
    for first in range(0, len(out), BLOCK):
        total = out[first : first + BLOCK]
        count = len(total)
        one, v = recorded[channels[0], first : first + BLOCK], numbers[0]
        for k in range(count):
            total[k] = one[k] * v
        i = 1
        while i + 4 <= len(channels):
            a, p = recorded[channels[i], first : first + BLOCK], numbers[i]
            b, q = recorded[channels[i + 1], first : first + BLOCK], numbers[i + 1]
            c, r = recorded[channels[i + 2], first : first + BLOCK], numbers[i + 2]
            d, s = recorded[channels[i + 3], first : first + BLOCK], numbers[i + 3]
            for k in range(count):
                total[k] = (((total[k] + a[k] * p) + b[k] * q) + c[k] * r) + d[k] * s
            i += 4
        while i < len(channels):
            one, v = recorded[channels[i], first : first + BLOCK], numbers[i]
            for k in range(count):
                total[k] = total[k] + one[k] * v
            i += 1


@entered
def sum_bins(table: Any, level: Any, starts: Any) -> Any:
    """Add up what a table says of the levels of each bin's events, one after the other."""
    out = np.empty(len(starts))
    for b in range(len(starts)):
        stop = starts[b + 1] if b + 1 < len(starts) else len(level)
        total = 0.0
        for i in range(starts[b], stop):
            total += table[level[i]]
        out[b] = total
    return out
