"""Text that was recorded in English, shown in the words of another language.

Tables, rules and the registry hold a few kinds of English text: criteria, terms, findings, reasons. The
record is never changed, and what the dictionary of a language does not know is shown as it was recorded.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

_PLACE: Final = re.compile(r"\{(\w+)\}")
_REMEMBERED: Final = 8192
_JOINS: Final = ("; ", ", ")


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """A dictionary of recorded text: whole sentences, and sentences with places."""

    sentences: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[tuple[re.Pattern[str], str], ...] = ()

    def say(self, text: str) -> str:
        """Return recorded text in the words of this language, or as it was recorded."""
        return _say(self, text) if self.sentences else text


def build_recorded(words: Mapping[str, str]) -> Recorded:
    """Build a dictionary; a key with places in braces is a pattern.

    Examples
    --------
    >>> recorded = build_recorded({"too few {what}": "{what} 过少", "no beads": "无微球"})
    >>> recorded.say("no beads; too few t_cells"), recorded.say("labs.csv:3: no beads"), recorded.say("else")
    ('无微球; t_cells 过少', 'labs.csv:3: 无微球', 'else')
    """
    return Recorded(
        sentences={key.casefold(): word for key, word in words.items() if not _PLACE.search(key)},
        patterns=tuple((_compile(key), word) for key, word in words.items() if _PLACE.search(key)),
    )


def _compile(key: str) -> re.Pattern[str]:
    """Turn a sentence with places into a pattern; a place takes no comma unless its name begins with text."""
    parts = _PLACE.split(key)
    for index in range(1, len(parts), 2):
        parts[index] = (
            f"(?P<{parts[index]}>{'.+' if parts[index].startswith('text') else '(?:(?!: )[^,;])+?'})"
        )
    for index in range(0, len(parts), 2):
        parts[index] = re.escape(parts[index])
    return re.compile("".join(parts), re.IGNORECASE)


@lru_cache(maxsize=_REMEMBERED)
def _say(recorded: Recorded, text: str) -> str:
    found = _find(recorded, text)
    if found is not None:
        return found
    for join in _JOINS:
        parts = text.split(join)
        said = [_find(recorded, part) for part in parts]
        if len(parts) > 1 and any(word is not None for word in said):
            return join.join(word or _say(recorded, part) for word, part in zip(said, parts, strict=True))
    place, colon, rest = text.partition(": ")
    return f"{_find(recorded, place) or place}: {_say(recorded, rest)}" if colon else text


def _find(recorded: Recorded, text: str) -> str | None:
    """Look up a whole sentence, then the patterns; what stands in a place is looked up as a sentence."""
    whole = recorded.sentences.get(text.casefold())
    if whole is not None:
        return whole
    for pattern, word in recorded.patterns:
        match = pattern.fullmatch(text)
        if match is not None:
            given = match.groupdict()
            return word.format(**{k: recorded.sentences.get(v.casefold(), v) for k, v in given.items()})
    return None
