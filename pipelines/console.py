"""What every command shares: where the home is, who sits at the terminal, and how things are told."""

import argparse
import datetime as dt
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from corelab.store import Home

DONE: Final = 0
FOUND: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the environment says: where the home, its registry and its objects are."""

    home: Path
    database_url: str | None
    object_url: str | None


Command = Callable[[Settings, argparse.Namespace], int]


@contextmanager
def open_place(settings: Settings) -> "Iterator[Home]":
    """Open the home, and let go of it afterwards."""
    from corelab.store import open_home

    home = open_home(settings.home, database_url=settings.database_url, object_url=settings.object_url)
    try:
        yield home
    finally:
        home.close()


def now() -> dt.datetime:
    """Return the present moment."""
    return dt.datetime.now(dt.UTC)


def actor() -> str:
    """Name who sits at the terminal, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def say(text: str) -> None:
    """Tell a result."""
    print(text)


def name_finding(text: str) -> None:
    """Name something that waits or was found: one line on standard error."""
    print(" ".join(text.split()), file=sys.stderr)
