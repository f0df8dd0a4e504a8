"""The drawer of the page of cytokines: one result of a child, one well, or one control of a run."""

import datetime as dt
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from dash import dcc, html

from corelab.figures.course import to_float
from corelab.figures.numbers import format_exact, format_interval, format_number
from corelab.figures.screening_cell import write_unit
from corelab.vocabulary import Status
from dashboards.components.chips import build_chip
from dashboards.components.evidence import build_evidence
from dashboards.components.outcome_drawer import name_facts, select_row
from dashboards.components.pick import build_close, read_words
from dashboards.shell import format_moment
from dashboards.site import Site, SnapshotTables

STATUS_KINDS: Final = {Status.FAILED: "fail", Status.MISSING: "warn"}
VERDICT_KINDS: Final = {"in_control": "ok", "warning": "warn", "out_of_control": "fail"}

Row = Mapping[str, Any]


def build_cytokine_drawer(
    site: Site, tables: SnapshotTables, sent: object, *, store: str
) -> list[Any] | None:
    """Build the drawer for a choice, or None for none or for one that the snapshot does not hold."""
    kind = read_words(sent, 1)
    tell = TELLERS.get(kind[0]) if kind else None
    words = read_words(sent, 4) if tell else None
    parts = tell(site, tables, words) if tell and words else None
    if parts is None:
        return None
    child = parts.pop("child", "")
    label = site.text("outcomes.child", subject=child)
    foot = [html.Nav(dcc.Link(label, href=f"/patients/{child}", className="button"))] if child else []
    return build_evidence(close=build_close(site, store), foot=foot, **parts)


def build_status(site: Site, status: str) -> list[Any]:
    """Build the chip of a status, by shape and word."""
    if not status:
        return []
    mark = html.Span(site.text(f"status_mark.{status}"), **{"aria-hidden": "true"})
    return [build_chip(mark, site.text(f"status.{status}"), kind=STATUS_KINDS.get(Status(status), ""))]


def write_value(row: Row) -> str:
    """Write a value with its unit; a bound with its relation, nothing where there is neither."""
    unit = write_unit(str(row["unit"]))
    value = to_float(row["value"])
    if math.isfinite(value):
        return f"{format_number(value)} {unit}"
    low, high = to_float(row["low"]), to_float(row["high"])
    if row["relation"] in ("<", "<=") and high > 0:
        return f"< {format_number(high)} {unit}"
    return f"> {format_number(low)} {unit}" if row["relation"] in (">", ">=") and low > 0 else ""


def write_interval(row: Row) -> str:
    """Write the 95 % interval of a value, empty without one."""
    low, high = to_float(row["ci_low"]), to_float(row["ci_high"])
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{format_interval(low, high, estimate=to_float(row['value']))} {write_unit(str(row['unit']))}"


def write_number(row: Row, name: str, unit: str = "") -> str:
    """Write a number of a row with a unit, empty where there is none."""
    value = to_float(row[name])
    return f"{format_number(value)} {unit}".strip() if math.isfinite(value) else ""


def tell_draw(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell one result of a child."""
    row = select_row(
        tables["measurements"], subject_id=words[1], name=words[2], collected_at=words[3], assay="cytokine",
        metric="concentration",
    )  # fmt: skip
    if row is None:
        return None
    unit = write_unit(str(row["unit"]))
    fold = select_row(
        tables["measurements"], subject_id=words[1], name=words[2], collected_at=words[3], assay="cytokine",
        metric="fold_change",
    )  # fmt: skip
    facts = {
        "collected": format_moment(dt.datetime.fromisoformat(words[3]), site),
        "day": format_exact(to_float(row["study_day"])),
        "interval": write_interval(row),
        **{name: write_number(row, name, unit) for name in ("lod", "lloq", "uloq")},
        "fold": write_number(fold, "value") if fold else "",
        "reason": site.say(str(row["reason"])),
        "source": row["source_id"],
    }
    status = site.text(f"status.{row['status']}")
    return {
        "child": words[1],
        "title": f"{words[1]} · {row['visit_label']} · {words[2]}",
        "lead": write_value(row) or status,
        "chips": build_status(site, row["status"]),
        "facts": name_facts(site, "cytokine", facts),
    }


def tell_well(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell one well of a plate for one analyte."""
    row = select_row(tables["plate_wells"], plate=words[1], analyte=words[2], well=words[3])
    if row is None:
        return None
    unit = write_unit(str(row["unit"]))
    facts = {
        "holds": site.text(f"cytokines.role.{row['role']}"),
        "name": row["name"],
        "specimen": " ".join(filter(None, (row["subject_id"], row["visit"]))),
        "signal": write_number(row, "signal"),
        "beads": write_number(row, "bead_count"),
        "dilution": write_number(row, "dilution"),
        "nominal": write_number(row, "nominal", unit),
        "calculated": write_number(row, "calculated", unit),
        "recovery": write_number(row, "recovery_percent", "%"),
        "interval": write_interval(row),
        "vendor": row["vendor_result"],
        "difference": write_number(row, "difference_percent", "%"),
        "flags": row["flags"],
        "reason": site.say(str(row["reason"])),
    }
    return {
        "child": row["subject_id"] if row["subject_id"] in set(tables["subjects"]["subject_id"]) else "",
        "title": f"{words[1]} · {words[3]} · {words[2]}",
        "lead": write_value(row) or site.text(f"cytokines.role.{row['role']}"),
        "chips": build_status(site, row["status"]),
        "facts": name_facts(site, "well", facts),
    }


def tell_control(site: Site, tables: SnapshotTables, words: tuple[str, ...]) -> dict[str, Any] | None:
    """Tell one control of one run."""
    row = select_row(tables["plate_controls"], plate=words[1], analyte=words[2], level=words[3])
    if row is None:
        return None
    unit = write_unit(str(row["unit"]))
    verdict = str(row["verdict"])
    facts = {
        "run": str(row["run_at"])[:16].replace("T", " "),
        "lot": row["kit_lot"],
        **{name: write_number(row, name, unit) for name in ("nominal", "value", "centre", "sd")},
        "recovery": write_number(row, "recovery_percent", "%"),
        "z": write_number(row, "z"),
        "rules": row["rules"],
    }
    chip = build_chip(site.text(f"cytokines.verdict.{verdict}"), kind=VERDICT_KINDS.get(verdict, ""))
    return {
        "title": f"{words[1]} · {words[3]} · {words[2]}",
        "lead": write_number(row, "value", unit),
        "chips": [chip],
        "facts": name_facts(site, "control", facts),
    }


Teller = Callable[[Site, SnapshotTables, tuple[str, ...]], dict[str, Any] | None]

TELLERS: Final[Mapping[str, Teller]] = {"draw": tell_draw, "well": tell_well, "control": tell_control}
"""Who tells a choice, by its first word."""
