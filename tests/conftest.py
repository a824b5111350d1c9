"""Servers and databases that tests share. Each is private to this test run and stopped at its end."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from tests.examples import PROFILE, examples

# A landing must never fail by chance: the same examples every time. ``scripts/test --explore`` looks for new ones.
# How long an example takes says more about the machine's other work than about the code, so there is no deadline.
settings.register_profile("schema-sync", deadline=None, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, derandomize=False, max_examples=examples(100))
settings.register_profile("explicit", deadline=None, derandomize=True, database=None, phases=[Phase.explicit])
settings.load_profile(PROFILE)

ROOT = Path(__file__).resolve().parent.parent
_numbers = itertools.count(1)

# Airflow reads its configuration when it is imported for the first time, so this cannot wait for a fixture.
_AIRFLOW_HOME = tempfile.TemporaryDirectory(prefix="schema-sync-airflow-", ignore_cleanup_errors=True)
os.environ.update(
    {
        "AIRFLOW_HOME": _AIRFLOW_HOME.name,
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{_AIRFLOW_HOME.name}/airflow.db",
        "AIRFLOW__API__BASE_URL": "https://airflow.example.com",
        "PYTHONPATH": str(ROOT),
        # A test that fails for good must not wait; retries are tested with delays of their own.
        "SCHEMA_SYNC_RETRIES": "1",
        "SCHEMA_SYNC_ALLOWED_NETWORKS": "127.0.0.0/8",  # where the tests' servers are
        "SCHEMA_SYNC_RETRY_DELAY_SECONDS": "0",
    }
)
for _name in [name for name in os.environ if name.startswith(("AIRFLOW_CONN_", "DATA_TEAM_", "SCHEMA_SYNC_SLACK"))]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def postgres_uri() -> Iterator[str]:
    """Superuser URI of one real PostgreSQL server for the whole session."""
    from include.schema_sync.demo.postgres import running_postgres

    with running_postgres() as uri:
        yield uri


@pytest.fixture(scope="session")
def create_database(postgres_uri: str) -> Callable[[], str]:
    """Make a new empty database on the session's server; returns its URI."""
    import psycopg

    def create() -> str:
        name = f"test_{next(_numbers)}"
        with psycopg.connect(postgres_uri, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return postgres_uri.rsplit("/", 1)[0] + f"/{name}"

    return create


@pytest.fixture(scope="session")
def create_metadata_database(create_database: Callable[[], str]) -> Callable[[], str]:
    """Make a new database that holds Airflow's own, empty tables: migrated once, then copied. Returns its URI."""
    import psycopg

    @functools.cache
    def migrated() -> str:
        uri = create_database()
        connection = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": uri.replace("postgresql://", "postgresql+psycopg2://")}
        command = [sys.executable, "-P", "-m", "airflow", "db", "migrate"]
        done = subprocess.run(command, env=os.environ | connection, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return uri

    def create() -> str:
        server, _, template = migrated().rpartition("/")
        name = f"metadata_{next(_numbers)}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"{server}/{name}"

    return create


@pytest.fixture
def fresh_database(create_database: Callable[[], str]) -> str:
    return create_database()


@pytest.fixture
def application_db_uri(create_database: Callable[[], str]) -> str:
    """A new database that holds the product's five empty tables."""
    import psycopg

    uri = create_database()
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute((ROOT / "include" / "sql" / "application_tables.sql").read_text())
    return uri


# Each test process takes whole files, in this order: a long one that comes last leaves the others idle.
LONGEST_FIRST = (
    "test_celery.py",
    "test_many_organizations.py",
    "test_scheduler.py",
    "test_crash_matrix.py",
    "test_page_in_chromium.py",
    "test_schema_sync.py",
    "test_command_line.py",
    "test_conversations.py",
    "test_sixty_days.py",
    "test_rates.py",
    "test_demo.py",
    "test_bad_input.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))
