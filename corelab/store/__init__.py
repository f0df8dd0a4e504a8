"""Objects, registry, snapshots and the audit chain of a home.

They are imported when they are asked for: a process that gates needs the objects and no database.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from corelab.store.home import Home, create_home, migrate_home, open_home
    from corelab.store.snapshots import Snapshot
    from corelab.store.users import User

__all__ = ["Home", "Snapshot", "User", "create_home", "migrate_home", "open_home"]

_PLACES: Final = {"Snapshot": "snapshots", "User": "users"}


def __getattr__(name: str) -> Any:
    """Return a public name, imported on first use."""
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"{__name__}.{_PLACES.get(name, 'home')}"), name)
