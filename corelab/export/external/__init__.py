"""Copies that leave the house: shifted dates, names of the house replaced, small groups withheld."""

from corelab.export.external.copy import MARK, ExternalCopy, check_external_format, make_external_copy
from corelab.export.external.disguise import Disguise
from corelab.export.external.small_cells import withhold_associations, withhold_summary

__all__ = [
    "MARK",
    "Disguise",
    "ExternalCopy",
    "check_external_format",
    "make_external_copy",
    "withhold_associations",
    "withhold_summary",
]
