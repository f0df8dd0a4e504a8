import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import InputError
from corelab.ingest.book import StoredFile
from corelab.ingest.fcs import Spillover
from corelab.ingest.matrices import match_matrices
from corelab.ingest.spillover import format_spillover_csv, parse_spillover_csv

EXPECTED = [[1, 0.2], [0.05, 1]]


@pytest.mark.parametrize(
    "text",
    [
        "FITC-A,PE-A\n1,0.2\n0.05,1\n",
        ",FITC-A,PE-A\nFITC-A,1,0.2\nPE-A,0.05,1\n",
        "\ufefffluorochrome,FITC-A,PE-A\r\nPE-A,0.05,1\r\nFITC-A,1,0.2\r\n",
        "FITC-A :: CD3,PE-A :: CD19\n100,20\n5,100\n",
        "FITC-A,PE-A\nFITC-A,1,0.2\nPE-A,0.05,1\n",
        "FITC-A,PE-A\r1,0.2\r0.05,1\r",
        ",PE-A,FITC-A\nFITC-A,0.2,1\nPE-A,1,0.05\n",
        ",Comp-FITC-A,Comp-PE-A\nComp-FITC-A,1,0.2\nComp-PE-A,0.05,1\n",
    ],
)
def test_parse_spillover_csv__reads_rows_as_fluorochromes(text):
    spillover = parse_spillover_csv(text.encode(), name="x.spill.csv")
    order = [spillover.detectors.index(name) for name in ("FITC-A", "PE-A")]
    np.testing.assert_allclose(spillover.matrix[np.ix_(order, order)], EXPECTED, rtol=1e-15)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no matrix"),
        ('FITC-A,"PE\n1,0.2\n0.05,1\n', "not readable as CSV"),
        (";FITC-A;PE-A\nFITC-A;1;0,2\nPE-A;0,05;1\n", "separated by semicolons"),
        ("FITC-A\tPE-A\n1\t0.2\n0.05\t1\n", "separated by tabs"),
        ("FITC-A,PE-A\n1,0.2\n", "1 rows for 2 detectors"),
        ("FITC-A,PE-A\n1,0.2\n0.05,x\n", "'x'"),
        ("FITC-A,PE-A\n1,nan\n0.05,1\n", "'nan'"),
        ("FITC-A,PE-A\n1,0.2\n0.05,2\n", "diagonal 1 to 2"),
        ("FITC-A,FITC-A\n1,0.2\n0.05,1\n", "named twice"),
        (",FITC-A,PE-A\nFITC-A,1,0.2\nAPC-A,0.05,1\n", "row 'APC-A' is not in the header"),
        ("FITC-A,PE-A\n1,0.2,3\n0.05,1,3\n", "row '1' is not in the header"),
    ],
)
def test_parse_spillover_csv__refuses_what_is_no_spillover_matrix(text, found):
    with pytest.raises(InputError) as caught:
        parse_spillover_csv(text.encode(), name="x.spill.csv")
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.lists(st.floats(-0.5, 0.9), min_size=12, max_size=12))
def test_format_spillover_csv__reads_back_to_the_same_doubles(off):
    matrix = np.eye(4)
    matrix[~np.eye(4, dtype=bool)] = off
    given_matrix = Spillover(detectors=("A", "B", "C", "D"), matrix=matrix)
    back = parse_spillover_csv(format_spillover_csv(given_matrix), name="x")
    assert back.detectors == given_matrix.detectors
    np.testing.assert_array_equal(back.matrix, matrix)


def stored(name, *detectors):
    facts = {"detectors": str(list(detectors)).replace("'", '"')}
    return StoredFile(file_id=f"id {name}", object_id=f"object {name}", kind="", name=name, facts=facts)


def bind(fcs, matrices):
    fcs, matrices = ({one.name: one for one in group} for group in (fcs, matrices))
    bindings, reasons = match_matrices(fcs, matrices)
    return {binding.file_id: binding.matrix for binding in bindings}, reasons


def test_match_matrices__by_detectors():
    files = [stored("c.fcs", "FSC-A", "P", "Q"), stored("b.fcs", "FSC-A", "P", "R")]
    found, reasons = bind(files, [stored("1.spill.csv", "P", "Q"), stored("2.spill.csv", "P", "R")])
    assert found == {"id c.fcs": "1.spill.csv", "id b.fcs": "2.spill.csv"}
    assert reasons == {}


def test_match_matrices__by_name_then_folder_then_size():
    files = [stored("x/a.fcs", "P", "Q"), stored("x/b.fcs", "P", "Q"), stored("y/c.fcs", "P", "Q")]
    matrices = [stored("a.spill.csv", "P", "Q"), stored("x/m.spill.csv", "P"), stored("y/n.spill.csv", "P")]
    found, _ = bind(files, matrices)
    assert found == {
        "id x/a.fcs": "a.spill.csv",
        "id x/b.fcs": "x/m.spill.csv",
        "id y/c.fcs": "y/n.spill.csv",
    }


def test_match_matrices__guesses_nothing():
    files = [stored("a.fcs", "P", "Q")]
    found, reasons = bind(files, [stored("1.spill.csv", "P"), stored("2.spill.csv", "Q")])
    assert found == {}
    assert "another matrix" in reasons["1.spill.csv"]
    found, reasons = bind(files, [stored("1.spill.csv", "Z")])
    assert "has all its detectors" in reasons["1.spill.csv"]


def test_parse_spillover_csv__asks_for_names_where_unnamed_rows_stand_in_another_order():
    """Columns were shuffled: which row is whose could only be guessed."""
    with pytest.raises(InputError, match="name each row in a first column"):
        parse_spillover_csv(b"PE-A,FITC-A\n0.2,1\n1,0.05\n", name="x.spill.csv")
