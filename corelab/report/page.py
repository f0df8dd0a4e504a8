"""What a report holds, as records, before anything is set in type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from corelab.report.drawing import Drawing

NO_DRAWING: Final = Drawing(width=0.0, height=0.0, shapes=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table with its title; without a row, its note alone stands there."""

    title: str
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Where a visit stands for the results of the reported snapshot; ``state`` as it was signed."""

    subject_id: str
    visit: str
    state: str = ""
    is_stale: bool = False
    author: str = ""
    at: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether somebody signed exactly these results."""
        return self.state in ("reviewed", "locked") and not self.is_stale


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A report: facts at the head, one chart, tables, and the stamp at the foot."""

    title: str
    language: str
    facts: Sequence[tuple[str, str]]
    chart: Drawing
    alt: str
    key: str
    sections: Sequence[Section]
    stamp: str
    numbering: str
    watermark: str

    def describe(self) -> Mapping[str, object]:
        """Return the report as plain data for the template."""
        return {
            "title": self.title, "language": self.language, "facts": [list(fact) for fact in self.facts],
            "chart": {
                "width": self.chart.width, "height": self.chart.height,
                "shapes": [dict(shape) for shape in self.chart.shapes],
            },
            "alt": self.alt, "key": self.key, "stamp": self.stamp, "numbering": self.numbering,
            "watermark": self.watermark,
            "sections": [
                {
                    "title": section.title, "head": list(section.head), "note": section.note,
                    "rows": [list(row) for row in section.rows],
                }
                for section in self.sections
            ],
        }  # fmt: skip
