"""Tables that were derived before, kept together under the hash of all that they were made of.

They lie as `pipelines.gate_cache` keeps rows: what is damaged, or of another program, is not there.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pipelines.gate_cache import format_table, parse_table, read_sealed, write_sealed

if TYPE_CHECKING:
    import pyarrow as pa

_LENGTH_BYTES: Final = 8
_KEEPING: Final = (
    ("pipelines", ("children.py", "gate_cache.py", "gating.py", "kept_tables.py", "plates.py")),
    ("corelab.store", ("frames.py", "inputs.py", "registry.py")),
)


def compute_tables_key(*parts: str) -> str:
    """Hash everything on which some tables depend; the parts name the program that derives them."""
    text = json.dumps([_compute_own_hash(), *parts])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_tables(cache_dir: Path | None, key: str, names: Iterable[str]) -> "dict[str, pa.Table] | None":
    """Read tables kept together; None where they are not there, not as written or not of these names."""
    body = read_sealed(cache_dir, key)
    if body is None:
        return None
    tables = _unpack(body)
    return tables if tables.keys() == set(names) else None


def write_tables(cache_dir: Path | None, key: str, tables: "Mapping[str, pa.Table]") -> None:
    """Keep tables together under their key."""
    if cache_dir is not None:
        write_sealed(cache_dir, key, memoryview(_pack(tables)))


def _pack(tables: "Mapping[str, pa.Table]") -> bytes:
    bodies = {name: format_table(table) for name, table in tables.items()}
    head = json.dumps({name: len(body) for name, body in bodies.items()}).encode()
    return b"".join([len(head).to_bytes(_LENGTH_BYTES), head, *bodies.values()])


def _unpack(data: memoryview) -> "dict[str, pa.Table]":
    begin = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES])
    sizes = json.loads(bytes(data[_LENGTH_BYTES:begin]))
    tables = {}
    for name, size in sizes.items():
        tables[name] = parse_table(data[begin : begin + size])
        begin += size
    return tables


@cache
def _compute_own_hash() -> str:
    """Hash the files that bring rows into tables and tables into the cache."""
    digest = hashlib.sha256()
    for package, names in _KEEPING:
        for name in names:
            digest.update(name.encode() + b"\0" + files(package).joinpath(name).read_bytes())
    return digest.hexdigest()
