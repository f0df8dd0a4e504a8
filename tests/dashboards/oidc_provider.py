"""A small OpenID Connect provider on loopback: discovery, keys, authorize and token, by the book or not."""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.serving import make_server

CLIENT, CLIENT_SECRET = "corelab", "a secret of the client"


@dataclass
class FakeProvider:
    """Who is logged in there, and what it does wrong: ``claims`` go over those of the ID token."""

    claims: dict[str, Any] = field(default_factory=dict)
    key: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", {"kid": "one"}))
    signing_key: ECKey | None = None
    told_issuer: str = ""
    issuer: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    waiting: dict[str, dict[str, str]] = field(default_factory=dict)

    def discovery(self) -> Response:
        return jsonify(
            issuer=self.told_issuer or self.issuer, authorization_endpoint=f"{self.issuer}/authorize",
            token_endpoint=f"{self.issuer}/token", jwks_uri=f"{self.issuer}/keys",
            id_token_signing_alg_values_supported=["ES256"],
        )  # fmt: skip

    def keys(self) -> Response:
        return jsonify(keys=[self.key.as_dict(private=False)])

    def authorize(self) -> Any:
        asked = dict(request.args)
        self.asked.append(asked)
        code = f"code-{len(self.asked)}"
        self.waiting[code] = asked
        return redirect(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")

    def token(self) -> Any:
        asked = self.waiting.pop(request.form["code"], None)
        digest = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        user = request.authorization
        known = user is not None and (user.username, user.password) == (CLIENT, CLIENT_SECRET)
        if asked is None or not known or challenge != asked["code_challenge"]:
            return jsonify(error="invalid_grant"), 400
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300}
        claims |= {"nonce": asked["nonce"], "preferred_username": "ortiz"} | self.claims
        head = {"alg": "ES256", "kid": "one"}
        coded = jwt.encode(head, claims, self.signing_key or self.key)
        return jsonify(access_token="x", token_type="Bearer", id_token=coded)


@contextmanager
def serve_provider() -> Iterator[FakeProvider]:
    """Run a provider on a free port."""
    provider = FakeProvider()
    app = Flask("provider")
    app.add_url_rule("/.well-known/openid-configuration", "discovery", provider.discovery)
    app.add_url_rule("/keys", "keys", provider.keys)
    app.add_url_rule("/authorize", "authorize", provider.authorize)
    app.add_url_rule("/token", "token", provider.token, methods=["POST"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def read_query(url: str) -> dict[str, str]:
    """Return the query of an address."""
    return {name: values[-1] for name, values in parse_qs(urlsplit(url).query).items()}
