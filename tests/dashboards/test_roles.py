"""No callback without a role, and the actions of each role."""

import pytest

from corelab.vocabulary import Role
from dashboards.access.roles import ROLES_ATTRIBUTE, allow
from tests.dashboards.conftest import call, log_in
from tests.dashboards.trial import ACCOUNTS


def test_callbacks__each_name_the_roles_that_may_use_them(app):
    server_side = {name: spec["callback"] for name, spec in app.callback_map.items() if "callback" in spec}

    assert len(server_side) >= 6
    for name, callback in server_side.items():
        roles = getattr(callback.__wrapped__, ROLES_ATTRIBUTE, None)
        assert roles, name
        assert all(isinstance(role, Role) for role in roles), name


def test_allow__answers_403_to_another_role(app, client):
    only_admin = allow(Role.ADMIN)(lambda: "in")
    app.server.add_url_rule("/probe", "probe", only_admin)
    log_in(client, "ortiz")
    assert client.get("/probe").status_code == 403
    log_in(admin := app.server.test_client(), "root")
    assert admin.get("/probe").text == "in"


@pytest.mark.parametrize("name", ACCOUNTS)
def test_page__opens_for_every_role(app, client, name):
    log_in(client, name)

    opened = (
        "/",
        "/samples",
        "/screening",
        "/patients/CL-001",
        "/cohort",
        "/cytokines",
        "/outcomes",
        "/exports",
    )
    for path in opened:
        assert client.get(path).status_code == 200
        assert call(client, app, "page.children", path, "").status_code == 200


def test_exports__leaves_out_what_a_role_may_not_do(app, client):
    log_in(client, "root")
    assert "/api/v1/tables" not in str(call(client, app, "page.children", "/exports", "").json)
    log_in(investigator := app.server.test_client(), "ortiz")
    assert "/api/v1/tables/subjects.csv" in str(call(investigator, app, "page.children", "/exports", "").json)
