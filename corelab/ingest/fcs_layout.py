"""How decoded events lie in memory: checked where they are, or turned so that each channel is one piece."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from corelab.errors import FcsReadError
from corelab.ingest.fcs_events import Events

Forget = Callable[[], None]
"""Gives back the memory of what was looked at."""

_BLOCK: Final = 1 << 14
"""Events that are looked at together: a block of some dozen channels stays in the processor's cache."""
_TURNED: Final = 1 << 11
"""Events that are turned into columns together."""


def check_finite(events: Events, *, name: str, forget: Forget) -> Events:
    """Return events all of whose values are numbers.

    Parameters
    ----------
    events
        As decoded.
    name
        What to call the file in an error.
    forget
        Called now and then to give back the memory of what was looked at.

    Raises
    ------
    FcsReadError
        If a value is not finite.
    """
    for begin in range(0, len(events), _BLOCK):
        if not np.isfinite(events[begin : begin + _BLOCK]).all():
            raise _no_numbers(name)
        if begin % (8 * _BLOCK) == 0:
            forget()
    forget()
    return events


def settle_events(events: Events, *, name: str, forget: Forget) -> Events:
    """Return events in this machine's order of bytes, on whole words, and check them as `check_finite` does.

    They are copied only where they lie otherwise.
    """
    native = np.require(events, dtype=find_native(events), requirements="A")
    return check_finite(native, name=name, forget=forget)


def find_native(events: Events) -> np.dtype[np.floating[Any]]:
    """Return the type of the same numbers in this machine's order of bytes."""
    return np.dtype(f"=f{events.dtype.itemsize}")


def turn_events(events: Events, *, name: str, forget: Forget) -> Events:
    """Copy events so that each channel lies in one piece, and check them as `check_finite` does.

    Decoded integers lie so already.
    """
    if events.flags.f_contiguous and events.flags.writeable:
        return check_finite(events, name=name, forget=forget)
    columns = np.empty(events.shape[::-1], dtype=find_native(events))
    for begin in range(0, len(events), _TURNED):
        part = columns[:, begin : begin + _TURNED]
        part[:] = events[begin : begin + _TURNED].T
        if not np.isfinite(part).all():
            raise _no_numbers(name)
        if begin % (2 * _TURNED) == 0:
            forget()
    forget()
    return columns.T


def _no_numbers(name: str) -> FcsReadError:
    return FcsReadError(
        "values that are no finite numbers", place=f"{name} DATA", expected="measured values",
        remedy="the events are damaged or shifted; export the file again",
    )  # fmt: skip
