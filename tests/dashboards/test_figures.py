"""Figures taken along: rows with their stamp, and a line of the audit."""

import csv
import io

from tests.dashboards.conftest import call, csrf, log_in

API = "/api/v1/figures"


def read(response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.get_data(as_text=True).lstrip("\ufeff"))))


def test_rows__are_those_of_the_figure_and_say_what_they_were_made_from(app, client, home):
    log_in(client, "ortiz")
    snapshot = home.snapshots.current()
    table = snapshot.table("persistence")
    analyte = table["analyte"].iloc[0]

    rows = read(client.get(f"{API}/persistence.csv?analyte={analyte}"))
    assert len(rows) == (table["analyte"] == analyte).sum()
    assert {row["filters"] for row in rows} == {f"analyte {analyte}"}
    assert all(snapshot.id in row["made_from"] for row in rows)
    assert read(client.get(f"{API}/overview.csv"))[0]["filters"] == "all rows"
    newest = home.registry.audit.rows(limit=1).iloc[0]
    assert (newest["action"], newest["object"]) == ("export", f"{snapshot.id}/figure overview")
    assert client.get(f"{API}/nothing.csv").status_code == 404
    assert client.get(f"{API}/persistence.csv?nothing=1").status_code == 400


def test_saved__is_noted_for_those_who_may_take_tables(app, client, home):
    sent = {"figure": "cohort-facets", "format": "png", "address": "/cohort"}
    assert client.post(f"{API}/saved", json=sent).status_code == 401
    log_in(client, "ortiz")
    assert client.post(f"{API}/saved", json=sent, headers=csrf(client)).status_code == 204
    assert home.registry.audit.rows(limit=1).iloc[0]["object"].endswith("figure cohort-facets.png /cohort")
    assert client.post(f"{API}/saved", json={"format": "exe"}, headers=csrf(client)).status_code == 400
    log_in(admin := app.server.test_client(), "root")
    assert admin.post(f"{API}/saved", json=sent, headers=csrf(admin)).status_code == 403
    assert admin.get(f"{API}/persistence.csv").status_code == 403
    assert "figure-words" not in admin.get("/_dash-layout").text
    assert "figure-words" in client.get("/_dash-layout").text


def test_charts__say_from_which_rows_they_were_drawn(app, client):
    log_in(client, "ortiz")
    viewport = {"width": 1440, "height": 900}
    charts = {name for name in app.callback_map if ".figure" in name}
    drawn = call(client, app, "home-matrix.figure", viewport, "light").json
    assert '"table": "overview"' in str(drawn).replace("'", '"')
    assert len(charts) >= 9
