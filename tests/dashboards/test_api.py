"""Tables as files: the same numbers, for those who may, and on record."""

import hashlib
import io

import pandas as pd
import pytest

from corelab.tables.schemas import SCHEMAS
from tests.dashboards.conftest import log_in
from tests.dashboards.trial import make_tables


def test_answer_table__gives_every_table_also_without_a_row(client):
    log_in(client, "ortiz")
    tables = make_tables()

    for name, schema in SCHEMAS.items():
        response = client.get(f"/api/v1/tables/{name}.csv")
        assert response.status_code == 200
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
        read = pd.read_csv(io.BytesIO(response.data), keep_default_na=False)
        assert list(read.columns) == schema.column_names
        assert len(read) == len(tables[name])


def test_answer_table__numbers_read_back_to_the_same_double(client):
    log_in(client, "chen")
    read = pd.read_csv(
        io.BytesIO(client.get("/api/v1/tables/persistence.csv").data), float_precision="round_trip"
    )
    table = make_tables()["persistence"]

    for column in ("value", "ci_low", "ci_high", "lloq"):
        pd.testing.assert_series_equal(read[column], table[column], check_exact=True)


def test_answer_table__gives_the_parquet_bytes_of_the_snapshot(client, home):
    log_in(client, "li.wei")
    data = client.get("/api/v1/tables/kinetics.parquet").data

    assert data == home.snapshots.current().read_bytes("kinetics")


def test_answer_table__gives_one_childs_rows(client):
    log_in(client, "ortiz")
    response = client.get("/api/v1/tables/persistence.csv?subject_id=CL-002")

    read = pd.read_csv(io.BytesIO(response.data))
    assert set(read["subject_id"]) == {"CL-002"}
    assert "CL-002" in response.headers["Content-Disposition"]


def test_answer_table__gives_an_older_snapshot_by_its_id(client, home, clock):
    old = home.snapshots.current().id
    tables = make_tables()
    tables["subjects"] = tables["subjects"].iloc[:1]
    home.snapshots.write(tables, {"cutoff": "2026-11-23T09:00:00+08:00"}, run_key="next", at=clock())
    log_in(client, "ortiz")

    assert client.get("/api/v1/tables/subjects.csv").text.count("\n") == 2
    assert client.get(f"/api/v1/tables/subjects.csv?snapshot={old}").text.count("\n") == 4


@pytest.mark.parametrize(
    "path",
    ["tables/nothing.csv", "tables/subjects.xlsx", "tables/subjects.csv?snapshot=0000",
     "tables/../secret.csv", "tables/summary.csv?subject_id=CL-001",
     "tables/persistence.csv?subject_id=CL-999"],
)  # fmt: skip
def test_answer_table__answers_404_for_what_is_not_there(client, path):
    log_in(client, "ortiz")

    assert client.get(f"/api/v1/{path}").status_code == 404


def test_answer_table__answers_403_to_an_administrator(client):
    log_in(client, "root")

    assert client.get("/api/v1/tables/subjects.csv").status_code == 403
    assert client.get("/api/v1/dictionary.csv").status_code == 403


def test_answer_table__is_recorded(client, home):
    log_in(client, "ortiz")
    taken = client.get("/api/v1/tables/subjects.csv")

    newest = home.registry.audit.rows(limit=1).iloc[0]
    assert (newest["actor"], newest["role"], newest["action"]) == ("ortiz", "investigator", "export")
    assert newest["new"] == f"sha256 {hashlib.sha256(taken.data).hexdigest()}"
    assert newest["object"] == f"{home.snapshots.current().id}/subjects.csv"
    assert home.registry.audit.verify() == []


def test_answer_dictionary__names_every_column_with_its_unit(client):
    log_in(client, "ortiz")
    read = pd.read_csv(io.BytesIO(client.get("/api/v1/dictionary.csv").data), keep_default_na=False)

    named = set(zip(read["table"], read["name"], strict=True))
    assert {(name, column) for name, schema in SCHEMAS.items() for column in schema.column_names} <= named
    cells = read[(read["table"] == "populations") & (read["name"] == "cells_per_ul")]
    assert list(cells["unit"]) == ["cells/uL"]


@pytest.mark.parametrize(
    "path",
    ["tables/subjects.csv?subject=CL-001", "tables/subjects.parquet?subject_id=CL-001",
     "tables/subjects.csv?snapshot=a&snapshot=b", "dictionary.csv?table=subjects", "openapi.json?x=1"],
)  # fmt: skip
def test_answers__refuse_a_parameter_that_they_do_not_know(client, home, path):
    log_in(client, "ortiz")
    before = len(home.registry.audit.rows())
    response = client.get(f"/api/v1/{path}")
    assert (response.status_code, response.mimetype) == (400, "text/plain")
    assert response.text.count("\n") == 1
    assert "the parameter" in response.text
    assert len(home.registry.audit.rows()) == before


def test_answers__say_which_methods_there_are(client):
    log_in(client, "ortiz")
    response = client.delete("/api/v1/tables/subjects.csv")
    assert (response.status_code, response.text) == (405, "405 Method Not Allowed\n")
    assert {"GET", "HEAD"} <= set(response.headers["Allow"].split(", "))
