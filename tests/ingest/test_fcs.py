import flowio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corelab.errors import FcsReadError
from corelab.ingest.fcs import map_file, parse_spillover, read_fcs
from tests.ingest.fcs_files import build_fcs, build_float_fcs

RNG = np.random.default_rng(20260101)
EVENTS = RNG.normal(1000, 400, (50, 3)).astype("<f4").astype(float)


@pytest.mark.parametrize("version", ["FCS2.0", "FCS3.0", "FCS3.1", "FCS3.2"])
@pytest.mark.parametrize(("order", "byteord"), [("<", "1,2,3,4"), (">", "4,3,2,1")])
@pytest.mark.parametrize(("datatype", "size"), [("F", 4), ("D", 8)])
def test_read_fcs__reads_floats_of_any_version_and_byte_order(version, order, byteord, datatype, size):
    data = EVENTS.astype(f"{order}f{size}").tobytes()
    file = build_fcs(
        data, names="ABC", n_events=50, bits=8 * size, datatype=datatype, byteord=byteord, version=version
    )
    acquisition = read_fcs(file, name="x.fcs")
    np.testing.assert_array_equal(acquisition.events, EVENTS)
    assert (acquisition.version, acquisition.detectors) == (version, ("A", "B", "C"))
    assert not acquisition.events.flags.writeable


@pytest.mark.parametrize(("order", "byteord"), [("little", "1,2,3,4"), ("big", "4,3,2,1")])
def test_read_fcs__reads_integers_of_mixed_and_odd_widths(order, byteord):
    widths = [8, 16, 24, 32, 64]
    rows = [[int(RNG.integers(0, 2 ** min(w, 40))) for w in widths] for _ in range(20)]
    data = b"".join(v.to_bytes(w // 8, order) for row in rows for v, w in zip(row, widths, strict=True))
    ranges = {f"$P{i}R": str(2**w) for i, w in enumerate(widths, start=1)}
    file = build_fcs(
        data, names="ABCDE", n_events=20, bits=widths, datatype="I", byteord=byteord, keywords=ranges
    )
    np.testing.assert_array_equal(read_fcs(file, name="x").events, np.array(rows, dtype=float))


def test_read_fcs__reads_integers_packed_across_bytes():
    values = RNG.integers(0, 512, (16, 5))
    bits = "".join(f"{v:09b}" for v in values.ravel())
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    kwargs = {"names": "ABCDE", "n_events": 16, "bits": 9, "datatype": "I"}
    ranges = {f"$P{i}R": "512" for i in range(1, 6)}
    file = build_fcs(data, byteord="4,3,2,1", keywords=ranges, **kwargs)
    np.testing.assert_array_equal(read_fcs(file, name="x").events, values)
    with pytest.raises(FcsReadError, match="little-endian"):
        read_fcs(build_fcs(data, byteord="1,2,3,4", keywords=ranges, **kwargs), name="x")


@pytest.mark.parametrize(("upper", "kept"), [("1024", 0x3FF), ("1000", 0x3FF), ("65536", 0xFFFF)])
def test_read_fcs__masks_integers_to_their_range(upper, kept):
    raw = np.array([[0x1234], [0xFFFF], [0x0400], [5]], dtype="<u2")
    file = build_fcs(raw.tobytes(), names="A", n_events=4, bits=16, datatype="I", keywords={"$P1R": upper})
    np.testing.assert_array_equal(read_fcs(file, name="x").events, raw & kept)


def test_read_fcs__expands_log_amplification_and_divides_by_gain():
    raw = np.array([[0, 10, 300], [512, 20, 600]], dtype="<u2")
    keys = {"$P1E": "4,0", "$P1R": "1024", "$P1G": "3", "$P2G": "2.5", "$P3N": "Time", "$P3G": "0.01"}
    file = build_fcs(raw.tobytes(), names="ABC", n_events=2, bits=16, datatype="I", keywords=keys)
    acquisition = read_fcs(file, name="x")
    # 10**(4 * 512 / 1024) = 100; gain is for linear channels, and a gain of Time repeats $TIMESTEP.
    np.testing.assert_allclose(acquisition.events, [[1, 4, 300], [100, 8, 600]])
    np.testing.assert_allclose(acquisition.ranges[:2], [1e4, 262144 / 2.5])


def test_read_fcs__reads_data_types_by_channel():
    part = np.zeros(7, dtype=[("a", "<f4"), ("b", "<i4"), ("c", "<f8")])
    part["a"], part["b"], part["c"] = np.arange(7) / 4, np.arange(7) * 3, np.arange(7) / 8
    file = build_fcs(
        part.tobytes(), names="ABC", n_events=7, bits=[32, 32, 64], version="FCS3.2",
        keywords={"$P2DATATYPE": "I", "$P3DATATYPE": "D"},
    )  # fmt: skip
    expected = np.column_stack([part["a"], part["b"], part["c"]])
    np.testing.assert_array_equal(read_fcs(file, name="x").events, expected)


def test_read_fcs__trusts_the_offsets_that_agree_with_tot():
    n_bytes = EVENTS.astype("<f4").nbytes
    right = build_float_fcs(EVENTS)
    begin = len(right) - n_bytes
    for claim in [(0, 0), (begin, begin + n_bytes), (begin - 100, begin + n_bytes - 1)]:
        file = build_float_fcs(EVENTS, header_data=claim)
        np.testing.assert_array_equal(read_fcs(file, name="x").events, EVENTS)
    lying = build_float_fcs(EVENTS, keywords={"$BEGINDATA": "77", "$ENDDATA": "99"})
    claim = (len(lying) - n_bytes, len(lying) - 1)
    header_only = build_float_fcs(EVENTS, keywords={"$BEGINDATA": "77", "$ENDDATA": "99"}, header_data=claim)
    np.testing.assert_array_equal(read_fcs(header_only, name="x").events, EVENTS)


@pytest.mark.parametrize("total", ["49", "51", "0050x", "-1", ""])
def test_read_fcs__refuses_a_tot_that_contradicts_data(total):
    with pytest.raises(FcsReadError, match=r"\$TOT"):
        read_fcs(build_float_fcs(EVENTS, keywords={"$TOT": total}), name="x.fcs")


def test_read_fcs__does_without_tot_where_the_offsets_agree():
    acquisition = read_fcs(build_float_fcs(EVENTS, keywords={"$TOT": None}), name="x.fcs")
    np.testing.assert_array_equal(acquisition.events, EVENTS)


@pytest.mark.parametrize("cut", [1, 4, 100, 599])
def test_read_fcs__refuses_a_file_that_is_cut_short(cut):
    with pytest.raises(FcsReadError, match="cut short"):
        read_fcs(build_float_fcs(EVENTS)[:-cut], name="x.fcs")


def test_read_fcs__takes_a_file_without_events():
    acquisition = read_fcs(build_float_fcs(np.empty((0, 2))), name="x.fcs")
    assert acquisition.events.shape == (0, 2)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"$MODE": "U"}, "MODE"),
        ({"$DATATYPE": "A"}, "DATATYPE"),
        ({"$BYTEORD": "3,4,1,2"}, "BYTEORD"),
        ({"$P2B": "16"}, "P2B"),
        ({"$P2R": "wide"}, "number"),
        ({"$P2E": "4"}, "two numbers"),
        ({"$P2G": "nan"}, "finite"),
        ({"$PAR": "0"}, "PAR"),
        ({"$PAR": "4"}, "P4"),
        ({"$SPILLOVER": "2,C0-A,C1-A,1,0,0"}, "SPILLOVER"),
        ({"$SPILLOVER": "2,C0-A,C1-A,1,0,x,1"}, "no number"),
    ],
)
def test_read_fcs__refuses_in_one_line(keywords, message):
    with pytest.raises(FcsReadError, match=message) as caught:
        read_fcs(build_float_fcs(EVENTS, keywords=keywords), name="x.fcs")
    assert "\n" not in str(caught.value)
    assert "x.fcs" in str(caught.value)


@pytest.mark.parametrize("key", ["$SPILLOVER", "SPILL", "$SPILL", "SPILLOVER"])
def test_read_fcs__reads_the_spillover_row_by_row(key):
    file = build_float_fcs(EVENTS, keywords={key: "2,C0-A,C2-A,1,0.2,0.05,1"})
    spillover = read_fcs(file, name="x").spillover
    assert spillover.detectors == ("C0-A", "C2-A")
    np.testing.assert_array_equal(spillover.matrix, [[1, 0.2], [0.05, 1]])


def test_parse_spillover__takes_channel_numbers_for_names():
    spillover = parse_spillover("2,3,1,1,0,0,1", detectors=("A", "B", "C"), place="x")
    assert spillover.detectors == ("C", "A")


def test_read_fcs__reads_what_flowio_writes(tmp_path):
    path = tmp_path / "flowio.fcs"
    with path.open("wb") as handle:
        flowio.create_fcs(handle, EVENTS.ravel().tolist(), ["FSC-A", "B", "C"], ["", "CD3", "CD19"])
    acquisition = read_fcs(path.read_bytes(), name="flowio.fcs")
    np.testing.assert_array_equal(acquisition.events, EVENTS)
    assert acquisition.labels[1:] == ("CD3", "CD19")


BASE = build_float_fcs(EVENTS, keywords={"$SRC": "somebody", "$TIMESTEP": "0.01", "$P1G": "1.0"})
TEXT_END = len(BASE) - EVENTS.astype("<f4").nbytes
HARMLESS = {"$SRC", "$TIMESTEP", "$P1N", "$P2N", "$P3N", "$NEXTDATA", "$P1R", "$P2R", "$P3R"}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits=st.lists(st.tuples(st.integers(0, TEXT_END - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_read_fcs__never_misreads_a_damaged_header(edits):
    damaged = bytearray(BASE)
    for place, value in edits:
        damaged[place] = value
    try:
        acquisition = read_fcs(bytes(damaged), name="x.fcs")
    except FcsReadError:
        return
    # What was read has the shape that its own TEXT tells, and the same numbers unless a keyword
    # that scales them was changed.
    table = acquisition.keywords
    assert acquisition.events.shape == (int(table.get("$TOT", 50)), int(table["$PAR"]))
    before = read_fcs(BASE, name="x.fcs").keywords
    changed = {key for key in {*table, *before} if table.get(key) != before.get(key)}
    if changed <= HARMLESS:
        np.testing.assert_array_equal(acquisition.events, EVENTS)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=400), keep=st.integers(0, TEXT_END))
def test_read_fcs__refuses_rubbish_behind_a_good_beginning(data, keep):
    with pytest.raises(FcsReadError):
        read_fcs(BASE[:keep] + data, name="x.fcs")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_read_fcs__refuses_values_that_are_no_numbers(value):
    events = EVENTS.copy()
    events[7, 1] = value
    with pytest.raises(FcsReadError, match="finite"):
        read_fcs(build_float_fcs(events), name="x.fcs")


@pytest.mark.parametrize("shift", range(4))
@pytest.mark.parametrize("code", ["<f4", ">f4", "<f8"])
def test_read_fcs__gives_the_same_numbers_from_a_mapped_file_wherever_data_begins(tmp_path, shift, code):
    kinds = {"datatype": "F" if code[2] == "4" else "D", "bits": 8 * int(code[2])}
    byteord = "1,2,3,4" if code[0] == "<" else "4,3,2,1"
    raw = EVENTS.astype(code).tobytes()
    data = build_fcs(
        raw, names="ABC", n_events=50, byteord=byteord, keywords={"$SRC": "x" * (4 + shift)}, **kinds
    )
    path = tmp_path / "x.fcs"
    path.write_bytes(data)
    mapped = read_fcs(map_file(path), name="x")
    np.testing.assert_array_equal(mapped.events, EVENTS)
    np.testing.assert_array_equal(mapped.events, read_fcs(data, name="x").events)
    assert mapped.column(1).dtype == np.float64
    assert mapped.events.dtype == np.dtype(f"f{code[2]}")
    assert mapped.events.flags.aligned


def test_map_file__refuses_an_empty_file_like_any_other_rubbish(tmp_path):
    (tmp_path / "empty.fcs").touch()
    with pytest.raises(FcsReadError, match=r"^empty\.fcs: no FCS header"):
        read_fcs(map_file(tmp_path / "empty.fcs"), name="empty.fcs")


def _supplemented() -> bytes:
    """A file that tells its number of events in a supplemental TEXT alone."""
    supplement = b"|$TOT|50|"
    offsets = {"$TOT": None, "$BEGINSTEXT": "0" * 8, "$ENDSTEXT": "0" * 8}
    at = len(build_float_fcs(EVENTS, keywords=offsets))
    offsets |= {"$BEGINSTEXT": f"{at:08d}", "$ENDSTEXT": f"{at + len(supplement) - 1:08d}"}
    return build_float_fcs(EVENTS, keywords=offsets, tail=supplement)


def _mixed() -> bytes:
    """A file of FCS 3.2 that changes between floating point and integers, 32 bits each."""
    part = np.zeros(50, dtype=[("a", "<f4"), ("b", "<u4"), ("c", "<f4")])
    part["a"], part["b"], part["c"] = EVENTS[:, 0], np.arange(50), EVENTS[:, 2]
    return build_fcs(
        part.tobytes(), names="ABC", n_events=50, version="FCS3.2", keywords={"$P2DATATYPE": "I"}
    )


WITH_A_COUNTER = np.column_stack([EVENTS[:, 0], np.arange(50), EVENTS[:, 2]])


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(_mixed(), WITH_A_COUNTER, id="data types by channel, of one width"),
        pytest.param(_supplemented(), EVENTS, id="a required keyword in the supplemental TEXT"),
        *(
            pytest.param(build_float_fcs(EVENTS, delimiter=sign), EVENTS, id=f"delimiter {sign}")
            for sign in "^.+?(["
        ),
        pytest.param(
            build_float_fcs(EVENTS, keywords={"$SMNO": "", "$SRC": "x"}), EVENTS, id="an empty value"
        ),
        pytest.param(
            build_float_fcs(EVENTS, keywords={"$BEGINDATA": None, "$ENDDATA": None}), EVENTS,
            id="offsets in the HEADER alone",
        ),
        pytest.param(
            build_fcs(
                EVENTS.astype(">f8").tobytes(), names="ABC", n_events=50, bits=64, datatype="D",
                byteord="8,7,6,5,4,3,2,1",
            ),
            EVENTS, id="eight bytes, the last first",
        ),
        pytest.param(build_float_fcs(EVENTS, keywords={"$NEXTDATA": "5"}), EVENTS, id="no next data set"),
        # A keyword that begins with the delimiter cannot be told from an empty word: FCS forbids it.
        pytest.param(build_float_fcs(EVENTS, delimiter="$"), None, id="delimiter $"),
        pytest.param(build_float_fcs(EVENTS, keywords={"$DATATYPE": "A"}), None, id="numbers as text"),
        pytest.param(
            build_float_fcs(EVENTS, keywords={"$BYTEORD": "3,4,1,2"}), None, id="a mixed byte order"
        ),
        pytest.param(build_float_fcs(EVENTS, keywords={"$TOT": "40"}), None, id="fewer events told"),
        pytest.param(build_float_fcs(EVENTS, keywords={"$TOT": "60"}), None, id="more events told"),
    ],
)  # fmt: skip
def test_read_fcs__reads_or_refuses_what_other_readers_misread(file, expected):
    """Each kind of file that another reader was seen to misread without a word."""
    if expected is None:
        with pytest.raises(FcsReadError, match=r"^x\.fcs"):
            read_fcs(file, name="x.fcs")
    else:
        np.testing.assert_array_equal(read_fcs(file, name="x.fcs").events, expected)
