"""The report says for every figure that is asked for whether it holds."""

import pytest

from tests.bench.measuring import Figure
from tests.bench.report import _drop_repeated, format_report
from tests.bench.rows import BenchRow


def make_figure(limit, value=1.0):
    return Figure(name="x", value=value, unit="s", limit=limit, note="")


def make_row(ratio, target=60.0, peer="FlowKit"):
    return BenchRow(
        name="gate", ours_s=0.1, peer=peer, peer_s=0.1 * ratio, ratio=ratio, target=target, note=""
    )


@pytest.mark.parametrize(
    ("limit", "value", "holds"),
    [
        ("under 0.5, better 0.3", 0.49, True), ("under 0.5", 0.5, False), ("at most 1e-12", 2e-12, False),
        ("at least 1.8", 1.8, True), ("at most 600", 600, True), ("", 3, None),
    ],
)  # fmt: skip
def test_figure__says_whether_it_holds(limit, value, holds):
    assert make_figure(limit, value).holds is holds


def test_row__says_whether_it_holds():
    assert [make_row(ratio).holds for ratio in (59.9, 60.0)] == [False, True]
    assert make_row(3.0, target=float("nan")).holds is None


def test_format_report__has_a_line_for_each_that_is_asked():
    text = format_report([make_row(70.0), make_figure("under 0.5"), make_figure("")], minutes=3)
    assert "| gate | at least 60 x FlowKit | 70.00 x | yes |" in text
    assert "| x | under 0.5 s | 1 s | **no** |" in text
    assert text.count("| x | 1 s |") == 2


def test_repeated_figures__are_kept_once_and_rows_beside_each_peer():
    found = [make_row(2.0), make_row(3.0, peer="NumPy"), make_figure("under 2"), make_figure("under 3")]
    assert _drop_repeated(found) == found[:3]
