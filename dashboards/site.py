"""What every page is given: the home, the words, the tables of a snapshot and the clock."""

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from flask import g, has_request_context, request

from corelab.figures.catalog import LANGUAGES, Catalog
from corelab.figures.tokens import Scheme
from corelab.tables.schemas import SCHEMAS
from dashboards.ports import HomePort, SnapshotPort
from dashboards.views.audit import AuditCache

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store import Home
    from dashboards.desk import Desk

T = TypeVar("T")

REMEMBERED: Final = 64
SCHEMES: Final = ("light", "dark")
SCHEME_COOKIE: Final = "corelab_scheme"
LANGUAGE_COOKIE: Final = "corelab_language"


class SnapshotTables(Mapping[str, "pd.DataFrame"]):
    """The tables of one snapshot, each read once and shared by every request.

    Nobody writes into them: pages and figures only select rows. A table that this version knows and an older
    snapshot has not is there without a row; ``in`` tells what the snapshot itself holds.
    """

    def __init__(self, snapshot: SnapshotPort) -> None:
        self.snapshot = snapshot
        self._names = snapshot.table_names
        self._lock = threading.RLock()
        self._read: dict[str, pd.DataFrame] = {}
        self._made: OrderedDict[Hashable, Any] = OrderedDict()

    def __getitem__(self, name: str) -> "pd.DataFrame":
        if name not in self._names and name not in SCHEMAS:
            raise KeyError(name)
        with self._lock:
            if name not in self._read:
                is_held = name in self._names
                self._read[name] = self.snapshot.table(name) if is_held else SCHEMAS[name].empty()
            return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made of these tables under a key, making it if it is not there (any more).

        The tables never change, so it stays right; only the latest few are kept.
        """
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
                while len(self._made) > REMEMBERED:
                    self._made.popitem(last=False)
            self._made.move_to_end(key)
            made: T = self._made[key]
            return made

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class SnapshotCache:
    """The tables of the last few snapshots, held by the app that serves them."""

    def __init__(self, home: HomePort, *, size: int = 2) -> None:
        self._home = home
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, SnapshotTables] = OrderedDict()

    def current(self) -> SnapshotTables | None:
        """Return the tables of the current snapshot, or None before the first run."""
        snapshot = self._home.snapshots.current()
        if snapshot is None:
            return None
        with self._lock:
            tables = self._kept.pop(snapshot.id, None)
            if tables is None:
                tables = SnapshotTables(snapshot)
            self._kept[snapshot.id] = tables
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return tables


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything a page may use. Words are those of the person who asks: a catalog for each language."""

    home: HomePort
    catalogs: Mapping[str, Catalog]
    figure_catalogs: Mapping[str, Catalog]
    cache: SnapshotCache
    desk: "Desk"
    trail: AuditCache
    clock: Callable[[], dt.datetime]
    version: str
    provider: str = ""
    """What people call whom they may log in by besides their password here; empty: nobody."""

    @property
    def whole_home(self) -> "Home":
        """The home itself, for what changes it; pages that only show need no more than the port."""
        return cast("Home", self.home)

    @property
    def catalog(self) -> Catalog:
        """The words of pages in the language of this request."""
        return self.catalogs[read_language()]

    @property
    def figure_catalog(self) -> Catalog:
        """The words inside figures in the language of this request."""
        return self.figure_catalogs[read_language()]

    def text(self, key: str, **values: object) -> str:
        """Return one sentence of the catalog in the language of this request."""
        return self.catalog.text(key, **values)

    def say(self, text: str) -> str:
        """Return text of a table, a rule or the registry in that language, or as it was recorded."""
        return self.figure_catalog.say(text)


def read_scheme() -> str:
    """Return the colour scheme that this browser chose; light without a choice."""
    scheme = request.cookies.get(SCHEME_COOKIE, "light")
    return scheme if scheme in SCHEMES else "light"


def read_language() -> str:
    """Return the language of this request: chosen in this browser, else the one it asks for, else English.

    The form of the login has no script, so there the address itself may choose (``/login?language=zh``).
    Outside a request (at the start of the app) there is nobody to ask, and it is English.
    """
    if not has_request_context():
        return LANGUAGES[0]
    if "language" not in g:
        g.language = choose_language()
    return str(g.language)


def choose_language() -> str:
    """Read the language from what the browser sent; see `read_language`, which asks once a request."""
    asked = request.args.get("language", "") if request.path == "/login" else ""
    for chosen in (asked, request.cookies.get(LANGUAGE_COOKIE, "")):
        if chosen in LANGUAGES:
            return chosen
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def read_scheme_word(word: object) -> Scheme:
    """Return the scheme that a page sent; anything unknown is light."""
    return "dark" if word == "dark" else "light"
