"""Objects, registry, snapshots and the audit chain of a home."""

from corelab.store.home import Home, create_home, migrate_home, open_home
from corelab.store.snapshots import Snapshot
from corelab.store.users import User

__all__ = ["Home", "Snapshot", "User", "create_home", "migrate_home", "open_home"]
