"""A registry copied whole: out of a database that others use, and into an empty one."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

from corelab.errors import HomeError, IntegrityError
from corelab.store.database import connect_database, migrate, read_revision, reading, sqlite_url, writing
from corelab.store.objects import compute_sha256

_BATCH: Final = 2_000
_VERSION_TABLE: Final = "alembic_version"


def copy_registry(engine: sa.Engine, target: Path) -> None:
    """Write one consistent state of a registry as an SQLite file, while others read and write.

    SQLite copies its own pages; the rows of any other database are read in one transaction.

    Raises
    ------
    HomeError
        If there is no registry or the database does not answer.
    """
    revision = read_revision(engine)
    if revision is None:
        raise HomeError("the registry is empty", remedy="make a home with corelab init")
    if engine.dialect.name == "sqlite":
        _copy_pages(engine, target)
        return
    copy = connect_database(sqlite_url(target))
    try:
        migrate(copy, revision=revision)
        with reading(engine) as source:
            write_rows(copy, read_rows(source))
        _make_single_file(copy)
    finally:
        copy.dispose()


def _copy_pages(engine: sa.Engine, target: Path) -> None:
    with reading(engine) as connection, closing(sqlite3.connect(target)) as copy:
        source: Any = connection.connection.driver_connection
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")


def _make_single_file(engine: sa.Engine) -> None:
    """Leave no write-ahead log beside an SQLite file."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()


def fill_registry(engine: sa.Engine, source: Path) -> None:
    """Bring the registry of an SQLite file into an empty database of any kind.

    Raises
    ------
    HomeError
        If the database holds a registry already or does not answer.
    """
    if read_revision(engine) is not None and _has_rows(engine):
        raise HomeError("the database holds a registry already", expected="an empty database")
    copy = connect_database(sqlite_url(source))
    try:
        migrate(engine, revision=read_revision(copy) or "head")
        with reading(copy) as connection:
            write_rows(engine, read_rows(connection))
    finally:
        copy.dispose()


def _has_rows(engine: sa.Engine) -> bool:
    with reading(engine) as connection:
        return any(table.name != "audit_head" for table, _ in read_rows(connection))


def read_rows(connection: sa.Connection) -> Iterator[tuple[sa.Table, list[dict[str, Any]]]]:
    """Yield every table of a registry of any revision with its rows, in batches, in a fixed order."""
    for table in _reflect(connection):
        query = sa.select(table).order_by(*table.primary_key.columns)
        for rows in connection.execute(query).mappings().partitions(_BATCH):
            yield table, [dict(row) for row in rows]


def write_rows(engine: sa.Engine, batches: Iterable[tuple[sa.Table, list[dict[str, Any]]]]) -> None:
    """Write rows into a migrated registry without any, in one transaction; numbering goes on after them."""
    with writing(engine) as connection:
        own = {table.name: table for table in _reflect(connection)}
        # The migrations put the first head of the audit there.
        connection.execute(sa.delete(own["audit_head"]))
        for table, rows in batches:
            connection.execute(sa.insert(own[table.name]), rows)
        if connection.dialect.name == "postgresql":
            for table in own.values():
                _continue_numbers(connection, table)


def _continue_numbers(connection: sa.Connection, table: sa.Table) -> None:
    for column in table.primary_key.columns:
        named = sa.text("SELECT pg_get_serial_sequence(:table, :column)")
        sequence = connection.execute(named, {"table": table.name, "column": column.name}).scalar()
        last = connection.execute(sa.select(sa.func.max(column))).scalar() if sequence else None
        if last is not None:
            connection.execute(sa.text("SELECT setval(:name, :last)"), {"name": sequence, "last": last})


def hash_registry(engine: sa.Engine) -> str:
    """Hash every row of a registry; the same rows give the same hash on every kind of database."""
    lines = []
    with reading(engine) as connection:
        for table, rows in read_rows(connection):
            lines += [json.dumps([table.name, row], sort_keys=True, ensure_ascii=False) for row in rows]
    return compute_sha256("\n".join(sorted(lines)).encode("utf-8", "surrogatepass"))


def check_registry(path: Path) -> None:
    """Check that an SQLite file is a sound database.

    Raises
    ------
    IntegrityError
        If it is not.
    """
    connection = sqlite3.connect(path)
    try:
        found = connection.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise IntegrityError(f"is no sound database ({error})", place=path.name) from error
    finally:
        connection.close()
    if found != "ok":
        raise IntegrityError(f"is no sound database ({found})", place=path.name)


def _reflect(connection: sa.Connection) -> list[sa.Table]:
    metadata = sa.MetaData()
    metadata.reflect(bind=connection)
    return [table for name, table in sorted(metadata.tables.items()) if name != _VERSION_TABLE]
