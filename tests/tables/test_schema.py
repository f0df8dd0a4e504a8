"""Table schemas: what conforms, what is refused."""

import pandas as pd
import pytest

from corelab.errors import ContractError
from corelab.tables.inputs import INPUT_COLUMNS, build_inputs
from corelab.tables.schema import Column, TableSchema
from corelab.tables.schemas import SCHEMAS

DRAWS = TableSchema(
    name="draws",
    row="draw",
    key=("subject_id", "day"),
    columns=(
        Column(name="subject_id", label="Subject", required=True),
        Column(name="arm", label="Arm", codes=("low", "high")),
        Column(name="day", label="Day", type="integer"),
        Column(name="value", label="Value", type="number"),
    ),
)


def test_conform__orders_types_and_sorts() -> None:
    rows = [
        {"value": 1, "subject_id": "b", "day": 1},
        {"subject_id": "a", "arm": "low", "day": 7},
        {"subject_id": "a", "day": None},
    ]
    table = DRAWS.conform(rows)
    assert list(table.columns) == ["subject_id", "arm", "day", "value"]
    assert table["subject_id"].tolist() == ["a", "a", "b"]
    assert table["day"].isna().tolist() == [True, False, False]
    assert table["arm"].tolist() == ["", "low", ""]
    assert table["value"].dtype == "float64"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"subject_id": "a", "colour": "red"}], "columns colour are not part of it"),
        ([{"subject_id": "a", "arm": "middle"}], "isin"),
        ([{"subject_id": "", "day": 1}], "not empty"),
        ([{"subject_id": "a", "day": 1}, {"subject_id": "a", "day": 1}], "uniqueness"),
        ([{"subject_id": "a", "value": "many"}], "draws.value: holds a value that is no number"),
        ([{"subject_id": "a", "day": 1.5}], "draws.day: holds a value that is no integer"),
    ],
)
def test_conform__refuses_and_names_the_table(rows: list[dict[str, object]], words: str) -> None:
    with pytest.raises(ContractError, match="draws.*" + words.removeprefix("draws")):
        DRAWS.conform(rows)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas__have_an_empty_table_that_conforms(name: str) -> None:
    schema = SCHEMAS[name]
    assert set(schema.key) <= set(schema.column_names)
    assert all(column.label for column in schema.columns)
    pd.testing.assert_frame_equal(schema.conform([]), schema.empty())


def test_build_inputs__gives_every_table_its_columns_and_types() -> None:
    given = {
        "labs": pd.DataFrame({"subject_id": ["a", None], "value": ["<1.0", "3"], "ref_low": ["1.5", None]})
    }
    inputs = build_inputs(given)
    assert list(inputs.labs.columns) == [*INPUT_COLUMNS["labs"], "source_id"]
    assert inputs.labs["subject_id"].tolist() == ["a", ""]
    assert inputs.labs["ref_low"].tolist()[0] == 1.5
    assert inputs.qpcr.empty
    assert inputs.qpcr["lloq"].dtype == "float64"
