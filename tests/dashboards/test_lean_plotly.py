"""The chart library that is sent: only what our charts need, of exactly the file that is known."""

import re
from pathlib import Path

import corelab.figures
from dashboards.lean_plotly import KINDS, cut, read_whole


def test_cut__keeps_a_quarter_of_the_installed_library_and_every_licence() -> None:
    """Where this fails the package is another one: run ``python -m tests.dashboards.cut_plotly``."""
    whole = read_whole()
    lean = cut(whole)
    assert len(lean) < len(whole) / 4
    assert lean.startswith(whole[:118])
    licences = whole[whole.rindex(b"})();") : whole.rindex(b"return Plotly;")]
    assert lean.endswith(licences)


def test_cut__sends_an_unknown_file_whole() -> None:
    assert cut(b"another version") == b"another version"


def test_figures__use_no_other_kinds_of_traces_than_are_kept() -> None:
    of_shapes_and_bars_of_error = {"data", "line", "rect"}
    sources = [path.read_text(encoding="utf-8") for path in Path(corelab.figures.__path__[0]).glob("*.py")]
    found = set(re.findall(r'"type": "(\w+)"', "".join(sources)))
    assert found - of_shapes_and_bars_of_error == set(KINDS)
