"""Transport files, judged by readers that are not ours."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import ContractError
from corelab.export.cdisc.xport import LARGEST, SMALLEST, Field, encode_numbers, format_xport

NUMBER = Field(name="AVAL", label="Analysis Value", is_number=True, length=8)
TEXT = Field(name="AVALC", label="Analysis Value (C)", is_number=False, length=12)
DAY = Field(name="ADT", label="Analysis Date", is_number=True, length=8, format="DATE")


def write(table: pd.DataFrame, path: Path, fields: list[Field]) -> Path:
    path.write_bytes(format_xport(table, fields, name="ADLB", label="Laboratory Analysis Dataset"))
    return path


def decode_ibm(raw: bytes) -> float:
    """The number by its definition, in whole numbers of Python."""
    bits = int.from_bytes(raw, "big")
    sign, exponent, fraction = bits >> 63, (bits >> 56) & 0x7F, bits & ((1 << 56) - 1)
    power = 4 * (exponent - 64) - 56
    size = fraction * 2**power if power >= 0 else fraction / 2**-power
    return -float(size) if sign else float(size)


@given(
    st.floats(SMALLEST, LARGEST), st.sampled_from([1.0, -1.0]),
)  # fmt: skip
def test_encode_numbers__is_exact_by_the_definition_of_the_format(size: float, sign: float) -> None:
    assert decode_ibm(encode_numbers(np.array([sign * size])).tobytes()) == sign * size


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (0.0, "0000000000000000"), (1.0, "4110000000000000"), (-1.0, "c110000000000000"),
        (-118.625, "c276a00000000000"), (float("nan"), "2e00000000000000"),
    ],
)  # fmt: skip
def test_encode_numbers__writes_known_numbers(value: float, raw: str) -> None:
    """-118.625 is the worked number of the IBM hexadecimal format; a missing value is a full stop."""
    assert encode_numbers(np.array([value])).tobytes().hex() == raw


@pytest.mark.parametrize("value", [1e76, -1e76, 1e-79, float("inf")])
def test_encode_numbers__refuses_what_the_format_cannot_hold(value: float) -> None:
    with pytest.raises(ContractError, match="transport file"):
        encode_numbers(np.array([value]))


def test_format_xport__is_read_back_by_pyreadstat_and_pandas(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    numbers = rng.normal(size=400) * 10.0 ** rng.integers(-30, 30, 400)
    numbers[::7] = np.nan
    table = pd.DataFrame({"AVAL": numbers, "AVALC": ["x" * (i % 13) for i in range(400)], "ADT": 23902.0})
    path = write(table, tmp_path / "adlb.xpt", [NUMBER, TEXT, DAY])

    read, meta = pyreadstat.read_xport(str(path), disable_datetime_conversion=True)
    pd.testing.assert_frame_equal(read, table, check_exact=True)
    assert (meta.table_name, meta.file_label) == ("ADLB", "Laboratory Analysis Dataset")
    assert meta.column_labels == ["Analysis Value", "Analysis Value (C)", "Analysis Date"]
    dates, _ = pyreadstat.read_xport(str(path))
    assert dates["ADT"].iloc[0] == dt.date(2025, 6, 10)
    assert meta.variable_storage_width == {"AVAL": 8, "AVALC": 12, "ADT": 8}
    again = pd.read_sas(path, format="xport", encoding="ascii")
    np.testing.assert_array_equal(again["AVAL"].to_numpy(), numbers)


def test_format_xport__is_records_of_80_bytes_and_nothing_of_the_moment(tmp_path: Path) -> None:
    table = pd.DataFrame({"AVAL": [1.0], "AVALC": ["a"]})
    first = write(table, tmp_path / "a.xpt", [NUMBER, TEXT]).read_bytes()
    assert len(first) % 80 == 0
    assert first == write(table, tmp_path / "b.xpt", [NUMBER, TEXT]).read_bytes()


def test_format_xport__keeps_a_table_without_a_row(tmp_path: Path) -> None:
    table = pd.DataFrame({"AVAL": pd.Series(dtype=float), "AVALC": pd.Series(dtype=object)})
    read, _ = pyreadstat.read_xport(str(write(table, tmp_path / "a.xpt", [NUMBER, TEXT])))
    assert read.shape == (0, 2)
    assert list(read.columns) == ["AVAL", "AVALC"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (Field(name="AUC0_28DX", label="x", is_number=True, length=8), "1 to 8"),
        (Field(name="X", label="y" * 41, is_number=True, length=8), "40 bytes"),
        (Field(name="X", label="µ", is_number=True, length=8), "40 bytes"),
        (Field(name="X", label="x", is_number=False, length=201), "1 to 200"),
    ],
)
def test_format_xport__refuses_names_labels_and_lengths_beyond_the_format(field: Field, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        format_xport(pd.DataFrame({field.name: []}), [field], name="DM", label="Demographics")


@pytest.mark.parametrize("text", ["µ", "thirteen bytes"])
def test_format_xport__refuses_texts_that_do_not_fit(text: str) -> None:
    with pytest.raises(ContractError, match="AVALC"):
        format_xport(pd.DataFrame({"AVALC": [text]}), [TEXT], name="DM", label="Demographics")
