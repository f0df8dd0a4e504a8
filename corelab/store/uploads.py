"""Files on their way in from a browser: in pieces, resumable, and no longer kept than needed.

What the registry says was received is on the disk for certain: a piece is written and synced first. The
bytes lie unread under ``uploads/`` in the home, readable by its owner alone, and are removed as soon as
they were ingested or given up; they are as they were delivered and may name people, so no backup and no
page holds them. A file's name may name people too: it lies beside the bytes and goes with them, and the
registry never has it.
"""

import datetime as dt
import fcntl
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import sqlalchemy as sa

from corelab.errors import InputError, UploadOffsetError
from corelab.ingest.delivery import FileKind, recognise
from corelab.store import schema
from corelab.store.audit import AuditTrail, Entry, append_entries, format_moment
from corelab.store.database import reading, writing
from corelab.store.jobs import DONE, FAILED, INGEST, add_job
from corelab.store.objects import write_durably

CHUNK: Final = 16 * 2**20
LARGEST: Final = 4 * 2**30
QUOTA: Final = 32 * 2**30
"""Bytes that one account may have under way."""
EXPIRY: Final = dt.timedelta(days=7)
RECEIVING: Final = "receiving"
RECEIVED: Final = "received"
HANDED: Final = "handed"
TAKEN: Final = "taken"
_PIECE: Final = 2**20
_LONGEST_PART: Final = 150
_LONGEST_NAME: Final = 400
_ID: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One file on its way."""

    id: str
    account: str
    name: str
    size: int
    received: int
    state: str


def clean_name(name: str) -> str:
    r"""Return a delivered name as a path inside a delivery; nothing in it leads out.

    Raises
    ------
    InputError
        If no such name is left, or no file of a delivery has such a one.

    Examples
    --------
    >>> clean_name("fcs\\a.fcs"), clean_name("/./labs.csv")
    ('fcs/a.fcs', 'labs.csv')
    """
    normal = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = [part.strip() for part in normal.split("/") if part.strip() not in ("", ".")]
    has_control = any(unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") for mark in normal)
    odd = any(part == ".." or part.startswith(".") or len(part) > _LONGEST_PART for part in parts)
    cleaned = "/".join(parts)
    if not parts or odd or has_control or len(cleaned) > _LONGEST_NAME:
        raise InputError("the name cannot be used", place=ascii(name[:80]), expected="a plain file name")
    if recognise(cleaned) is FileKind.UNKNOWN:
        raise InputError(
            "not a file of a delivery",
            place=cleaned,
            expected="an FCS file or one of the tables",
            remedy="choose what belongs to plates by the button for plates, or deliver it in plates/",
        )
    return cleaned


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """The files under way to one home."""

    engine: sa.Engine
    audit: AuditTrail
    folder: Path

    def create(self, *, account: str, name: str, size: int, changed: str, at: dt.datetime) -> Upload:
        """Begin a file, or find the one that this account began before: then it goes on where it ended.

        Parameters
        ----------
        account
            Whose it is: nobody else can go on with it.
        name, size, changed
            Name, size and time of change as the browser tells them; together they tell the file again.
        at
            The present moment.

        Raises
        ------
        InputError
            If the name or the size cannot be, the account has too much under way, or another file of the
            name is.
        """
        cleaned = clean_name(name)
        if not 0 < size <= LARGEST:
            raise InputError(f"{size} bytes", place=cleaned, expected="1 byte to 4 GiB")
        words = (self._name_home(), account, cleaned, str(size), changed)
        upload_id = hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).hexdigest()
        table = schema.upload
        with writing(self.engine) as connection:
            own = self._select(connection, account, RECEIVING, RECEIVED)
            known = [one for one in own if one.id == upload_id]
            if known:
                return known[0]
            if any(one.name == cleaned for one in own):
                raise InputError("another file of this name is in the delivery", place=cleaned)
            if sum(one.size for one in own) + size > QUOTA:
                raise InputError("too much is under way", place=cleaned, expected="at most 32 GiB at once")
            now = format_moment(at)
            values = {
                "upload_id": upload_id, "batch": "", "account": account, "name": "", "size": size,
                "received": 0, "state": RECEIVING, "created_at": now, "touched_at": now,
            }  # fmt: skip
            # The same file may have been taken before: then it comes a second time, and is known by its hash.
            connection.execute(sa.delete(table).where(table.c.upload_id == upload_id, table.c.state == TAKEN))
            if connection.execute(sa.select(table).where(table.c.upload_id == upload_id)).first():
                raise InputError("is being read just now", place=cleaned, remedy="wait for the report")
            connection.execute(sa.insert(table).values(values))
            self._path(upload_id).unlink(missing_ok=True)
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self._name_path(upload_id), cleaned.encode("utf-8", "surrogatepass"), mode=0o600)
        return Upload(id=upload_id, account=account, name=cleaned, size=size, received=0, state=RECEIVING)

    def get(self, upload_id: str, *, account: str) -> Upload | None:
        """Return a file of an account, or None."""
        with reading(self.engine) as connection:
            return next((one for one in self._select(connection, account) if one.id == upload_id), None)

    def open(self, account: str) -> list[Upload]:
        """Return an account's files that were not handed over yet, by name."""
        with reading(self.engine) as connection:
            found = self._select(connection, account, RECEIVING, RECEIVED)
        return sorted(found, key=lambda one: one.name)

    def append(  # noqa: PLR0913 - which file, whose, where, what and when
        self, upload_id: str, stream: BinaryIO, *, account: str, offset: int, size: int, sha256: str = "",
        at: dt.datetime,
    ) -> Upload:  # fmt: skip
        """Add a piece; it counts once it is on the disk and its hash is the one that was told.

        Parameters
        ----------
        upload_id, account
            Which file, whose.
        stream
            The piece's bytes; read in small parts, so that memory stays flat.
        offset, size
            Where it begins, and how long it is.
        sha256
            Its hash as the browser computed it; empty where it could not.

        Raises
        ------
        UploadOffsetError
            If it does not begin where the file ends now; it names the right place.
        InputError
            If there is no such file, or the piece is cut short, too long or another one.
        """
        with self._locked(upload_id) as part:
            upload = self._find(upload_id, account)
            if upload.state != RECEIVING or offset != upload.received:
                raise UploadOffsetError(upload.received, place=upload.name)
            if not 0 < size <= min(CHUNK, upload.size - offset):
                raise InputError(f"a piece of {size} bytes at {offset}", place=upload.name)
            digest = _copy(stream, part, offset=offset, size=size, place=upload.name)
            if sha256 and digest != sha256.lower():
                raise InputError("the piece arrived damaged", place=upload.name, remedy="send it again")
            return self._advance(upload, received=offset + size, at=at)

    def discard(self, upload_id: str, *, account: str) -> None:
        """Forget a file that was not handed over yet."""
        table = schema.upload
        mine = (table.c.upload_id == upload_id) & (table.c.account == account)
        with writing(self.engine) as connection:
            gone = connection.execute(
                sa.delete(table).where(mine, table.c.state.in_([RECEIVING, RECEIVED]))
            ).rowcount
        if gone:
            for path in (self._path(upload_id), self._name_path(upload_id)):
                path.unlink(missing_ok=True)

    def hand_over(self, *, account: str, role: str, at: dt.datetime) -> int:
        """Queue the account's received files as one delivery; return the number of the job.

        Raises
        ------
        InputError
            If none was received, or one is not whole.
        """
        table = schema.upload
        with writing(self.engine) as connection:
            own = self._select(connection, account, RECEIVING, RECEIVED)
            if not own:
                raise InputError("there is no file to hand over")
            partial = [one.name for one in own if one.state == RECEIVING]
            if partial:
                raise InputError(
                    "is not received whole", place=min(partial), remedy="choose it again, or remove it"
                )
            ids = [one.id for one in own]
            payload = {"uploads": ids}
            job_id = add_job(connection, INGEST, account=account, role=role, at=at, payload=payload)
            change = sa.update(table).where(table.c.upload_id.in_(ids))
            connection.execute(change.values(state=HANDED, batch=str(job_id), touched_at=format_moment(at)))
            entry = Entry(
                at=at, actor=account, role=role, action="upload", object=f"delivery {job_id}",
                new=f"{len(own)} files, {sum(one.size for one in own)} bytes",
            )  # fmt: skip
            head = append_entries(connection, [entry])
        self.audit.write_head(head)
        return job_id

    def handed(self, job_id: int) -> list[tuple[Upload, Path]]:
        """Return the files of a delivery that was handed over, and where they lie."""
        query = sa.select(schema.upload).where(schema.upload.c.batch == str(job_id))
        with reading(self.engine) as connection:
            found = [self._upload(row) for row in connection.execute(query)]
        return [(one, self._path(one.id)) for one in found if one.state == HANDED]

    def settle(self) -> None:
        """Let go of what jobs have ended with: bytes that were ingested go, others may be handed again."""
        table, job = schema.upload, schema.job
        with writing(self.engine) as connection:
            for outcome, state in ((DONE, TAKEN), (FAILED, RECEIVED)):
                ended = [
                    str(row.id)
                    for row in connection.execute(
                        sa.select(job.c.id).where(job.c.kind == INGEST, job.c.state == outcome)
                    )
                ]
                change = sa.update(table).where(table.c.state == HANDED, table.c.batch.in_(ended))
                connection.execute(change.values(state=state, batch=""))
        self.sweep()

    def expire(self, *, at: dt.datetime) -> int:
        """Give up files that nobody went on with for a week; return how many."""
        table = schema.upload
        old = table.c.touched_at < format_moment(at - EXPIRY)
        with writing(self.engine) as connection:
            gone = connection.execute(
                sa.delete(table).where(old, table.c.state.in_([RECEIVING, RECEIVED, TAKEN]))
            ).rowcount
        self.sweep()
        return int(gone)

    def sweep(self) -> None:
        """Remove bytes and names that belong to no file under way."""
        table = schema.upload
        query = sa.select(table.c.upload_id).where(table.c.state != TAKEN)
        # Nobody begins a file meanwhile: its name is written before its row is seen.
        with writing(self.engine) as connection:
            wanted = {str(row.upload_id) for row in connection.execute(query)}
            for path in self.folder.glob("*.*") if self.folder.is_dir() else ():
                if path.suffix in (".part", ".name") and path.stem not in wanted:
                    path.unlink(missing_ok=True)

    def _name_home(self) -> str:
        """Return what tells this home from another: the first line of its audit trail."""
        with reading(self.engine) as connection:
            first = sa.select(schema.audit.c.hash).where(schema.audit.c.seq == 1)
            return str(connection.execute(first).scalar() or "")

    def _find(self, upload_id: str, account: str) -> Upload:
        found = self.get(upload_id, account=account)
        if found is None:
            raise InputError("there is no such upload", remedy="begin it again")
        return found

    def _path(self, upload_id: str) -> Path:
        if not _ID.fullmatch(upload_id):
            raise InputError("there is no such upload")
        return self.folder / f"{upload_id}.part"

    def _name_path(self, upload_id: str) -> Path:
        return self._path(upload_id).with_suffix(".name")

    def _select(self, connection: sa.Connection, account: str, *states: str) -> Sequence[Upload]:
        query = sa.select(schema.upload).where(schema.upload.c.account == account)
        found = [row for row in connection.execute(query) if not states or row.state in states]
        return [self._upload(row) for row in found]

    def _upload(self, row: Any) -> Upload:
        return Upload(
            id=row.upload_id, account=row.account, name=row.name or self._read_name(row.upload_id),
            size=row.size, received=row.received, state=row.state,
        )  # fmt: skip

    def _read_name(self, upload_id: str) -> str:
        try:
            return self._name_path(upload_id).read_bytes().decode("utf-8", "surrogatepass")
        except FileNotFoundError:
            return ""  # it went with the bytes

    @contextmanager
    def _locked(self, upload_id: str) -> Iterator[BinaryIO]:
        """Open a file's bytes for one writer at a time, in whatever process."""
        path = self._path(upload_id)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as part:
            fcntl.flock(part, fcntl.LOCK_EX)
            yield part

    def _advance(self, upload: Upload, *, received: int, at: dt.datetime) -> Upload:
        state = RECEIVED if received == upload.size else RECEIVING
        values = {"received": received, "state": state, "touched_at": format_moment(at)}
        with writing(self.engine) as connection:
            change = sa.update(schema.upload).where(schema.upload.c.upload_id == upload.id)
            connection.execute(change.values(values))
        return Upload(
            id=upload.id, account=upload.account, name=upload.name, size=upload.size, received=received,
            state=state,
        )  # fmt: skip


def _copy(stream: BinaryIO, part: BinaryIO, *, offset: int, size: int, place: str) -> str:
    """Write a piece at its place and return its hash; the file ends where the piece ends."""
    digest = hashlib.sha256()
    part.seek(offset)
    left = size
    while left:
        data = stream.read(min(_PIECE, left))
        if not data:
            raise InputError(f"the piece ended {left} bytes early", place=place, remedy="send it again")
        part.write(data)
        digest.update(data)
        left -= len(data)
    part.truncate()
    part.flush()
    os.fsync(part.fileno())
    return digest.hexdigest()
