"""What we write, two independent readers must read."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from corelab.ingest.fcs import read_fcs
from corelab.synthetic.fcs import Channel, encode_fcs, format_spillover

CHANNELS = (Channel(name="FSC-A"), Channel(name="PE-A", label="CAR"), Channel(name="Time", upper=1024))
EVENTS = np.array([[1.5, -20.25, 0.0], [262143.0, 3.0625, 17.0]], dtype=np.float32)
KEYWORDS = {"$CYT": "Synthetic", "COMMENT": "a|b"}


def test_encode_fcs__is_read_back_by_flowkit(tmp_path: Path) -> None:
    import flowkit

    path = tmp_path / "tube.fcs"
    path.write_bytes(encode_fcs(EVENTS, CHANNELS, KEYWORDS))
    sample = flowkit.Sample(path)
    np.testing.assert_array_equal(sample.get_events("raw"), EVENTS)
    assert list(sample.pnn_labels) == ["FSC-A", "PE-A", "Time"]
    assert list(sample.pns_labels) == ["", "CAR", ""]
    assert sample.get_metadata()["cyt"] == "Synthetic"


def test_encode_fcs__is_read_back_by_our_own_reader() -> None:
    acquisition = read_fcs(encode_fcs(EVENTS, CHANNELS, KEYWORDS), name="tube.fcs")
    np.testing.assert_array_equal(acquisition.events, EVENTS)
    assert tuple(acquisition.detectors) == ("FSC-A", "PE-A", "Time")
    assert tuple(acquisition.labels) == ("", "CAR", "")
    assert tuple(acquisition.ranges) == (262144.0, 262144.0, 1024.0)


def test_encode_fcs__doubles_the_delimiter_inside_a_value() -> None:
    assert b"|COMMENT|a||b|" in encode_fcs(EVENTS, CHANNELS, KEYWORDS)


def test_encode_fcs__header_points_at_the_data() -> None:
    data = encode_fcs(EVENTS, CHANNELS, KEYWORDS)
    begin, end = int(data[26:34]), int(data[34:42])
    assert data[:6] == b"FCS3.1"
    assert data[begin : end + 1] == EVENTS.tobytes()
    assert end + 1 == len(data)


def test_encode_fcs__spillover_survives_with_rows_as_fluorochromes() -> None:
    matrix = np.array([[1.0, 0.2], [0.05, 1.0]])
    channels = (Channel(name="FITC-A"), Channel(name="PE-A"))
    text = format_spillover(["FITC-A", "PE-A"], matrix)
    assert text == "2,FITC-A,PE-A,1,0.2,0.05,1"
    # The worked example of the specification: true (1000, 400) is observed as (1020, 600).
    events = np.array([[1020.0, 600.0]], dtype=np.float32)
    acquisition = read_fcs(encode_fcs(events, channels, {"$SPILLOVER": text}), name="x.fcs")
    assert acquisition.spillover is not None
    true = acquisition.events @ np.linalg.inv(acquisition.spillover.matrix)
    np.testing.assert_allclose(true, [[1000.0, 400.0]], rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    n_events=st.integers(1, 40),
    n_channels=st.integers(1, 6),
    value=st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30),
)
def test_encode_fcs__any_size_and_any_value_come_back(n_events: int, n_channels: int, value: str) -> None:
    events: npt.NDArray[np.float32] = np.arange(n_events * n_channels, dtype=np.float32).reshape(
        n_events, n_channels
    )
    channels = [Channel(name=f"D{place}-A") for place in range(n_channels)]
    # A value that begins with the delimiter cannot be written unambiguously in FCS.
    value = value.lstrip("|") or "x"
    acquisition = read_fcs(encode_fcs(events, channels, {"NOTE": value}), name="x.fcs")
    np.testing.assert_array_equal(acquisition.events, events)
    assert {key.upper(): text for key, text in acquisition.keywords.items()}["NOTE"] == value
