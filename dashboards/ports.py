"""What the dashboard asks of a home; `corelab.store.home.Home` has this shape, and so have test fakes."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from corelab.cytometry.interchange.revision import Decision, GateRevision, Target
from corelab.store.acquisitions import AcquisitionFile
from corelab.study.model import Study
from corelab.vocabulary import Role

if TYPE_CHECKING:
    import pandas as pd

    from corelab.store.cell_maps import CellMaps
    from corelab.store.jobs import Jobs
    from corelab.store.plate_locks import PlateLocks
    from corelab.store.registry import ActiveRow
    from corelab.store.review import Reviews
    from corelab.store.uploads import Uploads


class SnapshotPort(Protocol):
    """One immutable state of all tables."""

    @property
    def id(self) -> str:
        """Short content hash by which people quote the snapshot."""

    @property
    def created_at(self) -> dt.datetime:
        """When it was made."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Inputs, versions and parameters it was made with."""

    @property
    def table_names(self) -> tuple[str, ...]:
        """Names of the tables it holds."""

    def table(self, name: str) -> "pd.DataFrame":
        """Read one table."""

    def read_bytes(self, name: str) -> bytes:
        """Read one table's Parquet bytes."""


class SnapshotsPort(Protocol):
    """The snapshots of a home."""

    def current(self) -> SnapshotPort | None:
        """Return the newest snapshot, or None before the first run."""

    def get(self, snapshot_id: str) -> SnapshotPort:
        """Return a snapshot by its id, or raise `corelab.errors.HomeError`."""


class UserPort(Protocol):
    """One account."""

    @property
    def name(self) -> str:
        """Login name."""

    @property
    def role(self) -> Role:
        """What the account may do."""

    @property
    def session_version(self) -> int:
        """Grows when all sessions of the account must end."""

    @property
    def disabled(self) -> bool:
        """Whether the account may not log in."""


class TokenPort(Protocol):
    """A script's token that still holds."""

    @property
    def id(self) -> str:
        """By which the audit trail names it."""

    @property
    def account(self) -> str:
        """Whose it is."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables it gives; empty: every table."""


class TokensPort(Protocol):
    """The tokens of a home."""

    def verify(self, text: str, *, at: dt.datetime) -> TokenPort | None:
        """Return the token of a text if it still holds, else None."""


class SessionsPort(Protocol):
    """The ends of sessions."""

    def is_ended(self, session_id: str) -> bool:
        """Tell whether a session was ended."""

    def end(self, session_id: str, *, account: str, role: str, at: dt.datetime, reason: str = "") -> bool:
        """End a session, with a line of the audit; a reason says why it ended by itself."""


class UsersPort(Protocol):
    """The accounts of a home."""

    @property
    def sessions(self) -> SessionsPort:
        """The ends of their sessions."""

    @property
    def tokens(self) -> TokensPort:
        """Tokens of scripts."""

    def verify(self, name: str, password: str, *, at: dt.datetime) -> UserPort | None:
        """Return the account whose password this is, or None; failures are limited by rate."""

    def admit(self, name: str, *, via: str, at: dt.datetime) -> UserPort | None:
        """Return the account that a provider vouches for, or None."""

    def get(self, name: str) -> UserPort | None:
        """Return an account by name."""


class AuditPort(Protocol):
    """The record of who did what."""

    def append(  # noqa: PLR0913 - the fields of the contract's audit table
        self, *, actor: str, role: str, action: str, at: dt.datetime, object: str = "", new: str = "",
        reason: str = "",
    ) -> None:  # fmt: skip
        """Add one row."""

    def rows(self, *, limit: int | None = None) -> "pd.DataFrame":
        """Return the rows, newest first."""

    def verify(self) -> list[str]:
        """Return what is wrong with the chain, in words; nothing when it is whole."""


class RegistryPort(Protocol):
    """Decisions and delivered rows."""

    @property
    def users(self) -> UsersPort:
        """Accounts."""

    @property
    def audit(self) -> AuditPort:
        """The audit chain."""

    def quarantine(self) -> "pd.DataFrame":
        """Return what waits for a decision: path and reason."""

    def quarantine_rows(self) -> list[dict[str, Any]]:
        """Return the same as plain rows."""

    def corrections(self) -> "pd.DataFrame":
        """Return corrections that wait: id, kind, key, source, old and new values."""

    def active_rows(self) -> "Sequence[ActiveRow]":
        """Return the rows that take part in analysis."""

    def acquisition_files(self) -> list[AcquisitionFile]:
        """Return the delivered FCS files with where they belong."""

    def acquisition_mark(self) -> tuple[int, int]:
        """Return numbers that change whenever the files or the decisions about gates may have."""


class ObjectsPort(Protocol):
    """The stored, de-identified bytes."""

    def read(self, object_id: str) -> bytes:
        """Return the bytes of an object."""


class GatesPort(Protocol):
    """What people decided about gates."""

    def all(self) -> list[GateRevision]:
        """Return every revision in the order in which they were recorded."""

    def add(
        self, decisions: Iterable[tuple[Target, Decision]], *, at: dt.datetime, author: str, role: str = "",
        reason: str,
    ) -> list[GateRevision]:  # fmt: skip
        """Record decisions with their lines of the audit."""


class HomePort(Protocol):
    """A home as the dashboard sees it."""

    @property
    def registry(self) -> RegistryPort:
        """Decisions and delivered rows."""

    @property
    def snapshots(self) -> SnapshotsPort:
        """Tables."""

    @property
    def objects(self) -> ObjectsPort:
        """Stored bytes."""

    @property
    def gates(self) -> GatesPort:
        """What people decided about gates."""

    @property
    def study(self) -> Study:
        """The trial."""

    @property
    def reviews(self) -> "Reviews":
        """What was signed."""

    @property
    def plate_locks(self) -> "PlateLocks":
        """Which plates are locked."""

    @property
    def uploads(self) -> "Uploads":
        """Files on their way in."""

    @property
    def cell_maps(self) -> "CellMaps":
        """Single cells of snapshots by the frozen model."""

    @property
    def jobs(self) -> "Jobs":
        """Work for the runner."""
