"""The trial in the shapes that regulators read: SDTM, ADaM, transport files, define.xml, Dataset-JSON."""

from corelab.export.cdisc.package import Submission, build_submission, format_submission

__all__ = ["Submission", "build_submission", "format_submission"]
