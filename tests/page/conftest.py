"""Airflow's database as runs leave it, and Airflow's API server with the page in it, in process and as a program."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.airflow_names import airflow_name, dag_bag
from tests.page import seeding

START_TIMEOUT_S = 120.0


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of Airflow's that knows the DAG and no run; tests take copies."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.settings import engine
    from airflow.utils.db import initdb

    initdb()
    DagBundlesManager().sync_bundles_to_db()
    bag = dag_bag()
    assert bag.import_errors == {}
    sync_bag_to_db = airflow_name("sync_bag_to_db", "airflow.dag_processing.dagbag", "airflow.models.dagbag")
    sync_bag_to_db(bag, "dags-folder", None)
    path = tmp_path_factory.mktemp("airflow-database") / "template.db"
    with closing(sqlite3.connect(str(engine.url.database))) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)  # a copied file would lack what is still in the write-ahead log
        for table in ("xcom", "task_instance", "dag_run"):  # of other tests in this process
            target.execute(f"DELETE FROM {table}")
        target.commit()
    return path


@pytest.fixture
def database(migrated_database: Path, tmp_path: Path) -> Iterator[Any]:
    """An SQLAlchemy engine on a copy of one's own."""
    from sqlalchemy import create_engine

    path = tmp_path / "airflow.db"
    with closing(sqlite3.connect(migrated_database)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})
    yield engine
    engine.dispose()


@dataclass(frozen=True)
class ApiServer:
    """Airflow's API server as a program of its own.

    :ivar engine: of its database.
    :ivar passwords: {user: password}.
    """

    url: str
    engine: Any
    passwords: dict[str, str]

    def seed(self, *arguments: Any, **options: Any) -> seeding.Seeded:
        """As :func:`seeding.seed_run`, with nothing but this run in the database."""
        self.forget()
        with self.engine.connect() as connection:
            return seeding.seed_run(connection, *arguments, **options)

    def forget(self) -> None:
        from sqlalchemy import text

        with self.engine.begin() as connection:
            for table in ("xcom", "task_instance", "dag_run"):
                connection.execute(text(f"DELETE FROM {table}"))


@pytest.fixture(scope="module")
def api_server(
    migrated_database: Path, project_root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ApiServer]:
    from sqlalchemy import create_engine

    home = tmp_path_factory.mktemp("api-server")
    with closing(sqlite3.connect(migrated_database)) as source, closing(sqlite3.connect(home / "a.db")) as target:
        source.backup(target)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    passwords = {"admin": secrets.token_hex(8), "viewer": secrets.token_hex(8)}
    (home / "passwords.json").write_text(json.dumps(passwords))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project_root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project_root / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/a.db",
        "PYTHONPATH": str(project_root),
        "no_proxy": "127.0.0.1",
    }
    output = home / "output.log"
    command = [sys.executable, "-P", "-m", "airflow", "api-server", "--host", "127.0.0.1", "--workers", "1"]
    with output.open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    engine = create_engine(f"sqlite:///{home}/a.db")
    try:
        end = time.monotonic() + START_TIMEOUT_S
        while not _answers(url):
            assert process.poll() is None, output.read_text()[-6_000:]
            assert time.monotonic() < end, output.read_text()[-6_000:]
            time.sleep(0.3)
        yield ApiServer(url, engine, passwords)
    finally:
        engine.dispose()
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in family:
            member.kill()  # asked to stop, it would wait some seconds for clients that are gone
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/monitor/health", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def airflow_app(migrated_database):
    """The whole application of the API server, with the plugin as Airflow itself found it."""
    from airflow.api_fastapi.app import create_app

    return create_app(apps="core")


@pytest.fixture(scope="module")
def page(airflow_app):
    """The mounted application of the page."""
    (mount,) = [route for route in airflow_app.routes if getattr(route, "path", "") == "/schema-sync"]
    return mount.app


@pytest.fixture
def client(airflow_app, page, database):
    """A visitor who may read, of an Airflow with a database of this test's own."""
    from airflow.api_fastapi.common.db.common import _get_session
    from fastapi.testclient import TestClient

    def own_session() -> Iterator[Any]:
        from sqlalchemy.orm import Session

        with Session(database) as session:
            yield session

    page.dependency_overrides[_get_session] = own_session
    # Not as a context: the application's life span would start and stop again with every test.
    yield TestClient(airflow_app, headers={"Authorization": f"Bearer {token('VIEWER')}"}, raise_server_exceptions=False)
    page.dependency_overrides.clear()


@pytest.fixture
def seed(database):
    def seeded(*arguments: Any, **options: Any) -> seeding.Seeded:
        with database.connect() as connection:
            return seeding.seed_run(connection, *arguments, **options)

    return seeded


def token(role: str | None) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="somebody", role=role))
