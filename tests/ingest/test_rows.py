"""One row checked: words, times and numbers in the registry's spelling, or a reason that names the column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.clinical.sledai import WEIGHTS
from corelab.clinical.sri import DOMAINS
from corelab.errors import InputError
from corelab.ingest.layouts import LAYOUTS
from corelab.ingest.merging import merge_rows
from corelab.ingest.names import ITEMS
from corelab.ingest.rows import CheckedRow, check_row
from corelab.study import builtin_study
from tests.deliveries import LAB, SUBJECT, TUBE

STUDY = builtin_study()
SCORE = {
    "subject_id": "S-1", "visit": "SCR", "collected_at": "2025-02-10", "instrument": "SLEDAI-2K",
    "item": "arthritis", "value": "1",
}  # fmt: skip
EVENT = {"subject_id": "S-1", "term": "Fever", "scale": "CTCAE v5.0", "grade": "1", "start": "2025-03-05"}


def check(stem: str, **values: str) -> CheckedRow:
    base = {
        "labs": LAB,
        "subjects": SUBJECT,
        "manifest": TUBE,
        "adverse_events": EVENT,
        "assessments": SCORE,
    }[stem]
    return check_row(base | values, LAYOUTS[stem], study=STUDY, place="f.csv:2")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-17T08:30", "2025-03-17T08:30:00+08:00"),
        ("2025-03-17 08:30:15", "2025-03-17T08:30:15+08:00"),
        ("2025-03-17T00:30:00Z", "2025-03-17T08:30:00+08:00"),
        ("2025-03-16T22:30:00-02:00", "2025-03-17T08:30:00+08:00"),
        ("2025-03-17", "2025-03-17T00:00:00+08:00"),
    ],
)
def test_check_row__puts_times_into_the_zone_of_the_study(text: str, expected: str) -> None:
    assert check("labs", collected_at=text).values["collected_at"] == expected


@pytest.mark.parametrize(
    ("stem", "column", "text"),
    [
        ("labs", "collected_at", "2025-02-29"),
        ("labs", "collected_at", "17.03.2025"),
        ("labs", "collected_at", "0025-03-17"),
        ("labs", "collected_at", "2025-03"),
        ("labs", "visit", "M7"),
        ("labs", "value", "about 3"),
        ("labs", "unit", "mg/ml/kg"),
        ("labs", "ref_low", "1,1"),
        ("labs", "ref_low", "nan"),
        ("labs", "ref_low", "1e999"),
        ("labs", "subject_id", ""),
        ("labs", "test", "A\x07B"),
        ("subjects", "subject_id", "S 1"),
        ("subjects", "subject_id", "x" * 33),
        ("subjects", "subject_id", "../etc"),
        ("subjects", "sex", "2"),
        ("subjects", "arm", "middle"),
        ("subjects", "viability_pct", "101"),
        ("subjects", "weight_kg", "-3"),
        ("subjects", "birth_date", "2012-13-01"),
        ("subjects", "infusion_end_at", "2025-03-03T09:00"),
        ("manifest", "panel", "tcell"),
        ("manifest", "tube", "fmo_"),
        ("manifest", "beads_per_tube", "many"),
        ("adverse_events", "grade", "6"),
        ("adverse_events", "grade", "1.5"),
        ("adverse_events", "serious", "perhaps"),
        ("adverse_events", "end", "2025-03-01"),
    ],
)
def test_check_row__names_the_column_of_a_bad_value(stem: str, column: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        check(stem, **{column: text})
    assert column in str(caught.value)
    assert str(caught.value).startswith("f.csv:2")


@pytest.mark.parametrize("tube", ["unstained", "comp_CD3", "assay_blank"])
def test_check_row__lets_run_tubes_have_no_owner(tube: str) -> None:
    assert check("manifest", tube=tube, subject_id="", visit="").subject_id == ""
    with pytest.raises(InputError, match="run tube"):
        check("manifest", tube=tube)


def test_check_row__spells_words() -> None:
    row = check("subjects", sex="f", arm="LOW").values
    assert (row["sex"], row["arm"]) == ("F", "low")
    assert check("adverse_events", serious="Y", related="0").values["serious"] == "yes"
    assert check("labs", visit="uns").values["visit"] == "UNS"


def test_check_row__keeps_a_measured_text_as_it_was_delivered() -> None:
    for text in ("<1.0", ">200", "1:320", "positive", "1.350"):
        assert check("labs", value=text).values["value"] == text


def test_check_row__gives_one_key_to_one_measurement() -> None:
    keys = {check("labs", test=name).key for name in ("HGB", "Hb", "hemoglobin")}
    assert len(keys) == 1
    others = {
        check("labs", **change).key
        for change in ({"test": "PLT"}, {"visit": "UNS"}, {"collected_at": "2025-03-18"})
    }
    assert len(keys | others) == 4


def test_check_row__remarks_an_unknown_test_and_keeps_it() -> None:
    assert "Troponin" in check("labs", test="Troponin").remarks[0]


@given(st.dictionaries(st.sampled_from(LAYOUTS["labs"].names), st.text(max_size=30)))
def test_check_row__never_ends_in_anything_but_a_row_or_one_line(values: dict[str, str]) -> None:
    for layout in LAYOUTS.values():
        message = ""
        try:
            check_row(LAB | TUBE | SUBJECT | EVENT | values, layout, study=STUDY, place="f.csv:2")
        except InputError as error:
            message = str(error)
        assert "\n" not in message


fields = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["", "1", "2", "x"]))


@given(fields, fields)
def test_merge_rows__changes_a_filled_field_only_as_a_conflict(
    present: dict[str, str], given_row: dict[str, str]
) -> None:
    conflicts, merged = merge_rows(present, given_row)
    for name, old in present.items():
        assert merged[name] == old or not old or name in conflicts
    assert set(conflicts) <= {name for name in present if present[name] and given_row.get(name)}
    assert merge_rows(merged, given_row) == ({}, merged)


@given(fields, fields)
def test_merge_rows__gives_the_same_row_in_either_order_without_conflict(
    first: dict[str, str], second: dict[str, str]
) -> None:
    conflicts, merged = merge_rows(first, second)
    if not conflicts:
        _, other = merge_rows(second, first)
        assert {k: v for k, v in merged.items() if v} == {k: v for k, v in other.items() if v}


@pytest.mark.parametrize(
    ("instrument", "item", "expected"),
    [
        ("SLEDAI-2K", "arthritis", ""),
        ("sledai 2k", "Organic brain syndrome", ""),
        ("SLEDAI-2K", "haematuria", ""),
        ("medication", "a new drug", ""),
        ("attestation", "e06", ""),
        ("SLEDAI-2K", "artritis", "item 'artritis' of SLEDAI-2K is unknown; kept"),
        ("PGA", "vas_0_10", "item 'vas_0_10' of PGA is unknown; kept"),
        ("SLEDAI", "arthritis", "instrument 'SLEDAI' is unknown; kept"),
    ],
)
def test_check_row__remarks_an_unknown_instrument_or_item(instrument: str, item: str, expected: str) -> None:
    """A score that is misspelt counts nowhere, so that its loss is said when it is delivered."""
    remarks = check("assessments", instrument=instrument, item=item).remarks
    assert remarks == ((f"f.csv:2: {expected}",) if expected else ())


def test_items__are_those_that_are_scored() -> None:
    assert {*WEIGHTS, "total"} == set(ITEMS["SLEDAI-2K"])
    assert set(DOMAINS) == set(ITEMS["BILAG-2004"])
