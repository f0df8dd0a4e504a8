"""Which spillover matrix of a delivery belongs to which of its FCS files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from corelab.ingest.arrival import Candidate
from corelab.ingest.book import Held, StoredFile
from corelab.ingest.layouts import BY_KIND
from corelab.ingest.rows import CheckedRow

KIND: Final = "spillovers"
"""Rows of the registry that tie an FCS file to its matrix."""

SUFFIX: Final = ".spill.csv"
DETECTORS: Final = "detectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """An FCS file and the path of the matrix that belongs to it."""

    file_id: str
    matrix: str


def match_matrices(
    fcs: Mapping[str, StoredFile], matrices: Mapping[str, StoredFile]
) -> tuple[list[Binding], dict[str, str]]:
    """Tie the matrices of a delivery to the FCS files of the same delivery.

    A matrix belongs to a file that has all its detectors. Of several the one named like the file
    counts, then one in the same folder, then the one that covers most detectors.

    Returns
    -------
    bindings
        At most one for each FCS file.
    reasons
        By path: why a matrix belongs to no file.
    """
    bindings, reasons = [], {}
    used: set[str] = set()
    doubtful: set[str] = set()
    for path in sorted(fcs):
        fitting = [name for name in sorted(matrices) if _fits(fcs[path], matrices[name])]
        best = _narrow(path, fitting, matrices)
        if len({matrices[name].object_id for name in best}) > 1:
            doubtful |= set(best)
        elif best:
            used |= set(best)
            bindings.append(Binding(file_id=fcs[path].file_id, matrix=best[0]))
    for name in sorted(set(matrices) - used):
        reasons[name] = (
            "another matrix of this delivery fits the same files; name the matrix like its FCS file"
            if name in doubtful
            else "no FCS file of this delivery has all its detectors; deliver it with its files"
        )
    return bindings, reasons


def describe_binding(binding: Binding, matrix: StoredFile) -> tuple[CheckedRow, Candidate]:
    """Describe a binding as a row: changing one is a correction, like changing any delivered value."""
    values = {"file_id": binding.file_id, "spillover_id": matrix.object_id}
    checked = CheckedRow(kind=KIND, key=f'["{KIND}","{binding.file_id}"]', subject_id="", values=values)
    candidate = Candidate(
        layout=BY_KIND[KIND], values=values, path=binding.matrix, row=1, file_id=matrix.file_id
    )
    return checked, candidate


def make_held_matrix(path: str, matrix: StoredFile, reason: str) -> Held:
    """Describe a matrix that waits for its files."""
    return Held(
        file_id=matrix.file_id, row=0, path=path, kind=matrix.kind, values={"file": path}, reason=reason
    )


def list_detectors(stored: StoredFile) -> list[str]:
    """Return the detectors that a stored file or matrix names."""
    return [str(name) for name in json.loads(stored.facts.get(DETECTORS, "[]"))]


def _fits(file: StoredFile, matrix: StoredFile) -> bool:
    return set(list_detectors(matrix)) <= set(list_detectors(file))


def _narrow(path: str, names: Sequence[str], matrices: Mapping[str, StoredFile]) -> list[str]:
    """Keep the nearest of several matrices."""
    pure = PurePosixPath(path)
    own = [name for name in names if _stem(name) == pure.stem.lower()]
    beside = [name for name in names if PurePosixPath(name).parent == pure.parent]
    near = own or beside or list(names)
    most = max((len(list_detectors(matrices[name])) for name in near), default=0)
    return [name for name in near if len(list_detectors(matrices[name])) == most]


def _stem(name: str) -> str:
    return PurePosixPath(name).name.lower().removesuffix(SUFFIX)
