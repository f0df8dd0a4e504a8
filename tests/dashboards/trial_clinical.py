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


def make_clinical() -> dict[str, list[dict[str, object]]]:
    return {"eligibility": make_eligibility()}
