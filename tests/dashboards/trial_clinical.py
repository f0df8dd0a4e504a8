# ruff: noqa: E501 - a row of a table, or of cases, reads best on one line
"""Eligibility and outcomes of the small literal trial."""

ARMS = {"CL-001": "high", "CL-002": "low", "CL-003": ""}
VERSION = "NCT06904729/1"
# criterion, state, value, unit, threshold, reason, exception
PASSING = [
    ("I01", "met", "11", "a", "6 to 18", "", ""),
    ("I02", "met", "yes", "", "attested yes", "", ""),
    ("I04", "met", "14", "score", ">=8", "", ""),
    ("I06", "met", "97.2", "%", "positive", "", ""),
    ("I09a1", "met", "1.833", "10^9/L", ">=1", "", ""),
    ("I09b1", "met", "25", "U/L", "<=3 x ULN (120)", "", ""),
    ("I09b3", "met", "8.2", "umol/L", "<=1.5 x ULN (30.75)", "", ""),
    ("I10", "met", "1:1280", "titre", ">=1:80", "", ""),
    ("E01", "not_met", "no", "", "attested yes", "", ""),
    ("E06a", "not_met", "HBSAG negative, HBCAB negative", "", "HBSAG positive", "", ""),
]
OTHERWISE = {
    ("CL-002", "I09b3"): ("met", "31.0", "umol/L", "<=3.0 x ULN (61.5)", "", "gilbert by li.wei"),
    ("CL-003", "I06"): ("not_evaluable", "", "", "positive", "NO_SCREENING_TUBE", ""),
    ("CL-003", "I10"): ("not_evaluable", "", "", ">=1:80", "MISSING labs.csv SCR ANA", ""),
    ("CL-003", "E06a"): ("met", "HBSAG positive, HBVDNA 4000", "", "HBSAG positive", "", ""),
}
VERDICTS = {"CL-001": ("eligible", ""), "CL-002": ("eligible", ""), "CL-003": ("ineligible", "E06a")}


def make_eligibility() -> list[dict[str, object]]:
    names = ("state", "value", "unit", "threshold", "reason", "exception_used")
    rows: list[dict[str, object]] = []
    for subject, arm in ARMS.items():
        common = {"subject_id": subject, "arm": arm, "rule_version": VERSION}
        for criterion, *usual in PASSING:
            told = OTHERWISE.get((subject, criterion), usual)
            rows.append({**common, "criterion": criterion, **dict(zip(names, told, strict=True))})
        state, reason = VERDICTS[subject]
        rows.append({**common, "criterion": "OVERALL", "state": state, "reason": reason})
    return rows


def make_events() -> list[dict[str, object]]:
    """Terms beside the cytokine release of the trial itself."""
    names = (
        "subject_id",
        "arm",
        "term",
        "worst_grade",
        "scale",
        "onset_day",
        "duration_days",
        "ongoing",
        "aesi",
    )
    rows = [
        ("CL-001", "high", "Neutrophil count decreased", 4, "CTCAE v5.0", 3.0, 15.0, "no", "no"),
        ("CL-002", "low", "Neutrophil count decreased", 3, "CTCAE v5.0", 4.0, None, "yes", "no"),
        ("CL-001", "high", "Hypogammaglobulinaemia", 2, "CTCAE v5.0", 37.0, None, "yes", "yes"),
    ]
    common = {"related": "yes", "serious": "no", "treatment_emergent": "yes"}
    return [{**dict(zip(names, row, strict=True)), **common} for row in rows]


def make_shifts() -> list[dict[str, object]]:
    rows = []
    for subject, grade, value in (("CL-001", 4, 0.3), ("CL-002", None, None)):
        common = {
            "subject_id": subject,
            "arm": ARMS[subject],
            "phase": "expansion",
            "rule_version": "CTCAE5/1",
        }
        rows.append({
            **common, "test": "ANC", "term": "Neutrophil count decreased", "direction": "low",
            "baseline_grade": 0, "worst_grade": grade, "shift": grade, "value": value, "unit": "10^9/L",
            "study_day": 7, "n": 7, "n_not_graded": 0,
        })  # fmt: skip
    return rows


def make_responses() -> list[dict[str, object]]:
    """CL-001 responded in part at M3; CL-002 could not be judged."""
    when = {
        "visit": "M3",
        "visit_label": "M3",
        "rule_version": "RESPONSE/1",
        "evidence": "labs.csv:7; labs.csv:9",
    }
    renal = "proteinuria 0.9, proteinuria/baseline 0.375, egfr 84, egfr/baseline 0.955"
    told = {
        "CL-001": {"CRR": "non_responder", "PRR": "responder", "ORR": "responder", "SRI4": "responder"},
        "CL-002": dict.fromkeys(("CRR", "PRR", "ORR", "SRI4"), "not_evaluable"),
    }
    rows: list[dict[str, object]] = []
    for subject, states in told.items():
        seen = subject == "CL-001"
        common = {**when, "subject_id": subject, "arm": ARMS[subject]}
        common |= {"collected_at": "2026-08-06T09:00:00+08:00", "study_day": 92} if seen else {}
        for endpoint, state in states.items():
            definition = "SRI-4" if endpoint == "SRI4" else "CORELAB_DEFAULT"
            rows.append({
                **common, "endpoint": endpoint, "definition": definition, "state": state,
                "reason": "" if seen else "MISSING labs.csv M3 UPCR",
                "value": renal if seen and endpoint != "SRI4" else "",
                "threshold": "proteinuria < 0.5" if endpoint == "CRR" else "",
            })  # fmt: skip
        if seen:
            rows.append({
                **common, "endpoint": "SRI_SLEDAI", "definition": "SRI-4", "state": "responder", "value": "12",
                "threshold": ">=4",
            })  # fmt: skip
    return rows


def make_summary() -> list[dict[str, object]]:
    """Shares with the exact intervals of 0, 1 and 2 of 1 or 2."""
    ends = {(0, 1): (0.0, 97.5), (1, 1): (2.5, 100.0), (1, 2): (1.258, 98.742), (2, 2): (15.811, 100.0)}
    counted = {
        "AE_ANY": ((1, 1), (1, 1), (2, 2)), "AE_G3": ((1, 1), (1, 1), (2, 2)), "CRS": ((0, 1), (1, 1), (1, 2)),
    }  # fmt: skip
    places = [(endpoint, "", "observed", counts) for endpoint, counts in counted.items()]
    places += [
        ("ORR", "M3", "nri", ((0, 1), (1, 1), (1, 2))),
        ("ORR", "M3", "evaluable_only", ((0, 0), (1, 1), (1, 1))),
    ]
    rows: list[dict[str, object]] = []
    for endpoint, visit, method, counts in places:
        for arm, (n, total) in zip(("low", "high", "all"), counts, strict=True):
            low, high = ends.get((n, total), (None, None))
            rows.append({
                "arm": arm, "endpoint": endpoint, "visit": visit, "method": method, "n": n, "n_total": total,
                "estimate": 100 * n / total if total else None, "ci_low": low, "ci_high": high, "unit": "%",
            })  # fmt: skip
    return rows


def make_associations() -> list[dict[str, object]]:
    common = {"analyte": "CAR_VCN_UG", "parameter": "CMAX", "seed": 1}
    return [
        {**common, "outcome": "DOSE_HIGH", "visit": "", "method": method, "n": 2, "n_first": 1, "n_second": 1,
         "estimate": 5.22, "p_value": 1.0, "p_holm": 1.0, "reason": "NOT_INFORMATIVE"}
        for method in ("permutation", "mann_whitney")
    ] + [
        {**common, "outcome": "CRS_GRADE", "visit": "", "method": "kendall_tau_b", "n": 2, "estimate": 1.0,
         "p_value": 0.02, "p_holm": 0.04, "reason": ""},
        {**common, "outcome": "ORR", "visit": "M3", "method": "permutation", "n": 1, "n_first": 1, "n_second": 0,
         "reason": "NO_CONTRAST"},
    ]  # fmt: skip


def respond(concentration: float) -> float:
    """Return the response of the plate's curve: 4PL with a 12, b 1.15, c 850, d 21000."""
    return 21000 + (12 - 21000) / (1 + (concentration / 850) ** 1.15)


def make_plates() -> dict[str, list[dict[str, object]]]:
    """One plate of one analyte: eight standards, two controls, two samples, one of them below the curve."""
    run = {"plate": "P1", "platform": "Luminex", "run_at": "2026-05-20T14:00:00"}
    mine = {"plate": "P1", "analyte": "IL-6"}
    levels = [10_000 / 4**step for step in range(8)]
    wells: list[dict[str, object]] = [
        {**mine, "well": f"{chr(65 + step)}1", "role": "standard", "name": f"Standard{step + 1}", "dilution": 1.0,
         "nominal": level, "signal": respond(level), "calculated": level, "recovery_percent": 100.0,
         "value": level, "relation": "=", "unit": "pg/mL", "status": "quantified"}
        for step, level in enumerate(levels)
    ]  # fmt: skip
    wells += [
        {**mine, "well": "A2", "role": "qc", "name": "QC1", "dilution": 2.0, "nominal": 400.0,
         "signal": respond(210), "calculated": 420.0, "recovery_percent": 105.0, "unit": "pg/mL",
         "value": 420.0, "relation": "=", "status": "quantified"},
        {**mine, "well": "B2", "role": "unknown", "name": "S7", "subject_id": "CL-001", "visit": "D7",
         "collected_at": "2026-05-13T09:00:00+08:00", "dilution": 2.0, "signal": respond(105), "calculated": 210.0,
         "value": 210.0, "relation": "=", "ci_low": 190.0, "ci_high": 232.0, "unit": "pg/mL",
         "status": "quantified", "vendor_result": "208"},
        {**mine, "well": "C2", "role": "unknown", "name": "S0", "dilution": 2.0, "signal": 11.0, "unit": "pg/mL",
         "relation": "<", "low": 0.0, "high": 1.2, "status": "not_detected", "reason": "BELOW_CURVE",
         "flags": "LOW_BEAD"},
    ]  # fmt: skip
    return {
        "plates": [{**run, "file_id": "a" * 64, "n_wells": 11, "n_analytes": 2, "n_accepted": 1, "tier": 1, "state": "accepted"}],
        "plate_curves": [
            {**run, **mine, "unit": "pg/mL", "state": "accepted", "model": "4PL", "lloq": 0.61, "uloq": 10_000.0},
            {**run, "plate": "P1", "analyte": "TNF-a", "unit": "pg/mL", "state": "rejected",
             "reason": "STANDARDS: 5 of 7 levels back-calculate; 6 are needed"},
        ],
        "plate_curve_points": [
            {**mine, "concentration": level, "response": respond(level), "response_low": 0.95 * respond(level),
             "response_high": 1.05 * respond(level), "in_range": "yes"}
            for level in levels
        ],
        "plate_wells": wells,
        "plate_controls": [
            {**run, **mine, "plate": plate, "level": "QC1", "nominal": 400.0, "value": 4 * percent,
             "recovery_percent": percent, "unit": "pg/mL", "centre": 400.0, "sd": 20.0, "z": (percent - 100) / 5,
             "rules": rules, "verdict": verdict}
            for plate, percent, rules, verdict in (
                ("P1", 105.0, "", "in_control"), ("P2", 112.0, "1_2s", "warning"), ("P3", 118.0, "1_3s", "out_of_control"),
            )
        ],
    }  # fmt: skip


def make_clinical() -> dict[str, list[dict[str, object]]]:
    return {
        "eligibility": make_eligibility(), "lab_shift": make_shifts(), "responses": make_responses(),
        "summary": make_summary(), "associations": make_associations(), **make_plates(),
    }  # fmt: skip
