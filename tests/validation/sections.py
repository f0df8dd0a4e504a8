"""What a validation measured, as Markdown: a part each, with its own date, machine and commit."""

import datetime as dt
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_PART: Final = re.compile(r"^<!-- part (\w+) -->\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One measured thing: what was asked, whether it holds, and the figures."""

    title: str
    asked: str
    holds: bool
    lines: list[str] = field(default_factory=list)


def read_parts(text: str) -> dict[str, str]:
    """Split a report into its parts by name, each as it stands."""
    _, *pieces = _PART.split(text)
    return {name: body.strip("\n") for name, body in zip(pieces[::2], pieces[1::2], strict=True)}


def format_part(section: Section, *, at: dt.datetime) -> str:
    """Write one part as Markdown with its own date, machine and commit."""
    return "\n".join([
        f"## {section.title}", "", f"{describe_origin(at)}. Asked: {section.asked}.", "",
        f"**{'Holds' if section.holds else 'Does not hold'}.**", "", *section.lines,
    ]).strip("\n")  # fmt: skip


def describe_origin(at: dt.datetime) -> str:
    """Say when, on which commit and on which machine something is measured."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return (
        f"Measured {at:%Y-%m-%d %H:%M} UTC, commit {commit or 'unknown'}, {os.cpu_count()} cores, "
        f"{platform.machine()}, Python {platform.python_version()}"
    )


def format_report(parts: Mapping[str, str], names: Iterable[str]) -> str:
    """Write all parts in the order of their names, and name those that were never measured."""
    ordered = tuple(names)
    lines = [
        "# Measured on data it had not seen", "",
        "`make validate` measures every part; `python -m tests.validation.report docs/validation.md PART...` "
        "measures some anew and leaves the others as they stand, each with its own date and commit.", "",
        "| part | result |", "|---|---|",
        *(f"| `{name}` | {_read_verdict(parts[name]) if name in parts else 'not measured yet'} |"
          for name in ordered),
    ]  # fmt: skip
    for name in ordered:
        if name in parts:
            lines += ["", f"<!-- part {name} -->", "", parts[name]]
    return "\n".join(lines) + "\n"


def _read_verdict(part: str) -> str:
    return "holds" if "**Holds.**" in part else "does not hold"
