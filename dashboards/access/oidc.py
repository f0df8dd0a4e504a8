"""Logging in by an OpenID Connect provider: Authorization Code with PKCE, state and nonce, by Authlib.

The provider says who somebody is; what they may do says the registry alone. Somebody without an account
there does not get in, and neither does a shut or locked one. Nothing is asked of the provider before somebody
chooses it.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from flask import Blueprint, Flask, current_app, redirect, request, session
from flask_login import current_user
from werkzeug.wrappers import Response as BaseResponse

from corelab.errors import ConfigError
from dashboards.access.guard import check_next
from dashboards.access.login import write_form
from dashboards.access.sessions import start_session
from dashboards.site import Site

NAME: Final = "oidc"
CALLBACK: Final = "/login/oidc/callback"
_NEXT: Final = "oidc_next"
_WAIT_SECONDS: Final = 10
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_KEYS: Final = ("issuer", "client_id", "public_url", "client_secret_file", "claim", "label")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider and this dashboard's client there.

    ``public_url`` is where people reach the dashboard; ``claim`` is the one that holds the account's name;
    ``client_secret`` is empty for a public client.
    """

    issuer: str
    client_id: str
    public_url: str
    claim: str = "preferred_username"
    label: str = "OpenID Connect"
    client_secret: str = field(default="", repr=False)


def read_provider(path: Path) -> Provider:
    """Read the file that ``corelab serve --oidc`` names.

    Raises
    ------
    ConfigError
        If it cannot be read, lacks a key, has an unknown one, or an address is neither https nor loopback;
        or if Authlib is not installed.
    """
    try:
        import authlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError("Authlib is not installed", remedy="pip install 'corelab[oidc]'") from error
    raw = _read_yaml(path)
    unknown = sorted(set(raw) - set(_KEYS))
    missing = [name for name in _KEYS[:3] if not raw.get(name)]
    if unknown or missing:
        found = f"unknown {', '.join(unknown)}" if unknown else f"no {', '.join(missing)}"
        raise ConfigError(found, place=path.name, expected=" ".join(_KEYS))
    texts = {name: str(value).rstrip("/") for name, value in raw.items() if name != "client_secret_file"}
    for name in ("issuer", "public_url"):
        parts = urlsplit(texts[name])
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ConfigError(f"{name} is not https", place=path.name, expected="https://...")
    return Provider(**texts, client_secret=_read_secret(path, raw.get("client_secret_file")))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError("cannot be read", place=path.name, expected="a YAML file") from error
    if not isinstance(raw, dict):
        raise ConfigError("no mapping at the top level", place=path.name)
    return raw


def _read_secret(path: Path, name: object) -> str:
    if not name:
        return ""
    try:
        return (path.parent / str(name)).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("cannot be read", place=f"{path.name} client_secret_file") from error


def build_oidc_routes(server: Flask, site: Site, provider: Provider) -> Blueprint:
    """Collect the two routes: the way to the provider and the way back."""
    from authlib.integrations.flask_client import OAuth

    client = OAuth(server).register(
        NAME, client_id=provider.client_id, client_secret=provider.client_secret or None,
        server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email", "code_challenge_method": "S256",
            "default_timeout": _WAIT_SECONDS,
            "token_endpoint_auth_method": "client_secret_basic" if provider.client_secret else "none",
        },
    )  # fmt: skip
    routes = Blueprint(NAME, __name__)
    routes.add_url_rule("/login/oidc", "start", lambda: answer_start(site, client, provider))
    routes.add_url_rule(CALLBACK, "callback", lambda: answer_callback(site, client, provider))
    return routes


def answer_start(site: Site, client: Any, provider: Provider) -> BaseResponse | tuple[str, int]:
    """Send somebody to the provider; state, nonce and the verifier of PKCE wait in the signed session."""
    from authlib.common.errors import AuthlibBaseError
    from requests import RequestException

    target = check_next(request.args.get("next", "/"))
    if current_user.is_authenticated:
        return redirect(target, 303)
    session[_NEXT] = target
    try:
        _check_issuer(client.load_server_metadata(), provider)
        answer: BaseResponse = client.authorize_redirect(f"{provider.public_url}{CALLBACK}")
    except (AuthlibBaseError, RequestException, ValueError, KeyError, RuntimeError):
        return write_form(site, target=target, problem="login.provider_away"), 503
    return answer


def answer_callback(site: Site, client: Any, provider: Provider) -> BaseResponse | tuple[str, int]:
    """Let somebody in whom the provider vouches for and the registry knows."""
    target = check_next(str(session.get(_NEXT, "/")))
    claims = _read_claims(client, provider)
    name = str(claims.get(provider.claim) or "")
    # An address that nobody checked could be anybody's.
    is_checked = provider.claim != "email" or claims.get("email_verified") is True
    user = site.home.registry.users.admit(name if is_checked else "", via=NAME, at=site.clock())
    if user is None:
        return write_form(site, target=target, problem="login.provider_failed"), 403
    start_session(site.home, user, at=site.clock())
    return redirect(target, 303)


def _check_issuer(metadata: Any, provider: Provider) -> None:
    if str(metadata["issuer"]).rstrip("/") != provider.issuer:
        message = "the provider calls itself otherwise"
        raise ValueError(message)


def _read_claims(client: Any, provider: Provider) -> dict[str, Any]:
    """Return the claims of a valid ID token; none where anything about it is wrong."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError
    from requests import RequestException

    try:
        _check_issuer(client.load_server_metadata(), provider)
        token = client.authorize_access_token()
        return dict(token.get("userinfo") or {})
    except (AuthlibBaseError, JoseError, RequestException, ValueError, KeyError, RuntimeError) as error:
        current_app.logger.warning("a login by the provider was refused: %s", type(error).__name__)
        return {}
