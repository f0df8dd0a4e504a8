"""The line under a figure and inside every export that says from what it was made."""

from collections.abc import Iterable

from corelab.figures.catalog import Catalog


def compose_stamp(
    catalog: Catalog, *, version: str, snapshot: str, created: str, parts: Iterable[str] = ()
) -> str:
    """Return the stamp: software, snapshot and its time, then further parts such as the subject.

    ``snapshot`` is empty where there is none yet.
    """
    source = (
        catalog.text("stamp.snapshot", snapshot=snapshot, created=created)
        if snapshot
        else catalog.text("stamp.no_snapshot")
    )
    return " · ".join([catalog.text("stamp.software", version=version), source, *parts])


def patient_parts(catalog: Catalog, subject_id: str) -> tuple[str, ...]:
    """Return what the stamp of a course adds: whose it is, the rule below LLOQ, the clock's origin."""
    return subject_id, catalog.text("stamp.blq_rule"), catalog.text("stamp.clock")


def cohort_parts(catalog: Catalog, analyte: str, *, median_from: int) -> tuple[str, ...]:
    """Return what the stamp of a cohort adds: the analyte and when a median is drawn."""
    return catalog.text(f"analyte.{analyte}"), catalog.text("stamp.median", n=median_from)
