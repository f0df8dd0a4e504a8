"""The address of one acquisition's page: which gate, which axes, what lies over it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final
from urllib.parse import urlencode

OVERLAYS: Final = ("none", "fmo", "before", "both")
STRIPS: Final = ("visits", "gates", "back")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateAddress:
    """What a page of one acquisition shows; an empty word is the usual choice."""

    file_id: str
    population: str = ""
    x: str = ""
    y: str = ""
    overlay: str = "both"
    strip: str = "visits"
    back: str = ""

    def href(self, **changes: str) -> str:
        """Return the address of the same page with some words changed."""
        changed = replace(self, **changes)
        usual = GateAddress(file_id=changed.file_id)
        words = {
            each.name: word
            for each in fields(self)
            if each.name != "file_id" and (word := getattr(changed, each.name)) != getattr(usual, each.name)
        }
        return f"/samples/{changed.file_id}" + (f"?{urlencode(words)}" if words else "")


def parse_gate_address(file_id: str, query: Mapping[str, str]) -> GateAddress:
    """Read an address; a word that is none of its choices gives the usual one.

    Examples
    --------
    >>> parse_gate_address("ab", {"overlay": "fmo", "strip": "x"}).href(population="car_t")
    '/samples/ab?population=car_t&overlay=fmo'
    """
    words = {name: query.get(name, "")[:64] for name in ("population", "x", "y", "back")}
    overlay, strip = query.get("overlay", ""), query.get("strip", "")
    return GateAddress(
        file_id=file_id,
        overlay=overlay if overlay in OVERLAYS else "both",
        strip=strip if strip in STRIPS else "visits",
        **words,
    )
