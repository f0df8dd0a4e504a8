"""Writes every input file empty: a header, a line of units and a line of example, both as remarks."""

from pathlib import Path

from corelab.cytometry.template import read_builtin
from corelab.errors import ConfigError
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.template import format_template
from corelab.vocabulary import Panel


def write_templates(folder: Path, *, with_panels: bool = False) -> list[str]:
    """Write a template of every table into a folder; files that are there stay.

    With ``with_panels`` the gating templates of both panels lie under ``panels/``, to be changed and given to
    ``corelab gate --panel``.

    Raises
    ------
    ConfigError
        If a file is there already or the folder cannot be written.
    """
    contents = {f"{stem}.csv": format_template(layout) for stem, layout in LAYOUTS.items()}
    if with_panels:
        contents |= {f"panels/{panel}.yaml": read_builtin(panel).encode("utf-8") for panel in Panel}
    names = list(contents)
    taken = [name for name in names if (folder / name).exists()]
    if taken:
        raise ConfigError("is there already", place=taken[0], remedy="name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    except OSError as error:
        raise ConfigError(f"cannot be written ({error.strerror})", place=folder.name) from error
    return names
