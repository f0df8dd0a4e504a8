"""Makes replay bundles of a snapshot's tables, and proves that one gives the same numbers."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.errors import ConfigError, InputError
from corelab.export.bundle import CONTENTS, Bundle, format_bundle, parse_bundle
from corelab.store.frames import format_parquet, parse_parquet

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store import Home, Snapshot

_MADE_BY: Final = ("code", "packages")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """Rows of each table that is the same again, what differs, and what to know beside it."""

    same: Mapping[str, int]
    findings: list[str]
    remarks: list[str]


def make_bundle(home: "Home", snapshot: "Snapshot", tables: Sequence[str]) -> bytes:
    """Pack what the tables of a snapshot were made of, with the tables.

    The delivered rows, the exports of plate readers and what gating counted are in it: it needs no home
    and no FCS file; these stay where they are and are named by their hashes.

    Raises
    ------
    ConfigError
        If the rows of the snapshot cannot be told any more, or another program made it.
    """
    from pipelines.run import gate_inputs

    position = _find_position(home, snapshot)
    rows = home.registry.read(position)
    inputs = rows.build_inputs()
    gates = gate_inputs(home, inputs, decisions=rows.gates, cache_dir=home.cache)
    parts = {"study.yaml": home.study.source.encode("utf-8")}
    parts |= {
        f"inputs/{one.name}.parquet": format_parquet(getattr(inputs, one.name)) for one in fields(inputs)
    }
    parts |= {f"gates/{one.name}.parquet": _format_gates(getattr(gates, one.name)) for one in fields(gates)}
    parts |= {_name_export(one): home.objects.read(one) for one in inputs.plates["object_id"]}
    parts |= {f"expected/{name}.parquet": snapshot.read_bytes(name) for name in tables}
    kept = {name: value for name, value in snapshot.manifest.items() if name != "analysis_columns"}
    about = {"snapshot": snapshot.id, "made_of": kept, "files": sorted(inputs.acquisitions["file_id"])}
    return format_bundle(parts, about)


def _name_export(object_id: str) -> str:
    return f"plates/{object_id}.json"


def _format_gates(table: "pd.DataFrame") -> bytes:
    """Write a table of gates; its whole numbers become nullable and are brought back when read."""
    whole = [name for name in table.columns if table[name].dtype == "int64"]
    return format_parquet(table.astype(dict.fromkeys(whole, "Int64")))


def _find_position(home: "Home", snapshot: "Snapshot") -> Mapping[str, int]:
    from pipelines.run import describe_inputs

    position = dict(home.snapshots.positions()).get(snapshot.id)
    now = describe_inputs(home, as_of=None, position=position or None)
    differs = [
        name
        for name in (*_MADE_BY, "study_sha256", "subjects")
        if now.get(name) != snapshot.manifest.get(name)
    ]
    if not position or differs:
        what = ", ".join(differs) or "the registry's position"
        raise ConfigError(
            f"snapshot {snapshot.id} cannot be made again here: another {what}",
            remedy="make a new one with corelab run",
        )
    return position


def replay(path: Path) -> ReplayReport:
    """Compute the tables of a bundle again and compare them value by value.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    InputError
        If it is no bundle.
    IntegrityError
        If a part of it was changed.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError("cannot be read", place=path.name, expected="a replay bundle") from error
    return replay_bundle(parse_bundle(data, name=path.name))


def replay_bundle(bundle: Bundle) -> ReplayReport:
    """Compute the tables of a bundle again and compare them value by value."""
    tables = _derive(bundle)
    same: dict[str, int] = {}
    findings: list[str] = []
    for part in sorted(bundle.parts):
        if part.startswith("expected/"):
            name = part.removeprefix("expected/").removesuffix(".parquet")
            expected = parse_parquet(bundle.parts[part])
            found = _compare(expected, tables.get(name))
            if found:
                findings.append(f"{name}: {found}")
            else:
                same[name] = len(expected)
    return ReplayReport(same=same, findings=findings, remarks=_list_remarks(bundle))


def _derive(bundle: Bundle) -> "Mapping[str, pd.DataFrame]":
    import pyarrow as pa

    from corelab.cytometry.records import GateTables, frame_rows
    from corelab.study import parse_study
    from corelab.tables.derive import derive_tables
    from corelab.tables.inputs import Inputs, build_inputs
    from pipelines.plates import read_plates

    cutoff = str(bundle.about["made_of"].get("cutoff", ""))
    names = [one.name for one in fields(Inputs) if f"inputs/{one.name}.parquet" in bundle.parts]
    try:
        study = parse_study(bundle.parts["study.yaml"].decode("utf-8"), place="study.yaml")
        # A table of rows that the version of the bundle did not know is empty here.
        inputs = build_inputs({name: parse_parquet(bundle.parts[f"inputs/{name}.parquet"]) for name in names})
        unknown = {"bead_peaks"} - {part.split("/")[-1].removesuffix(".parquet") for part in bundle.parts}
        gates = {
            one.name: _parse_gates(bundle.parts[f"gates/{one.name}.parquet"])
            for one in fields(GateTables)
            if one.name not in unknown
        }
        exports = read_plates(inputs.plates, lambda object_id: bundle.parts[_name_export(object_id)])
    except (KeyError, UnicodeDecodeError, pa.ArrowInvalid) as error:
        raise InputError("lacks a part, or it cannot be read", place=str(error), expected=CONTENTS) from error
    moment = dt.datetime.fromisoformat(cutoff) if cutoff else None
    return derive_tables(inputs, replace(frame_rows([]), **gates), study=study, as_of=moment, exports=exports)


def _parse_gates(data: bytes) -> "pd.DataFrame":
    table = parse_parquet(data)
    whole = [name for name in table.columns if str(table[name].dtype) == "Int64"]
    return table.astype(dict.fromkeys(whole, "int64"))


def _compare(expected: "pd.DataFrame", found: "pd.DataFrame | None") -> str:
    """Say the first difference between two tables in words; empty where there is none."""
    if found is None:
        return "this version has no such table"
    if list(expected.columns) != list(found.columns):
        changed = sorted(set(expected.columns) ^ set(found.columns))
        return f"other columns: {', '.join(changed) or 'in another order'}"
    if len(expected) != len(found):
        return f"{len(found)} rows instead of {len(expected)}"
    for name in expected.columns:
        left, right = expected[name], found[name]
        differs = ~((left == right).fillna(value=False).astype(bool) | (left.isna() & right.isna()))
        if differs.any():
            row = int(differs.to_numpy().argmax())
            return (
                f"{int(differs.sum())} values of {name} differ, first in row {row + 1}: "
                f"{left.iloc[row]!r} became {right.iloc[row]!r}"
            )
    return ""


def _list_remarks(bundle: Bundle) -> list[str]:
    """Say by which other versions the bundle was made; the comparison stands for itself."""
    from pipelines.run import describe_code

    now, then = describe_code(), bundle.about["made_of"]
    return [
        f"made with other {name}: {_write_difference(then.get(name, {}), now[name])}"
        for name in _MADE_BY
        if then.get(name) != now[name]
    ]


def _write_difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
    return ", ".join(f"{name} {str(then.get(name))[:12]} (here {str(now.get(name))[:12]})" for name in names)
