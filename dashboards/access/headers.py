"""Response headers: only our own scripts run, nothing leaves the house, no other window sees a chart."""

import base64
import hashlib
from collections.abc import Sequence

from flask import Flask, Response, request


def build_policy(script_hashes: Sequence[str]) -> str:
    """Write the content security policy; the hashes are those of the page's few inline scripts.

    Inline styles stay allowed: plotly.js and the grid write ``style`` attributes.
    """
    directives = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *script_hashes]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def hash_script(text: str) -> str:
    """Write the hash by which the policy knows an inline script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def add_headers(server: Flask, *, policy: str, secure_cookies: bool) -> None:
    """Put the security headers on every response of the server."""
    headers = {
        "Content-Security-Policy": policy,
        # plotly.js can post a chart to a window that it opens; this cuts the tie to any other window.
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }
    if secure_cookies:
        headers["Strict-Transport-Security"] = "max-age=31536000"

    def write_headers(response: Response) -> Response:
        response.headers.update(headers)
        if not request.path.startswith(("/assets/", "/_dash-component-suites/")):
            response.headers["Cache-Control"] = "no-store"
        return response

    server.after_request(write_headers)
