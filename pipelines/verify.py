"""Looks for anything stored that is not what it was: objects, snapshots, the audit chain."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from corelab.errors import IntegrityError

if TYPE_CHECKING:
    from corelab.store import Home

Progress = Callable[[int, int], None]


def verify(home: "Home", *, progress: Progress = lambda *_: None) -> list[str]:
    """Return what was found, each in words; an empty list is a sound home."""
    return [*_verify_objects(home, progress), *home.snapshots.verify(), *home.registry.audit.verify()]


def _verify_objects(home: "Home", progress: Progress) -> list[str]:
    findings = []
    names = list(home.objects.names())
    for number, name in enumerate(names, start=1):
        try:
            home.objects.read(name)
        except IntegrityError as error:
            findings.append(str(error))
        progress(number, len(names))
    known = home.registry.object_ids()
    missing = sorted(set(known) - set(names))
    findings += [f"objects/{name}: the object of {known[name]} is not there" for name in missing]
    return findings
