"""Disease activity of a child at baseline and at a visit: SLEDAI-2K, PGA and BILAG-2004."""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from corelab.clinical.bounds import UNBOUNDED, Bounds
from corelab.clinical.disease_criteria import add_up_sledai
from corelab.clinical.evidence import Answer
from corelab.clinical.reading import read_value
from corelab.clinical.sledai import Total
from corelab.clinical.sri import DOMAINS, LETTERS, Activity
from corelab.tables.evidence import Chart, group_by_draw

SLEDAI: Final = "SLEDAI-2K"
BILAG: Final = "BILAG-2004"
PGA: Final = ("PGA", "vas_0_3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """Activity, the answers on which it rests, and why SLEDAI-2K cannot be used where it was recorded.

    ``leading`` is one answer of each instrument, which leads to the others; ``visits`` tells of which visit
    the total of SLEDAI-2K, PGA and the letter of each domain are.
    """

    activity: Activity
    sources: tuple[Answer, ...]
    leading: tuple[Answer, ...]
    visits: Mapping[str, str]
    sledai_reason: str


def read_activity(chart: Chart, belongs: Callable[[Answer], bool]) -> Assessed:
    """Take the last usable scores among the answers that belong to a visit, or to the time before.

    SLEDAI-2K is added up from its items; an assessment with a total goes before one whose items leave an
    interval. A letter of BILAG is taken by domain.
    """
    sledai, total = _last_sledai(chart, belongs)
    pga = _last_readable(chart, PGA, belongs, is_readable=lambda text: read_value(text).bounds != UNBOUNDED)
    letters = {
        domain: answer
        for domain in DOMAINS
        if (answer := _last_readable(chart, (BILAG, domain), belongs, is_readable=_is_letter)) is not None
    }
    visits = {domain: answer.visit for domain, answer in letters.items()}
    visits |= {"PGA": pga.visit} if pga else {}
    visits |= {f"{SLEDAI} total": next(iter(sledai.values())).visit} if sledai else {}
    parts = [tuple(sledai.values()), (pga,) if pga else (), tuple(letters.values())]
    return Assessed(
        activity=Activity(
            sledai=_to_bounds(total),
            pga=read_value(pga.text).bounds if pga else UNBOUNDED,
            bilag={domain: answer.text.strip().upper() for domain, answer in letters.items()},
        ),
        sources=tuple(answer for part in parts for answer in part),
        visits=visits,
        leading=tuple(min(part, key=lambda answer: answer.source_id) for part in parts if part),
        sledai_reason=total.reason if total is not None and total.value is None else "",
    )


def list_affected(chart: Chart, until: dt.date) -> dict[str, str]:
    """Return by domain of BILAG the last letter A to D that was given before a date."""
    found = {
        domain: [a for a in chart.answers.get((BILAG, domain), ()) if _is_affected(a.text) and a.date < until]
        for domain in DOMAINS
    }
    return {domain: answers[-1].text.strip().upper() for domain, answers in found.items() if answers}


def _is_affected(text: str) -> bool:
    return _is_letter(text) and text.strip().upper() != "E"


def _is_letter(text: str) -> bool:
    word = text.strip().upper()
    return len(word) == 1 and word in LETTERS


def _last_readable(
    chart: Chart,
    key: tuple[str, str],
    belongs: Callable[[Answer], bool],
    *,
    is_readable: Callable[[str], bool],
) -> Answer | None:
    found = [a for a in chart.answers.get(key, ()) if belongs(a) and is_readable(a.text)]
    return found[-1] if found else None


def _last_sledai(
    chart: Chart, belongs: Callable[[Answer], bool]
) -> tuple[Mapping[str, Answer], Total | None]:
    draws = [draw for draw in group_by_draw(chart, SLEDAI) if belongs(next(iter(draw.values())))]
    scored = [(draw, total) for draw in draws if (total := add_up_sledai(draw)) is not None]
    if not scored:
        return {}, None
    exact = [pair for pair in scored if pair[1].value is not None]
    return (exact or scored)[-1]


def _to_bounds(total: Total | None) -> Bounds:
    """Return the interval of a total; nothing is known of one that contradicts its items."""
    if total is None or total.reason == "SUM_MISMATCH":
        return UNBOUNDED
    return Bounds(low=Fraction(total.low), high=Fraction(total.high))


def name_missing(visit: Assessed, baseline: Assessed, code: str) -> dict[str, str]:
    """Name by component of SRI-4 what lacks."""
    absent: dict[str, list[str]] = {}
    for assessed, place in ((baseline, "baseline"), (visit, code)):
        for component, what in _list_lacking(assessed).items():
            absent.setdefault(component, []).append(f"MISSING assessments.csv {place} {what}")
    named = {component: "; ".join(reasons) for component, reasons in absent.items()}
    return (
        {**named, "SRI_BILAG_A": named["BILAG"], "SRI_BILAG_B": named["BILAG"]} if "BILAG" in named else named
    )


def name_substitutes(baseline: Assessed, expected: str) -> dict[str, str]:
    """Name by component what was not recorded at the visit of which a baseline is expected."""
    found = {
        component: f"MISSING assessments.csv {expected} {what} (baseline of {baseline.visits[what]})"
        for component, what in (("SRI_SLEDAI", f"{SLEDAI} total"), ("SRI_PGA", "PGA"))
        if expected and baseline.visits.get(what, expected) != expected
    }
    older = [domain for domain in DOMAINS if expected and baseline.visits.get(domain, expected) != expected]
    if older:
        visits = ", ".join(sorted({baseline.visits[domain] for domain in older}))
        text = f"MISSING assessments.csv {expected} {BILAG} {', '.join(older)} (baseline of {visits})"
        found |= {"SRI_BILAG_A": text, "SRI_BILAG_B": text}
    return found


def _list_lacking(assessed: Assessed) -> dict[str, str]:
    lacking: dict[str, str] = {}
    if assessed.activity.sledai.exact is None:
        remark = f" ({assessed.sledai_reason})" if assessed.sledai_reason else ""
        lacking["SRI_SLEDAI"] = f"{SLEDAI}{remark}"
    if assessed.activity.pga == UNBOUNDED:
        lacking["SRI_PGA"] = "PGA"
    domains = [domain for domain in DOMAINS if domain not in assessed.activity.bilag]
    if domains:
        lacking["BILAG"] = BILAG if len(domains) == len(DOMAINS) else f"{BILAG} {', '.join(domains)}"
    return lacking
