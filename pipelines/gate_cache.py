"""Gated rows kept by the content they were made of: a Parquet file for each tube, and one for each child."""

import hashlib
import os
import threading
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corelab.cytometry.gating import GATING_VERSION

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Rows = list[dict[str, Any]]


@cache
def compute_code_fingerprint() -> str:
    """Hash the code and data that decide a gate, so that a changed program never reads an old cache."""
    digest = hashlib.sha256(GATING_VERSION.encode())
    packages = (
        ("corelab.cytometry", ""),
        ("corelab.cytometry.interchange", ""),
        ("corelab.cytometry.kernel", ""),
        ("corelab.ingest", "fcs"),
    )
    for package, prefix in packages:
        for entry in sorted(files(package).iterdir(), key=lambda entry: entry.name):
            if entry.is_file() and entry.name.startswith(prefix):
                digest.update(entry.name.encode() + b"\0" + entry.read_bytes())
    return digest.hexdigest()


def compute_cache_key(*parts: str) -> str:
    """Hash everything on which the rows of a tube depend, the code among it."""
    return hashlib.sha256("\n".join((compute_code_fingerprint(), *parts)).encode()).hexdigest()


def read_cache(cache_dir: Path | None, key: str) -> Rows | None:
    """Read cached rows; None where there are none or they cannot be read."""
    table = _read(cache_dir, key)
    return None if table is None else list(table.to_pylist())


def write_cache(cache_dir: Path | None, key: str, rows: Rows) -> None:
    """Write rows under their key; a half-written file never stands under it."""
    _write(cache_dir, key, _tabulate(rows))


def read_stack(cache_dir: Path | None, key: str) -> "pa.Table | None":
    """Read the rows of many tubes as one table, as `stack_rows` made it; None as in `read_cache`."""
    return _read(cache_dir, key)


def stack_rows(cache_dir: Path | None, key: str, rows: Rows) -> "pa.Table":
    """Lay rows out as one table and keep it under a key; without a key it is not kept."""
    table = _tabulate(rows)
    if key:
        _write(cache_dir, key, table)
    return table


def join_stacks(stacks: "Iterable[pa.Table]") -> "pd.DataFrame":
    """Put the rows of all stacks below each other, by file and otherwise in the order in which they come."""
    import pyarrow as pa

    joined = pa.concat_tables(stacks, promote_options="permissive").to_pandas()
    return joined.sort_values("file_id", kind="stable", ignore_index=True)


def _tabulate(rows: Rows) -> "pa.Table":
    import pyarrow as pa

    columns = list(dict.fromkeys(["table", "file_id", *(name for row in rows for name in row)]))
    return pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows])


def _read(cache_dir: Path | None, key: str) -> "pa.Table | None":
    if cache_dir is None:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(_place(cache_dir, key), page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return None


def _write(cache_dir: Path | None, key: str, table: "pa.Table") -> None:
    if cache_dir is None:
        return
    import pyarrow.parquet as pq

    path = _place(cache_dir, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{_process_suffix()}.part")
    pq.write_table(table, part, write_page_checksum=True)
    part.replace(path)


def _place(cache_dir: Path, key: str) -> Path:
    return cache_dir / key[:2] / f"{key}.parquet"


def _process_suffix() -> str:
    """Return a name that no other process writes at the same time."""
    return f"{os.getpid()}-{threading.get_ident()}"
