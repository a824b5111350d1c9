"""The real DAG against real servers: an application database, warehouses, and the Slack stand-in."""

from __future__ import annotations

import functools
import json
import logging
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.airflow_names import airflow_name, dag_bag
from tests.slack_stand_in import SlackStandIn, running_slack

DATA_TEAM_CHANNEL = "C0DATATEAM"


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's own metadata, in SQLite, made once."""
    from airflow.sdk.execution_time import supervisor
    from airflow.utils.db import initdb

    initdb()
    # Airflow builds the API that tasks talk to anew for each of them, which takes 3.1 a second or more; one serves all.
    supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)


@pytest.fixture
def dag(airflow_database):
    """The DAG, parsed anew: a run's configuration changes the params of the object that ran."""
    bag = dag_bag()
    assert bag.import_errors == {}
    return bag.dags["schema_sync"]


@contextmanager
def listening(on_success: Callable[[Any], object]) -> Iterator[None]:
    """Call this with each task instance that has succeeded: Airflow's listeners tell when."""
    from airflow.listeners import hookimpl

    class Listener:
        @hookimpl
        def on_task_instance_success(self, task_instance: Any) -> None:
            on_success(task_instance)

    listener = Listener()
    manager = airflow_name("get_listener_manager", "airflow.sdk.listener", "airflow.listeners.listener")()
    manager.add_listener(listener)
    try:
        yield
    finally:
        manager.pm.unregister(listener)


@dataclass
class Run:
    """What one run of the DAG left behind."""

    state: str
    run_id: str
    result: dict[str, Any]
    states: dict[str, str]
    labels: dict[str, str]
    log: str
    xcoms: list[Any]

    def reports(self) -> dict[str, dict[str, Any]]:
        """{organization name: report} as the diff tasks returned them."""
        values = [value for key, task, value in self.xcoms if key == "return_value" and task.endswith(".diff")]
        return {report["organization_name"]: report for value in values for report in value}

    def outcomes(self) -> dict[str, dict[str, Any]]:
        values = [value for key, _, value in self.xcoms if key == "outcomes"]
        return {outcome["organization_name"]: outcome for value in values for outcome in value}

    def differences(self, organization: str) -> list[tuple[str, str | None]]:
        """(type, column) of everything but infos."""
        found = self.reports()[organization]["discrepancies"]
        return [(each["type"], each["column"]) for each in found if each["severity"] != "info"]


@dataclass
class World:
    """An installation with its customers. Everything that a test adds is real."""

    application_uri: str
    slack: SlackStandIn
    environment: pytest.MonkeyPatch
    create_database: Callable[[], str]
    dag: Any
    output: pytest.CaptureFixture[str]
    records: pytest.LogCaptureFixture

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.application_uri, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Many rows at once into the application database."""
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with psycopg.connect(self.application_uri) as connection, connection.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def warehouse(self, statements: str) -> str:
        """A new database with these tables; returns its URI."""
        uri = self.create_database()
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(statements)
        return uri

    def organization(self, name: str, *, slack: bool = True) -> str:
        organization_id = str(uuid.uuid4())
        self.execute("INSERT INTO organizations (id, name) VALUES (%s, %s)", organization_id, name)
        if slack:
            key = f"slack_{organization_id.replace('-', '_')}"
            self.connect(key, {"conn_type": "slack", "password": f"xoxb-{uuid.uuid4()}"})
            self.execute(
                "INSERT INTO slack_integrations (organization_id, token_vault_key, status, default_channel)"
                " VALUES (%s, %s, 'active', jsonb_build_object('id', %s::text, 'name', 'alerts'))",
                organization_id, key, f"C{organization_id[:8].upper()}",
            )  # fmt: skip
        return organization_id

    def channel(self, organization_id: str) -> str:
        return f"C{organization_id[:8].upper()}"

    def source(self, organization_id: str, uri: str | None, *, name: str = "Shop", kind: str = "postgres") -> str:
        """A data source; without a URI it has no credentials."""
        source_id = str(uuid.uuid4())
        self.execute(
            "INSERT INTO data_sources (id, name, type, onboarding_status, organization_id)"
            " VALUES (%s, %s, %s, 'completed', %s)",
            source_id, name, kind, organization_id,
        )  # fmt: skip
        if uri is not None:
            self.connect_source(source_id, uri)
        return source_id

    def connect_source(self, source_id: str, uri: str) -> None:
        """The credentials of a data source, as an Airflow connection."""
        self.connect(f"data_source_{source_id.replace('-', '_')}", _airflow_json(uri))

    def dataset(self, source_id: str, yml: str, *, name: str = "orders", schema: str = "public") -> str:
        ((dataset_id,),) = self.execute(
            "INSERT INTO datasets (name, database_name, schema, data_source_id, organization_id, yml_file)"
            " SELECT %s, %s, %s, id, organization_id, %s FROM data_sources WHERE id = %s RETURNING id::text",
            name, name, schema, yml, source_id,
        )  # fmt: skip
        return dataset_id

    def customer(self, name: str, statements: str, *ymls: str, slack: bool = True) -> str:
        """An organization with one warehouse and these datasets; returns its id."""
        organization_id = self.organization(name, slack=slack)
        source_id = self.source(organization_id, self.warehouse(statements))
        for yml in ymls:
            self.dataset(source_id, yml)
        return organization_id

    def connect(self, conn_id: str, connection: dict[str, Any]) -> None:
        self.environment.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))

    def run(self, conf: dict[str, Any] | None = None, *, day: datetime | None = None) -> Run:
        """Run the DAG as ``airflow dags test`` does, in this process. ``day``: its logical date."""
        from airflow.models.taskinstance import TaskInstance
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        self.output.readouterr()
        self.records.clear()
        with self.records.at_level(logging.INFO):  # as in a task's own process
            dag_run = self.dag.test(run_conf=conf or {}, **({} if day is None else {"logical_date": day}))
        # Operators write to standard output here, modules to the logging of the standard library.
        log = self.records.text + "".join(self.output.readouterr())
        with create_session() as session:
            instances = session.scalars(select(TaskInstance).where(TaskInstance.run_id == dag_run.run_id)).all()
            states = {f"{ti.task_id}[{ti.map_index}]": str(ti.state) for ti in instances}
            labels = {f"{ti.task_id}[{ti.map_index}]": ti.rendered_map_index for ti in instances}
            xcoms = [
                (xcom.key, xcom.task_id, XComModel.deserialize_value(xcom))
                for xcom in session.scalars(select(XComModel).where(XComModel.run_id == dag_run.run_id)).all()
            ]
        result = next((value for key, task, value in xcoms if task == "summarize" and key == "return_value"), {})
        return Run(str(dag_run.state), dag_run.run_id, result, states, labels, log, xcoms)

    @contextmanager
    def after(self, task_id: str, action: Callable[[], object]) -> Iterator[None]:
        """Do something in mid-run, as soon as an instance of a task has succeeded."""
        done: list[str] = []

        def once(task_instance: Any) -> None:
            if task_instance.task_id == task_id and not done:
                action()
                done.append(task_id)

        with listening(once):
            yield
        assert done, f"{task_id} never succeeded, or the action failed (then Airflow has logged why)"

    def messages(self, channel: str) -> list[dict[str, Any]]:
        return [message for message in self.slack.messages if message["channel"] == channel]

    def tracked(self) -> list[tuple[Any, ...]]:
        return self.execute(
            "SELECT message_type, slack_channel_id, slack_message_ts, slack_thread_ts, integration_id::text"
            " FROM slack_message_tracking ORDER BY created_at, message_type"
        )


def _airflow_json(uri: str) -> dict[str, Any]:
    parts = urlsplit(uri)
    return {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "schema": parts.path.removeprefix("/"),
        "login": parts.username,
        "password": parts.password,
    }


@pytest.fixture
def refused_uri() -> Iterator[str]:
    """A server that is not there: its port is taken, but nobody listens."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"postgresql://reader:s3cret-canary-pw@127.0.0.1:{unused.getsockname()[1]}/shop"


@pytest.fixture
def slack() -> Iterator[SlackStandIn]:
    with running_slack() as stand_in:
        yield stand_in


@pytest.fixture
def world(application_db_uri, create_database, slack, monkeypatch, dag, capfd, caplog) -> World:
    world = World(application_db_uri, slack, monkeypatch, create_database, dag, capfd, caplog)
    world.connect("app_db", _airflow_json(application_db_uri))
    world.connect("data_team_slack", {"conn_type": "slack", "password": "xoxb-data-team-0123456789"})
    monkeypatch.setenv("DATA_TEAM_SLACK_CHANNEL_ID", DATA_TEAM_CHANNEL)
    monkeypatch.setenv("SCHEMA_SYNC_SLACK_BASE_URL", slack.base_url)
    monkeypatch.setenv("SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS", "2")
    monkeypatch.setenv("SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS", "3")
    return world
