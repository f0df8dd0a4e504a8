"""The audit trail as people look for things in it: who, what, on what, when."""

import datetime as dt
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from corelab.study.model import Study
from dashboards.ports import AuditPort

if TYPE_CHECKING:
    import pandas as pd

FILTERS: Final = ("actor", "action", "text", "since", "until")
LONGEST_TEXT: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """What is looked for; an empty field does not narrow.

    ``since`` and ``until`` are dates of the study's zone; ``text`` is looked for in the object and in the
    reason, whatever the case of its letters.
    """

    actor: str = ""
    action: str = ""
    text: str = ""
    since: dt.date | None = None
    until: dt.date | None = None


class AuditCache:
    """The trail as it was read last; it is read again when an entry was added."""

    def __init__(self, audit: AuditPort) -> None:
        self._audit = audit
        self._lock = threading.Lock()
        self._newest = ""
        self._rows: pd.DataFrame | None = None

    def rows(self) -> "pd.DataFrame":
        """Return all entries, newest first."""
        with self._lock:
            newest = self._audit.rows(limit=1)
            key = str(newest["hash"].iloc[0]) if len(newest) else ""
            if self._rows is None or key != self._newest:
                self._rows, self._newest = self._audit.rows(), key
            return self._rows


def read_filter(sent: Mapping[str, object]) -> AuditFilter:
    """Read a filter from what a page or an address sent; nonsense does not narrow.

    Examples
    --------
    >>> read_filter({"actor": "chen", "since": "2026-11-01", "until": "soon"}).since
    datetime.date(2026, 11, 1)
    """
    words = {name: _read_text(sent.get(name)) for name in ("actor", "action", "text")}
    return AuditFilter(since=_read_date(sent.get("since")), until=_read_date(sent.get("until")), **words)


def _read_text(sent: object) -> str:
    return sent.strip()[:LONGEST_TEXT] if isinstance(sent, str) else ""


def _read_date(sent: object) -> dt.date | None:
    try:
        return dt.date.fromisoformat(sent) if isinstance(sent, str) else None
    except ValueError:
        return None


def select_entries(rows: "pd.DataFrame", wanted: AuditFilter, study: Study) -> "pd.DataFrame":
    """Return the entries that a filter keeps, in their order."""
    kept = rows
    if wanted.actor:
        kept = kept[kept["actor"] == wanted.actor]
    if wanted.action:
        kept = kept[kept["action"] == wanted.action]
    if wanted.text:
        text = wanted.text.casefold()
        searched = kept["object"].str.casefold() + "\n" + kept["reason"].str.casefold()
        kept = kept[searched.str.contains(text, regex=False)]
    if wanted.since is not None or wanted.until is not None:
        days = kept["at"].map(lambda at: study.localise(dt.datetime.fromisoformat(at)).date())
        kept = kept[(days >= (wanted.since or dt.date.min)) & (days <= (wanted.until or dt.date.max))]
    return kept


def list_words(rows: "pd.DataFrame", column: str) -> list[str]:
    """Return the words that occur in a column, sorted."""
    return sorted(word for word in rows[column].unique() if word)


def find_entry(rows: "pd.DataFrame", seq: object) -> dict[str, Any] | None:
    """Return one entry by its number, or None."""
    found = rows[rows["seq"] == seq] if isinstance(seq, int) else rows.iloc[:0]
    return found.to_dict(orient="records")[0] if len(found) else None
