"""Requests that no page of ours makes: refused in one answer, never a failure, never more than was asked."""

import json
import random

import pytest

from tests.dashboards.conftest import call, csrf, log_in
from tests.dashboards.test_walk import list_bodies

ODD = (
    None, 5, -1, 1e308, 9**30, True, "x" * 5000, "CL-001' OR 1=1--", "\u202e", "../..", [], {}, [[]], [{}],
    [None], ["a", "b"], {"points": [{"customdata": [1]}]}, [{"seq": "x"}], [{"object": "CL-001"}],
    [{"record_id": {}}], [{"file_id": ["x"]}], {"width": "x"}, {"width": -5, "height": 0}, {"layout": 5},
    {"layout": {"xaxis": {"range": 7}}}, {"plate": [], "act": 1, "snapshot": None},
)  # fmt: skip


@pytest.mark.parametrize(
    "body",
    ["{}", "[]", "5", "", '{"output": "nowhere.children"}', '{"output": ["a"]}',
     '{"output": "page.children", "inputs": []}', "[" * 100_000 + "]" * 100_000, '{"a": ' + "1" * 5000 + "}",
     '{"output": "\\ud800"}', b"\xff\xfe"],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_callback__that_no_page_asks_for_is_a_bad_request(client, home, body):
    log_in(client, "chen")
    before = len(home.registry.audit.rows())
    for path in ("/_dash-update-component", "/api/v1/figures/saved", "/api/v1/uploads"):
        answer = client.post(path, data=body, content_type="application/json", headers=csrf(client))
        assert answer.status_code in (400, 413), path
    assert len(home.registry.audit.rows()) == before


@pytest.mark.parametrize("name", ["chen", "li.wei"])
def test_callbacks__bear_any_value(app, name):
    """Every callback with values of the wrong kind: an answer or a refusal, and no failure of ours."""
    log_in(client := app.server.test_client(), name)
    chance = random.Random(name)
    statuses = set()
    for _, body in list_bodies(app):
        for _ in range(4):
            for part in ("inputs", "state"):
                body[part] = [{**one, "value": chance.choice(ODD)} for one in body[part]]
            sent = json.dumps(body).replace("Infinity", "1e400")
            answer = client.post(
                "/_dash-update-component", data=sent, content_type="application/json", headers=csrf(client)
            )
            assert answer.status_code < 500, (body["output"], body["inputs"], body["state"])
            statuses.add(answer.status_code)
    assert {200, 400, 403} <= statuses


def test_dismiss__takes_only_what_waits(app, client, home):
    """A list that was made up names a child and a tube that take part in analysis."""
    log_in(client, "chen")
    press = next(name for name, spec in app.callback_map.items() if "upload-dismiss" in str(spec["inputs"]))
    for thing in ("CL-001", "labs.csv", ""):
        told = call(client, app, press, 1, [{"object": thing}], [], "because")
        assert "this does not wait" in told.text
    assert "withdraw" not in set(home.registry.audit.rows()["action"])


@pytest.mark.parametrize("path", ["dash/..%2f..%2fdash.py", "dash/../../dash.py", "nothing/x.js"])
def test_scripts__are_only_those_of_dash(client, path):
    assert client.get(f"/_dash-component-suites/{path}").status_code == 404
