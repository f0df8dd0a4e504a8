"""Chips: one fact in a small frame, its state told by shape and word."""

from typing import Any

from dash import html

from dashboards.site import Site

ARM_GLYPHS = {"low": "●", "high": "■"}


def build_chip(*children: Any, kind: str = "", name: str | None = None, rank: int = 0) -> Any:
    """Build a chip; ``kind`` is a colour role, a higher ``rank`` is hidden first on a narrow screen."""
    classes = " ".join(part for part in ("chip", kind, f"rank-{rank}" if rank else "") if part)
    given = {} if name is None else {"id": name}
    return html.Span(list(children), className=classes, **given)


def build_arm_mark(arm: str) -> Any:
    """Build the dose group's mark: a disc for low, a square for high, nothing before allocation."""
    return html.Span(ARM_GLYPHS.get(arm, ""), className=f"mark {arm}", **{"aria-hidden": "true"})


def build_arm_key(site: Site) -> list[Any]:
    """Build the key of the dose groups: mark and word."""
    return [
        html.Span([build_arm_mark(arm), " ", site.text(f"arm.{arm}")], className="quiet")
        for arm in ("low", "high")
    ]
