"""Gated rows kept by the content they were made of: a file for each tube, and one for each subject.

A file is a digest and an Arrow table. What is half written, damaged or under another key's name is not
there: it is computed again.
"""

import hashlib
import os
import threading
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from corelab.cytometry.gating import GATING_VERSION
from corelab.cytometry.records import NUMBER_COLUMNS, TABLE_COLUMNS, WHOLE_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Rows = list[dict[str, Any]]

_SUFFIX: Final = ".gates"
_DIGEST_BYTES: Final = 32
_LENGTH_BYTES: Final = 8
_CODEC: Final = "zstd"
_DECIDING: Final = (
    ("corelab.cytometry", ""),
    ("corelab.cytometry.interchange", ""),
    ("corelab.cytometry.kernel", ""),
    ("corelab.ingest", "fcs"),
    ("corelab.ingest", "spillover"),
    ("pipelines", "gate_cache.py"),
    ("pipelines", "gate_controls.py"),
    ("pipelines", "gate_priors.py"),
    ("pipelines", "gating.py"),
)
_PACKAGES: Final = ("numpy", "scipy")


@cache
def compute_code_fingerprint() -> str:
    """Hash the code and data that decide a gate, so that a changed program never reads an old cache."""
    digest = hashlib.sha256(GATING_VERSION.encode())
    for package, prefix in _DECIDING:
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.is_file() and entry.name.startswith(prefix):
                digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    for name in _PACKAGES:
        digest.update(f"{name} {version(name)}\n".encode())
    return digest.hexdigest()


def compute_cache_key(*parts: str) -> str:
    """Hash everything on which some rows depend, the code among it."""
    return hashlib.sha256("\n".join((compute_code_fingerprint(), *parts)).encode()).hexdigest()


def read_cache(cache_dir: Path | None, key: str) -> "pa.Table | None":
    """Read a cached table; None where there is none or its bytes are not those that were written."""
    body = read_sealed(cache_dir, key)
    return None if body is None else parse_table(body)


def write_cache(cache_dir: Path | None, key: str, table: "pa.Table") -> None:
    """Write a table under its key; a half-written file never stands under it."""
    if cache_dir is not None:
        write_sealed(cache_dir, key, format_table(table))


def parse_table(body: memoryview) -> "pa.Table":
    """Read a table from the bytes of `format_table`."""
    import pyarrow as pa

    n_bytes = int.from_bytes(body[:_LENGTH_BYTES])
    data = pa.decompress(pa.py_buffer(body[_LENGTH_BYTES:]), decompressed_size=n_bytes, codec=_CODEC)
    options = pa.ipc.IpcReadOptions(use_threads=False)
    with pa.ipc.open_stream(data, options=options) as stream:
        return stream.read_all()


def format_table(table: "pa.Table") -> memoryview:
    """Write a table as bytes, compressed in one piece; the same table gives the same ones."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table.combine_chunks())
    data = sink.getvalue()
    packed = pa.compress(data, codec=_CODEC, asbytes=True)
    return memoryview(data.size.to_bytes(_LENGTH_BYTES) + packed)


def read_sealed(cache_dir: Path | None, key: str) -> memoryview | None:
    """Read what was kept under a key; None where it is not there or not as it was written."""
    if cache_dir is None:
        return None
    try:
        data = memoryview(_find(cache_dir, key).read_bytes())
    except OSError:
        return None
    body = data[_DIGEST_BYTES:]
    return body if _seal(key, body) == data[:_DIGEST_BYTES] else None


def write_sealed(cache_dir: Path | None, key: str, body: memoryview) -> None:
    """Keep bytes under a key, with the digest of both before them."""
    if cache_dir is None:
        return
    path = _find(cache_dir, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{_process_suffix()}.part")
    part.write_bytes(_seal(key, body) + body)
    part.replace(path)


def lay_out(rows: Rows) -> "pa.Table":
    """Lay out rows of one tube with everything that gating says of them."""
    import pyarrow as pa

    columns = list(dict.fromkeys(name for row in rows for name in row))
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows])


def lay_out_gates(rows: Rows) -> "pa.Table":
    """Lay out rows of any tubes with the columns of the tables of gates, always of the same types."""
    import pyarrow as pa

    types = dict.fromkeys(NUMBER_COLUMNS, pa.float64()) | dict.fromkeys(WHOLE_COLUMNS, pa.int64())
    names = dict.fromkeys(["table", *(name for listed in TABLE_COLUMNS.values() for name in listed)])
    fields = [pa.field(name, types.get(name, pa.string())) for name in names]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def stack_gates(tables: "Sequence[pa.Table]") -> "pd.DataFrame":
    """Put tables of `lay_out_gates` under each other, by file."""
    import pyarrow as pa

    stacked: pd.DataFrame = pa.concat_tables(tables or [lay_out_gates([])]).to_pandas()
    return stacked.sort_values("file_id", kind="stable", ignore_index=True)


def holds_unreadable(rows: Iterable[dict[str, Any]]) -> bool:
    """Tell whether a file could not be read: it is tried again each time, for the cause may be outside it."""
    return any(row.get("check") == "UNREADABLE" for row in rows)


def _find(cache_dir: Path, key: str) -> Path:
    return cache_dir / key[:2] / f"{key}{_SUFFIX}"


def _seal(key: str, body: memoryview) -> bytes:
    digest = hashlib.sha256(key.encode())
    digest.update(body)
    return digest.digest()


def _process_suffix() -> str:
    """Return a name that no other process writes at the same time."""
    return f"{os.getpid()}-{threading.get_ident()}"
