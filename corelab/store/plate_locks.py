"""Locking plates: a reviewer's signature under a judged plate, after which nothing of it changes silently."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from corelab.errors import ConfigError, InputError, ReviewError
from corelab.immunoassay.acceptance import PlateState, advance_plate
from corelab.store import schema
from corelab.store.database import reading
from corelab.store.results import ResultScope, ResultTarget
from corelab.store.review import Review, ReviewState, Signature, Standing

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store.home import Home

PLATE_KINDS: Final = ("plates", "plate_layout", "plate_standards")
RULES: Final = "plate_rules"
"""Where a snapshot's manifest says by which settings its plates were judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateLocks:
    """The locks on the plates of a home; a plate is named by its name, a lock by the file of its export."""

    home: "Home"

    def standings(self) -> dict[str, Standing]:
        """Return where each plate of the current snapshot stands, by its name."""
        targets = {name: _target(file_id) for name, file_id in self._files().items()}
        found = self.home.reviews.standings(targets.values())
        return {name: found[target] for name, target in targets.items()}

    def lock(self, plates: Sequence[str], signature: Signature) -> list[Review]:
        """Lock plates, accepted or rejected ones, all of them or none.

        Raises
        ------
        ReviewError
            If the password or the role is wrong, newer data wait for a run, there is no such plate, it is
            not judged yet or locked already, or the person worked on it.
        """
        reviews = self.home.reviews
        role = reviews.check_person(signature)
        snapshot = reviews.check_snapshot(signature.snapshot_id)
        targets = self._find(plates)
        states = snapshot.table("plates").set_index("plate")["state"]
        wells = snapshot.table("plate_wells")
        for name in plates:
            _check_judged(name, str(states[name]))
        on_them = set(wells.loc[wells["plate"].isin(list(plates)), "subject_id"])
        reviews.check_up_to_date({"", *on_them})
        for target in targets:
            reviews.check_worker(target, signature.author)
        hashes = reviews.hash_current(targets)
        return reviews.record(targets, ReviewState.LOCKED, signature, role=role, hashes=hashes)

    def unlock(self, plates: Sequence[str], signature: Signature) -> list[Review]:
        """Open locked plates again, for a reason; raises as `Reviews.unlock`."""
        return self.home.reviews.unlock(self._find(plates), signature)

    def check_rules(self, rules: str) -> None:
        """Refuse to judge anew by other settings while a plate is locked.

        Raises
        ------
        ConfigError
            If a plate was locked as judged by settings that are not these.
        """
        with reading(self.home.registry.engine) as connection:
            locked = read_locks(connection)
        for review in locked:
            judged_by = self.home.snapshots.get(review.snapshot_id).manifest.get(RULES, rules)
            if judged_by != rules:
                raise ConfigError(
                    "the settings of plates changed while plates are locked", place="study, immunoassay",
                    expected=f"those of snapshot {review.snapshot_id}", remedy="unlock them first",
                )  # fmt: skip

    def _find(self, plates: Sequence[str]) -> list[ResultTarget]:
        files = self._files()
        unknown = [name for name in plates if name not in files]
        if unknown or not plates:
            named = f"there is no plate {unknown[0]!r}" if unknown else "no plate is named"
            raise ReviewError(named, expected=", ".join(sorted(files)) or "plates in the snapshot")
        return [_target(files[name]) for name in dict.fromkeys(plates)]

    def _files(self) -> dict[str, str]:
        snapshot = self.home.snapshots.current()
        if snapshot is None or "plates" not in snapshot.table_names:
            return {}
        return name_files(snapshot.table("plates"))


def name_files(plates: "pd.DataFrame") -> dict[str, str]:
    """Return the file of each plate's export by the plate's name; older snapshots do not tell it."""
    if "file_id" not in plates.columns:
        return {}
    return dict(zip(plates["plate"].map(str), plates["file_id"].map(str), strict=True))


def _target(file_id: str) -> ResultTarget:
    return ResultTarget(scope=ResultScope.PLATE, subject_id="", visit="", file_id=file_id)


def _check_judged(name: str, state: str) -> None:
    try:
        advance_plate(PlateState(state), PlateState.LOCKED)
    except InputError as error:
        raise ReviewError(f"plate {name} is {state}", expected="an accepted or rejected plate") from error


def read_locks(connection: sa.Connection) -> list[Review]:
    """Return the locks that stand."""
    from corelab.store.review import read_reviews

    latest = {one.target: one for one in read_reviews(connection) if one.target.scope is ResultScope.PLATE}
    return [one for one in latest.values() if one.state is ReviewState.LOCKED]


def read_locked_plates(connection: sa.Connection) -> frozenset[str]:
    """Return what locked plates are called, by their name and by their batch, in lower case."""
    locked = {one.target.file_id for one in read_locks(connection)}
    if not locked:
        return frozenset()
    record = schema.record.c
    rows = connection.execute(sa.select(record["values"]).where(record.kind == "plates"))
    plates = [values for values in (json.loads(row.values) for row in rows) if values["file_id"] in locked]
    return frozenset(
        values[name].casefold() for values in plates for name in ("plate", "batch") if values.get(name)
    )


def check_plates_open(connection: sa.Connection, rows: Iterable[Any]) -> None:
    """Refuse to take rows of a locked plate out of analysis.

    Raises
    ------
    ReviewError
        Naming the plate.
    """
    locked = read_locked_plates(connection)
    for row in rows if locked else ():
        plate = json.loads(row.values).get("plate", "") if row.kind in PLATE_KINDS else ""
        if plate.casefold() in locked:
            raise ReviewError(f"plate {plate} is locked", remedy="a reviewer has to unlock it first")
