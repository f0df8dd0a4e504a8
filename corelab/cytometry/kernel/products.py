"""Compiled loops over one channel: compensation of events that lie column by column, ranks over time.

Importing this module imports Numba.
"""

from typing import Any, Final

import numpy as np

from corelab.cytometry.kernel.loops import entered

BLOCK: Final = 1024


@entered
def add_up(recorded: Any, starts: Any, channels: Any, numbers: Any, out: Any) -> None:
    """Add up recorded channels times their numbers, one after the other: ``recorded`` is by channel.

    ``out`` is ``(n_columns, n_events)``; column ``c`` takes the channels from ``starts[c]`` on.
    """
    n_events = recorded.shape[1]
    for first in range(0, n_events, BLOCK):
        count = min(BLOCK, n_events - first)
        last = first + count
        for column in range(len(out)):
            total = out[column, first:last]
            i, stop = starts[column], starts[column + 1]
            one, v = recorded[channels[i], first:last], numbers[i]
            for k in range(count):
                total[k] = one[k] * v
            i += 1
            while i + 4 <= stop:
                a, p = recorded[channels[i], first:last], numbers[i]
                b, q = recorded[channels[i + 1], first:last], numbers[i + 1]
                c, r = recorded[channels[i + 2], first:last], numbers[i + 2]
                d, s = recorded[channels[i + 3], first:last], numbers[i + 3]
                for k in range(count):
                    total[k] = (((total[k] + a[k] * p) + b[k] * q) + c[k] * r) + d[k] * s
                i += 4
            while i < stop:
                one, v = recorded[channels[i], first:last], numbers[i]
                for k in range(count):
                    total[k] = total[k] + one[k] * v
                i += 1


@entered
def sort_levels(values: Any, low: Any, step: Any, level: Any, counts: Any) -> None:
    """Sort values into as many levels as there are ``counts``, which are added to."""
    top = len(counts) - 1
    for i in range(len(values)):
        place = (values[i] - low) / step
        number = int(min(place, top)) if place > 0 else 0
        level[i] = number
        counts[number] += 1


@entered
def sum_bins(tables: Any, level: Any, starts: Any) -> Any:
    """Add up what each table says of the levels of each bin's events, one after the other."""
    out = np.zeros((len(tables), len(starts)))
    for b in range(len(starts)):
        stop = starts[b + 1] if b + 1 < len(starts) else len(level)
        for i in range(starts[b], stop):
            number = level[i]
            for t in range(len(tables)):
                out[t, b] += tables[t, number]
    return out
