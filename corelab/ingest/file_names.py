"""Names of files without persons: whom a file names inside, its own name must not name either.

The words to look for are those of the personal keywords in the TEXT of the delivery's FCS files. Where a path
holds one, in whatever case and with whatever between its parts, that part gives way to eight digits of the
SHA-256 of the first file that holds it, so that files of one person still belong together.
"""

import datetime as dt
import hashlib
import hmac
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from corelab.errors import FcsReadError
from corelab.ingest.deidentify import list_personal_values
from corelab.ingest.delivery import PLATE_FOLDER, recognise
from corelab.ingest.fcs_segments import FcsBytes, parse_fcs_segments
from corelab.vocabulary import VISITS

NAME_COLUMNS: Final = ("file", "plate")
"""Columns of tables that name a file."""

_LONGEST_TEXT: Final = 2**20
_TECHNICAL: Final = frozenset({
    "specimen", "sample", "samples", "tube", "tubes", "panel", "control", "controls", "comp", "compensation",
    "unstained", "stained", "stain", "fmo", "blank", "beads", "bead", "blood", "pbmc", "whole", "cells",
    "cell", "cart", "car", "bcell", "tcell", "full", "run", "data", "fcs", "plate", "plates", "batch",
    "test", "donor", "patient", "subject", "child", "healthy", "marrow", "liver", "spleen", "lymph", "node",
    "tissue", "day", "visit", "month", "flow", "fresh", "frozen", "fitc", "apc", "percp", "none", "unknown",
    "administrator", "admin", "user", "operator", "group", "export", "experiment", "all", "default",
    *(visit.lower() for visit in VISITS),
})  # fmt: skip
_EVERYDAY: Final = frozenset({
    "absent", "acquisition", "another", "baseline", "broken", "copy", "corrupt", "damaged", "delivered",
    "does", "empty", "exist", "existent", "extra", "file", "files", "final", "first", "follow", "ghost",
    "late", "later", "lost", "missing", "never", "new", "nonexistent", "not", "nowhere", "old", "orphan",
    "other", "post", "pre", "screening", "second", "stray", "there", "third", "truncated", "unlisted",
    "unnamed", "week", "alexa", "aqua", "blue", "brilliant", "clean", "dead", "dye", "fluor", "green", "live",
    "name", "names", "near", "orange", "pacific", "red", "stainless", "texas", "ultra", "viability",
    "violet", "yellow",
})  # fmt: skip
"""Words beside the technical ones that may stand in the name of a file which nobody has seen."""
_TECHNICAL_PATTERN: Final = re.compile(r"cd\d+\w*|[dmv]\d{1,3}|day\d+|[a-z]{1,3}\d{1,4}|tube\d+|bv\d+")
_WORD: Final = re.compile(r"[^\W_]+")
_BETWEEN: Final = r"[\W_]*"
_NOT_IN_WORD: Final = (r"(?<![^\W_])", r"(?![^\W_])")
_FORMATS: Final = ("%d-%b-%Y", "%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%d/%m/%Y", "%Y%m%d", "%d-%m-%Y")
_FOREIGN: Final = re.compile(r"[^\W\d_\x00-\u024f]+")
_FOREIGN_TECHNICAL: Final = re.compile(
    "样本|标本|对照|空白|患者|受试者|流式|补偿|外周血|骨髓|全血|采集|筛选|基线|输注|单染|质控|[管第天月周号面板日前后]"
)
_CAPITALISED: Final = re.compile(r"[A-Z][a-z]+")
_CAPITALISED_RUN: Final = re.compile(r"(?<![A-Za-z])[A-Z][a-z]+(?:[\W_]{0,2}[A-Z][a-z]+)+(?![A-Za-z])")
_NUMBER: Final = re.compile(r"(?<![^\W\d_])[A-Za-z]{0,4}\d{6,}")
_DAY: Final = re.compile(r"20[2-4]\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_LABEL: Final = 8
_CODE: Final = 16


def read_personal_values(data: FcsBytes) -> list[str]:
    """Return what the personal keywords of an FCS file say, as far as a damaged one can be read."""
    try:
        return list_personal_values(parse_fcs_segments(data, name="").lookup())
    except FcsReadError:
        pass
    begin = data[10:18].strip(b" \0")
    raw = data[int(begin) if begin.isdigit() else 58 :][:_LONGEST_TEXT].decode("latin-1")
    words = raw[1:].split(raw[0]) if raw else []
    return list_personal_values({key.upper(): value for key, value in itertools.pairwise(words)})


@dataclass(frozen=True, slots=True, kw_only=True)
class NameMask:
    """How persons are taken out of the names of one delivery: what to look for, and what stands for each."""

    pattern: re.Pattern[str] | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def clean_text(self, text: str) -> str:
        """Return a text without the persons.

        Examples
        --------
        >>> mask = build_mask(["Li Lei"], {"a.fcs": lambda: b""}, subject_ids=())
        >>> mask.clean_text("li_lei D14.fcs")
        'person D14.fcs'
        """
        if self.pattern is None:
            return text
        return self.pattern.sub(lambda found: self.labels.get(_fold(found[0]), "person"), text)

    def clean_path(self, path: str) -> str:
        """Return a path without the persons; the names by which a file is recognised stay."""
        if self.pattern is None:
            return path
        *folders, last = path.split("/")
        kept = [one if one.lower() == PLATE_FOLDER else self.clean_text(one) for one in folders]
        cleaned = "/".join([*kept, self.clean_text(last)])
        if recognise(cleaned) is not recognise(path):
            cleaned = "/".join([*kept, last])
        return cleaned


def build_mask(
    values: Iterable[str], files: Mapping[str, Callable[[], bytes]], *, subject_ids: Collection[str]
) -> NameMask:
    """Build the mask of a delivery.

    Parameters
    ----------
    values
        What personal keywords say.
    files
        How to read each file, by path.
    subject_ids
        Pseudonyms: they are no person's name, even where a keyword holds one.
    """
    pattern = _compile([_without_ids(value, subject_ids) for value in values])
    labels: dict[str, str] = {}
    if pattern is not None:
        for path in sorted(files):
            for found in pattern.finditer(path.replace("/", "\0")):
                if (folded := _fold(found[0])) not in labels:
                    labels[folded] = hashlib.sha256(files[path]()).hexdigest()[:_LABEL]
    return NameMask(pattern=pattern, labels=labels)


def clean_paths(mask: NameMask, paths: Iterable[str]) -> dict[str, str]:
    """Return the clean path of each; two that would be one are told apart by a number."""
    cleaned: dict[str, str] = {}
    taken: set[str] = set()
    for path in sorted(paths):
        wanted = one = mask.clean_path(path)
        number = 2
        while one in taken:
            pure = PurePosixPath(wanted)
            one = str(pure.with_name(f"{number}-{pure.name}"))
            number += 1
        taken.add(one)
        cleaned[path] = one
    return cleaned


def compute_name_code(name: str, *, key: bytes) -> str:
    """Return a keyed hash of a file's name, by which a later manifest finds a file that lost its name."""
    base = unicodedata.normalize("NFC", name.replace("\\", "/")).rpartition("/")[2]
    return hmac.new(key, base.casefold().encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def guess_personal_words(path: str) -> list[str]:
    """Return what of a file's path looks like a person, whatever the file says inside.

    That is a word that is not Latin, two capitalised words side by side, or a number of six figures or more
    that is no day of these years; technical words are none of them.

    Examples
    --------
    >>> guess_personal_words("fcs/ZhangWei_20250317_D14.fcs"), guess_personal_words("李雷 样本 HN445566.fcs")
    (['zhang wei'], ['李雷', 'HN445566'])
    >>> guess_personal_words("run-0001/Specimen_001_Tube_002 CD19 clean.fcs")
    []
    """
    text = unicodedata.normalize("NFC", path)
    foreign = [word for word in _FOREIGN.findall(_FOREIGN_TECHNICAL.sub(" ", text)) if _is_telling(word)]
    runs = [_list_words(" ".join(_CAPITALISED.findall(run[0]))) for run in _CAPITALISED_RUN.finditer(text)]
    named = [[word for word in run if word not in _EVERYDAY] for run in runs]
    numbers = [number for number in _NUMBER.findall(text) if not _DAY.fullmatch(number)]
    return [*foreign, *(" ".join(words) for words in named if len(words) > 1), *numbers]


def is_plain_name(name: str, *, subject_ids: Collection[str]) -> bool:
    """Tell whether every telling word of a file's name is a technical one, an everyday one or a pseudonym.

    Examples
    --------
    >>> [is_plain_name(name, subject_ids=["S-1"]) for name in ("fcs/S-1_D14_tube02.fcs", "lei.fcs")]
    [True, False]
    """
    words = _list_words(_without_ids(name, subject_ids))
    return not any(_is_telling(word) for word in words if word not in _EVERYDAY)


def encode_path(path: str, *, key: bytes) -> str:
    """Write a path whose parts are codes of its parts: it can be compared with others and not be read."""
    parts = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    coded = [f"name-{compute_name_code(part, key=key)[:_CODE]}" for part in parts]
    return "/".join(coded) + PurePosixPath(path).suffix.lower()


def _fold(text: str) -> str:
    return "".join(_WORD.findall(text)).casefold()


def _without_ids(value: str, subject_ids: Collection[str]) -> str:
    text = unicodedata.normalize("NFC", value)
    for one in sorted(subject_ids, key=len, reverse=True):
        text = re.sub(rf"{_NOT_IN_WORD[0]}{re.escape(one)}{_NOT_IN_WORD[1]}", " ", text, flags=re.IGNORECASE)
    return text


def _compile(values: Collection[str]) -> re.Pattern[str] | None:
    """Compile runs of words with at least one that is telling; the short ones of a name only beside it."""
    named = [_list_words(value) for value in values]
    words = {word for one in named for word in one}
    telling = {word for word in words if _is_telling(word)}
    dates = {form for value in values for form in _spell_date(value)}
    full = [found for found in named if len(found) > 1 and any(map(_is_telling, found))]
    whole = {_BETWEEN.join(map(re.escape, one)) for found in full for one in (found, found[::-1])}
    strong = [
        *sorted(dates),
        *sorted(whole),
        *(_match_word(word) for word in sorted(telling, key=lambda w: (-len(w), w))),
    ]
    if not strong:
        return None
    short = [_match_short(word) for word in sorted(words - telling) if word.isalpha()]
    any_strong, every = "|".join(strong), "|".join([*strong, *short])
    before = f"(?:(?:{'|'.join(short)}){_BETWEEN})*" if short else ""
    return re.compile(f"{before}(?:{any_strong})(?:{_BETWEEN}(?:{every}))*", re.IGNORECASE)


def _list_words(value: str) -> list[str]:
    """List the words of a value that may be a person's, in lower case."""
    words = [word.casefold() for word in _WORD.findall(value)]
    return [word for word in words if word not in _TECHNICAL and not _TECHNICAL_PATTERN.fullmatch(word)]


def _is_telling(word: str) -> bool:
    if word.isdigit():
        return len(word) >= 5
    if not word.isascii():
        return len(word) >= 2
    return len(word) >= 3 and len(set(word)) > 1


def _match_word(word: str) -> str:
    return re.escape(word) if len(word) > 3 or not word.isascii() else _match_short(word)


def _match_short(word: str) -> str:
    return f"{_NOT_IN_WORD[0]}{re.escape(word)}{_NOT_IN_WORD[1]}"


def _spell_date(value: str) -> list[str]:
    """Return the ways in which a name may spell the date that a value is."""
    text = value.strip()
    for form in _FORMATS:
        try:
            day = dt.datetime.strptime(text, form).replace(tzinfo=dt.UTC)
        except ValueError:
            continue
        orders = ("%Y %m %d", "%d %m %Y", "%m %d %Y", "%d %b %Y", "%Y %b %d")
        return [_BETWEEN.join(day.strftime(order).split()) for order in orders]
    return []
