"""Every row of docs/eligibility_cases.md through the table `eligibility`."""

import pandas as pd
import pytest

from tests.clinical.cases import Case, make_child, read_cases
from tests.tables.trial import Trial, one

CASES = read_cases()
CODE_LIKE = (
    "MISSING", "CENSORED", "BIOPSY_", "OTHER_", "NOT_", "ITEMS_", "SUM_", "FEW_", "CI_", "UN", "CSF_",
    "HEIGHT_", "IVIG_", "ATTESTED_", "BIRTH_",
)  # fmt: skip


@pytest.fixture(scope="module")
def verdicts() -> pd.DataFrame:
    trial = Trial()
    for case in CASES:
        make_child(case).deliver(trial)
    return trial.derive()["eligibility"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.criterion}: {case.change}")
def test_derive_eligibility__every_row_of_the_table(case: Case, verdicts: pd.DataFrame) -> None:
    row = one(verdicts, subject_id=case.subject_id, criterion=case.criterion)
    assert row["state"] == case.state, row.to_dict()
    if case.remark.startswith(CODE_LIKE):
        assert case.remark in row["reason"]
    if "attested by" in case.remark:
        assert row["exception_used"] == case.remark
    elif "attest" not in case.change:
        assert row["exception_used"] == ""


def test_derive_eligibility__one_change_changes_one_verdict(verdicts: pd.DataFrame) -> None:
    untouched = one(verdicts, subject_id=CASES[-5].subject_id, criterion="OVERALL")
    assert untouched["state"] == "eligible"
    base = verdicts[verdicts["subject_id"] == CASES[-5].subject_id].set_index("criterion")["state"]
    for case in CASES:
        if ";" in case.change or case.change.startswith(("birth", "consent")) or case.criterion == "OVERALL":
            continue
        states = verdicts[verdicts["subject_id"] == case.subject_id].set_index("criterion")["state"]
        changed = set(states.index[states != base[states.index]]) - {"OVERALL"}
        assert changed <= {case.criterion}, case


def test_cases__every_criterion_has_its_limits() -> None:
    criteria = {case.criterion for case in CASES}
    assert len(criteria) == 36
    for criterion in criteria - {"OVERALL"}:
        states = {case.state for case in CASES if case.criterion == criterion}
        assert states & {"met", "not_met"}
