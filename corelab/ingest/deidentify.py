"""FCS bytes without what names a person, a place or a day; the events stay byte for byte.

Only keywords of an allow-list survive. The file is written anew from HEADER, one TEXT and DATA:
supplemental TEXT, ANALYSIS, OTHER segments and whatever lies between or behind them are not copied.
"""

import datetime as dt
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.ingest.fcs_events import locate_data, parse_channels
from corelab.ingest.fcs_segments import FcsSegments, parse_fcs_segments

_KEPT: Final = frozenset({
    "$BYTEORD", "$DATATYPE", "$MODE", "$PAR", "$UNICODE", "$SPILLOVER", "SPILLOVER", "SPILL", "$SPILL",
    "$COMP", "COMP", "APPLY COMPENSATION", "$TIMESTEP", "$CYT", "$VOL", "$ABRT", "$LOST", "$TR",
    "$CSMODE", "CREATOR",
})  # fmt: skip
_KEPT_PATTERN: Final = re.compile(
    r"\$P\d+(?:[BENRSVGLOTDFP]|CALIBRATION|DATATYPE|DET|TAG|TYPE|FEATURE|ANALYTE)|\$DFC\d+TO\d+"
    r"|P\d+(?:DISPLAY|BS|MS)"
)
_FREE_TEXT: Final = re.compile(r"\$P\d+(?:S|F|TAG|ANALYTE)|\$CYT|CREATOR")
_PERSONAL: Final = re.compile(
    r"\$(?:SRC|SMNO|OP|EXP|INST|LAST_MODIFIER)|.*(?:PATIENT|SUBJECT|BIRTH|DOB|MRN|CASE|OPERATOR|USER).*"
)
_SHORTEST_NAME: Final = 4
_DELIMITERS: Final = ("|", "/", "\\", "!", "\x0c", *(chr(code) for code in range(1, 12)))
_HEADER_BYTES: Final = 58
_LARGEST_HEADER_OFFSET: Final = 99_999_999
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeidentifiedFcs:
    """The rewritten file, what was taken out of it, and what is kept beside it.

    ``data_sha256`` is the hash of the DATA segment, the same before and after. ``removed`` names the
    keywords that are gone. ``acquired_at`` is the local time of acquisition as ISO 8601 without zone,
    empty where the file does not say; it leaves the file because a date is a trace of a person. ``labels``
    are the channels' labels as they are kept.
    """

    data: bytes
    data_sha256: str
    removed: tuple[str, ...]
    n_events: int
    acquired_at: str
    labels: tuple[str, ...]


def deidentify_fcs(data: bytes, *, name: str) -> DeidentifiedFcs:
    """Rewrite an FCS file with the allowed keywords only.

    Doing it twice changes nothing more: the result is its own de-identified form.

    Parameters
    ----------
    data
        The whole file.
    name
        What to call it in an error.

    Raises
    ------
    FcsReadError
        If the file cannot be split into its segments.

    References
    ----------
    Spidlen et al. 2010, Data File Standard for Flow Cytometry, version FCS 3.1.
    """
    segments = parse_fcs_segments(data, name=name)
    span, n_events = locate_data(segments, parse_channels(segments), n_bytes=len(data))
    events = data[span.begin : span.end]
    given = segments.lookup()
    kept = select_keywords(given)
    return DeidentifiedFcs(
        data=_write_fcs(segments, kept, events, n_events=n_events),
        data_sha256=hashlib.sha256(events).hexdigest(),
        removed=tuple(sorted(set(given) - set(kept))),
        n_events=n_events,
        acquired_at=parse_acquisition_time(given),
        labels=_list_labels(kept),
    )


def _list_labels(kept: Mapping[str, str]) -> tuple[str, ...]:
    """List what each channel is called: its label, else its detector."""
    channels = range(1, int(kept.get("$PAR", "0")) + 1)
    return tuple(kept.get(f"$P{n}S") or kept.get(f"$P{n}N", "") for n in channels)


def select_keywords(given: Mapping[str, str]) -> dict[str, str]:
    """Return the keywords that may stay, without empty ones, by upper-case name.

    A free text (a label, say) loses any name of a person that a removed keyword holds.

    Examples
    --------
    >>> select_keywords({"$P1N": "FITC-A", "$SRC": "Li Lei", "PATIENT ID": "77123", "$P1S": "CD3 77123"})
    {'$P1N': 'FITC-A', '$P1S': 'CD3'}
    """
    personal = [value for value in list_personal_values(given) if _may_name(value)]
    kept = {}
    for key, value in given.items():
        if key in _KEPT or _KEPT_PATTERN.fullmatch(key):
            text = _without(value, personal if _FREE_TEXT.fullmatch(key) else ())
            if text:
                kept[key] = text
    return kept


def list_personal_values(given: Mapping[str, str]) -> list[str]:
    """Return what the keywords that name people say, by upper-case name of the keyword."""
    return [value.strip() for key, value in given.items() if _PERSONAL.fullmatch(key) and value.strip()]


def _may_name(value: str) -> bool:
    """Tell whether a removed value is long enough to be looked for; ``xxxx`` hides a name already."""
    return len(value) >= _SHORTEST_NAME and len(set(value.lower())) > 1


def _without(value: str, personal: Sequence[str]) -> str:
    """Take names out of a text, longest first, so that none leaves its remainder behind."""
    text = value.replace("\0", "").strip()
    for name in sorted(personal, key=len, reverse=True):
        text = re.sub(re.escape(name), "", text, flags=re.IGNORECASE).strip()
    return text


def parse_acquisition_time(keywords: Mapping[str, str]) -> str:
    """Return the local time at which acquisition began, ISO 8601 without zone, or an empty text.

    Examples
    --------
    >>> parse_acquisition_time({"$DATE": "03-MAR-2025", "$BTIM": "09:15:02.25"})
    '2025-03-03T09:15:02'
    """
    text = keywords.get("$BEGINDATETIME", "").strip()
    if text:
        try:
            return dt.datetime.fromisoformat(text).replace(microsecond=0).isoformat()
        except ValueError:
            return ""
    date = re.fullmatch(r"(\d{1,2})-([A-Za-z]{3})-(\d{4})", keywords.get("$DATE", "").strip())
    time = re.match(r"(\d{1,2}):(\d{2}):(\d{2})", keywords.get("$BTIM", "").strip())
    if not date or not time or date[2].upper() not in _MONTHS:
        return ""
    month = _MONTHS.index(date[2].upper()) + 1
    try:
        moment = dt.datetime(
            int(date[3]), month, int(date[1]), int(time[1]), int(time[2]), int(time[3]), tzinfo=dt.UTC
        )
    except ValueError:
        return ""
    return moment.replace(tzinfo=None).isoformat()


def _write_fcs(segments: FcsSegments, kept: Mapping[str, str], events: bytes, *, n_events: int) -> bytes:
    """Lay out HEADER, TEXT and DATA; offsets have a fixed width, so that they do not move the text."""
    keywords = {
        "$BEGINANALYSIS": "0", "$ENDANALYSIS": "0", "$BEGINSTEXT": "0", "$ENDSTEXT": "0",
        "$NEXTDATA": "0", "$TOT": str(n_events), **kept,
    }  # fmt: skip
    delimiter = _choose_delimiter(keywords)
    offsets = {"$BEGINDATA": "0" * 12, "$ENDDATA": "0" * 12}
    begin = _HEADER_BYTES + len(_format_text({**offsets, **keywords}, delimiter))
    end = begin + len(events) - 1
    if events:
        offsets = {"$BEGINDATA": f"{begin:012d}", "$ENDDATA": f"{end:012d}"}
    text = _format_text({**offsets, **keywords}, delimiter)
    fits = events and end <= _LARGEST_HEADER_OFFSET
    numbers = (_HEADER_BYTES, begin - 1, begin if fits else 0, end if fits else 0, 0, 0)
    header = f"{segments.version}    " + "".join(f"{number:8d}" for number in numbers)
    return header.encode("ascii") + text + events


def _choose_delimiter(keywords: Mapping[str, str]) -> str:
    """Choose one that no word holds, so that nothing needs doubling."""
    words = "".join((*keywords, *keywords.values()))
    return next(mark for mark in _DELIMITERS if mark not in words)


def _format_text(keywords: Mapping[str, str], delimiter: str) -> bytes:
    words = [word for pair in keywords.items() for word in pair]
    return f"{delimiter}{delimiter.join(words)}{delimiter}".encode()
