"""Where the public files lie that tests may read."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def find_real_data(folder: str) -> Path:
    """Return a folder of real files, or skip the test."""
    given = os.environ.get("CORELAB_REAL_DATA")
    root = Path(given) if given else PROJECT.parent / "shared" / "data"
    if not (root / folder).is_dir():
        pytest.skip(f"real data {folder} is not beside the project (CORELAB_REAL_DATA)")
    return root / folder
