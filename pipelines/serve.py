"""Serves the dashboard of a home."""

import datetime as dt
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from corelab.errors import ConfigError
from pipelines.runner import HomePlace, start_runner

if TYPE_CHECKING:
    from corelab.store import Home

_KEY_BYTES: Final = 32
_THREADS: Final = 8
_MOST_CONNECTIONS: Final = 1_000
_IDLE_SECONDS: Final = 60
_SPARE: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How people come: over https by a proxy or not, and by the provider of a file or by passwords alone."""

    oidc: Path | None = None
    behind_https: bool = False


def serve(
    home: "Home", place: HomePlace, *, host: str, port: int, announce: Callable[[str], None],
    access: Access = Access(),
) -> None:  # fmt: skip
    """Serve until interrupted, and do the work that is asked for; announce the address once it is bound.

    Raises
    ------
    ConfigError
        If the address cannot be bound, or the file of a provider is wrong.
    """
    import waitress

    from dashboards.app import create_app

    provider = None
    if access.oidc:
        from dashboards.access.oidc import read_provider

        provider = read_provider(access.oidc)
    app = create_app(
        home, secret_key=read_secret_key(home.path / "secret.key"), provider=provider,
        secure_cookies=access.behind_https,
    )  # fmt: skip
    try:
        server = waitress.create_server(
            app.server, host=host, port=port, threads=_THREADS, ident=None, **list_limits()
        )
    except OSError as error:
        raise ConfigError(
            f"cannot listen ({error.strerror})", place=f"{host}:{port}", remedy="give another --port"
        ) from error
    announce(f"http://{host}:{server.effective_port}")
    end = start_runner(home, place, clock=lambda: dt.datetime.now(dt.UTC), workers=os.cpu_count() or 1)
    try:
        server.run()
    finally:
        end()


def list_limits() -> dict[str, int | bool]:
    """Return what a stranger may cost: no body larger than a piece of an upload, no waiting without end."""
    from corelab.store.uploads import CHUNK

    return {
        "max_request_body_size": CHUNK + _SPARE, "connection_limit": _MOST_CONNECTIONS,
        "channel_timeout": _IDLE_SECONDS, "asyncore_use_poll": True,
    }  # fmt: skip


def read_secret_key(path: Path) -> str:
    """Return the key that signs sessions, made on first use and readable by its owner alone."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(_KEY_BYTES))
    return path.read_text(encoding="ascii").strip()
