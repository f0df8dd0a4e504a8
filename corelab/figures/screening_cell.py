"""How one cell of the screening matrix looks and what it says."""

import re
from collections.abc import Mapping

from corelab.figures.catalog import Catalog
from corelab.figures.numbers import format_number
from corelab.figures.panel import Piece
from corelab.figures.screening_data import BY_EXCEPTION, FAILS, OPEN, PASSES, Judgement
from corelab.figures.tokens import Tokens


def describe_judgement(cell: Judgement, titles: Mapping[str, str], catalog: Catalog) -> str:
    """Say one cell in a sentence: whose, which criterion, what came of it and by which value."""
    title = catalog.say(titles.get(cell.criterion, ""))
    state = catalog.text(f"screening.mark.{cell.mark}")
    unit = catalog.say(cell.unit) if cell.unit not in ("1", "a") else ""
    value = " ".join(part for part in (catalog.say(cell.value), unit) if part)
    parts = [cell.subject_id, f"{cell.criterion} {title}".strip(), state, value or cell.reason]
    return " · ".join(part for part in parts if part)


def write_value(cell: Judgement, catalog: Catalog) -> str:
    """Write what a cell rests on, short: the value without its date, a serology in one word."""
    if not cell.value:
        return catalog.text(f"screening.short.{cell.mark}")
    if "positive" not in cell.value and "negative" in cell.value:
        return catalog.text("screening.short.negative")
    if re.fullmatch(r"\d+\.\d{3,}", cell.value):
        return format_number(float(cell.value), digits=4)
    return catalog.say(re.sub(r" of \d{4}-\d\d-\d\d$", "", cell.value))


def write_unit(unit: str) -> str:
    """Write a unit of the tables as people read it.

    Examples
    --------
    >>> write_unit("10^9/L"), write_unit("umol/L"), write_unit("mL/min/1.73m2")
    ('10⁹/L', 'µmol/L', 'mL/min/1.73 m²')
    """
    unit = re.sub(r"\bu(?=g|L|mol)", "µ", unit).replace("1.73m2", "1.73 m²")
    return unit.replace("10^9", "10⁹").replace("10^6", "10⁶").replace("10^3", "10³")


def mark_look(mark: str, tokens: Tokens) -> Piece:
    """Return the shape of a mark: what passes is quiet, what does not is told by shape."""
    looks: Mapping[str, tuple[str, float, str, str, float]] = {
        PASSES: ("square", 6, tokens.signed, tokens.signed, 0),
        BY_EXCEPTION: ("square", 8, tokens.body, tokens.action, 2.2),
        FAILS: ("x-thin-open", 7, tokens.fail, tokens.fail, 2.2),
        OPEN: ("diamond", 8, tokens.body, tokens.warn, 1.8),
    }
    symbol, size, fill, edge, line = looks[mark]
    return {
        "symbol": symbol, "size": size, "color": fill, "opacity": 1, "line": {"color": edge, "width": line},
    }  # fmt: skip
