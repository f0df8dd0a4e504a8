"""Writes every input file empty: a header, a line of units and a line of example, both as remarks."""

from pathlib import Path

from corelab.errors import ConfigError
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.template import format_template


def write_templates(folder: Path) -> list[str]:
    """Write a template of every table into a folder; files that are there stay.

    Raises
    ------
    ConfigError
        If a file is there already or the folder cannot be written.
    """
    names = [f"{stem}.csv" for stem in LAYOUTS]
    taken = [name for name in names if (folder / name).exists()]
    if taken:
        raise ConfigError("is there already", place=taken[0], remedy="name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, layout in zip(names, LAYOUTS.values(), strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(format_template(layout))
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", place=folder.name) from error
    return names
