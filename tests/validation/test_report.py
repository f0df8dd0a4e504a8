import datetime as dt

from tests.validation import report
from tests.validation.report import main
from tests.validation.sections import Section, format_part, format_report, read_parts

AT = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)


def test_main__measures_a_part_anew_and_keeps_the_others_as_they_stand(tmp_path, monkeypatch):
    sections = {"gates": True, "coverage": False}
    for name, holds in sections.items():
        section = Section(title=name, asked="much", holds=holds, lines=["## a line", "", "- x"])
        monkeypatch.setitem(report.NAMED, name, lambda section=section: section)
    out = tmp_path / "validation.md"
    old = format_part(Section(title="old", asked="once", holds=True, lines=["| a |"]), at=AT)
    out.write_text(format_report({"gates": old, "kills": old}, report.NAMED), encoding="utf-8")
    assert main(out, "coverage") == 1
    assert main(out, "gates") == 0
    parts = read_parts(out.read_text(encoding="utf-8"))
    assert list(parts) == ["coverage", "gates", "kills"]
    assert parts["kills"] == old
    assert "Measured 2026-01-02 03:04 UTC" in parts["kills"]
    assert "## a line" in parts["gates"]
    text = out.read_text(encoding="utf-8")
    assert "| `coverage` | does not hold |" in text
    assert "| `tampering` | not measured yet |" in text
    assert format_report(parts, report.NAMED) == text


def test_main__refuses_a_part_that_it_does_not_know(tmp_path, capsys):
    assert main(tmp_path / "validation.md", "gate") == 2
    assert "no part gate; expected some of" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
