"""The correlative laboratory of a CAR-T trial, as a library.

``corelab.open``, ``corelab.gate``, ``corelab.fit_plate`` and ``corelab.nca`` are documented in
`corelab.api` and in ``docs/python.md``. They are imported when they are asked for, so that ``import corelab``
costs nothing.
"""

from importlib import import_module
from typing import Any, Final

_PUBLIC: Final = {"open": "open_trial", "gate": "gate", "fit_plate": "fit_plate", "nca": "nca"}


def __getattr__(name: str) -> Any:
    """Return a public function, imported on first use."""
    if name not in _PUBLIC:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module("corelab.api"), _PUBLIC[name])


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
