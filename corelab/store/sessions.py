"""Ends of sessions: on record, and kept so that what a browser still holds of one opens nothing."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa

from corelab.store import schema
from corelab.store.audit import AuditTrail, Entry, append_entries, format_moment
from corelab.store.database import reading, writing
from corelab.store.objects import compute_sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The ended sessions of one registry; of those that go on nothing is kept."""

    engine: sa.Engine
    audit: AuditTrail

    def is_ended(self, session_id: str) -> bool:
        """Tell whether a session was ended."""
        table = schema.ended_session
        query = sa.select(table.c.account).where(table.c.session_id == _hash(session_id))
        with reading(self.engine) as connection:
            return connection.execute(query).first() is not None

    def end(self, session_id: str, *, account: str, role: str, at: dt.datetime, reason: str = "") -> bool:
        """End a session, once; tell whether it was this that ended it.

        ``reason`` says why it ended by itself; without one the person logged out.
        """
        table, name = schema.ended_session, _hash(session_id)
        values = {"session_id": name, "account": account, "ended_at": format_moment(at), "reason": reason}
        action = "session_end" if reason else "logout"
        entry = Entry(at=at, actor=account, role=role, action=action, object=account, reason=reason)
        with writing(self.engine) as connection:
            if connection.execute(sa.select(table).where(table.c.session_id == name)).first():
                return False
            connection.execute(sa.insert(table).values(values))
            head = append_entries(connection, [entry])
        self.audit.write_head(head)
        return True


def _hash(session_id: str) -> str:
    return compute_sha256(session_id.encode("utf-8", "surrogatepass"))
