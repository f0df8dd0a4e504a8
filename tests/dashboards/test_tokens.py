"""Scripts with a token: what it gives, what it does not, and the program that the page prints."""

import datetime as dt
import os
import shutil
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import waitress

from dashboards.views.api_description import describe_api
from pipelines.arguments import parse_arguments
from tests.dashboards.conftest import call, log_in
from tests.dashboards.trial import make_tables


def bearer(home: Any, clock: Any, name: str = "ortiz", **options: Any) -> dict[str, str]:
    text, _ = home.registry.users.tokens.issue(
        name, days=options.pop("days", 5), at=clock(), actor="cli", **options
    )
    return {"Authorization": f"Bearer {text}"}


def newest(home: Any) -> Any:
    return home.registry.audit.rows(limit=1).iloc[0]


def test_token__gives_tables_and_each_use_is_recorded(client, home, clock):
    headers = bearer(home, clock)
    for path in ("tables/subjects.csv", "tables/subjects.parquet", "dictionary.csv"):
        assert client.get(f"/api/v1/{path}", headers=headers).status_code == 200
        entry = newest(home)
        assert (entry["actor"], entry["action"]) == ("ortiz", "export")
        assert entry["reason"].startswith("token ")
    assert home.registry.audit.verify() == []


def test_token__gives_only_its_tables(client, home, clock):
    headers = bearer(home, clock, tables=["subjects"])
    assert client.get("/api/v1/tables/subjects.csv", headers=headers).status_code == 200
    assert client.get("/api/v1/tables/persistence.csv", headers=headers).status_code == 403
    assert (newest(home)["action"], newest(home)["object"]) == ("export_refused", "persistence")


def test_token__that_does_not_hold_is_refused_beside_a_session(client, home, clock):
    log_in(client, "ortiz")
    wrong = {"Authorization": "Bearer wrong"}
    assert client.get("/api/v1/tables/subjects.csv", headers=wrong).status_code == 401
    assert client.get("/api/v1/tables/subjects.csv").status_code == 200
    response = client.open("/api/v1/tables/subjects.csv", method="POST", headers=bearer(home, clock))
    assert response.status_code == 405
    anonymous = client.application.test_client().get("/api/v1/tables/subjects.csv")
    assert (anonymous.status_code, anonymous.headers["WWW-Authenticate"]) == (401, "Bearer")


def test_token__ends_with_its_day(client, home, clock):
    headers = bearer(home, clock, days=1)
    clock.now += dt.timedelta(days=1)
    assert client.get("/api/v1/tables/subjects.csv", headers=headers).status_code == 401
    assert newest(home)["reason"] == "expired"


@pytest.mark.parametrize("path", ["/", "/exports", "/api/v1/audit.csv", "/_dash-layout"])
def test_token__opens_no_page_and_nothing_else(client, home, clock, path):
    response = client.get(path, headers=bearer(home, clock, name="chen"))
    assert response.status_code in (302, 401)


def test_token__changes_nothing(client, home, clock):
    response = client.post("/_dash-update-component", json={}, headers=bearer(home, clock))
    assert response.status_code == 401


def test_token__has_the_role_of_its_account(client, home, clock):
    headers = bearer(home, clock, name="root")
    assert client.get("/api/v1/tables/subjects.csv", headers=headers).status_code == 403


@pytest.mark.parametrize("value", ["Bearer", "Bearer x", "Basic b3J0aXo6eA==", "Bearer corelab_0_0"])
def test_token__that_is_none_is_an_anonymous_request(client, value):
    assert client.get("/api/v1/tables/subjects.csv", headers={"Authorization": value}).status_code == 401


def test_openapi__describes_the_routes(client, home, clock):
    described = client.get("/api/v1/openapi.json", headers=bearer(home, clock)).get_json()
    assert described["openapi"] == "3.1.0"
    names = described["paths"]["/api/v1/tables/{name}.csv"]["get"]["parameters"][0]["schema"]["enum"]
    assert set(names) == set(home.snapshots.current().table_names)
    for path, asked in described["paths"].items():
        by_token = {"token": []} in asked["get"]["security"]
        answer = client.get(path.replace("{name}", "subjects"), headers=bearer(home, clock))
        assert answer.status_code == (200 if by_token else 401)
    bare = describe_api([], version="1")["paths"]["/api/v1/tables/{name}.csv"]
    assert "enum" not in str(bare)


def find_code(part: Any) -> list[str]:
    """Every block of code inside a page, as JSON."""
    if isinstance(part, list):
        return [text for each in part for text in find_code(each)]
    if not isinstance(part, dict):
        return []
    children = part.get("props", {}).get("children")
    return [children] if part.get("type") == "Code" else find_code(children)


def open_page(client: Any, app: Any, name: str) -> list[str]:
    log_in(client, name)
    answer = call(client, app, "page.children", "/exports", "?table=persistence")
    return find_code(answer.get_json()["response"]["page"]["children"])


def knows_r() -> bool:
    """Tell whether R and the package of the printed program are on this machine."""
    asked = 'quit(status = !requireNamespace("httr2", quietly = TRUE))'
    found = shutil.which("Rscript")
    return found is not None and subprocess.run([found, "-e", asked], check=False).returncode == 0


PROGRAMS = {
    "python": (
        "import pandas",
        [sys.executable],
        'open("taken", "w").write("\\n".join(float(one).hex() for one in persistence["value"]))\n',
    ),
    "r": ("library(httr2)", ["Rscript"], 'writeLines(sprintf("%a", persistence$value), "taken")\n'),
}


@pytest.mark.parametrize(
    "language",
    [
        "python",
        pytest.param("r", marks=pytest.mark.skipif(not knows_r(), reason="no R here")),
    ],
)
def test_page__prints_a_program_that_works(app, client, home, clock, tmp_path, language):
    """The program as the page prints it, run against a live server; only the address is its own."""
    sign, command, save = PROGRAMS[language]
    printed = next(text for text in open_page(client, app, "ortiz") if sign in text)
    server = waitress.create_server(app.server, host="127.0.0.1", port=0, threads=2)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        host = f"http://127.0.0.1:{server.effective_port}/"
        program = tmp_path / "take"
        program.write_text(printed.replace("http://localhost/", host) + save)
        token = bearer(home, clock, tables=["persistence"])["Authorization"].removeprefix("Bearer ")
        done = subprocess.run(
            [*command, program], cwd=tmp_path, env={**os.environ, "CORELAB_TOKEN": token},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    finally:
        server.close()
        thread.join(timeout=10)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr + done.stdout, done.stderr
    taken = [float.fromhex(text.replace("NA", "nan")) for text in (tmp_path / "taken").read_text().split()]
    np.testing.assert_array_equal(taken, make_tables()["persistence"]["value"])


def test_page__prints_commands_that_the_command_line_knows(app, client, home):
    commands = [text.split() for text in open_page(client, app, "ortiz") if text.startswith("corelab ")]
    assert {words[1] for words in commands} == {"export", "user"}
    for words in commands:
        assert parse_arguments(words[1:], home="") is not None
    assert any(home.snapshots.current().id in words for words in commands)


def test_page__shows_no_program_to_an_administrator(app, client):
    assert open_page(client, app, "root") == []
