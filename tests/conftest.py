"""What every test may use: fixed randomness, homes on both databases, a small delivery."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from corelab.store import Home, create_home
from corelab.store.database import connect_database, migrate
from corelab.study import builtin_study
from tests.postgres import running_postgres

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")
_TEMPLATE = "corelab_template"
_NUMBERS = itertools.count(1)
_LONG = (
    "tests/pipelines/",
    "tests/browser/",
    "tests/validation/",
    "tests/test_",
    "tests/export/",
    "tests/dashboards/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left with one at the end."""

    def rank(item: pytest.Item) -> int:
        return next((number for number, part in enumerate(_LONG) if part in item.nodeid), len(_LONG))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """URL of a PostgreSQL server that lives as long as the session, with a migrated template database."""
    with running_postgres() as text:
        url = sa.make_url(text).set(drivername="postgresql+psycopg")
        _administer(url, f"CREATE DATABASE {_TEMPLATE}")
        engine = connect_database(url.set(database=_TEMPLATE).render_as_string(hide_password=False))
        migrate(engine)
        engine.dispose()
        yield url


@pytest.fixture
def postgres_url(postgres_server: sa.URL) -> Iterator[str]:
    """URL of a PostgreSQL database with an empty registry, removed afterwards."""
    name = f"corelab_{next(_NUMBERS)}"
    _administer(postgres_server, f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
    yield postgres_server.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(url: sa.URL, statement: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """Where the registry is: None for SQLite in the home, or a PostgreSQL URL."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def make_home(tmp_path: Path) -> Iterator[Callable[..., Home]]:
    """Make homes of the built-in trial that are closed afterwards."""
    homes: list[Home] = []

    def make(name: str = "home", *, database_url: str | None = None) -> Home:
        home = create_home(tmp_path / name, study_text=builtin_study().source, database_url=database_url)
        homes.append(home)
        return home

    yield make
    for home in homes:
        home.close()


@pytest.fixture
def home(make_home: Callable[..., Home], database_url: str | None) -> Home:
    """A new home, once on SQLite and once on PostgreSQL."""
    return make_home(database_url=database_url)
