"""Where the public files lie that tests may read."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def find_public(folder: str) -> Path | None:
    """Return a folder of real files, None where it is not there."""
    given = os.environ.get("CORELAB_REAL_DATA")
    root = Path(given) if given else PROJECT.parent / "shared" / "data"
    return root / folder if (root / folder).is_dir() else None


def find_real_data(folder: str) -> Path:
    """Return a folder of real files, or skip the test."""
    found = find_public(folder)
    if found is None:
        pytest.skip(f"real data {folder} is not beside the project (CORELAB_REAL_DATA)")
    return found
