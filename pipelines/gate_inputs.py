"""What ``corelab gate`` is given beside the files: names of markers, a matrix, single stains."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corelab.errors import ConfigError, InputError

if TYPE_CHECKING:
    from corelab.ingest.fcs import Acquisition, Spillover

_COMP: Final = "comp_"
_UNSTAINED: Final = "unstained"


def read_marker_labels(markers: Path | None, file: str) -> dict[str, str]:
    """Read detector and marker from a csv or a workspace.

    Raises
    ------
    ConfigError
        If the file cannot be read or lacks the two columns.
    """
    if markers is None:
        return {}
    try:
        data = markers.read_bytes()
    except OSError as error:
        raise ConfigError("cannot be read", place=str(markers), expected="a file") from error
    if markers.suffix.lower() == ".wsp":
        return _read_workspace(data, markers.name, file)
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
        pairs = [(row["detector"].strip(), row["marker"].strip()) for row in rows]
    except (UnicodeDecodeError, KeyError, AttributeError) as error:
        raise ConfigError(
            "no such columns", place=markers.name, expected="csv in UTF-8 with detector, marker"
        ) from error
    labels = dict(pairs)
    double = sorted({name for name, marker in pairs if labels[name] != marker})
    if double:
        raise ConfigError(
            f"{', '.join(double)} with two markers", place=markers.name, expected="each detector once"
        )
    return labels


def _read_workspace(data: bytes, name: str, file: str) -> dict[str, str]:
    from corelab.cytometry.workspace import read_workspace_markers

    try:
        return read_workspace_markers(data, name=name, file=file)
    except InputError as error:
        raise ConfigError(error.found, place=error.place, expected=error.expected) from error


def read_spill(path: Path | None) -> "Spillover | None":
    """Read an external spillover matrix.

    Raises
    ------
    ConfigError
        If it cannot be read or is no spillover matrix.
    """
    from corelab.ingest.spillover import parse_spillover_csv

    if path is None:
        return None
    try:
        return parse_spillover_csv(path.read_bytes(), name=path.name)
    except OSError as error:
        raise ConfigError("cannot be read", place=str(path), expected="a spillover matrix as csv") from error
    except InputError as error:
        raise ConfigError(
            error.found, place=error.place, expected=error.expected, remedy=error.remedy
        ) from error


def read_stain_folder(folder: Path | None) -> "dict[str, Acquisition]":
    """Read the single-stain controls of a folder, by tube.

    Raises
    ------
    ConfigError
        If there is no ``comp_<marker>.fcs`` or one of the controls cannot be read.
    """
    from corelab.ingest.fcs import read_fcs

    if folder is None:
        return {}
    found = {}
    try:
        for path in sorted(folder.glob("*.fcs")):
            if path.stem.startswith(_COMP) or path.stem == _UNSTAINED:
                found[path.stem] = read_fcs(path.read_bytes(), name=path.name)
    except InputError as error:
        raise ConfigError(error.found, place=error.place, expected=error.expected) from error
    except OSError as error:
        raise ConfigError("cannot be read", place=str(folder), expected="FCS files") from error
    if not any(tube.startswith(_COMP) for tube in found):
        raise ConfigError("no single stain", place=str(folder), expected="files named comp_<marker>.fcs")
    return found
