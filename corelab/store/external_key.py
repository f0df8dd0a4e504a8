"""The secret by which external copies move dates: one a home, made on first use."""

import os
import secrets
from pathlib import Path
from typing import Final

from corelab.errors import HomeError

_BYTES: Final = 32
EXTERNAL_KEY: Final = "external.key"


def read_external_key(home: Path) -> bytes:
    """Return the secret of a home's external copies, made on first use and readable by its owner alone.

    It goes into backups, so that a restored home moves dates as before, and into nothing else.

    Raises
    ------
    HomeError
        If it cannot be written, or what is there is none.
    """
    path = home / EXTERNAL_KEY
    try:
        if not path.exists():
            _make(path)
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise HomeError("cannot be read or made", place=EXTERNAL_KEY) from error
    if len(secret) != _BYTES:
        raise HomeError(f"holds {len(secret)} bytes", place=EXTERNAL_KEY, expected=f"{_BYTES} bytes")
    return secret


def _make(path: Path) -> None:
    """Write a new secret whole; of two that do it at once the first counts."""
    unfinished = path.with_name(f".{EXTERNAL_KEY}.{secrets.token_hex(4)}")
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
