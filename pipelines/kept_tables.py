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

from pipelines.gate_cache import read_sealed, write_sealed

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
    import pyarrow as pa

    bodies = {}
    for name, table in tables.items():
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(compression="zstd", use_threads=False)
        with pa.ipc.new_stream(sink, table.schema, options=options) as stream:
            stream.write_table(table.combine_chunks())
        bodies[name] = sink.getvalue().to_pybytes()
    head = json.dumps({name: len(body) for name, body in bodies.items()}).encode()
    return len(head).to_bytes(_LENGTH_BYTES) + head + b"".join(bodies.values())


def _unpack(data: memoryview) -> "dict[str, pa.Table]":
    import pyarrow as pa

    begin = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES])
    sizes = json.loads(bytes(data[_LENGTH_BYTES:begin]))
    options = pa.ipc.IpcReadOptions(use_threads=False)
    tables = {}
    for name, size in sizes.items():
        with pa.ipc.open_stream(pa.py_buffer(data[begin : begin + size]), options=options) as stream:
            tables[name] = stream.read_all()
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
