"""The registry's tables as this version expects them; they are made and changed only by migrations."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

REVISION: Final = "0007"
"""The migration that makes the schema below."""

metadata = MetaData()

_SERIAL = BigInteger().with_variant(Integer(), "sqlite")

file = Table(
    "file", metadata,
    Column("file_id", String(64), primary_key=True, comment="SHA-256 of the bytes as delivered"),
    Column("object_id", String(64), nullable=False, comment="of the de-identified bytes; empty if not kept"),
    Column("kind", String(32), nullable=False),
    Column("name", Text, nullable=False, comment="path inside the delivery"),
    Column("facts", Text, nullable=False, comment="JSON: what was read before de-identification"),
    Column("received_at", String(32), nullable=False),
)  # fmt: skip

record = Table(
    "record", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("key", Text, nullable=False, comment="JSON list of the words that name the row"),
    Column("version", Integer, nullable=False),
    Column("base_version", Integer, nullable=False, comment="that of the last accepted correction, else 1"),
    Column("subject_id", String(64), nullable=False),
    Column("values", Text, nullable=False, comment="JSON object of checked texts"),
    Column("source", Text, nullable=False, comment="<file>:<row>"),
    Column("file_id", String(64), nullable=False),
    Column("state", String(24), nullable=False),
    Column("reason", Text, nullable=False),
    Column("recorded_at", String(32), nullable=False),
    UniqueConstraint("kind", "key", "version", name="record_version"),
    Index("record_by_state", "kind", "state"),
    Index("record_by_file", "file_id"),
    Index("record_by_subject", "subject_id"),
)  # fmt: skip

sighting = Table(
    "sighting", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String(32), nullable=False),
    Column("key", Text, nullable=False),
    Column("base_version", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("file_id", String(64), nullable=False),
    UniqueConstraint("kind", "key", "base_version", "file_id", "source", name="sighting_once"),
)  # fmt: skip

quarantine = Table(
    "quarantine", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("file_id", String(64), nullable=False),
    Column("row", Integer, nullable=False, comment="row in the file; 0 is the file itself"),
    Column("path", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("values", Text, nullable=False, comment="JSON object of a row's texts as delivered"),
    Column("reason", Text, nullable=False),
    Column("state", String(24), nullable=False, comment="open, waiting, resolved"),
    Column("recorded_at", String(32), nullable=False),
    UniqueConstraint("file_id", "row", "path", name="quarantine_once"),
    Index("quarantine_by_state", "state"),
)  # fmt: skip

user = Table(
    "account", metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(24), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("session_version", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", String(32), nullable=False),
)  # fmt: skip

login_attempt = Table(
    "login_attempt", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("name_hash", String(64), nullable=False, comment="SHA-256: a mistyped name may be a password"),
    Column("at", String(32), nullable=False),
    Column("success", Boolean, nullable=False),
    Index("login_attempt_by_name", "name_hash", "at"),
)  # fmt: skip

access_token = Table(
    "access_token", metadata,
    Column("token_id", String(16), primary_key=True),
    Column("account", String(64), nullable=False),
    Column("secret_hash", String(64), nullable=False, comment="SHA-256 of the secret"),
    Column("session_version", Integer, nullable=False, comment="of the account when it was made"),
    Column("tables", Text, nullable=False, comment="names with spaces between; empty: every table"),
    Column("created_at", String(32), nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("revoked", Boolean, nullable=False),
    Index("access_token_by_account", "account"),
)  # fmt: skip

ended_session = Table(
    "ended_session", metadata,
    Column("session_id", String(64), primary_key=True, comment="SHA-256 of the session's number"),
    Column("account", String(64), nullable=False),
    Column("ended_at", String(32), nullable=False),
    Column("reason", Text, nullable=False, comment="empty: the person logged out"),
)  # fmt: skip

snapshot = Table(
    "snapshot", metadata,
    Column("seq", _SERIAL, primary_key=True, autoincrement=True),
    Column("snapshot_id", String(64), nullable=False),
    Column("run_key", String(64), nullable=False, comment="hash of inputs, study, code and parameters"),
    Column("manifest_hash", String(64), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column(
        "position", Text, nullable=False, server_default="",
        comment="JSON: the last row of each decision log that it was made of; empty: not kept then",
    ),
    Index("snapshot_by_id", "snapshot_id"),
)  # fmt: skip

gate_revision = Table(
    "gate_revision", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("scope", String(16), nullable=False, comment="acquisition, visit, child, panel"),
    Column("file_id", String(64), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("visit", String(16), nullable=False),
    Column("panel", String(32), nullable=False),
    Column("kind", String(16), nullable=False, comment="cut, shape, labels, refused"),
    Column("gate", Text, nullable=False, comment="a cut of the template or a population"),
    Column("content", Text, nullable=False, comment="JSON; empty takes the decision back"),
    Column("source", String(16), nullable=False, comment="manual, flowjo, gatingml"),
    Column("author", Text, nullable=False),
    Column("recorded_at", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("supersedes", _SERIAL, nullable=True),
    Column("origin", String(64), nullable=False, comment="SHA-256 of the file it came from; empty: a person"),
    Index("gate_revision_by_file", "file_id"),
    Index("gate_revision_by_subject", "subject_id"),
)  # fmt: skip

withdrawal = Table(
    "withdrawal", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("scope", String(16), nullable=False, comment="child, file, row"),
    Column("object", Text, nullable=False, comment="subject id, file id, or kind and key of a row"),
    Column("author", Text, nullable=False),
    Column("recorded_at", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    UniqueConstraint("scope", "object", name="withdrawal_once"),
)  # fmt: skip

review = Table(
    "review", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("scope", String(16), nullable=False, comment="acquisition, visit"),
    Column("file_id", String(64), nullable=False),
    Column("subject_id", String(64), nullable=False),
    Column("visit", String(16), nullable=False),
    Column("state", String(16), nullable=False, comment="draft, reviewed, locked"),
    Column("content_hash", String(64), nullable=False, comment="of the results that were signed"),
    Column("snapshot_id", String(64), nullable=False, comment="where they were seen"),
    Column("author", Text, nullable=False),
    Column("recorded_at", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("supersedes", _SERIAL, nullable=True),
    Index("review_by_subject", "subject_id"),
    Index("review_by_file", "file_id"),
)  # fmt: skip

upload = Table(
    "upload", metadata,
    Column("upload_id", String(64), primary_key=True, comment="hash of account, home, batch, name, size"),
    Column("batch", String(64), nullable=False),
    Column("account", Text, nullable=False),
    Column("name", Text, nullable=False, comment="empty: it lies beside the bytes, for it may name a person"),
    Column("size", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False, comment="bytes that are on the disk for certain"),
    Column("state", String(16), nullable=False, comment="receiving, received, taken"),
    Column("created_at", String(32), nullable=False),
    Column("touched_at", String(32), nullable=False),
    Index("upload_by_batch", "batch"),
)  # fmt: skip

job = Table(
    "job", metadata,
    Column("id", _SERIAL, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False, comment="ingest, run"),
    Column("payload", Text, nullable=False, comment="JSON"),
    Column("account", Text, nullable=False),
    Column("role", String(24), nullable=False),
    Column("state", String(16), nullable=False, comment="queued, running, done, failed"),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", String(32), nullable=False, comment="a running job is dead after this moment"),
    Column("created_at", String(32), nullable=False),
    Column("finished_at", String(32), nullable=False),
    Column("report", Text, nullable=False, comment="JSON"),
    Index("job_by_state", "state"),
)  # fmt: skip

audit = Table(
    "audit", metadata,
    Column("seq", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("old", Text, nullable=False),
    Column("new", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)  # fmt: skip

audit_head = Table(
    "audit_head", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False, comment="always 1"),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)  # fmt: skip
