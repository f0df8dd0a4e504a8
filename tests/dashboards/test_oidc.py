"""Logging in by a provider: who it vouches for and the registry knows, and nobody else."""

import logging
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc.jwk import ECKey

from corelab.errors import ConfigError
from corelab.store import Home
from dashboards.access.oidc import Provider, read_provider
from dashboards.access.sessions import IDLE_TIMEOUT
from dashboards.app import create_app
from tests.dashboards.conftest import SECRET, Clock
from tests.dashboards.oidc_provider import CLIENT, CLIENT_SECRET, FakeProvider, read_query, serve_provider
from tests.dashboards.trial import PASSWORD

PUBLIC = "http://localhost"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with serve_provider() as started:
        yield started


@pytest.fixture
def client(home: Home, clock: Clock, provider: FakeProvider) -> FlaskClient:
    known = Provider(
        issuer=provider.issuer, client_id=CLIENT, client_secret=CLIENT_SECRET, public_url=PUBLIC, label="Ward"
    )
    return create_app(home, secret_key=SECRET, clock=clock, provider=known).server.test_client()


def visit(address: str) -> str:
    """Go to the provider as a browser does, and return where it sends one."""
    try:
        urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect).open(address)
    except urllib.error.HTTPError as answer:
        return str(answer.headers["Location"])
    raise AssertionError(address)


def log_in(client: FlaskClient, start: str = "/login/oidc") -> Any:
    back = visit(client.get(start).headers["Location"])
    assert back.startswith(f"{PUBLIC}/login/oidc/callback?")
    return client.get(back.removeprefix(PUBLIC))


def last_line(home: Home) -> tuple[str, str, str]:
    line = home.registry.audit.rows(limit=1).iloc[0]
    return line["action"], line["object"], line["reason"]


def test_login__by_a_provider_opens_the_account_of_that_name(
    client: FlaskClient, home: Home, provider: FakeProvider
) -> None:
    page = client.get("/login?next=/cohort")
    assert "Log in with Ward" in page.text
    assert 'href="/login/oidc?next=%2Fcohort"' in page.text
    assert "使用 Ward 登录" in client.get("/login?language=zh").text
    answer = log_in(client, "/login/oidc?next=/cohort")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cohort")
    assert client.get("/cohort").status_code == 200
    assert client.get("/audit").status_code == 403  # an investigator, as the registry says
    assert last_line(home) == ("login", "ortiz", "oidc")
    asked = provider.asked[0]
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert len(asked["state"]) >= 20
    assert len(asked["nonce"]) >= 20


@pytest.mark.parametrize(
    "claims",
    [
        {"preferred_username": "somebody"}, {"preferred_username": ""}, {"aud": "another"},
        {"iss": "https://elsewhere.example"}, {"nonce": "another"}, {"exp": 1_577_836_800},
    ],
    ids=str,
)  # fmt: skip
def test_login__is_refused_where_the_token_or_the_person_is_not_right(
    client: FlaskClient, home: Home, provider: FakeProvider, claims: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    provider.claims = claims
    with caplog.at_level(logging.WARNING):
        answer = log_in(client)
    assert answer.status_code == 403
    assert "did not vouch" in answer.text
    assert client.get("/cohort").status_code == 302
    assert last_line(home) == ("login_failed", "unknown account", "oidc: refused")
    assert "ortiz" not in caplog.text


def test_login__is_refused_with_another_signature_state_or_issuer(
    client: FlaskClient, provider: FakeProvider, home: Home, clock: Clock
) -> None:
    provider.signing_key = ECKey.generate_key("P-256", {"kid": "one"})
    assert log_in(client).status_code == 403
    provider.signing_key = None
    back = visit(client.get("/login/oidc").headers["Location"]).removeprefix(PUBLIC)
    stranger = client.application.test_client()
    assert stranger.get(back).status_code == 403  # another browser than the one that began
    assert client.get(back.replace(read_query(back)["state"], "x")).status_code == 403
    assert client.get("/login/oidc/callback?error=access_denied&state=x").status_code == 403
    provider.told_issuer = "https://elsewhere.example"
    known = Provider(issuer=provider.issuer, client_id=CLIENT, public_url=PUBLIC)
    other = create_app(home, secret_key=SECRET, clock=clock, provider=known).server.test_client()
    assert other.get("/login/oidc").status_code == 503
    assert other.get("/cohort").status_code == 302


def test_login__by_a_provider_opens_no_shut_or_locked_account(
    client: FlaskClient, home: Home, clock: Clock
) -> None:
    for _ in range(5):
        home.registry.users.verify("ortiz", "a wrong password", at=clock())
    assert log_in(client).status_code == 403
    assert last_line(home) == ("login_failed", "ortiz", "oidc: locked")
    clock.advance(minutes=16)
    assert log_in(client).status_code == 303
    home.registry.users.disable("ortiz", at=clock(), actor="root", reason="left")
    assert client.get("/cohort").status_code == 302  # revoked at once
    assert log_in(client).status_code == 403


def test_session__of_a_provider_ends_like_any_other(client: FlaskClient, clock: Clock) -> None:
    log_in(client)
    clock.advance(seconds=IDLE_TIMEOUT.total_seconds() + 1)
    assert client.get("/cohort").status_code == 302
    answer = client.post("/login", data={"username": "ortiz", "password": PASSWORD})
    assert answer.status_code == 303  # the password stays a way in, and is what signs


def test_login__without_a_provider_has_neither_button_nor_route(home: Home, clock: Clock) -> None:
    client = create_app(home, secret_key=SECRET, clock=clock).server.test_client()
    assert "login-provider" not in client.get("/login").text
    for path in ("/login/oidc", "/login/oidc/callback"):
        assert client.get(path).status_code == 302
        assert client.get(path).headers["Location"].startswith("/login?next=")


def test_read_provider__reads_the_file_and_its_secret(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    file = tmp_path / "oidc.yaml"
    file.write_text(
        "issuer: https://id.example/\nclient_id: corelab\npublic_url: https://corelab.example/\n"
        "client_secret_file: secret\nclaim: email\nlabel: Hospital\n"
    )
    assert read_provider(file) == Provider(
        issuer="https://id.example", client_id="corelab", public_url="https://corelab.example",
        client_secret="s3cret", claim="email", label="Hospital",
    )  # fmt: skip
    assert "s3cret" not in repr(read_provider(file))


@pytest.mark.parametrize(
    "text",
    [
        "- a", "issuer: [", "issuer: https://id.example\nclient_id: x\n",
        "issuer: http://id.example\nclient_id: x\npublic_url: https://c.example\n",
        "issuer: https://id.example\nclient_id: x\npublic_url: https://c.example\nodd: 1\n",
        "issuer: https://id.example\nclient_id: x\npublic_url: https://c.example\nclient_secret_file: none\n",
    ],
)  # fmt: skip
def test_read_provider__refuses_what_it_cannot_use(tmp_path: Path, text: str) -> None:
    (tmp_path / "oidc.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"oidc\.yaml"):
        read_provider(tmp_path / "oidc.yaml")


def test_login__asks_for_a_checked_address(home: Home, clock: Clock, provider: FakeProvider) -> None:
    home.registry.users.add("ann@ward.example", role="scientist", password=PASSWORD, at=clock())
    known = Provider(
        issuer=provider.issuer,
        client_id=CLIENT,
        client_secret=CLIENT_SECRET,
        public_url=PUBLIC,
        claim="email",
    )
    client = create_app(home, secret_key=SECRET, clock=clock, provider=known).server.test_client()
    provider.claims = {"email": "ann@ward.example"}
    assert log_in(client).status_code == 403
    provider.claims = {"email": "ann@ward.example", "email_verified": True}
    assert log_in(client).status_code == 303
