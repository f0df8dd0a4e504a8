"""Delivered bytes as they came, sealed so that whoever keeps them cannot read them.

Off unless the study names a recipient: the public half of an age key (https://age-encryption.org/v1,
X25519). A home seals by it and can never open; the other half stays with whoever may read, and is no part
of any home. A sealed file is one line of JSON with the delivered path, then the bytes; it is kept under the
SHA-256 of its sealed bytes, and which file it is stands in the audit trail, as every reading does.
"""

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from corelab.errors import ConfigError, IntegrityError
from corelab.store import schema
from corelab.store.audit import AuditTrail, Entry, Head, append_entries
from corelab.store.database import reading
from corelab.store.objects import ObjectStore, compute_sha256

if TYPE_CHECKING:
    from pyrage.x25519 import Identity

KEPT: Final = "vault_keep"
READ: Final = "vault_read"
REFUSED: Final = "vault_read_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One original in the vault: the file's id (SHA-256 as delivered) and that of its sealed bytes."""

    file_id: str
    sealed_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """An original that was opened: its path in its delivery, and its bytes."""

    path: str
    data: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class Sealing:
    """The originals of one delivery on their way in."""

    vault: "Vault"
    known: set[str]
    sealed: list[Sealed] = field(default_factory=list)

    def keep(self, data: bytes, *, path: str) -> None:
        """Seal a delivered file, if the study keeps originals and does not have it."""
        file_id = compute_sha256(data) if self.vault.recipient else ""
        if file_id and file_id not in self.known:
            self.sealed.append(self.vault.seal(data, path=path))
            self.known.add(file_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """The sealed originals of one home. ``recipient`` empty: nothing is kept."""

    engine: sa.Engine
    audit: AuditTrail
    sealed: ObjectStore
    recipient: str

    def seal(self, data: bytes, *, path: str) -> Sealed:
        """Seal a delivered file; `record_sealed` makes it count.

        Raises
        ------
        ConfigError
            If the study's recipient is no public key.
        """
        import pyrage

        try:
            recipient = pyrage.x25519.Recipient.from_str(self.recipient)
        except pyrage.RecipientError as error:
            raise ConfigError(
                "vault: recipient is no public key", place="study.yaml", expected="age1...",
                remedy="make one with corelab vault keygen",
            ) from error  # fmt: skip
        head = json.dumps({"path": path}, ensure_ascii=True).encode("ascii")
        sealed = pyrage.encrypt(head + b"\n" + data, [recipient])
        return Sealed(file_id=compute_sha256(data), sealed_id=self.sealed.write(sealed))

    def begin(self) -> Sealing:
        """Begin a delivery; `record_sealed` ends it."""
        return Sealing(vault=self, known={one.file_id for one in self.all()} if self.recipient else set())

    def all(self) -> list[Sealed]:
        """Return every original that is kept, in the order in which they came."""
        with reading(self.engine) as connection:
            return _read_kept(connection)

    def open(
        self, file_id: str, identity: "Identity", *, at: dt.datetime, actor: str, reason: str
    ) -> Original:
        """Open an original for a reason; it is in the audit trail before anybody has it.

        Raises
        ------
        ConfigError
            If no reason is given, no such file is kept, or the key is another one.
        IntegrityError
            If its sealed bytes are not there or changed.
        """
        import pyrage

        if not reason.strip():
            raise ConfigError("no reason for reading an original", expected="why it is needed")
        found = [one for one in self.all() if one.file_id == file_id]
        if not found:
            raise ConfigError("the vault keeps no such file", place=file_id[:64], expected="a file id")
        try:
            text = pyrage.decrypt(self.sealed.read(found[-1].sealed_id), [identity])
        except pyrage.DecryptError as error:
            self.audit.append(actor=actor, role="", action=REFUSED, object=file_id, reason=reason, at=at)
            raise ConfigError(
                "the key does not open it", place=file_id, expected="the study's own"
            ) from error
        head, _, data = text.partition(b"\n")
        if compute_sha256(data) != file_id:
            raise IntegrityError(
                "the original is not what was delivered", place=f"vault/{found[-1].sealed_id}"
            )
        self.audit.append(actor=actor, role="", action=READ, object=file_id, reason=reason, at=at)
        return Original(path=str(json.loads(head)["path"]), data=data)

    def verify(self) -> list[str]:
        """Name originals that are not there any more or not as they were sealed."""
        findings = []
        for one in self.all():
            try:
                self.sealed.read(one.sealed_id)
            except IntegrityError as error:
                findings.append(str(error))
        return findings


def record_sealed(
    connection: sa.Connection, sealed: Iterable[Sealed], *, at: dt.datetime, actor: str, role: str
) -> Head | None:
    """Record originals inside a writing transaction; one that is kept already is not kept twice."""
    known = {one.file_id for one in _read_kept(connection)}
    fresh = {one.file_id: one for one in sealed if one.file_id not in known}
    return append_entries(
        connection,
        [
            Entry(at=at, actor=actor, role=role, action=KEPT, object=one.file_id, new=one.sealed_id)
            for one in fresh.values()
        ],
    )


def _read_kept(connection: sa.Connection) -> list[Sealed]:
    line = schema.audit.c
    query = sa.select(line["object"], line.new).where(line.action == KEPT).order_by(line.seq)
    return [Sealed(file_id=row.object, sealed_id=row.new) for row in connection.execute(query)]
