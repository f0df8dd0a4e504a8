"""Whatever is changed, removed or reordered, once and at random, is found (500 times in `make validate`)."""

from pathlib import Path

from tests.tampering import KINDS, count_found, make_sound_home

TIMES = 16


def test_verify__finds_every_tampering(tmp_path: Path) -> None:
    counts, missed = count_found(make_sound_home(tmp_path), tmp_path, times=TIMES, seed=11)
    assert missed == []
    assert set(counts) == set(KINDS)
