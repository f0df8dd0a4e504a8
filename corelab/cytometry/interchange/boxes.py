"""Limits that divide the events as they were divided, whatever another program rounds."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from corelab.cytometry.records import Mask, Values

_CLEARANCE: Final = 1e-6


def find_gap(values: Values, limit: float) -> float:
    """Return the middle of the gap between the events up to a limit and those above it.

    Where no event lies on one side, the limit itself, or what is clear of the last event.

    Examples
    --------
    >>> find_gap(np.array([1.0, 2.0, 4.0]), 2.5)
    3.0
    """
    below, above = values[values <= limit], values[values > limit]
    if not len(above):
        return max(float(np.nextafter(limit, np.inf)), _clear(float(below.max(initial=limit)), 1.0))
    if not len(below):
        return min(float(np.nextafter(limit, np.inf)), _clear(float(above.min()), -1.0))
    low, high = float(below.max()), float(above.min())
    middle = low + (high - low) / 2
    return middle if low < middle else high


def _clear(value: float, direction: float) -> float:
    """Return a place beside a value that stays apart from it when it is rounded."""
    return value + direction * (_CLEARANCE * abs(value) + _CLEARANCE)


def find_enclosure(values: Values, inside: tuple[float, float]) -> tuple[float, float]:
    """Return the interval, low in and high out, that holds what lies from the first to the second of a pair.

    Examples
    --------
    >>> find_enclosure(np.array([1.0, 2.0, 3.0, 5.0]), (2.0, 3.0))
    (1.5, 4.0)
    """
    below = float(np.nextafter(inside[0], -np.inf))
    return find_gap(values, below), find_gap(values, inside[1])


def find_intervals(time: Values, kept: Mask) -> list[tuple[float, float]]:
    """Return first and last time of each stretch of kept events.

    Examples
    --------
    >>> find_intervals(np.array([1.0, 2.0, 3.0, 4.0]), np.array([True, True, False, True]))
    [(1.0, 2.0), (4.0, 4.0)]
    """
    order = np.argsort(time, kind="stable")
    inside = np.concatenate([[False], kept[order], [False]])
    changes = np.flatnonzero(inside[1:] != inside[:-1])
    ordered = time[order]
    return [
        (float(ordered[begin]), float(ordered[end - 1]))
        for begin, end in zip(changes[::2], changes[1::2], strict=True)
    ]


def find_sides(
    events: Values, wanted: Mask, spare: Mask, *, columns: Iterable[int]
) -> dict[int, tuple[float, float]]:
    """Choose the fewest channels whose range among the wanted events leaves spare ones out.

    Parameters
    ----------
    events
        ``(n_events, n_channels)``.
    wanted, spare
        Events to keep and events to leave out, ``(n_events,)``; at least one is wanted.
    columns
        Channels that may be used.

    Returns
    -------
    dict
        Column to the smallest and largest wanted value. Spare events that no range leaves out stay.
    """
    ranges = {i: (float(events[wanted, i].min()), float(events[wanted, i].max())) for i in columns}
    sides: dict[int, tuple[float, float]] = {}
    left = spare.copy()
    while left.any():
        outside = {
            i: left & ((events[:, i] < low) | (events[:, i] > high)) for i, (low, high) in ranges.items()
        }
        best = max(outside, key=lambda i: (int(outside[i].sum()), -i), default=None)
        if best is None or not outside[best].any():
            break
        sides[best] = ranges[best]
        left &= ~outside[best]
    return sides
