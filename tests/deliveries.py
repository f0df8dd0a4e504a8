"""Small deliveries for tests: tables from rows, FCS files from a few events."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from corelab.synthetic.fcs import Channel, encode_fcs

SUBJECT = {"subject_id": "S-1", "sex": "F", "age_years": "12", "infusion_at": "2025-03-03T10:00"}
LAB = {
    "subject_id": "S-1", "visit": "D14", "collected_at": "2025-03-17T08:30", "test": "ALC", "value": "1.35",
    "unit": "10^9/L",
}  # fmt: skip
TUBE = {
    "file": "fcs/a.fcs", "subject_id": "S-1", "visit": "D14", "collected_at": "2025-03-17T08:30",
    "panel": "cart", "tube": "full",
}  # fmt: skip
PLANTED = {"$SRC": "Invented Person", "PATIENT ID": "HN-778899", "$DATE": "17-MAR-2025", "$BTIM": "09:15:00"}


def make_fcs(seed: int = 1, *, n_events: int = 50, keywords: Mapping[str, str] = PLANTED) -> bytes:
    """A valid FCS 3.1 file whose bytes depend on the seed."""
    events = np.random.default_rng(seed).normal(1000, 100, (n_events, 3)).astype(np.float32)
    channels = [
        Channel(name="FSC-A"),
        Channel(name="FITC-A", label="CD3"),
        Channel(name="PE-A", label="CD19"),
    ]
    return encode_fcs(events, channels, {"$SPILLOVER": "2,FITC-A,PE-A,1,0.1,0.02,1", **keywords})


def write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write rows as CSV; the columns are those of all rows in order of first sight."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_delivery(
    folder: Path,
    *,
    tables: Mapping[str, Sequence[Mapping[str, str]]] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Write a delivery folder; by default one subject with one tube and one laboratory value."""
    if tables is None:
        tables = {"subjects": [SUBJECT], "manifest": [TUBE], "labs": [LAB]}
        files = {"fcs/a.fcs": make_fcs()} if files is None else files
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        write_table(folder / f"{name}.csv", rows)
    for name, data in (files or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder
