"""The tokens of the visual language as a style sheet and as Mantine's theme."""

from dataclasses import fields
from typing import Any, Final

from flask import Blueprint, Response

from corelab.figures.tokens import FONT_FAMILY, SCHEMES, Tokens

MANTINE_THEME: Final[dict[str, Any]] = {
    "fontFamily": FONT_FAMILY,
    "primaryColor": "blue",
    # White text on Mantine's default blue is below the contrast of 4.5; the darker shades pass.
    "primaryShade": {"light": 8, "dark": 9},
    "defaultRadius": 4,
    "headings": {"fontFamily": FONT_FAMILY},
}

_MANTINE_ROLES: Final = {
    "--mantine-color-body": "body",
    "--mantine-color-text": "ink",
    "--mantine-color-dimmed": "muted",
    "--mantine-color-default": "body",
    "--mantine-color-default-color": "ink",
    "--mantine-color-default-border": "border",
    "--mantine-color-default-hover": "panel",
    "--mantine-color-placeholder": "muted",
}
"""Variables of Mantine that follow our tokens, so that both look like one."""


def build_theme_css() -> str:
    """Write every single colour token of both schemes as a CSS variable."""
    rules = []
    for scheme, tokens in SCHEMES.items():
        declarations = [f"--{name.replace('_', '-')}:{value}" for name, value in list_colours(tokens)]
        declarations += [f"{name}:{getattr(tokens, role)}" for name, role in _MANTINE_ROLES.items()]
        # One element more than Mantine's own rule, which comes later in the document.
        selector = f'html:root[data-mantine-color-scheme="{scheme}"]'
        rules.append(f"{selector}{{color-scheme:{scheme};{';'.join(declarations)}}}")
    print_tokens = ";".join(
        f"--{name.replace('_', '-')}:{value}" for name, value in list_colours(SCHEMES["light"])
    )
    rules.append(f"@media print{{html:root[data-mantine-color-scheme]{{color-scheme:light;{print_tokens}}}}}")
    return "\n".join(rules) + "\n"


def list_colours(tokens: Tokens) -> list[tuple[str, str]]:
    """Return the tokens that are one colour each, by role."""
    values = [(field.name, getattr(tokens, field.name)) for field in fields(tokens)]
    return [(name, value) for name, value in values if isinstance(value, str)]


def build_theme_routes() -> Blueprint:
    """Serve the style sheet of tokens; it holds no data and needs no login."""
    css = build_theme_css()
    routes = Blueprint("theme", __name__)
    routes.add_url_rule("/style/tokens.css", "tokens", lambda: Response(css, mimetype="text/css"))
    return routes
