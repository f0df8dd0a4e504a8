"""The words of a report: its own sentences, and those that it shares with the figures."""

from dataclasses import dataclass
from importlib import resources

from corelab.figures.catalog import Catalog, figure_catalog, parse_catalog


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words of one language: ``own`` of the report, ``figures`` of what it shares with the pages."""

    own: Catalog
    figures: Catalog

    @property
    def language(self) -> str:
        """The language, as the catalogs name it."""
        return self.own.language

    def text(self, key: str, **values: object) -> str:
        """Return a sentence of the report."""
        return self.own.text(key, **values)

    def say(self, text: str) -> str:
        """Return recorded text in this language, or as it was recorded."""
        return self.figures.say(text)


def load_words(language: str) -> Words:
    """Read the words of a language.

    Raises
    ------
    ConfigError
        If the language is unknown.
    """
    figures = figure_catalog(language)
    name = f"{language}.yaml"
    text = resources.files("corelab.report").joinpath("words", name).read_text(encoding="utf-8")
    return Words(own=parse_catalog(text, language=language, place=name), figures=figures)
