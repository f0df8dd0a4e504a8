"""Reports on paper, read back by a reader of its own (pypdf) and compared with the snapshot."""

import dataclasses
import datetime as dt
import io

import pytest
from pypdf import PdfReader

from corelab.errors import ConfigError
from corelab.figures.catalog import list_places
from corelab.figures.course import Parameter
from corelab.figures.numbers import format_number
from corelab.report import Signed, build_child_report, find_chinese_font, load_words, write_pdf
from corelab.report.child import write_parameter
from corelab.report.course_chart import draw_course
from pipelines.export import export
from pipelines.reports import list_signed, make_reports, read_source

NOW = dt.datetime(2026, 4, 1, tzinfo=dt.UTC)
CHILD = "LN-001"


@pytest.fixture(scope="module")
def source(trial_home, snapshot):
    return read_source(trial_home, snapshot)


@pytest.fixture(scope="module")
def written(trial_home, tmp_path_factory):
    """The folder of an export in English."""
    out = tmp_path_factory.mktemp("reports")
    export(trial_home, out, at=NOW, actor="ann", format_name="pdf")
    return out


def read_pages(data: bytes) -> list[str]:
    return [page.extract_text().replace("\u202f", " ") for page in PdfReader(io.BytesIO(data)).pages]


def test_export__writes_a_report_of_each_child_and_of_the_cohort(written, trial_home):
    names = {path.name for path in written.iterdir()}

    assert {f"patient_{CHILD}.pdf", "patient_LN-099.pdf", "cohort.pdf", "dictionary.csv"} < names
    rows = trial_home.registry.audit.rows()
    assert len(rows[(rows["action"] == "export") & rows["new"].str.startswith("pdf: ")]) == 1


def test_child_report__says_who_what_and_of_which_snapshot(written, snapshot):
    pages = read_pages((written / f"patient_{CHILD}.pdf").read_bytes())
    kinetics = snapshot.table("kinetics").set_index(["subject_id", "analyte", "parameter"])["value"]
    events = snapshot.table("adverse_events")
    terms = events[(events["subject_id"] == CHILD) & (events["treatment_emergent"] == "yes")]["term"]

    assert 1 <= len(pages) <= 3
    assert all(
        snapshot.id in page and f"{number} of {len(pages)}" in page for number, page in enumerate(pages, 1)
    )
    whole = " ".join(" ".join(pages).split())
    peak = format_number(kinetics[CHILD, "CAR_VCN_UG", "CMAX"]).replace("\u202f", " ")
    assert f"Patient report · {CHILD}" in whole
    assert f"copies/µg DNA {peak} " in whole
    assert all(term in whole for term in terms)
    assert "NOT REVIEWED" in whole
    assert "Nobody has signed these results" in whole


def test_child_report__of_one_who_was_not_infused_has_no_curve(written):
    whole = " ".join(read_pages((written / "patient_LN-099.pdf").read_bytes()))

    assert "not infused" in whole
    assert "CAR-T kinetics" not in whole


def test_report__is_pdf_a_with_the_date_of_its_snapshot_and_all_fonts_inside(written, snapshot):
    reader = PdfReader(written / "cohort.pdf")

    assert reader.metadata.title == "Cohort report"
    assert reader.metadata.creation_date == snapshot.created_at.replace(microsecond=0)
    metadata = reader.trailer["/Root"]["/Metadata"].get_object().get_data().decode()
    assert "<pdfaid:part>2</pdfaid:part>" in metadata
    assert "<pdfaid:conformance>B</pdfaid:conformance>" in metadata
    fonts = [f.get_object() for page in reader.pages for f in page["/Resources"]["/Font"].values()]
    files = [font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object() for font in fonts]
    assert files
    assert all({"/FontFile2", "/FontFile3"} & set(each) for each in files)


def test_report__is_the_same_bytes_for_the_same_snapshot(written, trial_home, snapshot):
    again = dict(make_reports(trial_home, snapshot, language="en"))

    assert again == {name: (written / name).read_bytes() for name in again}


def test_report__is_marked_until_every_visit_is_signed(source):
    words, targets = load_words("en"), [one for one in source.signed if one.subject_id == CHILD]
    assert targets
    signed = [
        dataclasses.replace(one, state="locked", author="li.wei", at="2026-03-01T10:00:00+00:00")
        for one in targets
    ]
    stale = [dataclasses.replace(signed[0], is_stale=True), *signed[1:]]

    whole = build_child_report(dataclasses.replace(source, signed=signed), CHILD, words)
    part = build_child_report(dataclasses.replace(source, signed=stale), CHILD, words)

    assert (whole.watermark, part.watermark) == ("", "NOT REVIEWED")
    assert whole.sections[-1].rows[0] == [
        f"{CHILD} {targets[0].visit}",
        "locked",
        "li.wei",
        "2026-03-01 10:00",
    ]
    assert part.sections[-1].rows[0][1] == "changed since signed"


def test_list_signed__names_every_visit_with_results(trial_home, snapshot):
    visits = snapshot.table("analysis")
    found = list(list_signed(trial_home, snapshot))

    assert {(one.subject_id, one.visit) for one in found} >= set(
        visits[["subject_id", "visit"]].itertuples(index=False, name=None)
    )
    assert all(one == Signed(subject_id=one.subject_id, visit=one.visit) for one in found)


def test_chart__has_a_mark_for_every_draw_and_stays_inside(source):
    course = source.course(CHILD)
    drawing = draw_course(course, load_words("en"))
    known = [
        p for row in ("car_vcn", "car_abs", "b_cells") for p in course.series[row] if p.day <= course.today
    ]
    places = [place for shape in drawing.shapes for place in shape.get("points", [shape.get("at")])]

    assert sum(
        shape["kind"] in ("circle", "area") or shape.get("width") == 1.0 for shape in drawing.shapes
    ) >= len(known)
    assert all(-1 <= x <= drawing.width + 1 and -1 <= y <= drawing.height + 1 for x, y in places)


@pytest.mark.parametrize(
    ("value", "low", "high", "status", "told"),
    [
        (48_600.4, 1, 2, "quantified", "48\u202f600"),
        (9.77, 9.77, float("nan"), "quantified", "≥ 9.77"),
        (float("nan"), 0.0, 68.14, "not_detected", "< 68.1"),
        (float("nan"), float("nan"), float("nan"), "not_calculated", "not calculated"),
        (float("nan"), 4.14, float("nan"), "above_uloq", "≥ 4.14"),
    ],
)
def test_write_parameter__says_what_is_known(value, low, high, status, told):
    found = Parameter(value=value, low=low, high=high, unit="", status=status, reason="")

    assert write_parameter(found, load_words("en")) == told


def test_words__have_the_same_keys_and_places_in_both_languages():
    english, chinese = (load_words(language).own.words for language in ("en", "zh"))

    assert list(english) == list(chinese)
    assert [key for key in english if list_places(english[key]) != list_places(chinese[key])] == []
    same = {word for key, word in english.items() if word == chinese[key]}
    assert same == {"Cmax", "CRR", "PRR", "ORR", "SRI-4", "<LLOQ"}


def test_report__in_chinese_or_says_that_the_machine_has_no_font_for_it(source):
    page = build_child_report(source, CHILD, load_words("zh"))

    with pytest.raises(ConfigError, match="no font for them; expected Noto Sans CJK SC"):
        write_pdf(page, created_at=NOW, chinese_font="")
    font = find_chinese_font()
    assert font, "tests/provision.sh gets one"
    whole = " ".join(read_pages(write_pdf(page, created_at=NOW, chinese_font=font)))
    assert "患儿报告" in whole
    assert "细胞因子释放综合征" in whole


def test_report__refuses_a_sign_that_no_font_has(source):
    page = dataclasses.replace(build_child_report(source, "LN-099", load_words("en")), stamp="\U0001f9ea")

    with pytest.raises(ConfigError, match="no font here has the sign"):
        write_pdf(page, created_at=NOW)
