"""`summary`: how many of how many, by dose group, endpoint, visit and method."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from corelab.ingest.values import DETECTION_UNKNOWN
from corelab.study.model import Study
from corelab.tables.clock import Clocks
from corelab.tables.groups import ALL, Groups, build_groups, count_fraction
from corelab.tables.responses import SRI_DEFINITION
from corelab.tables.summary_kinetics import summarise_kinetics
from corelab.tables.summary_times import list_times
from corelab.vocabulary import Status

COLUMNS: Final = [
    "arm", "endpoint", "visit", "method", "n", "n_total", "estimate", "ci_low", "ci_high", "unit", "reason",
]  # fmt: skip
OBSERVED: Final = "observed"
NRI: Final = "nri"
EVALUABLE: Final = "evaluable_only"
DETECTED: Final = "detected"
_VALID: Final = (Status.QUANTIFIED.value, Status.DETECTED_BLQ.value, Status.NOT_DETECTED.value)
_AFTER: Final = "D28"
SEVERE: Final = 3
"""The lowest severe grade."""


def derive_summary(
    tables: Mapping[str, pd.DataFrame],
    *,
    clocks: Clocks,
    times: Callable[[], list[dict[str, Any]]] | None = None,
) -> pd.DataFrame:
    """Count the endpoints of the trial, by dose group and over all.

    Parameters
    ----------
    tables
        ``adverse_events``, ``lab_toxicity``, ``responses``, ``persistence``, ``kinetics`` and
        ``b_cell_recovery``.
    times
        Gives what `corelab.tables.summary_times.list_times` does, if it was begun before.

    Notes
    -----
    ``nri`` counts everyone for whom the visit is due and takes what was not observed for no response;
    ``evaluable_only`` counts those who were observed. A method with a further word (``nri:KDIGO2024``) is
    the same by another definition or analyte.
    """
    groups = build_groups(clocks)
    study = clocks.study
    if not groups.members[ALL]:
        return pd.DataFrame(columns=COLUMNS)
    rows = [
        *_count_adverse_events(tables["adverse_events"], groups, study),
        *_count_toxicity(tables["lab_toxicity"], groups),
        *_count_responses(tables["responses"], groups, study),
        *_count_persistence(tables["persistence"], groups, study),
        *_count_aplasia(tables["b_cell_recovery"], groups),
        *summarise_kinetics(tables["kinetics"], groups, study.settings["summary"]["kinetic_parameters"]),
        *(times() if times else list_times(tables, clocks)),
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _count_adverse_events(events: pd.DataFrame, groups: Groups, study: Study) -> Iterator[dict[str, Any]]:
    """Count subjects with an emergent term, of all who were infused; then by term."""
    emergent = events[events["treatment_emergent"] == "yes"]
    related, severe = emergent["related"] == "yes", emergent["worst_grade"].ge(SEVERE)
    settings = study.settings["summary"]
    chosen = {
        "AE_ANY": emergent,
        "AE_ANY_RELATED": emergent[related],
        "AE_G3": emergent[severe],
        "AE_G3_RELATED": emergent[emergent["worst_related_grade"].ge(SEVERE)],
        "SAE_RELATED": emergent[related & (emergent["serious"] == "yes")],
        "AESI": emergent[emergent["aesi"] == "yes"],
        "CRS": emergent[_is_named(emergent["term"], settings["crs_terms"])],
        "ICANS": emergent[_is_named(emergent["term"], settings["icans_terms"])],
    }
    by_term = emergent.groupby("term", sort=True)
    chosen |= {f"AE:{term}": rows for term, rows in by_term}
    chosen |= {f"AE_G3:{term}": rows[rows["worst_grade"].ge(SEVERE)] for term, rows in by_term}
    for endpoint, rows in chosen.items():
        having = frozenset(rows["subject_id"])
        for arm, members in groups.members.items():
            place = {"arm": arm, "endpoint": endpoint, "visit": "", "method": OBSERVED}
            yield count_fraction(place, having, members)


def _count_toxicity(graded: pd.DataFrame, groups: Groups) -> Iterator[dict[str, Any]]:
    """Count subjects with a severe laboratory grade after infusion, of those with any grade then."""
    after = graded[graded["study_day"].gt(0) & graded["grade"].notna()]
    for (term, direction), rows in after.groupby(["term", "direction"], sort=True):
        having = frozenset(rows.loc[rows["grade"].ge(SEVERE), "subject_id"])
        judged = frozenset(rows["subject_id"])
        place = {"endpoint": f"LAB_G3:{term} ({direction})", "visit": ""}
        yield from _count_both(place, having, {OBSERVED: judged}, _name_by(groups, ""))


def _is_named(terms: "pd.Series[str]", names: Sequence[str]) -> "pd.Series[bool]":
    folded = {name.lower() for name in names}
    return terms.str.strip().str.lower().isin(folded)


def _count_responses(responses: pd.DataFrame, groups: Groups, study: Study) -> Iterator[dict[str, Any]]:
    primary = study.settings["responses"]["primary"]
    for (definition, endpoint, visit), rows in responses.groupby(["definition", "endpoint", "visit"]):
        suffix = "" if definition in (primary, SRI_DEFINITION) else f":{definition}"
        due = frozenset(rows["subject_id"])
        responding = frozenset(rows.loc[rows["state"] == "responder", "subject_id"])
        evaluable = frozenset(rows.loc[rows["state"] != "not_evaluable", "subject_id"])
        place = {"endpoint": endpoint, "visit": visit}
        yield from _count_both(place, responding, {NRI: due, EVALUABLE: evaluable}, _name_by(groups, suffix))


def _name_by(
    groups: Groups, suffix: str
) -> Callable[[str, frozenset[str]], list[tuple[str, str, frozenset[str]]]]:
    """Return a function that splits those judged by one method into arms and names the method."""

    def split(method: str, judged: frozenset[str]) -> list[tuple[str, str, frozenset[str]]]:
        return [(arm, f"{method}{suffix}", members) for arm, members in groups.split(judged).items()]

    return split


def _count_both(
    place: Mapping[str, str],
    having: frozenset[str],
    judged: Mapping[str, frozenset[str]],
    split: Callable[[str, frozenset[str]], list[tuple[str, str, frozenset[str]]]],
) -> Iterator[dict[str, Any]]:
    for method, subjects in judged.items():
        for arm, name, members in split(method, subjects):
            yield count_fraction({**place, "arm": arm, "method": name}, having, members)


def list_followed_visits(study: Study) -> list[str]:
    """Return the visits at which persistence is asked for: the fourth week and every month after."""
    return [visit.code for visit in study.visits if visit.month is not None or visit.code == _AFTER]


def list_followed_analytes(study: Study) -> dict[str, str]:
    """Return the analytes of persistence with the word that their method gets; the primary has none."""
    settings = study.settings["summary"]
    further = {analyte: f":{analyte}" for analyte in settings["further_analytes"]}
    return {settings["persistence_analyte"]: "", **further}


def _count_persistence(persistence: pd.DataFrame, groups: Groups, study: Study) -> Iterator[dict[str, Any]]:
    """Count quantified, and detected, of those with a valid assay at the visit.

    A value below a limit of quantification that does not tell whether anything was there (``<50``) says
    nothing about detection.
    """
    valid = persistence[persistence["status"].isin(_VALID)]
    last = valid.sort_values("collected_at", kind="stable").drop_duplicates(
        ["subject_id", "analyte", "visit"], keep="last"
    )
    for analyte, suffix in list_followed_analytes(study).items():
        for visit in list_followed_visits(study):
            rows = last[(last["analyte"] == analyte) & (last["visit"] == visit)]
            if rows.empty:
                continue
            place = {"endpoint": "PERSIST_PCT", "visit": visit}
            told = rows[~rows["reason"].str.contains(DETECTION_UNKNOWN, regex=False)]
            states = {
                EVALUABLE: (rows, rows["status"] == Status.QUANTIFIED.value),
                DETECTED: (told, told["status"] != Status.NOT_DETECTED.value),
            }
            for method, (valid_rows, holds) in states.items():
                judged = {method: frozenset(valid_rows["subject_id"])}
                having = frozenset(valid_rows.loc[holds, "subject_id"])
                yield from _count_both(place, having, judged, _name_by(groups, suffix))


def _count_aplasia(recovery: pd.DataFrame, groups: Groups) -> Iterator[dict[str, Any]]:
    """Count children who lost their B cells, of those whose B cells were followed and not lost before."""
    followed = recovery[recovery["baseline_below"] != "yes"]
    judged = frozenset(followed.loc[followed["baseline_below"] == "no", "subject_id"])
    having = frozenset(followed.loc[followed["aplasia_day"].notna(), "subject_id"])
    place = {"endpoint": "APLASIA", "visit": ""}
    yield from _count_both(place, having, {EVALUABLE: judged | having}, _name_by(groups, ""))
