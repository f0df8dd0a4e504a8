"""Who did what: found by filters, closed to other roles, and checked."""

import csv
import datetime as dt
import io

import pytest

from dashboards.pages.audit import shorten_hash, write_address
from dashboards.views.audit import AuditFilter, read_filter, select_entries
from tests.dashboards.conftest import call, log_in
from tests.dashboards.trial import NOW
from tests.store.test_audit import tamper


@pytest.fixture
def told(home):
    """A trail with two edits a day apart, one of them after midnight in the study's zone."""
    audit = home.registry.audit
    late = dt.datetime(2026, 11, 23, 17, 0, tzinfo=dt.UTC)
    audit.append(actor="chen", role="scientist", action="gate_edit", object="gate CL-001 D7 car_t",
                 at=NOW, old="car_t v1", new="car_t v2", reason="Follow the D0 blank")  # fmt: skip
    audit.append(actor="li.wei", role="reviewer", action="gate_edit", object="gate CL-002 D7 car_t", at=late)
    return home


@pytest.mark.parametrize(
    ("wanted", "objects"),
    [
        ({"actor": "chen", "action": "gate_edit"}, ["gate CL-001 D7 car_t"]),
        ({"text": "d0 BLANK"}, ["gate CL-001 D7 car_t"]),
        ({"action": "gate_edit", "since": "2026-11-24"}, ["gate CL-002 D7 car_t"]),
        ({"action": "gate_edit", "until": "2026-11-23"}, ["gate CL-001 D7 car_t"]),
        ({"actor": "nobody"}, []),
    ],
)
def test_select_entries__finds_by_who_what_on_what_and_when(told, wanted, objects):
    rows = told.registry.audit.rows()

    kept = select_entries(rows, read_filter(wanted), told.study)

    assert list(kept["object"]) == objects


def test_read_filter__nonsense_does_not_narrow():
    assert read_filter({"since": "soon", "actor": 5, "text": None}) == AuditFilter()
    assert write_address(read_filter({"actor": "li.wei", "since": "2026-11-01"})) == (
        "/api/v1/audit.csv?actor=li.wei&since=2026-11-01"
    )


def test_grid__shows_the_change_and_the_local_time(app, client, told):
    log_in(client, "li.wei")

    answer = call(client, app, "audit-grid.rowData", None, "gate_edit", "", "", "").json["response"]

    first, second = answer["audit-grid"]["rowData"]
    assert first["at"] == "2026-11-24 01:00:00"
    assert second["change"] == "car_t v1 → car_t v2"
    assert second["action"] == "gate changed"
    assert answer["audit-save"]["href"] == "/api/v1/audit.csv?action=gate_edit"


def test_drawer__shows_one_entry_with_its_hashes(app, client, told):
    log_in(client, "root")
    rows = told.registry.audit.rows()
    entry = rows[rows["actor"] == "chen"].iloc[0]

    shown = str(call(client, app, "audit-drawer.children", [{"seq": int(entry["seq"])}]).json)

    assert "Follow the D0 blank" in shown
    assert entry["hash"] in shown
    assert entry["previous_hash"] in shown


def test_chain__is_told_in_words_and_a_change_is_named(app, client, told):
    log_in(client, "li.wei")
    assert "chain verified" in str(call(client, app, "audit-chain.children", []).json)

    tamper(told, "UPDATE audit SET reason = 'other' WHERE seq = 2")

    shown = str(call(client, app, "audit-chain.children", []).json)
    assert "chain broken" in shown
    assert "row 2 was changed" in shown


def test_csv__gives_the_filtered_entries_and_is_itself_on_record(client, told):
    log_in(client, "root")

    response = client.get("/api/v1/audit.csv?action=gate_edit&actor=chen")

    read = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["reason"] for row in read] == ["Follow the D0 blank"]
    newest = told.registry.audit.rows(limit=1).iloc[0]
    assert (newest["actor"], newest["action"]) == ("root", "export")
    assert newest["object"] == "audit.csv?action=gate_edit&actor=chen"


@pytest.mark.parametrize(("name", "status"), [("chen", 403), ("ortiz", 403), ("li.wei", 200), ("root", 200)])
def test_audit__is_for_reviewers_and_administrators(app, client, name, status):
    log_in(client, name)

    assert client.get("/audit").status_code == status
    assert client.get("/api/v1/audit.csv").status_code == status
    assert call(client, app, "audit-chain.children", []).status_code == status
    assert call(client, app, "audit-grid.rowData", None, None, "", "", "").status_code == status
    page = str(call(client, app, "page.children", "/audit", "").json)
    assert ("not for your role" in page) is (status == 403)
    assert ("nav-audit" in page) is (status == 200)


def test_shorten_hash__touches_nothing_else():
    assert shorten_hash("a" * 63) == "a" * 63
