"""The look of every grid: the tokens, in the measures of the house."""

from typing import Final

GRID_THEME: Final = {
    "function": "themeQuartz.withParams({backgroundColor: 'var(--body)', foregroundColor: 'var(--ink)',"
    " headerTextColor: 'var(--ink-2)', headerBackgroundColor: 'var(--panel)', borderColor: 'var(--border)',"
    " browserColorScheme: 'inherit', fontFamily: 'inherit', fontSize: 12, headerFontWeight: 500,"
    " spacing: 4, wrapperBorderRadius: 4, accentColor: 'var(--action)', columnBorder: false})"
}
