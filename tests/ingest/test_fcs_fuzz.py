"""Mutated headers: the same events as an independent reader, or one clear refusal; never a crash."""

import sys

import numpy as np
import pytest

from corelab.errors import FcsReadError
from corelab.ingest.fcs import read_fcs
from tests.ingest.fcs_files import build_fcs, build_float_fcs
from tests.ingest.plain_reader import read_plainly
from tests.ingest.real_data import find_real_data
from tests.validation.fcs_fuzz import build_bases, fuzz

SEEDS = range(700_000, 700_300)


def test_read_fcs__agrees_with_an_independent_reader_on_mutated_headers() -> None:
    outcome = fuzz(SEEDS)
    sys.stdout.write(f"{dict(outcome.counts)}\n")
    assert outcome.misread == []
    assert outcome.counts["read"] > 30


def test_read_fcs__agrees_with_an_independent_reader_on_sound_files() -> None:
    for data in build_bases(np.random.default_rng(1)):
        (reading,) = read_plainly(data)
        np.testing.assert_allclose(read_fcs(data, name="x").events, np.array(reading), rtol=1e-12)


def test_read_fcs__refuses_two_places_for_the_events() -> None:
    events = np.arange(60.0).reshape(20, 3)
    data = build_float_fcs(events)
    begin = len(data) - 240
    moved = data[:26] + f"{begin + 4:8d}{begin + 243:8d}".encode() + data[42:] + bytes(4)
    with pytest.raises(FcsReadError, match=f"at byte {begin} and at byte {begin + 4}"):
        read_fcs(moved, name="x.fcs")


@pytest.mark.parametrize("bits", [10, [16, 32]])
def test_read_fcs__takes_no_event_in_any_coding(bits: int | list[int]) -> None:
    data = build_fcs(b"", names="AB", n_events=0, bits=bits, datatype="I", byteord="4,3,2,1")
    assert read_fcs(data, name="x").events.shape == (0, 2)


def test_read_fcs__refuses_an_amplification_that_overflows() -> None:
    data = build_float_fcs(np.full((5, 2), 9e5), keywords={"$P1E": "30,1", "$P1R": "16"})
    with pytest.raises(FcsReadError, match="finite"):
        read_fcs(data, name="x")


@pytest.mark.real_data
def test_read_fcs__agrees_with_an_independent_reader_on_odd_files() -> None:
    compared = 0
    for path in sorted(find_real_data("robustness_fcs").glob("*")):
        if path.suffix not in (".fcs", ".lmd") or path.stat().st_size > 1_500_000:
            continue
        data = path.read_bytes()
        try:
            events = read_fcs(data, name=path.name).events
        except FcsReadError:
            continue
        readings = [np.array(reading) for reading in read_plainly(data)]
        assert len(readings) == 1, path.name
        np.testing.assert_allclose(events, readings[0], rtol=1e-12, err_msg=path.name)
        compared += 1
    assert compared >= 5
