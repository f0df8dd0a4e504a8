"""Whom a file names inside is taken out of its name, and nothing else."""

import pytest

from corelab.ingest.file_names import (
    build_mask,
    clean_paths,
    compute_name_code,
    encode_path,
    guess_personal_words,
    is_plain_name,
    read_personal_values,
)
from tests.deliveries import make_fcs

VALUES = ("Li Xiaoming", "HN-778899", "03-FEB-2013", "张伟", "CAR-T D14 tube")
LABEL = "e3b0c442"
"""The first digits of the SHA-256 of nothing."""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("fcs/Li Xiaoming D14.fcs", f"fcs/{LABEL} D14.fcs"),
        ("fcs/xiaoming_LI-D14.fcs", f"fcs/{LABEL}-D14.fcs"),
        ("lixiaoming.fcs", f"{LABEL}.fcs"),
        ("XIAOMING/cart/D14_full.fcs", f"{LABEL}/cart/D14_full.fcs"),
        ("HN778899 xiaomingli.fcs", f"{LABEL}.fcs"),
        ("778899_20130203.fcs", f"{LABEL}.fcs"),
        ("03-Feb-2013 cart.fcs", f"{LABEL} cart.fcs"),
        ("张伟D14.fcs", f"{LABEL}D14.fcs"),
        ("plates/Xiaoming.csv", f"plates/{LABEL}.csv"),
        ("CL-001_D14_CAR-T_tube02.fcs", "CL-001_D14_CAR-T_tube02.fcs"),
        ("Li Xiaoming/labs.csv", f"{LABEL}/labs.csv"),
        ("fcs/lithium.fcs", "fcs/lithium.fcs"),
    ],
)
def test_clean_path__takes_persons_out(path: str, expected: str) -> None:
    assert build_mask(VALUES, {path: bytes}, subject_ids=()).clean_path(path) == expected


def test_clean_path__leaves_pseudonyms_and_names_of_tables() -> None:
    mask = build_mask(["CL-0012 labs"], {"CL-0012/labs.csv": bytes}, subject_ids=("CL-0012",))
    assert mask.clean_path("CL-0012/labs.csv") == "CL-0012/labs.csv"
    assert mask.clean_path("CL-0012_labs.fcs") != "CL-0012_labs.fcs"


def test_clean_paths__keeps_files_apart() -> None:
    paths = ["a/Li Xiaoming.fcs", "a/li_xiaoming.fcs", "a/other.fcs"]
    cleaned = clean_paths(build_mask(VALUES, dict.fromkeys(paths, bytes), subject_ids=()), paths)
    assert len(set(cleaned.values())) == 3
    assert cleaned["a/other.fcs"] == "a/other.fcs"


def test_read_personal_values__reads_what_a_damaged_file_still_says() -> None:
    whole = make_fcs(keywords={"$SRC": "Li Xiaoming", "PATIENT ID": "HN-778899", "$CYT": "Canto"})
    for data in (
        whole,
        whole[:-10],
        whole[: whole.index(b"HN-778899") + 10],
        whole.replace(b"$PAR", b"$PAX"),
    ):
        assert set(read_personal_values(data)) >= {"Li Xiaoming"}
    assert read_personal_values(b"") == []


def test_compute_name_code__is_of_the_name_alone_and_hangs_on_the_key() -> None:
    code = compute_name_code("fcs\\Li Xiaoming.fcs", key=b"k")
    assert code == compute_name_code("li xiaoming.FCS", key=b"k")
    assert code != compute_name_code("li xiaoming.FCS", key=b"other")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("Wang_Xiao Ming D14.fcs", ["wang xiao ming"]), ("Childname, Invented.fcs", ["childname invented"]),
        ("ward/WangXiao-D7.fcs", ["wang xiao"]), ("张三外周血D14.fcs", ["张三"]),
        ("HN20250317.fcs", ["HN20250317"]), ("患者样本3 第14天.fcs", []), ("FMO_CAR Live Dead.fcs", []),
        ("20250317_Specimen_001_Tube_003.fcs", []), ("CL-001_D14_cart_full.fcs", []),
        ("Compensation Controls_FITC Stained Control.fcs", []),
    ],
)  # fmt: skip
def test_guess_personal_words__finds_names_that_no_keyword_tells(path: str, words: list[str]) -> None:
    assert guess_personal_words(path) == words


@pytest.mark.parametrize(
    ("name", "is_plain"),
    [("fcs/a.fcs", True), ("fcs/run-0009_tube09.fcs", True), ("missing.fcs", True),
     ("GZ-LN-0007 D14.fcs", True), ("lilei.fcs", False), ("D14_20130203.fcs", False),
     ("张伟.fcs", False), ("HN77889.fcs", False)],
)  # fmt: skip
def test_is_plain_name__knows_pseudonyms_and_technical_words_alone(name: str, is_plain: bool) -> None:
    assert is_plain_name(name, subject_ids=["GZ-LN-0007"]) is is_plain


def test_encode_path__compares_and_does_not_tell() -> None:
    coded = encode_path("Li Lei\\D14.FCS", key=b"k")
    assert coded == encode_path("./li lei/d14.fcs", key=b"k")
    assert coded.rpartition("/")[2] == encode_path("D14.fcs", key=b"k")
    assert coded != encode_path("Li Lei/D14.FCS", key=b"other")
    assert "lei" not in coded.lower()
    assert coded.endswith(".fcs")
