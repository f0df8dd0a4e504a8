"""`persistence`: the four CAR-T analytes by visit, each detected and quantified by one rule."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from corelab.statistics.intervals import clopper_pearson, newcombe
from corelab.statistics.rare_events import compute_fisher_greater, compute_lod_events, decide
from corelab.tables.blanks import Blanks, CarRules
from corelab.tables.clock import WHEN, Clocks
from corelab.tables.due import list_missing
from corelab.tables.rows import stack_rows
from corelab.tables.schemas import SCHEMAS
from corelab.tables.tubes import join_findings
from corelab.tables.values import parse_values, tabulate_measured
from corelab.vocabulary import Analyte, Level, Status

NAN: Final = float("nan")
UNITS: Final = {
    Analyte.CAR_PCT_CD3: "%", Analyte.CAR_PCT_LYM: "%", Analyte.CAR_ABS: "cells/uL",
    Analyte.CAR_VCN_UG: "copies/ug",
}  # fmt: skip
DENOMINATORS: Final = {"n_cd3": "t_cells", "n_lymphocytes": "lymphocytes"}
COLUMNS: Final = [
    "subject_id", "visit", "collected_at", *WHEN, "analyte", "value", "unit", "n_events", "n_reference",
    "blank_events", "blank_reference", "p_value", "ci_low", "ci_high", "gate_low", "gate_high", "lod", "lloq",
    "status", "reason", "denominator", "lob", "net_of_blank", "net_low", "net_high", "fmo_events",
    "fmo_reference", "fmo_p_value", "run_blank_events", "run_blank_reference", "route",
]  # fmt: skip


def derive_car_decisions(
    car_counts: pd.DataFrame, populations: pd.DataFrame, *, blanks: Blanks, rules: CarRules
) -> pd.DataFrame:
    """Decide for every primary CAR-T tube whether its CAR-T cells are detected and quantified.

    Returns
    -------
    decisions
        One row per tube and flow analyte: the columns of the table, ``file_id`` and ``lod_events``.
    """
    concentrations = populations.loc[
        populations["population"] == "car_t",
        ["file_id", "per_event", "by_blood", "cells_per_ul_low", "cells_per_ul_high", "route"],
    ]
    lymphocytes_gated = populations.loc[
        (populations["population"] == "lymphocytes") & (populations["status"] != Status.MISSING.value),
        "file_id",
    ]
    concentrations = concentrations.rename(columns={"route": "route_of_file"})
    tubes = car_counts.merge(concentrations, on="file_id", how="left")
    tubes["n_lymphocytes"] = tubes["n_lymphocytes"].where(tubes["file_id"].isin(lymphocytes_gated))
    tubes["lod_events"] = compute_lod_events(
        tubes["n_cd3"], floors=rules.floors, limit_of_blank_percent=blanks.limit_percent
    )
    tubes["lob_percent"] = blanks.limit_percent
    parts = [
        _derive_percent(tubes, Analyte.CAR_PCT_CD3, "n_cd3", blanks, rules),
        _derive_percent(tubes, Analyte.CAR_PCT_LYM, "n_lymphocytes", blanks, rules),
    ]
    return pd.concat([*parts, _derive_concentration(parts[0], rules)], ignore_index=True)


def _derive_percent(
    tubes: pd.DataFrame, analyte: Analyte, reference: str, blanks: Blanks, rules: CarRules
) -> pd.DataFrame:
    rows = _add_blank(tubes, reference, blanks).assign(
        analyte=analyte.value, unit=UNITS[analyte], n_events=tubes["n_car"], n_reference=tubes[reference]
    )
    p_value = compute_fisher_greater(
        rows["n_events"],
        rows["n_reference"],
        blank_count=rows["blank_events"],
        blank_total=rows["blank_reference"],
    )
    known = rows["n_events"].notna() & (rows["n_reference"] > 0)
    decisions = decide(rows["n_events"], p_value, rows["lod_events"], floors=rules.floors)
    low, high = clopper_pearson(rows["n_events"].where(known, 0), rows["n_reference"].where(known, 0))
    scale = 100 / rows["n_reference"].where(known)
    rows = rows.assign(
        p_value=p_value,
        status=decisions.status.astype(object),
        reason=decisions.reason.astype(object),
        ci_low=100 * low,
        ci_high=100 * high,
        gate_low=rows["n_car_low"] * scale,
        gate_high=rows["n_car_high"] * scale,
        lod=rows["lod_events"] * scale,
        lloq=np.maximum(rows["lod_events"], rules.floors.lloq_events) * scale,
    )
    rows = _judge(_cap_before_infusion(rows), known, blanks, rules)
    quantified = rows["status"] == Status.QUANTIFIED.value
    controls = _compare_controls(rows, reference)
    not_above = quantified & (controls["fmo_p_value"] >= rules.floors.alpha)
    # The limit of blank is one of CD3+; of lymphocytes it is the same number of events.
    return rows.assign(
        reason=join_findings(rows["reason"], _word(not_above, "NOT_ABOVE_FMO")),
        value=(rows["n_events"] * scale).where(quantified),
        denominator=DENOMINATORS[reference],
        lob=rows["lob_percent"] * (rows["n_cd3"] / rows["n_reference"].where(known)),
        route="",
        **_subtract_blank(rows, known),
        **controls,
    )


def _subtract_blank(rows: pd.DataFrame, known: "pd.Series[bool]") -> dict[str, Any]:
    """Return the percentage above the blank with Newcombe's interval; it may be negative, never clipped."""
    usable = known & (rows["blank_reference"] > 0)
    n, total, blank, blank_total = (
        rows[name].where(usable, 0 if "events" in name else 1)
        for name in ("n_events", "n_reference", "blank_events", "blank_reference")
    )
    low, high = newcombe(n, total, control_count=blank, control_total=blank_total)
    return {
        "net_of_blank": (100 * (n / total - blank / blank_total)).where(usable),
        "net_low": pd.Series(100 * low, index=rows.index).where(usable),
        "net_high": pd.Series(100 * high, index=rows.index).where(usable),
    }


def _compare_controls(rows: pd.DataFrame, reference: str) -> dict[str, Any]:
    """Return the counts of the FMO of the draw and of the blanks of the run, and the test against the FMO."""
    fmo, fmo_total = rows["fmo_n_car"], rows[f"fmo_{reference}"]
    return {
        "fmo_events": fmo,
        "fmo_reference": fmo_total,
        "fmo_p_value": compute_fisher_greater(
            rows["n_events"], rows["n_reference"], blank_count=fmo, blank_total=fmo_total
        ),
        "run_blank_events": rows["run_n_car"],
        "run_blank_reference": rows[f"run_{reference}"],
    }


def _add_blank(tubes: pd.DataFrame, reference: str, blanks: Blanks) -> pd.DataFrame:
    """Add the counts of the subject's own blank, else of the study's; a blank itself has none."""
    usable = blanks.table[blanks.table[reference] > 0]
    own = usable.groupby("subject_id")[["n_car", reference]].sum()
    events = tubes["subject_id"].map(own["n_car"]).astype("float64")
    total = tubes["subject_id"].map(own[reference]).astype("float64")
    if len(usable):
        events, total = events.fillna(usable["n_car"].sum()), total.fillna(usable[reference].sum())
    after = ~tubes["is_before"].astype(bool)
    source = np.select(
        [~after, total.isna(), ~tubes["subject_id"].isin(own.index)], ["", "NO_BLANK", "STUDY_BLANK"], ""
    )
    return tubes.assign(
        blank_events=events.where(after), blank_reference=total.where(after), blank_source=source
    )


def _cap_before_infusion(rows: pd.DataFrame) -> pd.DataFrame:
    """Hold a sample before infusion, which is itself the blank, at ``detected_blq``."""
    capped = rows["is_before"].astype(bool) & (rows["status"] == Status.QUANTIFIED.value)
    return rows.assign(
        status=rows["status"].mask(capped, Status.DETECTED_BLQ.value),
        reason=rows["reason"].mask(capped, "PRE_INFUSION"),
    )


def _judge(rows: pd.DataFrame, known: "pd.Series[bool]", blanks: Blanks, rules: CarRules) -> pd.DataFrame:
    """Let quality overrule the decision, and add what weakens it."""
    failed = rows["qc"] == Level.FAIL.value
    missing = rows["n_events"].isna() | rows["n_reference"].isna()
    status = rows["status"].mask(~known, Status.NOT_CALCULATED.value)
    status = status.mask(missing, Status.MISSING.value).mask(failed, Status.FAILED.value)
    reason = rows["reason"].mask(~known, "EMPTY_PARENT").mask(missing, "GATE_MISSING")
    decided = known & ~failed
    weak = decided & (rows["n_cd3"] < rules.valid_negative) & (status != Status.QUANTIFIED.value)
    later = decided & ~rows["is_before"].astype(bool)
    suspect = later & rows["subject_id"].isin(blanks.suspect_subjects)
    reasons = (
        reason.mask(failed, rows["qc_reason"]),
        _word(weak, "LIMITED_SENSITIVITY"),
        rows["blank_source"].where(decided, ""),
        _word(suspect, "BLANK"),
        _word(later & blanks.is_provisional, "LOB_PROVISIONAL"),
    )
    return rows.assign(status=status, reason=join_findings(*reasons))


def _word(mask: "pd.Series[bool]", word: str) -> "pd.Series[str]":
    return pd.Series(np.where(mask, word, ""), index=mask.index, dtype=object)


def _derive_concentration(percent: pd.DataFrame, rules: CarRules) -> pd.DataFrame:
    """Scale the decision on CD3+ events to cells per uL; without beads or blood count there is none."""
    analyte = Analyte.CAR_ABS
    known = percent["per_event"].notna()
    decided = percent["status"].isin(
        (Status.QUANTIFIED.value, Status.DETECTED_BLQ.value, Status.NOT_DETECTED.value)
    )
    lost = decided & ~known
    status = percent["status"].mask(lost, Status.NOT_CALCULATED.value)
    by_blood = _word(known & percent["by_blood"].eq(other=True), "DUAL_PLATFORM")
    floor = np.maximum(percent["lod_events"], rules.floors.lloq_events)
    value = percent["n_events"] * percent["per_event"]
    return percent.assign(
        analyte=analyte.value,
        unit=UNITS[analyte],
        status=status,
        reason=join_findings(percent["reason"], _word(lost, "NO_BEADS_NO_BLOOD_COUNT"), by_blood),
        value=value.where(status == Status.QUANTIFIED.value),
        ci_low=percent["cells_per_ul_low"],
        ci_high=percent["cells_per_ul_high"],
        gate_low=percent["n_car_low"] * percent["per_event"],
        gate_high=percent["n_car_high"] * percent["per_event"],
        lod=percent["lod_events"] * percent["per_event"],
        lloq=floor * percent["per_event"],
        lob=percent["lob"] / 100 * percent["n_reference"] * percent["per_event"],
        route=percent["route_of_file"].where(known, "none"),
        **dict.fromkeys(("net_of_blank", "net_low", "net_high"), NAN),
    )


def derive_transgene(qpcr: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Judge transgene copies against the limit that the amount of DNA allows.

    Notes
    -----
    With less DNA than nominal the effective LLOQ is LLOQ x nominal / actual. Before infusion a value is at
    most ``detected_blq``. Of several rows of one draw the last by its source that is valid stands for it.
    """
    rows = _limit_by_input(qpcr, clocks.study.settings["qpcr"])
    no_limit = [NAN] * len(rows)
    measured = parse_values(rows["copies_per_ug"], lods=rows["lod"], lloqs=rows["lloq"], uloqs=no_limit)
    rows = clocks.place(rows.join(tabulate_measured(measured, rows.index)))
    capped = rows["is_before"].astype(bool) & (rows["status"] == Status.QUANTIFIED.value)
    analyte = Analyte.CAR_VCN_UG
    return rows.assign(
        analyte=analyte.value,
        unit=UNITS[analyte],
        status=rows["status"].mask(capped, Status.DETECTED_BLQ.value),
        reason=join_findings(rows["reason"].mask(capped, "PRE_INFUSION"), rows["low_input"]),
        value=rows["value"].mask(capped),
        relation=rows["relation"].mask(capped, ""),
    )


def _limit_by_input(qpcr: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    nominal = float(settings["nominal_gdna_ng"])
    lacks = (qpcr["gdna_ng"] > 0) & (qpcr["gdna_ng"] < nominal)
    factor = (nominal / qpcr["gdna_ng"].where(lacks)).fillna(1.0)
    lloq = qpcr["lloq"].fillna(float(settings["lloq_copies_per_ug"])) * factor
    return qpcr.assign(lloq=lloq, low_input=_word(lacks, "LOW_GDNA"))


def choose_transgene(transgene: pd.DataFrame) -> pd.DataFrame:
    """Keep one row per draw: the last by its source among those that have not failed."""
    invalid = transgene["status"].isin((Status.FAILED.value, Status.MISSING.value))
    ordered = transgene.assign(is_valid=~invalid).sort_values(["is_valid", "source_id"], kind="stable")
    key = ["subject_id", "visit", "collected_at"]
    doubled = ordered.duplicated(key, keep=False)
    ordered = ordered.assign(reason=join_findings(ordered["reason"], _word(doubled, "DUP_CONFLICT")))
    return ordered.drop_duplicates(key, keep="last")


def derive_persistence(decisions: pd.DataFrame, transgene: pd.DataFrame, *, clocks: Clocks) -> pd.DataFrame:
    """Join flow and transgene rows, and add the visits that are due without a sample."""
    parts = [decisions, choose_transgene(transgene)]
    rows = stack_rows(parts, COLUMNS)
    missing = list_missing(rows, units=UNITS, clocks=clocks)
    return SCHEMAS["persistence"].conform(stack_rows([rows, missing], COLUMNS))
