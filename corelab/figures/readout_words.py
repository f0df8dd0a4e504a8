"""One value in words: what it is, its doubt, or why it is absent; and lines as Plotly's markup."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from corelab.figures.catalog import Catalog
from corelab.figures.course import Point, Track
from corelab.figures.numbers import (
    count_decimals,
    escape_markup,
    format_count,
    format_exact,
    format_fraction,
    format_interval,
    format_number,
)
from corelab.figures.tokens import Tokens
from corelab.ingest.values import DETECTION_UNKNOWN
from corelab.vocabulary import Status

Tone = Literal["accent", "strong", "plain", "muted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A piece of a line and its tone: the series' colour, bold ink, ink or muted."""

    text: str
    tone: Tone = "plain"


Line = tuple[Span, ...]
ReadOut = Mapping[str, tuple[Line, ...]]
"""Lines by row of the figure."""


def write_markup(lines: Iterable[Line], tokens: Tokens, *, accent: str) -> str:
    """Return lines as the markup that Plotly's texts understand."""
    colours = {"accent": accent, "strong": tokens.ink, "plain": tokens.ink_2, "muted": tokens.muted}
    return "<br>".join("".join(_write_span(span, colours) for span in line) for line in lines)


def _write_span(span: Span, colours: Mapping[str, str]) -> str:
    text = escape_markup(span.text)
    inner = f"<b>{text}</b>" if span.tone in ("accent", "strong") else text
    return f'<span style="color:{colours[span.tone]}">{inner}</span>'


def describe_fold(track: Track, point: Point) -> str:
    """Say how many times its baseline a value is, with the bound where one is censored."""
    fold = track.folds.get(point.collected_at)
    if fold is None:
        return ""
    if math.isfinite(fold.value):
        return f" ×{_format_fold(fold.value)}"
    if math.isfinite(fold.low) and fold.low > 0:
        return f" ≥×{_format_fold(fold.low)}"
    return f" ≤×{_format_fold(fold.high)}" if math.isfinite(fold.high) else ""


def format_delivered(value: float) -> str:
    """Write an outcome to three digits, without trailing zeros."""
    return format_exact(float(f"{value:.3g}"))


def _format_fold(fold: float) -> str:
    return format_exact(float(f"{fold:.2g}")) if fold < 100 else format_count(fold)


def name_status(point: Point) -> str:
    """Return the catalog's word for a status; below a limit alone does not say that anything was there."""
    is_untold = point.status == Status.DETECTED_BLQ and DETECTION_UNKNOWN in point.reason
    return "detection_unknown" if is_untold else point.status


def describe_point(point: Point, catalog: Catalog) -> tuple[Line, ...]:
    """Say what one point holds: its value with interval and counts, or why there is none."""
    if point.status == "quantified":
        return _describe_quantified(point, catalog)
    words: Line = (Span(text=catalog.text(f"status.{name_status(point)}"), tone="strong"),)
    if point.status in ("failed", "missing", "not_calculated"):
        return (words, (Span(text=point.reason, tone="muted"),)) if point.reason else (words,)
    return (words, (Span(text=_doubt_words(point, catalog)),))


def _describe_quantified(point: Point, catalog: Catalog) -> tuple[Line, ...]:
    value = Span(text=format_number(point.value), tone="strong")
    if not (math.isfinite(point.low) and math.isfinite(point.high) and point.low < point.high):
        return ((value,),)
    interval = format_interval(point.low, point.high, estimate=point.value)
    first: Line = (value, Span(text=f" ({interval})"))
    if math.isnan(point.count) or math.isnan(point.total):
        return (first,)
    fraction = format_fraction(point.count, point.total)
    return first, (Span(text=catalog.text("patient.read.events", fraction=fraction)),)


def _doubt_words(point: Point, catalog: Catalog) -> str:
    """Say below which limit a censored value lies, and its count."""
    parts = []
    if point.status == "above_uloq":
        limit = point.uloq if math.isfinite(point.uloq) else point.low
        parts.append(catalog.text("patient.read.at_least", limit=format_exact(limit)))
    elif math.isfinite(point.high):
        parts.append(catalog.text("patient.read.at_most", limit=_format_bound(point.high)))
    elif math.isfinite(point.upper_limit):
        parts.append(catalog.text("patient.read.less_than", limit=format_exact(point.upper_limit)))
    if math.isfinite(point.count) and math.isfinite(point.total):
        parts.append(format_fraction(point.count, point.total))
    return " · ".join(parts)


def _format_bound(limit: float) -> str:
    return format_number(limit) if count_decimals(limit) else format_count(limit)
