import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import FcsReadError
from corelab.ingest.fcs import Span, parse_fcs_segments
from corelab.ingest.fcs_segments import parse_text
from tests.ingest.fcs_files import build_float_fcs

EVENTS = np.arange(12, dtype=float).reshape(6, 2)


def test_parse_fcs_segments__gives_offsets_and_keywords_in_order():
    data = build_float_fcs(EVENTS, keywords={"$SRC": "a|b", "Tube Name": "T1"})
    segments = parse_fcs_segments(data, name="x.fcs")
    assert segments.version == "FCS3.1"
    assert data[segments.text.begin : segments.text.end].startswith(b"|$BEGINDATA|")
    assert data[segments.data_header.begin : segments.data_header.end] == EVENTS.astype("<f4").tobytes()
    assert segments.data_header == segments.data_text
    assert [key for key, _ in segments.keywords][:3] == ["$BEGINDATA", "$ENDDATA", "$BEGINANALYSIS"]
    assert dict(segments.keywords)["$SRC"] == "a|b"
    assert segments.lookup()["TUBE NAME"] == "T1"


def test_parse_fcs_segments__reads_a_supplemental_text():
    supplement = b"|$SRC|late|"
    plain = build_float_fcs(EVENTS, keywords={"$BEGINSTEXT": "00000000", "$ENDSTEXT": "00000000"})
    at = len(plain)
    data = build_float_fcs(
        EVENTS,
        keywords={"$BEGINSTEXT": f"{at:08d}", "$ENDSTEXT": f"{at + len(supplement) - 1:08d}"},
        tail=supplement,
    )
    segments = parse_fcs_segments(data, name="x.fcs")
    assert segments.supplemental == Span(begin=at, end=at + len(supplement))
    assert segments.supplemental_keywords == (("$SRC", "late"),)


def test_parse_fcs_segments__refuses_a_second_data_set_that_is_there():
    one = build_float_fcs(EVENTS)
    with pytest.raises(FcsReadError, match=f"second data set begins at byte {len(one)}"):
        parse_fcs_segments(one + one, name="x.fcs")


def test_parse_fcs_segments__reads_on_where_nextdata_leads_nowhere():
    data = build_float_fcs(EVENTS, keywords={"$NEXTDATA": "999999"})
    assert parse_fcs_segments(data, name="x.fcs").lookup()["$NEXTDATA"] == "999999"


@pytest.mark.parametrize("key", ["$PAR", "$DATATYPE", "$BYTEORD"])
def test_parse_fcs_segments__names_a_missing_keyword(key):
    with pytest.raises(FcsReadError, match=rf"no \{key}"):
        parse_fcs_segments(build_float_fcs(EVENTS, keywords={key: None}), name="x.fcs")


def test_parse_fcs_segments__refuses_a_required_keyword_with_two_values():
    data = build_float_fcs(EVENTS, keywords={"$par": "7"})
    with pytest.raises(FcsReadError, match=r"\$PAR is both"):
        parse_fcs_segments(data, name="x.fcs")


@pytest.mark.parametrize(
    "data", [b"", b"FCS", b"hello world", b"FCS1.0    " + b" " * 48, b"FCS3.1    " + b"x" * 60]
)
def test_parse_fcs_segments__refuses_what_is_no_fcs(data):
    with pytest.raises(FcsReadError, match=r"^x\.fcs"):
        parse_fcs_segments(data, name="x.fcs")


@pytest.mark.parametrize("delimiter", list("|/\\!^.+?([$*\f\x1e"))
def test_parse_text__takes_any_delimiter(delimiter):
    raw = delimiter.join(["", "KEY", "va lue", "OTHER", "5", ""]).encode()
    assert parse_text(raw, place="x")[1] == (("KEY", "va lue"), ("OTHER", "5"))


def test_parse_text__keeps_a_dollar_inside_names_and_values():
    assert parse_text(b"|$P1N|A$B|$SRC|$5|", place="x")[1] == (("$P1N", "A$B"), ("$SRC", "$5"))


def test_parse_text__refuses_words_that_form_no_pairs():
    with pytest.raises(FcsReadError, match="pairs"):
        parse_text(b"|A|1|B|", place="x")


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0|\ue000"), min_size=1).filter(
    lambda word: word.strip() == word and word
)


@given(st.dictionaries(WORDS, st.text("ab|/ c", min_size=1).map(str.strip).filter(bool), min_size=1))
def test_parse_text__gives_back_what_was_written(pairs):
    # A value that begins or ends with the delimiter cannot be told from a closed word: FCS forbids it.
    pairs = {key: value.strip("|") or "v" for key, value in pairs.items()}
    body = "|".join(f"{key}|{value.replace('|', '||')}" for key, value in pairs.items())
    assert dict(parse_text(f"|{body}|".encode(), place="x")[1]) == pairs
