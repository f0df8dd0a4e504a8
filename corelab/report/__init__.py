"""Reports on paper: a child's course and the cohort, of one snapshot, as PDF."""

from corelab.report.child import Source, build_child_report
from corelab.report.cohort import build_cohort_report
from corelab.report.page import Page, Section, Signed
from corelab.report.pdf import find_chinese_font, write_pdf
from corelab.report.words import Words, load_words

__all__ = [
    "Page",
    "Section",
    "Signed",
    "Source",
    "Words",
    "build_child_report",
    "build_cohort_report",
    "find_chinese_font",
    "load_words",
    "write_pdf",
]
