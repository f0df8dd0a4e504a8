"""An input file to fill in: header, units and an example, the last two as remarks that are not data."""

import csv
import io
from typing import Final

from corelab.ingest.layouts import Layout

REMARK: Final = "# "
"""A row whose first cell begins so is a remark: it is never read as data."""


def format_template(layout: Layout) -> bytes:
    """Write a table's empty file as CSV, with the mark by which spreadsheets know UTF-8."""
    fields = layout.fields
    units = [field.unit or ("optional" if not field.required else "") for field in fields]
    examples = [field.example for field in fields]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(layout.names)
    writer.writerow([f"{REMARK}unit: {units[0]}".rstrip(" :"), *units[1:]])
    writer.writerow([f"{REMARK}example: {examples[0]}", *examples[1:]])
    return buffer.getvalue().encode("utf-8-sig")
