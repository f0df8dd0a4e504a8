"""Who comes in, how long, and what another site can not do."""

import datetime as dt

import pytest

from dashboards.access.guard import check_next
from dashboards.app import create_app
from tests.dashboards.conftest import call, csrf, log_in
from tests.dashboards.trial import PASSWORD

PAGES = ("/", "/samples", "/patients/CL-001", "/cohort", "/exports")


def test_healthz__answers_without_a_login(client):
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_page__redirects_an_anonymous_person_to_the_login_and_back(client, path):
    response = client.get(path)

    assert response.status_code in (302, 303)
    target = response.headers["Location"]
    assert target.startswith("/login")
    page = client.get(target)
    assert page.status_code == 200
    assert f'name="next" value="{path}"' in page.text


@pytest.mark.parametrize(
    "path",
    ["/_dash-layout", "/_dash-dependencies", "/_reload-hash", "/api/v1/tables/subjects.csv", "/api/v1/x"],
)
def test_machine_path__answers_401_to_an_anonymous_request(client, path):
    assert client.get(path).status_code == 401


def test_callback__answers_401_to_an_anonymous_request(client, app):
    assert call(client, app, "page.children", "/", "").status_code == 401


def test_login__posts_two_fields_and_redirects_with_303(client):
    response = client.post("/login", data={"username": "ortiz", "password": PASSWORD})

    assert response.status_code == 303
    assert response.headers["Location"] == "/"
    assert client.get("/").status_code == 200


def test_login__goes_to_the_page_that_was_asked_for(client):
    response = client.post("/login", data={"username": "ortiz", "password": PASSWORD, "next": "/cohort"})

    assert response.headers["Location"] == "/cohort"


@pytest.mark.parametrize(
    "target",
    ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)",
     "/logout", "/_dash-layout", "/api/v1/tables/subjects.csv", "/\t/elsewhere.example", "cohort", ""],
)  # fmt: skip
def test_check_next__never_leaves_the_site(target):
    assert check_next(target) == "/"


@pytest.mark.parametrize(
    ("name", "password"),
    [("ortiz", "wrong"), ("nobody", PASSWORD), ("", ""), ("ortiz", ""), ("ortiz'--", "x" * 5000)],
)
def test_login__refuses_what_does_not_fit_with_one_and_the_same_sentence(client, name, password):
    response = client.post("/login", data={"username": name, "password": password})

    assert response.status_code == 401
    assert "do not fit" in response.text
    assert client.get("/").status_code == 302


def test_login__shuts_an_account_after_five_failures_and_opens_it_later(client, clock):
    for _ in range(5):
        client.post("/login", data={"username": "ortiz", "password": "wrong"})
    assert client.post("/login", data={"username": "ortiz", "password": PASSWORD}).status_code == 401

    clock.advance(minutes=16)
    assert client.post("/login", data={"username": "ortiz", "password": PASSWORD}).status_code == 303


def test_login__escapes_the_name_it_shows_again(client):
    response = client.post("/login", data={"username": '"><script>x</script>', "password": "wrong"})

    assert "<script>x" not in response.text


def test_login__asks_a_browser_for_the_token_of_its_own_form(client):
    sent = {"username": "ortiz", "password": PASSWORD}
    origin = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    refused = client.post("/login", data=sent, headers=origin)
    assert refused.status_code == 403
    assert "Please log in again" in refused.text

    page = client.get("/login").text
    token = page.split('name="token" value="')[1].split('"')[0]
    assert client.post("/login", data={**sent, "token": token}, headers=origin).status_code == 303


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_login__refuses_a_form_of_another_site(client, headers):
    sent = {"username": "ortiz", "password": PASSWORD}

    assert client.post("/login", data=sent, headers=headers).status_code == 403


def test_login__starts_a_new_session(client):
    client.get("/login")
    planted = client.get_cookie("corelab_session").value

    log_in(client, "ortiz")

    assert client.get_cookie("corelab_session").value != planted
    client.set_cookie("corelab_session", planted)
    assert client.get("/").status_code == 302


def list_ends(home):
    rows = home.registry.audit.rows()
    return [
        (row.action, row.actor, row.role, row.reason)
        for row in rows.itertuples()
        if row.action in ("logout", "session_end")
    ]


def test_session__ends_with_the_logout_wherever_its_cookie_was_copied(client, home):
    log_in(client, "ortiz")
    copied = client.get_cookie("corelab_session").value

    assert client.get("/logout").status_code == 303
    assert client.get("/").status_code == 302
    client.set_cookie("corelab_session", copied)
    assert client.get("/").status_code == 302
    assert client.get("/api/v1/reviews").status_code == 401
    assert client.get("/logout").status_code == 302
    assert list_ends(home) == [("logout", "ortiz", "investigator", "")]
    assert home.registry.audit.verify() == []


def test_session__ends_when_another_begins_in_the_same_browser(client, home):
    log_in(client, "ortiz")
    copied = client.get_cookie("corelab_session").value
    log_in(client, "chen")

    client.set_cookie("corelab_session", copied)
    assert client.get("/").status_code == 302
    assert [end[:2] for end in list_ends(home)] == [("logout", "ortiz")]


def test_logout__is_not_for_other_sites(client):
    log_in(client, "ortiz")

    assert client.get("/logout", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/").status_code == 200


def test_session__ends_when_it_is_idle_too_long(client, home, clock):
    log_in(client, "ortiz")
    clock.advance(minutes=29)
    assert client.get("/").status_code == 200
    clock.advance(minutes=29)
    assert client.get("/").status_code == 200
    clock.advance(minutes=31)
    assert client.get("/").status_code == 302
    clock.advance(minutes=-20)  # nor does a clock that is set back open it again
    assert client.get("/").status_code == 302
    assert list_ends(home) == [("session_end", "ortiz", "investigator", "idle for too long")]


def test_session__ends_after_twelve_hours_even_when_it_is_used(client, home, clock):
    log_in(client, "ortiz")
    for _ in range(35):
        clock.advance(minutes=20)
        assert client.get("/").status_code == 200
    clock.advance(minutes=25)
    assert client.get("/").status_code == 302
    assert [end[-1] for end in list_ends(home)] == ["open for too long"]


def test_session__ends_when_the_account_is_disabled_or_its_password_changes(client, home, clock):
    log_in(client, "ortiz")
    log_in(other := client.application.test_client(), "chen")
    home.registry.users.disable("ortiz", at=clock())
    home.registry.users.set_password("chen", "another long one", at=clock())

    assert client.get("/").status_code == 302
    assert other.get("/").status_code == 302
    assert [end[1:] for end in list_ends(home)] == [
        ("chen", "scientist", "the account was shut or changed"),
        ("ortiz", "investigator", "the account was shut or changed"),
    ]


def test_session__is_worth_nothing_with_another_key(client, home):
    log_in(client, "ortiz")
    cookie = client.get_cookie("corelab_session").value
    other = create_app(home, secret_key="another key of enough letters").server.test_client()
    other.set_cookie("corelab_session", cookie)

    assert other.get("/").status_code == 302


def test_create_app__refuses_a_short_key(home):
    with pytest.raises(ValueError, match="16 characters"):
        create_app(home, secret_key="short")


def test_callback__asks_for_the_token_of_the_session(client, app):
    log_in(client, "ortiz")

    assert call(client, app, "page.children", "/", "", headers={}).status_code == 403
    wrong = {"X-CSRFToken": "ä" * 43}
    assert call(client, app, "page.children", "/", "", headers=wrong).status_code == 403
    assert call(client, app, "page.children", "/", "").status_code == 200
    assert len(csrf(client)["X-CSRFToken"]) >= 32


def test_cookies__are_shut_to_scripts_and_other_sites(home):
    client = create_app(
        home, secret_key="a key for tests and nothing else", secure_cookies=True
    ).server.test_client()
    response = client.post("/login", data={"username": "ortiz", "password": PASSWORD})

    session = next(
        line for line in response.headers.getlist("Set-Cookie") if line.startswith("corelab_session")
    )
    assert {"HttpOnly", "Secure", "SameSite=Lax"} <= set(session.split("; "))


@pytest.mark.parametrize("path", ["/login", "/healthz", "/", "/_dash-layout", "/assets/10-shell.css"])
def test_headers__stand_on_every_answer(client, path):
    with client.get(path) as response:
        headers = response.headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'self'" in policy
    assert "unsafe-inline" not in policy.split("style-src")[0]
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


SECRET_WORDS = "Invented Childname of ward 7"


@pytest.mark.parametrize("path", ["/cohort", "/api/v1/tables/subjects.csv", "/_dash-layout", "callback"])
def test_failure__tells_nothing_but_a_reference_that_is_on_record(
    client, app, home, path, monkeypatch, caplog
):
    def fail(*_args, **_kwargs):
        raise RuntimeError(SECRET_WORDS)

    log_in(client, "ortiz")
    monkeypatch.setattr("dashboards.routes.mark_unknown_page", lambda _site, response: response)
    for name, view in list(app.server.view_functions.items()):
        if name not in ("_dash_assets.static", "theme.tokens", "/_dash-update-component"):
            monkeypatch.setitem(app.server.view_functions, name, fail if view else view)
    if path == "callback":
        monkeypatch.setattr("dashboards.routes.build_page", fail)
        answer = call(client, app, "page.children", "/", "")
    else:
        answer = client.get(path)

    reference = answer.headers["Failure-Reference"]
    assert (answer.status_code, len(reference)) == (500, 8)
    assert reference in answer.text
    for inside in ("RuntimeError", "Traceback", "Childname", ".py"):
        assert inside not in answer.text
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    newest = home.registry.audit.rows(limit=1).iloc[0]
    assert (newest["action"], newest["actor"]) == ("failure", "ortiz")
    assert newest["reason"] == f"{reference} RuntimeError"
    assert "Childname" not in home.registry.audit.rows().to_csv()
    assert any(reference in record.getMessage() and record.exc_info for record in caplog.records)


def test_page__is_not_kept_by_the_browser(client):
    log_in(client, "ortiz")

    assert client.get("/").headers["Cache-Control"] == "no-store"


def test_mcp__is_off_even_when_the_environment_asks_for_it(home, monkeypatch):
    monkeypatch.setenv("DASH_MCP_ENABLED", "true")
    client = create_app(home, secret_key="a key for tests and nothing else").server.test_client()
    log_in(client, "ortiz")

    rules = {rule.rule for rule in client.application.url_map.iter_rules()}
    assert not any("mcp" in rule for rule in rules)


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/patients/CL-999", "/patients/CL-001/more", "/cohort/x", "/upload/x", "/samples/none"],
)
def test_page__answers_404_where_nothing_lives(client, path):
    log_in(client, "ortiz")

    assert client.get(path).status_code == 404


def test_login__is_recorded_with_its_time(client, home, clock):
    log_in(client, "ortiz")

    newest = home.registry.audit.rows(limit=1).iloc[0]
    assert (newest["actor"], newest["action"]) == ("ortiz", "login")
    assert dt.datetime.fromisoformat(newest["at"]) == clock()
