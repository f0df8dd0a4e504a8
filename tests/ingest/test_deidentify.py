"""De-identification: only allowed keywords stay, the events stay byte for byte."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import FcsReadError
from corelab.ingest.deidentify import deidentify_fcs, parse_acquisition_time, select_keywords
from corelab.ingest.fcs import read_fcs
from tests.deliveries import PLANTED, make_fcs

REAL_DATA = Path(os.environ.get("CORELAB_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
REAL_FILES = sorted(path for path in REAL_DATA.rglob("*") if path.suffix.lower() in (".fcs", ".lmd"))

words = st.text(
    st.characters(codec="ascii", min_codepoint=33, exclude_characters="|"), min_size=6, max_size=20
)
removed_keys = st.sampled_from([
    "$SRC", "$SMNO", "$FIL", "$CELLS", "$COM", "$PROJ", "$EXP", "$OP", "$LAST_MODIFIER", "$INST", "DOB",
    "PATIENT ID", "PATIENT NAME", "SAMPLE ID", "#SAMPLE", "TUBE NAME", "EXPERIMENT NAME", "CASE NUMBER",
    "@SAMPLEID1", "GUID", "EXPORT USER NAME", "COMPUTER", "$CYTSN", "WELL ID", "$DATE", "$ETIM", "MRN",
    "$LAST_MODIFIED",
])  # fmt: skip


@given(st.dictionaries(removed_keys, words.map(lambda word: f"zq{word}"), min_size=1))
def test_deidentify_fcs__leaves_no_removed_value_anywhere(keywords: dict[str, str]) -> None:
    data = make_fcs(keywords=keywords)
    clean = deidentify_fcs(data, name="a.fcs")
    for key, value in keywords.items():
        assert value.encode() not in clean.data
        assert key in clean.removed
    assert deidentify_fcs(clean.data, name="a.fcs").data == clean.data


@given(st.dictionaries(words.filter(lambda word: not word.startswith("$")), words, max_size=5))
def test_deidentify_fcs__drops_keywords_that_nobody_listed(keywords: dict[str, str]) -> None:
    unlisted = {f"X {key}": value for key, value in keywords.items()}
    clean = deidentify_fcs(make_fcs(keywords=unlisted), name="a.fcs")
    assert set(read_fcs(clean.data, name="a.fcs").keywords).isdisjoint({key.upper() for key in unlisted})


def test_deidentify_fcs__keeps_events_and_what_they_mean() -> None:
    data = make_fcs(n_events=321)
    before, clean = read_fcs(data, name="a"), deidentify_fcs(data, name="a")
    after = read_fcs(clean.data, name="a")
    assert after.events.tobytes() == before.events.tobytes()
    assert (after.detectors, after.labels) == (before.detectors, before.labels)
    assert before.spillover is not None
    assert after.spillover is not None
    assert np.array_equal(after.spillover.matrix, before.spillover.matrix)
    assert clean.n_events == 321
    segment = data[-321 * 3 * 4 :]
    assert clean.data_sha256 == hashlib.sha256(segment).hexdigest()
    assert clean.data.endswith(segment)
    assert clean.acquired_at == "2025-03-17T09:15:00"


def test_deidentify_fcs__copies_nothing_behind_or_between_the_segments() -> None:
    data = make_fcs(keywords={}) + b"Invented Person behind the data"
    assert b"Invented" not in deidentify_fcs(data, name="a.fcs").data


def test_deidentify_fcs__drops_the_analysis_and_supplemental_segments() -> None:
    extra = b"|DIAGNOSIS|Invented Person|"
    data = bytearray(make_fcs(keywords={"$SRC": "x"}) + extra)
    begin = len(data) - len(extra)
    data[42:58] = f"{begin:8d}{len(data) - 1:8d}".encode()
    clean = deidentify_fcs(bytes(data), name="a.fcs")
    assert b"Invented" not in clean.data
    assert clean.data[42:58] == b"       0       0"


def test_select_keywords__takes_a_patient_out_of_a_label() -> None:
    given = {
        "PATIENT NAME": "Invented Person",
        "$P1N": "FITC-A",
        "$P1S": "CD3 invented person",
        "$CYT": "Canto",
    }
    assert select_keywords(given) == {"$P1N": "FITC-A", "$P1S": "CD3", "$CYT": "Canto"}


def test_select_keywords__keeps_markers_that_an_experiment_is_named_after() -> None:
    given = {"EXPERIMENT NAME": "CD19", "TUBE NAME": "CD19", "$P1N": "PE-A", "$P1S": "CD19"}
    assert select_keywords(given) == {"$P1N": "PE-A", "$P1S": "CD19"}


def test_deidentify_fcs__writes_words_that_hold_every_usual_delimiter() -> None:
    data = make_fcs(keywords={"$CYT": "a/b\\c!d"})
    assert read_fcs(deidentify_fcs(data, name="a").data, name="a").keywords["$CYT"] == "a/b\\c!d"


@pytest.mark.parametrize("length", [0, 10, 57, 100, 500])
def test_deidentify_fcs__refuses_a_file_that_is_cut_short(length: int) -> None:
    with pytest.raises(FcsReadError):
        deidentify_fcs(make_fcs()[:length], name="a.fcs")


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({"$DATE": "03-MAR-2025", "$BTIM": "09:15:02"}, "2025-03-03T09:15:02"),
        ({"$BEGINDATETIME": "2025-03-03T09:15:02.5"}, "2025-03-03T09:15:02"),
        ({"$DATE": "31-FEB-2025", "$BTIM": "09:15:02"}, ""),
        ({"$DATE": "03-XXX-2025", "$BTIM": "09:15:02"}, ""),
        ({"$BTIM": "09:15:02"}, ""),
        ({}, ""),
    ],
)
def test_parse_acquisition_time__reads_a_real_moment_only(keywords: dict[str, str], expected: str) -> None:
    assert parse_acquisition_time(keywords) == expected


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_FILES, reason="the public files are not beside the project")
def test_deidentify_fcs__reads_the_same_from_every_public_file() -> None:
    compared = 0
    for path in REAL_FILES:
        data = path.read_bytes()
        try:
            before = read_fcs(data, name=path.name)
        except FcsReadError:
            continue
        clean = deidentify_fcs(data, name=path.name)
        after = read_fcs(clean.data, name=path.name)
        assert after.events.tobytes() == before.events.tobytes(), path.name
        assert after.detectors == before.detectors, path.name
        assert (after.spillover is None) == (before.spillover is None), path.name
        assert deidentify_fcs(clean.data, name=path.name).data == clean.data, path.name
        compared += 1
    assert compared > 20


def test_planted_names__are_in_the_file_before() -> None:
    """Without this the tests above could pass on a file that never held a name."""
    assert all(value.encode() in make_fcs() for value in PLANTED.values())
