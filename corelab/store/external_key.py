"""The secret by which external copies move dates: one a home, made on first use, in its vault."""

import os
import secrets
from pathlib import Path
from typing import Final

from corelab.errors import HomeError

_BYTES: Final = 32
_NAME: Final = "external.key"


def read_external_key(home: Path) -> bytes:
    """Return the secret of a home's external copies, made on first use and readable by its owner alone.

    It goes into backups, so that a restored home moves dates as before, and into nothing else.

    Raises
    ------
    HomeError
        If the vault cannot be written, or the secret in it is none.
    """
    path = home / "vault" / _NAME
    try:
        if not path.exists():
            _make(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise HomeError("cannot be read or made", place=f"vault/{_NAME}") from error
    if len(secret) != _BYTES:
        raise HomeError(f"holds {len(secret)} bytes", place=f"vault/{_NAME}", expected=f"{_BYTES} bytes")
    return secret


def _make(path: Path) -> None:
    """Write a new secret whole; of two that do it at once the first counts."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    unfinished = path.with_name(f".{_NAME}.{secrets.token_hex(4)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(unfinished, path)
        except FileExistsError:
            return
    finally:
        unfinished.unlink(missing_ok=True)
