"""What a reviewer signs: the results of an acquisition, of a visit of a child, or of a plate, by content."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from corelab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_WIDE: Final = ("analysis",)
"""Tables with a column for each thing that was ever measured: an empty one is no part of a visit."""
ReadTable = Callable[[str], "pd.DataFrame"]
_PROVENANCE: Final = ("source_id",)
"""Columns that say where a value was delivered, not what it is."""


class ResultScope(StrEnum):
    """What results belong to."""

    ACQUISITION = "acquisition"
    VISIT = "visit"
    PLATE = "plate"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ResultTarget:
    """An acquisition (its file), a visit of a child, or a plate (the file of its export).

    An acquisition names its child and visit as well; a plate has neither.
    """

    scope: ResultScope
    subject_id: str
    visit: str
    file_id: str = ""

    @property
    def name(self) -> str:
        """How the audit trail names it."""
        return " ".join(["results", self.scope, *filter(None, (self.subject_id, self.visit, self.file_id))])


def check_target(target: ResultTarget) -> ResultTarget:
    """Return a target that names all that its scope needs.

    Raises
    ------
    InputError
        If it names too little or too much.
    """
    if target.scope is ResultScope.PLATE:
        if target.subject_id or target.visit or not target.file_id:
            raise InputError("results of a plate", expected="the file of its export and nothing else")
        return target
    needs_file = target.scope is ResultScope.ACQUISITION
    if not target.subject_id or not target.visit or bool(target.file_id) is not needs_file:
        expected = "a subject and a visit" + (" and a file" if needs_file else " and no file")
        raise InputError(f"results of {target.scope}", expected=expected)
    return target


def list_targets(read_table: ReadTable) -> list[ResultTarget]:
    """Return every target of a snapshot: each visit with any measurement, each sample's acquisition."""
    measured, files = read_table("measurements"), read_table("populations")
    tubes = _distinct(files, "subject_id", "visit", "file_id")
    visits = _distinct(measured, "subject_id", "visit") | {(subject, visit) for subject, visit, _ in tubes}
    found = [
        ResultTarget(scope=ResultScope.VISIT, subject_id=subject, visit=visit)
        for subject, visit in visits
        if subject and visit
    ]
    found += [
        ResultTarget(scope=ResultScope.ACQUISITION, subject_id=subject, visit=visit, file_id=file_id)
        for subject, visit, file_id in tubes
        if subject and visit
    ]
    return sorted(found)


def _distinct(table: "pd.DataFrame", *columns: str) -> set[tuple[str, ...]]:
    return set(table[list(columns)].itertuples(index=False, name=None))


def hash_results(
    read_table: ReadTable, names: Iterable[str], targets: Iterable[ResultTarget]
) -> dict[ResultTarget, str]:
    """Hash the rows of each target in every table; a target without a row is not in the answer.

    A visit's rows are those of its subject and visit, an acquisition's those of its file, in every table
    that has such columns; a plate's rows are those of its name. Where a value was delivered is no part of it:
    the same values have one hash.
    """
    wanted = set(targets)
    digests: dict[ResultTarget, hashlib._Hash] = {}
    for name in sorted(names):
        table = read_table(name)
        for scope in (ResultScope.ACQUISITION, ResultScope.VISIT):
            columns = ["subject_id", "visit"] + (["file_id"] if scope is ResultScope.ACQUISITION else [])
            if not set(columns) <= set(table.columns):
                continue
            own = {target.subject_id for target in wanted if target.scope is scope}
            rows = table[table["subject_id"].isin(own)]
            kept = rows.drop(columns=[column for column in _PROVENANCE if column in rows.columns])
            for key, group in kept.groupby(columns, sort=False):
                target = ResultTarget(scope=scope, **dict(zip(columns, map(str, key), strict=True)))
                if target in wanted:
                    held = _drop_empty(group) if name in _WIDE else group
                    digest = digests.setdefault(target, hashlib.sha256())
                    digest.update(f"{name}\n{held.to_csv(index=False)}".encode("utf-8", "surrogatepass"))
    plates = {target for target in wanted if target.scope is ResultScope.PLATE}
    hashed = _hash_plates(read_table, sorted(names), plates) if plates else {}
    return hashed | {target: digest.hexdigest() for target, digest in digests.items()}


def _drop_empty(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Leave out columns without a value in any of some rows."""
    return rows.loc[:, (rows.notna() & (rows != "")).any()]


def _hash_plates(
    read_table: ReadTable, names: Iterable[str], targets: Iterable[ResultTarget]
) -> dict[ResultTarget, str]:
    """Hash the rows of plates in every table that has a column of that name."""
    tables = {name: table for name in names if "plate" in (table := read_table(name)).columns}
    plates = tables.get("plates")
    if plates is None or "file_id" not in plates.columns:
        return {}
    hashed = {}
    for target in targets:
        own = plates.loc[plates["file_id"] == target.file_id, "plate"]
        if own.empty:
            continue
        digest = hashlib.sha256()
        for name, table in tables.items():
            rows = table[table["plate"].isin(own)]
            kept = rows.drop(columns=[column for column in _PROVENANCE if column in rows.columns])
            digest.update(f"{name}\n{kept.to_csv(index=False)}".encode("utf-8", "surrogatepass"))
        hashed[target] = digest.hexdigest()
    return hashed
