"""Delivered rows in their visits: what of a row is a series, in which one draw has one visit."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

from corelab.study import Study
from corelab.study.placing import Draw, Placed, place_draws

SERIES: Final[Mapping[str, tuple[str, ...]]] = {
    "acquisitions": ("panel",),
    "labs": ("test",),
    "cytokines": ("analyte", "platform", "matrix"),
    "qpcr": (),
    "assessments": ("instrument", "item"),
    "plate_layout": ("plate", "matrix"),
}
"""What makes a series besides its subject, by the kind of row. All tubes of a panel drawn at one time are one
draw, so a control stays with its sample."""

_WHOLE: Final = ("SLEDAI-2K", "BILAG-2004", "biopsy")
"""Instruments of which the items are one assessment: those of two days are never mixed."""


def place_rows(
    rows: Sequence[tuple[str, Mapping[str, str]]],
    *,
    infusions: Mapping[str, dt.datetime | None],
    platforms: Mapping[str, str],
    study: Study,
) -> list[Placed]:
    """Place rows in visits; those without a subject, a visit or a time stay as they are.

    Parameters
    ----------
    rows
        The kind of each row and its texts. What was repeated is only seen among these.
    infusions
        The moment of infusion by subject.
    platforms
        The format of a plate's export by what the plate is called, in lower case: draws on two plates of one
        format are of one series.
    study
        Visits, windows and time zone.
    """
    placed = [Placed(visit=values.get("visit", "")) for _, values in rows]
    open_ones = {index for index, (kind, values) in enumerate(rows) if is_open(kind, values)}
    if not open_ones:
        return placed
    series = [_name_series(kind, values, platforms) for kind, values in rows]
    touched = {series[index] for index in open_ones}
    beside = [
        index
        for index, (_, values) in enumerate(rows)
        if index in open_ones or (series[index] in touched and values.get("visit"))
    ]
    draws = [
        Draw(
            series=series[index], collected=_moment(rows[index][1]),
            infusion=infusions.get(rows[index][1]["subject_id"]), visit=rows[index][1].get("visit", ""),
        )
        for index in beside
    ]  # fmt: skip
    for index, found in zip(beside, place_draws(draws, study=study), strict=True):
        placed[index] = found
    return placed


def is_open(kind: str, values: Mapping[str, str]) -> bool:
    """Tell whether a row belongs into a visit that it does not name."""
    return (
        kind in SERIES
        and not values.get("visit")
        and bool(values.get("subject_id"))
        and _moment(values) is not None
    )


def name_platforms(plates: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the format of each plate's export by its name and by its batch, in lower case."""
    return {
        plate[name].casefold(): plate.get("format", "")
        for name in ("batch", "plate")
        for plate in plates
        if plate.get(name)
    }


def _name_series(kind: str, values: Mapping[str, str], platforms: Mapping[str, str]) -> tuple[str, ...]:
    words = [values.get(name, "").casefold() for name in SERIES.get(kind, ())]
    if kind == "plate_layout":
        words[0] = platforms.get(words[0], words[0])
    if kind == "assessments" and values.get("instrument") in _WHOLE:
        words[1] = ""
    return (kind, values.get("subject_id", ""), *words)


def _moment(values: Mapping[str, str]) -> dt.datetime | None:
    text = values.get("collected_at", "")
    return dt.datetime.fromisoformat(text) if text else None
