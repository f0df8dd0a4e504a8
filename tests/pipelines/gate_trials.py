"""Synthetic deliveries on disk, as the gating pipeline sees them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.simulate import simulate


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Gives the bytes of a file by its hash; picklable."""

    folder: Path
    names: tuple[tuple[str, str], ...]

    def __call__(self, object_id: str) -> bytes:
        return (self.folder / dict(self.names)[object_id]).read_bytes()


def make_trial(folder: Path, *, seed: int, subjects: int = 3, events: int = 8000):
    """Simulate a delivery; its acquisitions as a table, a reader of objects, and the true counts."""
    simulate(folder, subjects=subjects, events=events, seed=seed)
    manifest = pd.read_csv(folder / "manifest.csv", dtype=str, keep_default_na=False)
    manifest = manifest[[(folder / name).exists() for name in manifest["file"]]].reset_index(drop=True)
    hashes = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["file"]]
    acquisitions = manifest.assign(file_id=hashes, object_id=hashes)
    truth = pd.read_csv(folder / "truth" / "files.csv").rename(columns={"count": "truth"})
    reader = ReadFrom(folder, tuple(zip(hashes, manifest["file"], strict=True)))
    return acquisitions, reader, truth[["file", "population", "truth"]]
