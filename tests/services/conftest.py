"""An installation with its customers, and programs as processes of their own.

Everything here is real but Slack: Airflow's programs find the installation through their environment only, as they do
in production.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

import psutil
import psycopg
import pytest
from psycopg import sql

from tests.slack_stand_in import SlackStandIn, running_slack

DATA_TEAM_CHANNEL = "C0DATATEAM"
# Whoever runs the tests may have set these for an Airflow of their own, and tests/conftest.py does for its.
_FOREIGN_SETTINGS = ("AIRFLOW", "_AIRFLOW", "SCHEMA_SYNC_", "DATA_TEAM_", "PYTHONPATH", "PYTHONWARNINGS")
_STOP_TIMEOUT_S = 15.0
_TAIL = 6_000  # characters of each program's output that a failure shows


@dataclass
class Installation:
    """The product's database, its customers' warehouses, and the stand-in for Slack.

    :ivar environment: all that a program needs to find them. Airflow's own settings are not in it.
    :ivar secrets: every password and token in use; none of them may be seen anywhere.
    """

    application_uri: str
    slack: SlackStandIn
    environment: dict[str, str]
    secrets: set[str]
    tokens: dict[str, str]
    create_database: Callable[[], str]
    reader: tuple[str, str]
    closed_port: int

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.application_uri, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def customer(self, name: str, tables: str, yml: str, *, reachable: bool = True, vault: bool = True) -> str:
        """Enter an organization with Slack, one warehouse that holds these tables, and one dataset.

        :param reachable: False: the warehouse's server refuses connections.
        :param vault: where its credentials are; False: in an Airflow connection of ``environment``.
        :return: the organization's id.
        """
        organization_id, source_id = str(uuid.uuid4()), str(uuid.uuid4())
        self.execute("INSERT INTO organizations (id, name) VALUES (%s, %s)", organization_id, name)
        self.execute(
            "INSERT INTO data_sources (id, name, type, onboarding_status, organization_id)"
            " VALUES (%s, 'Shop', 'postgres', 'completed', %s)",
            source_id, organization_id,
        )  # fmt: skip
        self.execute(
            "INSERT INTO datasets (name, database_name, schema, data_source_id, organization_id, yml_file)"
            " VALUES ('orders', 'orders', 'public', %s, %s, %s)",
            source_id, organization_id, yml,
        )  # fmt: skip
        uri = self.create_database()
        with psycopg.connect(uri, autocommit=True) as warehouse:
            warehouse.execute(tables.encode())
        self._give_access(source_id, uri, reachable=reachable, vault=vault)
        self._connect_slack(name, organization_id)
        return organization_id

    def channel(self, organization_id: str) -> str:
        return f"C{organization_id[:8].upper()}"

    def messages(self, channel: str) -> list[dict[str, Any]]:
        """What was posted to a channel, oldest first."""
        return [message for message in self.slack.messages if message["channel"] == channel]

    def tracked(self, channel: str) -> list[tuple[str, str]]:
        """(message type, Slack's timestamp) of every row about a channel, oldest first."""
        rows = self.execute(
            "SELECT message_type, slack_message_ts FROM slack_message_tracking WHERE slack_channel_id = %s"
            " ORDER BY created_at",
            channel,
        )
        return [(kind, ts) for kind, ts in rows]

    def leaks(self, text: str) -> set[str]:
        """Secrets that a text shows, as they are or as a part of a URI."""
        return {
            secret
            for secret in self.secrets
            if any(form in text for form in (secret, quote(secret, safe=""), quote_plus(secret)))
        }

    def _give_access(self, source_id: str, uri: str, *, reachable: bool, vault: bool) -> None:
        parts, (reader, password) = urlsplit(uri), self.reader
        database, port = parts.path.removeprefix("/"), parts.port if reachable else self.closed_port
        access = {"host": parts.hostname, "port": port, "password": password}
        if vault:
            secret = {"type": "postgres", "database": database, "username": reader, **access}
            self.execute("INSERT INTO vault.decrypted_secrets VALUES (%s, %s)", source_id, json.dumps(secret))
            return
        connection = {"conn_type": "postgres", "schema": database, "login": reader, **access}
        self.environment[f"AIRFLOW_CONN_DATA_SOURCE_{source_id.replace('-', '_').upper()}"] = json.dumps(connection)

    def _connect_slack(self, name: str, organization_id: str) -> None:
        token, key = f"xoxb-canary-{uuid.uuid4().hex}", f"slack-{organization_id}"
        self.tokens[token] = name
        self.secrets.add(token)
        self.execute("INSERT INTO vault.decrypted_secrets VALUES (%s, %s)", key, token)
        self.execute(
            "INSERT INTO slack_integrations (organization_id, token_vault_key, status, default_channel)"
            " VALUES (%s, %s, 'active', jsonb_build_object('id', %s::text, 'name', 'alerts'))",
            organization_id, key, self.channel(organization_id),
        )  # fmt: skip


@dataclass
class Programs:
    """Processes of one test module, each with its output in a file; all are stopped with the module."""

    folder: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], *, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program as the leader of a session and process group of its own, as a terminal does."""
        with self._file(name).open("wb") as output:
            process = subprocess.Popen(
                command,
                env=environment,
                cwd=cwd or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes[name] = process
        return process

    def run(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], *, timeout_s: float = 180
    ) -> tuple[int, str]:
        """Run a program to its end; returns (exit code, what it wrote)."""
        code = self.start(name, command, environment).wait(timeout_s)
        return code, self.output(name)

    def output(self, name: str) -> str:
        return self._file(name).read_text(errors="replace")

    def tails(self) -> str:
        return "\n".join(f"----- {name}\n{self.output(name)[-_TAIL:]}" for name in self.processes)

    def family(self, name: str) -> list[psutil.Process]:
        """A program and all its descendants; Airflow gives each task a process group of its own."""
        try:
            leader = psutil.Process(self.processes[name].pid)
            return [leader, *leader.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self) -> None:
        families = [process for name in self.processes for process in self.family(name)]
        for process in self.processes.values():
            process.terminate()
        psutil.wait_procs(families, timeout=_STOP_TIMEOUT_S)
        for straggler in families:
            if straggler.is_running():
                straggler.kill()
        for process in self.processes.values():
            process.wait()

    def _file(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure here is explained by what the programs wrote."""
    report = yield
    programs = getattr(item, "funcargs", {}).get("programs")
    if report.failed and isinstance(programs, Programs):
        report.sections.append(("What the programs wrote last", programs.tails()))
    return report


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    started = Programs(tmp_path_factory.mktemp("programs"))
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="session")
def plain_environment() -> dict[str, str]:
    """This process's environment without anybody's settings of Airflow and of Schema Sync."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)}
    return {**kept, "no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., Any]:
    """Wait for a condition rather than for a time: ``wait_until(condition, what, timeout_s=…)``.

    Returns the condition's first value that is true; fails with ``what`` when the time is over.
    """

    def wait(condition: Callable[[], Any], what: str, *, timeout_s: float) -> Any:
        end = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {timeout_s:.0f} s in vain: {what}"
            time.sleep(0.2)
        return value

    return wait


@pytest.fixture(scope="module")
def installation(create_database: Callable[[], str], project_root: Path) -> Iterator[Installation]:
    """An installation without customers."""
    application_uri = create_database()
    number = uuid.uuid4().hex[:8]
    # A password that looks different wherever it is encoded.
    reader, password = f"reader_{number}", f"canary/warehouse p@ss-{number}"
    with psycopg.connect(application_uri, autocommit=True) as connection:
        connection.execute((project_root / "include" / "sql" / "application_tables.sql").read_bytes())
        connection.execute("CREATE SCHEMA vault")
        connection.execute("CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text)")
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE pg_read_all_data").format(
                sql.Identifier(reader), password
            )
        )
    data_team_token = f"xoxb-canary-data-team-{number}"
    tokens = {data_team_token: "data team"}
    with running_slack(tokens=tokens) as slack, closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))  # bound, so that nobody else gets the port, but not listening
        yield Installation(
            application_uri=application_uri,
            slack=slack,
            environment={
                "AIRFLOW_CONN_APP_DB": application_uri,
                "AIRFLOW_CONN_DATA_TEAM_SLACK": json.dumps({"conn_type": "slack", "password": data_team_token}),
                "DATA_TEAM_SLACK_CHANNEL_ID": DATA_TEAM_CHANNEL,
                "SCHEMA_SYNC_SLACK_BASE_URL": slack.base_url,
                "SCHEMA_SYNC_ALLOWED_NETWORKS": "127.0.0.0/8",
                "SCHEMA_SYNC_QUIET_START_AFTER_MINUTES": "10000",  # runs speak at any hour of the day
                "SCHEMA_SYNC_RETRIES": "1",
                "SCHEMA_SYNC_RETRY_DELAY_SECONDS": "1",
            },
            secrets={password, data_team_token, str(urlsplit(application_uri).password)},
            tokens=tokens,
            create_database=create_database,
            reader=(reader, password),
            closed_port=unused.getsockname()[1],
        )
