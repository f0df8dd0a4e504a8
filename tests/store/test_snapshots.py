"""Snapshots: named by content, the same bytes for the same tables, never changed unseen."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corelab.errors import ContractError, HomeError, IntegrityError
from corelab.store import Home
from corelab.store.frames import format_parquet, parse_parquet
from corelab.tables.schemas import SCHEMAS

NOW = dt.datetime(2025, 3, 3, 9, 0, tzinfo=dt.UTC)


def make_tables() -> dict[str, pd.DataFrame]:
    subjects = SCHEMAS["subjects"].conform([{"subject_id": "S-1", "age_years": 12.1, "sex": "F"}])
    return {**{name: schema.empty() for name, schema in SCHEMAS.items()}, "subjects": subjects}


def test_write__makes_the_current_snapshot(home: Home) -> None:
    assert home.snapshots.current() is None
    snapshot = home.snapshots.write(make_tables(), {"study": "x"}, run_key="k", at=NOW)
    current = home.snapshots.current()
    assert current is not None
    assert (current.id, current.created_at, current.run_key) == (snapshot.id, NOW, "k")
    pd.testing.assert_frame_equal(current.table("subjects"), make_tables()["subjects"])


def test_write__names_by_content_not_by_time(home: Home) -> None:
    first = home.snapshots.write(make_tables(), {"study": "x"}, run_key="k", at=NOW)
    again = home.snapshots.write(make_tables(), {"study": "x"}, run_key="k", at=NOW + dt.timedelta(days=1))
    other = home.snapshots.write(make_tables(), {"study": "y"}, run_key="k", at=NOW)
    assert first.id == again.id != other.id


def test_table__keeps_types_also_without_rows(home: Home) -> None:
    snapshot = home.snapshots.write(make_tables(), {}, run_key="k", at=NOW)
    for name, schema in SCHEMAS.items():
        table = snapshot.table(name)
        assert list(table.dtypes.astype(str)) == list(schema.empty().dtypes.astype(str)), name


def test_table__names_an_unknown_table(home: Home) -> None:
    snapshot = home.snapshots.write(make_tables(), {}, run_key="k", at=NOW)
    with pytest.raises(HomeError, match="no table 'nothing'"):
        snapshot.table("nothing")


@pytest.mark.parametrize("name", ["subjects.parquet", "manifest.json"])
def test_verify__names_a_changed_file(home: Home, name: str) -> None:
    snapshot = home.snapshots.write(make_tables(), {}, run_key="k", at=NOW)
    path = home.path / "snapshots" / snapshot.id / name
    spoil(path)
    assert any(name.split(".", maxsplit=1)[0] in finding for finding in home.snapshots.verify())
    with pytest.raises(IntegrityError):
        home.snapshots.get(snapshot.id).table("subjects")


def test_verify__names_a_missing_file(home: Home) -> None:
    snapshot = home.snapshots.write(make_tables(), {}, run_key="k", at=NOW)
    (home.path / "snapshots" / snapshot.id / "subjects.parquet").unlink()
    assert "subjects.parquet" in home.snapshots.verify()[0]


def test_get__names_an_unknown_snapshot(home: Home) -> None:
    with pytest.raises(HomeError, match="does not exist"):
        home.snapshots.get("../registry.db")


def test_write__leaves_no_unfinished_folder(home: Home) -> None:
    snapshot = home.snapshots.write(make_tables(), {}, run_key="k", at=NOW)
    assert [path.name for path in (home.path / "snapshots").iterdir()] == [snapshot.id]


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
numbers = st.floats(allow_nan=True, allow_infinity=False)
whole = st.none() | st.integers(-(2**53), 2**53)


@given(st.lists(st.tuples(texts, numbers, whole), max_size=20))
def test_format_parquet__gives_back_the_same_table(rows: list[tuple[str, float, int | None]]) -> None:
    table = pd.DataFrame(
        {
            "text": pd.Series([row[0] for row in rows], dtype=object),
            "number": pd.Series([row[1] for row in rows], dtype="float64"),
            "whole": pd.Series([row[2] for row in rows], dtype="Int64"),
        }
    )
    data = format_parquet(table)
    pd.testing.assert_frame_equal(parse_parquet(data), table, check_exact=True)
    assert format_parquet(table.copy()) == data


def test_format_parquet__refuses_another_type() -> None:
    with pytest.raises(ContractError, match="column x"):
        format_parquet(pd.DataFrame({"x": np.array([1, 2], dtype="int32")}))
