"""What every grid shares: the tokens in the measures of the house, and the words that it writes itself."""

from typing import Final

from dashboards.site import Site

GRID_THEME: Final = {
    "function": "themeQuartz.withParams({backgroundColor: 'var(--body)', foregroundColor: 'var(--ink)',"
    " headerTextColor: 'var(--ink-2)', headerBackgroundColor: 'var(--panel)', borderColor: 'var(--border)',"
    " browserColorScheme: 'inherit', fontFamily: 'inherit', fontSize: 12, headerFontWeight: 500,"
    " spacing: 4, wrapperBorderRadius: 4, accentColor: 'var(--action)', columnBorder: false})"
}

_PREFIX: Final = "grid."


def list_grid_words(site: Site, *, no_rows: str = "") -> dict[str, str]:
    """Return the words of a grid in the language of this request; ``no_rows`` is what an empty one says."""
    keys = [key for key in site.catalog.words if key.startswith(_PREFIX)]
    words = {key.removeprefix(_PREFIX): site.text(key) for key in keys}
    return words | ({"noRowsToShow": no_rows} if no_rows else {})
