"""Tables to files that leave the house."""

from corelab.export.dictionary import find_schemas, make_codelists, make_dictionary
from corelab.export.folder import FORMATS, check_format, format_companions, format_tables
from corelab.export.text import format_csv, restore_text

__all__ = [
    "FORMATS",
    "check_format",
    "find_schemas",
    "format_companions",
    "format_csv",
    "format_tables",
    "make_codelists",
    "make_dictionary",
    "restore_text",
]
