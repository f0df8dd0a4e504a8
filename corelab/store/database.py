"""Where the registry lives: SQLite by default, PostgreSQL by URL; transactions and migrations."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from corelab.errors import ConfigError, DatabaseAwayError, HomeError
from corelab.store import schema

_BUSY_TIMEOUT_MS = 60_000


def connect_database(url: str) -> sa.Engine:
    """Return an engine for a database URL; nothing is opened yet.

    Raises
    ------
    ConfigError
        If the URL cannot be read or its driver is not installed.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() not in ("sqlite", "postgresql"):
            message = f"database {parsed.get_backend_name()!r} is not supported"
            raise ConfigError(message, place="CORELAB_DATABASE_URL", expected="sqlite or postgresql")
        engine = sa.create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    except sa.exc.ArgumentError as error:
        raise ConfigError("not a database URL", place="CORELAB_DATABASE_URL") from error
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"driver {error.name} is not installed", place="CORELAB_DATABASE_URL",
            remedy="pip install 'corelab[postgres]'",
        ) from error  # fmt: skip
    if engine.dialect.name == "sqlite":
        _configure_sqlite(engine)
    return engine


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file."""
    return sa.URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _configure_sqlite(engine: sa.Engine) -> None:
    """Use WAL, durable commits, and transactions that SQLAlchemy rather than the driver begins."""

    @sa.event.listens_for(engine, "connect")
    def _open(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # A deferred transaction that turns into a writer fails at once when another one wrote meanwhile.
        writes = connection.get_execution_options().get("corelab_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give a connection on one consistent state.

    Raises
    ------
    DatabaseAwayError
        If the database cannot be reached.
    """
    options = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with _reached(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Give the only writing transaction of a registry; it is committed as a whole or not at all.

    Raises
    ------
    DatabaseAwayError
        If the database cannot be reached.
    """
    options = {"corelab_writes": True}
    with _reached(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        # One row is the lock of all writers: PostgreSQL has no BEGIN IMMEDIATE.
        if connection.dialect.name != "sqlite":
            connection.execute(sa.select(schema.audit_head.c.seq).with_for_update())
        yield connection


@contextmanager
def _reached(engine: sa.Engine) -> Iterator[None]:
    try:
        yield
    except sa.exc.DatabaseError as error:
        # A broken file is the base class itself; a broken rule of ours is one of the others, and ours.
        if type(error) not in (sa.exc.OperationalError, sa.exc.DatabaseError):
            raise
        where = "registry.db" if engine.dialect.name == "sqlite" else engine.url.render_as_string()
        cause = re.sub(r"\s+", " ", str(error.orig)).strip()
        raise DatabaseAwayError(f"the database did not answer ({cause})", place=where) from error


def read_revision(engine: sa.Engine) -> str | None:
    """Return the revision of the schema, or None where there is no registry yet."""
    with reading(engine) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return revision


def check_revision(engine: sa.Engine, *, place: str) -> None:
    """Refuse a registry that this version cannot use.

    Raises
    ------
    HomeError
        If there is no registry, it is older, or it is newer than this program.
    """
    found = read_revision(engine)
    if found == schema.REVISION:
        return
    if found is None:
        raise HomeError("the registry is empty", place=place, remedy="make a home with corelab init")
    if found < schema.REVISION:
        raise HomeError(
            f"the registry has schema {found}", place=place, expected=schema.REVISION,
            remedy="bring it up to date with corelab migrate",
        )  # fmt: skip
    raise HomeError(
        f"the registry has schema {found}, newer than this program", place=place, expected=schema.REVISION,
        remedy="install the newer version",
    )  # fmt: skip


def migrate(engine: sa.Engine, *, revision: str = "head") -> None:
    """Bring a registry, empty or old, to the schema of this version or of one named, in one transaction.

    Raises
    ------
    DatabaseAwayError
        If the database cannot be reached.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "corelab.store:migrations")
    options = {"corelab_writes": True}
    with _reached(engine), engine.connect().execution_options(**options) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
