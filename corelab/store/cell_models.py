"""Which model of single cells is frozen: an object, and the line of the audit trail that says so."""

import datetime as dt
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from corelab.errors import IntegrityError
from corelab.store import schema
from corelab.store.audit import AuditTrail
from corelab.store.database import reading
from corelab.store.objects import ObjectStore

FROZEN: Final = "cell_model"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenModel:
    """A frozen model: the object that holds it, since when, by whom and why."""

    object_id: str
    at: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellModels:
    """The models of single cells of one home; the last one that was frozen counts."""

    engine: sa.Engine
    audit: AuditTrail
    objects: ObjectStore

    def current(self) -> FrozenModel | None:
        """Return the frozen model, or None before the first."""
        line = schema.audit.c
        query = sa.select(line["object"], line["at"], line.actor, line.reason).where(line.action == FROZEN)
        with reading(self.engine) as connection:
            row = connection.execute(query.order_by(line.seq.desc()).limit(1)).one_or_none()
        if row is None:
            return None
        return FrozenModel(object_id=row.object, at=row.at, actor=row.actor, reason=row.reason)

    def read(self, model: FrozenModel) -> bytes:
        """Return a model's bytes, checked by its name; raises `IntegrityError`."""
        return self.objects.read(model.object_id)

    def freeze(self, data: bytes, *, at: dt.datetime, actor: str, role: str, reason: str) -> FrozenModel:
        """Keep a model and make it the one that counts."""
        before = self.current()
        object_id = self.objects.write(data)
        self.audit.append(
            actor=actor, role=role, action=FROZEN, object=object_id, reason=reason, at=at,
            old=before.object_id if before else "", new=object_id,
        )  # fmt: skip
        frozen = self.current()
        if frozen is None:
            raise IntegrityError("the model that was frozen is not there", place="audit")
        return frozen

    def verify(self) -> list[str]:
        """Name models that are no longer there."""
        line = schema.audit.c
        query = sa.select(line["object"]).where(line.action == FROZEN).distinct().order_by(line["object"])
        with reading(self.engine) as connection:
            names = [str(row.object) for row in connection.execute(query)]
        return [
            f"objects/{name}: the object of a model of single cells is not there"
            for name in names
            if not self.objects.exists(name)
        ]
