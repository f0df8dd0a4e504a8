"""What processes import before there is work for them; every import costs most when it is waited for."""

from importlib import import_module
from typing import Final

_GATING: Final = ("scipy.special", "corelab.store.objects", "pipelines.gating")
_TABLES: Final = ("scipy.stats", "corelab.tables.derive")
_ROWS: Final = ("corelab.tables.derive", "pipelines.children", "pipelines.plates")


def load_for_gating() -> None:
    """Import what gating needs, in a process that is to gate."""
    _load(_GATING)


def load_for_tables() -> None:
    """Import what tables are derived with, in a process that is to derive some."""
    _load(_TABLES)


def load_for_rows() -> None:
    """Import what puts rows and tables together."""
    _load(_ROWS)


def _load(names: tuple[str, ...]) -> None:
    for name in names:
        import_module(name)
