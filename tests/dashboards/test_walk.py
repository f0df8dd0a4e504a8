"""Every route and callback, listed from the app: nobody without a login, nobody with another role."""

from collections.abc import Iterator
from typing import Any

import pytest

from corelab.vocabulary import Role
from dashboards.access.roles import EVERY_ROLE, EXPORTERS, ROLES_ATTRIBUTE
from tests.dashboards.conftest import csrf, log_in
from tests.dashboards.trial import ACCOUNTS

PUBLIC = {
    "access.login", "access.logout", "access.healthz", "theme.tokens", "/_favicon.ico",
    "_dash_assets.static",
    "/_dash-component-suites/<string:package_name>/<path:fingerprinted_path>",
}  # fmt: skip
"""What answers without a login; none of it holds a word of the trial."""

SCIENTIST, REVIEWER, AUDITORS = (Role.SCIENTIST,), (Role.REVIEWER,), (Role.REVIEWER, Role.ADMIN)
ROLES = {
    "api.table": EXPORTERS, "api.cells": EXPORTERS, "api.dictionary": EXPORTERS, "api.openapi": EVERY_ROLE,
    "api.audit": AUDITORS, "figures.rows": EXPORTERS, "figures.saved": EXPORTERS,
    "figures.cells": EXPORTERS,
    "gates.plot": EVERY_ROLE, "gates.small": EVERY_ROLE, "gates.count": SCIENTIST,
    "gates.preview": SCIENTIST, "gates.decide": SCIENTIST,
    "reviews.list": EVERY_ROLE, "reviews.sign": REVIEWER,
    "uploads.open": SCIENTIST, "uploads.create": SCIENTIST, "uploads.finish": SCIENTIST,
    "uploads.one": SCIENTIST, "uploads.append": SCIENTIST, "uploads.remove": SCIENTIST,
    "uploads.template": SCIENTIST,
    "/_dash-layout": EVERY_ROLE, "/_dash-dependencies": EVERY_ROLE, "/_reload-hash": EVERY_ROLE,
    "/": EVERY_ROLE, "/<path:path>": EVERY_ROLE,
}  # fmt: skip
"""Who may use each route; one that is added without standing here fails the test."""

WORDS = {"name": "subjects", "ext": "csv", "table": "subjects", "stem": "labs", "path": "cohort"}


def list_routes(app: Any) -> Iterator[tuple[str, str, str]]:
    """List endpoint, method and an address of every route."""
    adapter = app.server.url_map.bind("localhost")
    for rule in app.server.url_map.iter_rules():
        values = {name: WORDS.get(name, "0" * 64) for name in rule.arguments}
        for method in sorted(rule.methods - {"HEAD", "OPTIONS"}):
            yield rule.endpoint, method, adapter.build(rule.endpoint, values, method=method)


def list_bodies(app: Any) -> Iterator[tuple[tuple[Role, ...], dict[str, Any]]]:
    """List the roles of every callback that runs here, and a request for it."""
    for name, spec in app.callback_map.items():
        if "callback" not in spec:
            continue
        fill = [{**one, "value": None} for one in spec["inputs"]]
        parts = [part.rsplit(".", 1) for part in name.strip(".").split("...")]
        outputs = [{"id": part[0], "property": part[1]} for part in parts]
        yield getattr(spec["callback"].__wrapped__, ROLES_ATTRIBUTE), {
            "output": name, "outputs": outputs if name.startswith("..") else outputs[0], "inputs": fill,
            "state": [{**one, "value": None} for one in spec["state"]],
            "changedPropIds": [f"{fill[0]['id']}.{fill[0]['property']}"],
        }  # fmt: skip


def send(client: Any, method: str, address: str, **more: Any) -> Any:
    return client.open(address, method=method, headers=csrf(client), **more)


def test_routes__are_all_known(app):
    endpoints = {endpoint for endpoint, _, _ in list_routes(app)}
    assert endpoints - PUBLIC - {"/_dash-update-component"} == set(ROLES)


def test_routes__refuse_somebody_without_a_login(app):
    client = app.server.test_client()
    for endpoint, method, address in list_routes(app):
        if endpoint in PUBLIC:
            continue
        answer = send(client, method, address)
        machine = address.startswith(("/_", "/api/")) or method != "GET"
        assert answer.status_code == (401 if machine else 302), (endpoint, method)
        assert "CL-001" not in answer.text
    for _, body in list_bodies(app):
        assert send(client, "POST", "/_dash-update-component", json=body).status_code == 401, body["output"]


@pytest.mark.parametrize(("name", "role"), ACCOUNTS.items(), ids=str)
def test_routes__refuse_each_wrong_role_and_no_right_one(app, home, name, role):
    client = app.server.test_client()
    log_in(client, name)
    for endpoint, method, address in list_routes(app):
        if endpoint in PUBLIC or endpoint == "/_dash-update-component":
            continue
        status = send(client, method, address).status_code
        assert (status == 403) is (Role(role) not in ROLES[endpoint]), (endpoint, method, status)
        if method != "GET":
            assert client.open(address, method=method).status_code == 403, "without the token"
    refused = 0
    for roles, body in list_bodies(app):
        if Role(role) not in roles:
            answer = send(client, "POST", "/_dash-update-component", json=body)
            assert answer.status_code == 403, body["output"]
            refused += 1
    assert refused
    # Once an hour for each route it is on record who asked for what is not for the role.
    rows = home.registry.audit.rows()
    told = rows[rows["action"] == "refused"]
    assert {*told["actor"]} == {name}
    assert {*told["role"]} == {role}
    assert "POST /_dash-update-component" in set(told["object"])
    assert len(told) == len(set(told["object"]))


def test_headers__stand_on_refusals_errors_and_downloads(app):
    client = app.server.test_client()
    addresses = [("GET", "/_dash-layout"), ("GET", "/cohort"), ("POST", "/login")]
    answers = [send(client, method, address) for method, address in addresses]
    log_in(client, "ortiz")
    downloads = ["/api/v1/tables/subjects.csv", "/api/v1/tables/none.csv", "/audit", "/nowhere", "/upload"]
    answers += [send(client, "GET", address) for address in downloads]
    answers += [send(client, "PATCH", "/cohort"), send(client, "POST", "/api/v1/reviews")]
    assert {answer.status_code for answer in answers} >= {200, 302, 401, 403, 404, 405}
    for answer in answers:
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", answer.request.path
        assert "unsafe-eval" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
