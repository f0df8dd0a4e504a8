"""Criteria of the disease itself: biopsy, activity and the target of the cells."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from corelab.clinical.bounds import Bounds, compare, show, show_number
from corelab.clinical.evidence import Answer, Biopsy, Evidence
from corelab.clinical.finding import Finding, missing, require_all, unknown
from corelab.clinical.logic import Truth, claim
from corelab.clinical.reading import read_value
from corelab.clinical.ruleset import Rule, parse_limit
from corelab.clinical.sledai import WEIGHTS, Total, compute_total
from corelab.study.schedule import add_months

_ROMAN: Final = re.compile(r"\b(VI|IV|V|I{1,3})\b")
_ROMAN_SIGNS: Final = str.maketrans({"Ⅰ": "I", "Ⅱ": "II", "Ⅲ": "III", "Ⅳ": "IV", "Ⅴ": "V", "Ⅵ": "VI"})


def judge_biopsy(evidence: Evidence, rule: Rule) -> Finding:
    """Judge class, activity and age of the latest biopsy."""
    threshold = f"active {' or '.join(rule['needs_any'])}, at most {rule['months']} months"
    if not evidence.biopsies:
        return unknown(missing("assessments.csv", "SCR", "biopsy"), threshold=threshold)
    biopsy = max(evidence.biopsies, key=lambda taken: (taken.date, taken.source_id))
    shown = Finding(
        truth=Truth.YES,
        value=" ".join(part for part in (biopsy.grade, f"of {biopsy.date.isoformat()}") if part),
        threshold=threshold,
        sources=(biopsy.source_id,),
    )
    return require_all(
        shown, [_judge_class(biopsy, rule), _judge_activity(biopsy), _judge_date(evidence, biopsy, rule)]
    )


def parse_classes(text: str) -> set[str]:
    """Return the Roman numerals of a written class.

    Examples
    --------
    >>> sorted(parse_classes("class IV-S (A/C) + V")), parse_classes("lupus nephritis")
    (['IV', 'V'], set())
    """
    return set(_ROMAN.findall(text.translate(_ROMAN_SIGNS).upper().replace("_", " ")))


def _judge_class(biopsy: Biopsy, rule: Rule) -> Finding:
    if not biopsy.grade.strip():
        return unknown(missing("assessments.csv", "SCR", "biopsy class"))
    classes = parse_classes(biopsy.grade)
    if not classes:
        return unknown("UNREADABLE_CLASS")
    fits = bool(classes & set(rule["needs_any"])) and classes <= set(rule["allows"])
    return Finding(truth=claim(fits), reasons=() if fits else ("OTHER_CLASS",))


def _judge_activity(biopsy: Biopsy) -> Finding:
    word = biopsy.active.strip().lower()
    if word not in ("yes", "no"):
        return unknown(missing("assessments.csv", "SCR", "biopsy active"))
    return Finding(truth=claim(word == "yes"), reasons=() if word == "yes" else ("NOT_ACTIVE",))


def _judge_date(evidence: Evidence, biopsy: Biopsy, rule: Rule) -> Finding:
    anchor = evidence.person.anchor
    if anchor is None:
        return unknown(missing("subjects.csv", "", "consent_date"))
    is_recent = biopsy.date >= add_months(anchor, -int(rule["months"]))
    return Finding(truth=claim(is_recent), reasons=() if is_recent else ("BIOPSY_TOO_OLD",))


def add_up_sledai(draw: Mapping[str, Answer]) -> Total | None:
    """Add up the items of one assessment; None where it holds neither an item nor a total.

    An item that is neither 0 nor 1 is missing.
    """
    items = {
        name: answer.text.strip() == "1"
        for name, answer in draw.items()
        if name in WEIGHTS and answer.text.strip() in ("0", "1")
    }
    total = read_value(draw["total"].text).bounds.exact if "total" in draw else None
    if not items and total is None:
        return None
    return compute_total(items, None if total is None else float(total))


def judge_sledai(evidence: Evidence, rule: Rule) -> Finding:
    """Judge the recomputed total of the latest assessment; missing items make it an interval."""
    limit = parse_limit(rule["limit"], place=rule["id"])
    threshold = f"{rule['relation']}{show_number(limit)}"
    scored = [(draw, total) for draw in evidence.sledai if (total := add_up_sledai(draw)) is not None]
    if not scored:
        return unknown(missing("assessments.csv", "SCR", "SLEDAI-2K"), threshold=threshold)
    draw, total = scored[-1]
    sources = (min(answer.source_id for answer in draw.values()),)
    if total.reason == "SUM_MISMATCH":
        return replace(unknown("SUM_MISMATCH", threshold=threshold), sources=sources)
    bounds = Bounds(low=parse_limit(total.low, place=""), high=parse_limit(total.high, place=""))
    return Finding(
        truth=compare(bounds, rule["relation"], limit),
        value=show(bounds),
        unit="score",
        threshold=threshold,
        reasons=tuple(filter(None, [total.reason, _name_missing_items(draw, total)])),
        sources=sources,
    )


def _name_missing_items(draw: Mapping[str, Answer], total: Total) -> str:
    absent = [name for name in WEIGHTS if name not in draw or draw[name].text.strip() not in ("0", "1")]
    if not total.reason or not absent or len(absent) == len(WEIGHTS):
        return ""
    return missing("assessments.csv", "SCR", f"SLEDAI-2K {', '.join(absent)}")


def judge_cd19(evidence: Evidence, rule: Rule) -> Finding:
    """Take over the call of the CD19 table with its own reason."""
    if evidence.cd19 is None or "NO_SCREENING_TUBE" in evidence.cd19.reason:
        return unknown(missing("manifest.csv", "SCR", "bcell full tube"), threshold="positive")
    truths = {"positive": Truth.YES, "negative": Truth.NO}
    percent = evidence.cd19.percent
    return Finding(
        truth=truths.get(evidence.cd19.call, Truth.UNKNOWN),
        value="" if percent is None else f"{float(percent):.4g}",
        unit="%",
        threshold=evidence.cd19.rule,
        reasons=(evidence.cd19.reason,) if evidence.cd19.reason else (),
        sources=("cd19_status",),
    )
