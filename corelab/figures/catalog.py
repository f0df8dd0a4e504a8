"""Every sentence a person sees, looked up by key."""

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Final

import yaml

from corelab.errors import ConfigError
from corelab.figures.recorded import Recorded, build_recorded

LANGUAGES: Final = ("en", "zh")
"""The languages of every catalog; the first stands where nobody has chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Sentences of one language by dotted key (``patient.row.car_abs``).

    ``recorded`` has words for text that arrives with the data: criteria, terms, findings, reasons.
    """

    language: str
    words: Mapping[str, str]
    recorded: Recorded = field(default_factory=Recorded)

    def text(self, key: str, **values: object) -> str:
        """Return the sentence of a key with its named places filled.

        Raises
        ------
        KeyError
            If the key is not in the catalog, or a place of the sentence is not given: a defect of ours.
        """
        return self.words[key].format(**values) if values else self.words[key]

    def say(self, text: str) -> str:
        """Return text of a table, a rule or the registry in this language, or as it was recorded."""
        return self.recorded.say(text)

    def has(self, key: str) -> bool:
        """Tell whether the catalog knows a key; for words that arrive with the data (drugs, analytes)."""
        return key in self.words


def parse_catalog(text: str, *, language: str, place: str) -> Catalog:
    """Read nested YAML into a catalog.

    Raises
    ------
    ConfigError
        If the text is no nested YAML mapping of sentences, or a sentence has an unnamed place.
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError("not readable as YAML", place=place) from error
    if not isinstance(raw, dict):
        raise ConfigError("no mapping at the top level", place=place)
    words = dict(_flatten(raw, prefix="", place=place))
    return Catalog(language=language, words=words)


def read_catalog(path: Path) -> Catalog:
    """Read a catalog from disk; the file's stem is its language (``en.yaml``); see `parse_catalog`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read", place=path.name, expected="a UTF-8 catalog") from error
    return parse_catalog(text, language=path.stem, place=path.name)


def figure_catalog(language: str = "en") -> Catalog:
    """Return the figures' own sentences, which ship with corelab."""
    name = f"{language}.yaml"
    folder = resources.files("corelab.figures").joinpath("words")
    try:
        text = folder.joinpath(name).read_text(encoding="utf-8")
    except OSError as error:
        expected = " or ".join(LANGUAGES)
        raise ConfigError(f"language {language!r} is unknown", place=name, expected=expected) from error
    catalog = parse_catalog(text, language=language, place=name)
    recorded = folder.joinpath(f"recorded.{name}")
    if not recorded.is_file():
        return catalog
    parts = yaml.safe_load(recorded.read_text(encoding="utf-8"))
    words = {key: word for part in parts.values() for key, word in part.items()}
    return replace(catalog, recorded=build_recorded(words))


def list_places(sentence: str) -> set[str]:
    """Return the names of a sentence's places.

    Examples
    --------
    >>> sorted(list_places("{n} of {total}"))
    ['n', 'total']
    """
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None}


def _flatten(node: Mapping[object, object], *, prefix: str, place: str) -> Iterator[tuple[str, str]]:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flatten(value, prefix=f"{key}.", place=place)
        elif isinstance(value, str):
            _check_places(value, key=key, place=place)
            yield key, value
        else:
            raise ConfigError(f"{key} is no sentence", place=place, expected="text", remedy="quote it")


def _check_places(sentence: str, *, key: str, place: str) -> None:
    try:
        places = list_places(sentence)
    except ValueError as error:
        raise ConfigError(f"{key} has a broken place ({error})", place=place) from error
    if "" in places:
        raise ConfigError(f"{key} has an unnamed place", place=place, expected="{name}")
