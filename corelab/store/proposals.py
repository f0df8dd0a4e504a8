"""Whose tube a file probably is, with the reason for each guess and whatever speaks against it.

Nothing here decides: a person confirms. The file's name, its labels, its time of acquisition and a row of
a manifest that waits are asked; what two of them say differently is a conflict.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath
from typing import Final

from corelab.cytometry.markers import find_antigens
from corelab.cytometry.template import load_template
from corelab.study import Study
from corelab.study.schedule import assign_visit
from corelab.vocabulary import Panel

FIELDS: Final = ("subject_id", "visit", "collected_at", "panel", "tube")
_FMO: Final = re.compile(r"(?<![a-z0-9])fmo[-_ .]*([a-z0-9-]+)", re.IGNORECASE)
_RUN_TUBES: Final = {
    "unstained": "unstained", "runcontrol": "run_control", "assayblank": "assay_blank", "beadqc": "bead_qc",
}  # fmt: skip
_DAY: Final = re.compile(r"(?<![a-z0-9])d(?:ay)?[-_ ]?0*(\d+)(?![a-z0-9])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Why a field was proposed, or what speaks against it: a word for the reason and its details."""

    word: str
    details: Mapping[str, str]


@dataclass(slots=True, kw_only=True, eq=False)
class Proposal:
    """What is proposed for one file, with reasons and conflicts."""

    values: dict[str, str] = field(default_factory=dict)
    reasons: list[Remark] = field(default_factory=list)
    conflicts: list[Remark] = field(default_factory=list)

    def propose(self, name: str, value: str, word: str, **details: str) -> None:
        """Propose a value; one that was proposed before stays, and a different one is a conflict."""
        before = self.values.get(name, "")
        remark = Remark(word=word, details={"field": name, "value": value, **details})
        if not before:
            self.values[name] = value
            self.reasons.append(remark)
        elif before != value:
            self.conflicts.append(Remark(word="differs", details={**remark.details, "kept": before}))


def propose_tube(
    name: str, facts: Mapping[str, str], *, infusions: Mapping[str, str], study: Study,
    manifest: Mapping[str, str] | None = None,
) -> Proposal:  # fmt: skip
    """Propose subject, visit, time, panel and tube of a file.

    Parameters
    ----------
    name
        Its path inside the delivery.
    facts
        What was read from it: ``acquired_at`` and ``labels``.
    infusions
        Time of infusion (or empty) of every subject of the trial.
    study
        Visits and time zone.
    manifest
        A row of a manifest that names it and waits.
    """
    proposal = Proposal()
    for column in FIELDS:
        if manifest and manifest.get(column):
            proposal.propose(column, manifest[column], "manifest")
    tube = find_tube(name)
    _propose_subject(proposal, name, infusions)
    _propose_panel(proposal, name, facts.get("labels", ""))
    proposal.propose("tube", tube or proposal.values.get("tube") or "full", "name" if tube else "no_tube")
    _propose_time(proposal, name, facts.get("acquired_at", ""), infusions=infusions, study=study)
    return proposal


def _propose_subject(proposal: Proposal, name: str, subjects: Iterable[str]) -> None:
    found = [subject for subject in sorted(subjects) if _has_word(name, subject)]
    # An id that is a part of another one found is not meant.
    found = [one for one in found if not any(one != other and one in other for other in found)]
    if len(found) > 1:
        proposal.conflicts.append(
            Remark(word="several", details={"field": "subject_id", "value": " ".join(found)})
        )
    elif found:
        proposal.propose("subject_id", found[0], "name")


def _propose_panel(proposal: Proposal, name: str, labels: str) -> None:
    antigens = {antigen for label in labels.split(" | ") for antigen in find_antigens(label)}
    scores = {panel: len(antigens & _panel_markers(panel)) for panel in Panel}
    best = max(scores.values())
    leaders = [panel for panel, score in scores.items() if score == best]
    if best and len(leaders) == 1:
        proposal.propose("panel", leaders[0].value, "labels", count=str(best))
    named = [panel.value for panel in Panel if _has_word(name, panel.value)]
    if len(named) == 1:
        proposal.propose("panel", named[0], "name")


@cache
def _panel_markers(panel: Panel) -> frozenset[str]:
    template = load_template(panel)
    return frozenset(template.required) | frozenset(template.optional)


def _propose_time(
    proposal: Proposal, name: str, acquired_at: str, *, infusions: Mapping[str, str], study: Study
) -> None:
    visit = find_visit(name, study)
    if visit:
        proposal.propose("visit", visit, "name")
    if not acquired_at:
        return
    acquired = study.localise(dt.datetime.fromisoformat(acquired_at))
    if not proposal.values.get("collected_at"):
        proposal.propose("collected_at", acquired.isoformat(), "acquired")
    infusion = infusions.get(proposal.values.get("subject_id", ""), "")
    if infusion:
        infused = study.localise(dt.datetime.fromisoformat(infusion)).date()
        by_date = assign_visit(acquired.date(), infused, study.visits)
        if by_date != "UNS":
            day = str((acquired.date() - infused).days)
            proposal.propose("visit", by_date, "window", day=day)


def find_visit(name: str, study: Study) -> str:
    """Return the one visit that a file's name says, or an empty text.

    Examples
    --------
    >>> from corelab.study import builtin_study
    >>> [find_visit(name, builtin_study()) for name in ("CL-1_D14.fcs", "x Day 7.fcs", "M3/a.fcs", "a.fcs")]
    ['D14', 'D7', 'M3', '']
    """
    codes = [code for code in (*study.visits_by_code, "UNS", "ET") if _has_word(name, code)]
    codes += [f"D{match}" for match in _DAY.findall(name) if f"D{match}" in study.visits_by_code]
    unique = list(dict.fromkeys(codes))
    return unique[0] if len(unique) == 1 else ""


def find_tube(name: str) -> str:
    """Return the tube that a file's name says, or an empty text.

    Examples
    --------
    >>> find_tube("CL-1_D14_FMO CAR.fcs"), find_tube("run_control_3.fcs"), find_tube("CL-1.fcs")
    ('fmo_car', 'run_control', '')
    """
    stem = PurePosixPath(name).stem
    fmo = _FMO.search(stem)
    if fmo:
        return f"fmo_{fmo.group(1).lower()}"
    folded = re.sub(r"[^a-z]", "", stem.lower())
    return next((tube for word, tube in _RUN_TUBES.items() if word in folded), "")


def _has_word(name: str, word: str) -> bool:
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", name, re.IGNORECASE) is not None
