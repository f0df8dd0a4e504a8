"""Looks for anything stored that is not what it was: objects, snapshots, the audit chain."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from corelab.errors import IntegrityError
from pipelines.executor import HERE, Place

if TYPE_CHECKING:
    from corelab.store import Home, Snapshot
    from corelab.store.registry import Position

Progress = Callable[[int, int], None]


def verify(home: "Home", *, progress: Progress = lambda *_: None) -> list[str]:
    """Return what was found, each in words; an empty list is a sound home."""
    return [
        *_verify_objects(home, progress), *home.snapshots.verify(), *home.registry.audit.verify(),
        *home.reviews.verify(), *home.cell_models.verify(), *home.vault.verify(),
    ]  # fmt: skip


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What came of making snapshots again: what differs, the same ones, and those that were left."""

    findings: tuple[str, ...]
    same: tuple[str, ...]
    left: tuple[str, ...]


def rebuild_snapshots(home: "Home", *, place: Place = HERE, progress: Progress = lambda *_: None) -> Rebuilt:
    """Compute again, bit for bit, each snapshot that the running versions made.

    The rows are those of the registry when the snapshot was made; the cache of gates is not asked.
    Snapshots of other versions, and those made before the registry kept positions, are left and named
    with the reason.
    """
    findings: list[str] = []
    same: list[str] = []
    left: list[str] = []
    snapshots = dict(home.snapshots.positions())
    for number, (snapshot_id, position) in enumerate(snapshots.items(), start=1):
        try:
            snapshot = home.snapshots.get(snapshot_id)
        except IntegrityError:
            continue  # its files are a finding of their own
        reason = _why_left(home, snapshot, position)
        if reason:
            left.append(f"snapshots/{snapshot_id}: not made again: {reason}")
        else:
            found = _rebuild(home, snapshot, position, place=place)
            findings += found
            same += [] if found else [snapshot_id]
        progress(number, len(snapshots))
    return Rebuilt(findings=tuple(findings), same=tuple(same), left=tuple(left))


def _why_left(home: "Home", snapshot: "Snapshot", position: "Position") -> str:
    """Say why a snapshot cannot be made again here; empty where it can."""
    from pipelines.run import describe_inputs

    if not position:
        return "it was made before the registry kept what a snapshot is made of"
    now = describe_inputs(home, as_of=None, position=position)
    for part, name in (("code", "the program"), ("packages", "the packages"), ("study_sha256", "the study")):
        if snapshot.manifest.get(part) != now[part]:
            return f"{name} differs from that which made it"
    return ""


def _rebuild(home: "Home", snapshot: "Snapshot", position: "Position", *, place: Place) -> list[str]:
    from corelab.store.objects import compute_sha256
    from corelab.store.snapshots import MANIFEST, format_snapshot
    from pipelines.run import compute_run_key, derive, describe_rows

    where = f"snapshots/{snapshot.id}"
    as_of = snapshot.manifest["parameters"]["as_of"]
    moment = dt.datetime.fromisoformat(as_of) if as_of else None
    rows = home.registry.read(position)
    made_of = describe_rows(home, rows, as_of=moment)
    run_key = compute_run_key(made_of)
    if run_key != snapshot.run_key:
        return [f"{where}: the registry's rows are not those that it was made of"]
    derived = derive(home, made_of, rows, place=place)
    contents = format_snapshot(derived.tables, derived.manifest, run_key=run_key)
    kept = {f"{name}.parquet": one["sha256"] for name, one in snapshot.manifest["tables"].items()}
    kept[MANIFEST] = compute_sha256(home.snapshots.read_file(snapshot.id, MANIFEST))
    names = sorted(kept.keys() | contents.keys())
    return [
        f"{where}/{name}: made again, it is another"
        for name in names
        if name not in contents or compute_sha256(contents[name]) != kept.get(name)
    ]
