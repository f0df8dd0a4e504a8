"""The tables of children, each derived once: a child of which nothing changed is read back."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corelab.ingest.visits import name_platforms
from corelab.store.frames import lay_out_frame, make_frame
from corelab.tables.children import CHILD_SCHEMAS, derive_children
from pipelines.executor import HERE, Place, begin_call
from pipelines.gating import SubjectGates, frame_gates
from pipelines.kept_tables import compute_tables_key, read_tables, write_tables

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from corelab.study import Study
    from corelab.tables.associations import Pairing
    from corelab.tables.trial import Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where derived tables are kept; what names the program and study, and by child the hash of its rows."""

    cache_dir: Path | None
    program: str
    rows: Mapping[str, str]


def derive_changed_children(
    trial: "Trial", gated: Sequence[SubjectGates], kept: Kept
) -> "dict[str, pa.Table]":
    """Derive the tables of the children of which anything changed, and put those of all under each other.

    Parameters
    ----------
    trial
        The whole one.
    gated
        The gates of all files.
    kept
        Where the tables of children lie, with what names their content.
    """
    keys = _name_children(trial, gated, kept)
    parts = {child: found for child in keys if (found := _read(kept, keys[child])) is not None}
    changed = frozenset(keys) - parts.keys()
    if changed:
        gates = frame_gates(one for one in gated if one.job.subject_id in changed)
        derived = derive_children(trial.keep(changed), gates)
        fresh = _split({name: lay_out_frame(table) for name, table in derived.items()}, changed)
        for child, tables in fresh:
            if keys[child]:
                write_tables(kept.cache_dir, keys[child], tables)
            parts[child] = tables
    return _join([parts[child] for child in sorted(parts)])


def _name_children(trial: "Trial", gated: Iterable[SubjectGates], kept: Kept) -> dict[str, str]:
    """Name all that each child's tables are made of; the empty name is of tables that are not kept."""
    platforms = repr(sorted(name_platforms(trial.inputs.plates.to_dict("records")).items()))
    marks: dict[str, list[str]] = {}
    for one in gated:
        marks.setdefault(one.job.subject_id, []).append(one.mark)
    return {
        child: compute_tables_key(
            kept.program, platforms, child, kept.rows.get(child, ""), *sorted(marks.get(child, ())), words
        )
        if all(marks.get(child, ()))
        else ""
        for child, words in trial.describe().items()
    }


def _read(kept: Kept, key: str) -> "dict[str, pa.Table] | None":
    return read_tables(kept.cache_dir, key, CHILD_SCHEMAS) if key else None


def _split(
    tables: "Mapping[str, pa.Table]", children: frozenset[str]
) -> "Iterator[tuple[str, dict[str, pa.Table]]]":
    """Give each child its rows of tables that are sorted by child."""
    starts = {name: _find_starts(table) for name, table in tables.items()}
    for child in sorted(children):
        yield child, {name: table.slice(*starts[name].get(child, (0, 0))) for name, table in tables.items()}


def _find_starts(table: "pa.Table") -> dict[str, tuple[int, int]]:
    """Return by child where its rows begin and how many they are."""
    import pyarrow.compute as pc

    counted = pc.value_counts(table["subject_id"])
    starts, begin = {}, 0
    for child, n in sorted((one["values"], one["counts"]) for one in counted.to_pylist()):
        starts[child] = (begin, n)
        begin += n
    return starts


def _join(parts: "Sequence[Mapping[str, pa.Table]]") -> "dict[str, pa.Table]":
    import pyarrow as pa

    if not parts:
        return {name: lay_out_frame(schema.empty()) for name, schema in CHILD_SCHEMAS.items()}
    return {name: pa.concat_tables([tables[name] for tables in parts]) for name in CHILD_SCHEMAS}


def associate_once(
    pairings: "Sequence[Pairing]", study: "Study", kept: Kept, place: Place = HERE
) -> "Callable[[], pd.DataFrame]":
    """Begin to test associations, or read back what the same pairs of numbers gave, each analyte by itself.

    What is returned waits for the tests: they may run in another process meanwhile.
    """
    import pandas as pd

    from corelab.tables.associations import judge_pairings
    from corelab.tables.schemas import SCHEMAS

    schema = SCHEMAS["associations"]
    found, begun = [schema.empty()], {}
    for analyte in sorted({one.analyte for one in pairings}):
        own = [one for one in pairings if one.analyte == analyte]
        key = compute_tables_key(kept.program, repr(own))
        read = read_tables(kept.cache_dir, key, (schema.name,))
        if read is None:
            begun[key] = begin_call(place, judge_pairings, own, study)
        else:
            found.append(make_frame(read[schema.name]))

    def finish() -> "pd.DataFrame":
        for key, wait in begun.items():
            judged = schema.settle(wait())
            write_tables(kept.cache_dir, key, {schema.name: lay_out_frame(judged)})
            found.append(judged)
        return pd.concat([part for part in found if len(part)] or found, ignore_index=True)

    return finish


class Frames(Mapping[str, "pd.DataFrame"]):
    """Tables as pandas has them, each made when it is first asked for."""

    def __init__(self, tables: "Mapping[str, pa.Table]") -> None:
        self._tables = tables
        self._made: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> "pd.DataFrame":
        """Return one table."""
        if name not in self._made:
            self._made[name] = make_frame(self._tables[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        """Give the names."""
        return iter(self._tables)

    def __len__(self) -> int:
        """Count the tables."""
        return len(self._tables)
