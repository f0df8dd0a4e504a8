"""Gated rows kept by the content they were made of, as one Parquet file for each tube."""

import hashlib
import os
import threading
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from corelab.cytometry.gating import GATING_VERSION

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
    if cache_dir is None:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = cache_dir / key[:2] / f"{key}.parquet"
    try:
        return list(pq.read_table(path).to_pylist())
    except (OSError, pa.ArrowInvalid):
        return None


def write_cache(cache_dir: Path | None, key: str, rows: Rows) -> None:
    """Write rows under their key; a half-written file never stands under it."""
    if cache_dir is None:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = cache_dir / key[:2] / f"{key}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.Table.from_pylist([{name: row.get(name) for name in columns} for row in rows])
    part = path.with_suffix(f".{_process_suffix()}.part")
    pq.write_table(table, part)
    part.replace(path)


def _process_suffix() -> str:
    """Return a name that no other process writes at the same time."""
    return f"{os.getpid()}-{threading.get_ident()}"
