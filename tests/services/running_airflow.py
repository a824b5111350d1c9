"""Airflow's own programs as processes, a person who is logged in, and one run as the REST API shows it."""

from __future__ import annotations

import json
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

DAG = "/dags/schema_sync"
ORDERS = "CREATE TABLE orders (order_id bigint, amount numeric(12,2), status text)"
CLEAN = "name: orders\ndimensions: [{name: status, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"
DRIFTED = "name: orders\ndimensions: [{name: state, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"
CHECKS = ("check_organization.introspect", "check_organization.diff", "check_organization.notify")
START_TIMEOUT_S, RUN_TIMEOUT_S = 180.0, 180.0

# What every installation has, whatever its executor; --skip-serve-logs, because all share one folder of logs.
SERVICES: dict[str, list[str]] = {
    "api-server": ["api-server", "--host", "127.0.0.1", "--workers", "1"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
    "dag-processor": ["dag-processor"],
}
AIRFLOW = [sys.executable, "-P", "-m", "airflow"]


@dataclass(frozen=True)
class Run:
    """One run that has ended, as the REST API (and so the UI) shows it.

    :ivar instances: {(task, map index): task instance}.
    :ivar logs: {(task, map index, try): lines}, a line as the UI prints it.
    :ivar xcoms: {(task, map index, key): value}.
    :ivar everything: every answer as text, for what must not be in any.
    """

    facts: dict[str, Any]
    instances: dict[tuple[str, int], dict[str, Any]]
    logs: dict[tuple[str, int, int], list[str]]
    xcoms: dict[tuple[str, int, str], Any]
    everything: str

    def states(self) -> dict[tuple[str, int], str]:
        return {key: instance["state"] for key, instance in self.instances.items()}

    def log(self, task: str, map_index: int = -1, number: int = 1) -> str:
        return "\n".join(self.logs[task, map_index, number])

    @property
    def result(self) -> dict[str, Any]:
        return self.xcoms["summarize", -1, "return_value"]


@dataclass(frozen=True)
class Airflow:
    """Running services of Airflow, and a person who is logged in.

    :ivar services: names of the programs that must be running.
    """

    client: httpx.Client
    url: str
    home: Path
    metadata_uri: str
    wait_until: Any
    programs: Any
    services: Sequence[str] = field(default_factory=lambda: tuple(SERVICES))

    def get(self, path: str, **parameters: Any) -> Any:
        return self.client.get(f"{DAG}{path}", params=parameters).raise_for_status().json()

    def trigger(self, conf: dict[str, Any]) -> httpx.Response:
        return self.client.post(f"{DAG}/dagRuns", json={"logical_date": None, "conf": conf})

    def ended(self, run_id: str) -> Run:
        """Wait for the end of a run, and read all that is known of it."""
        facts = self.wait_until(lambda: self._if_ended(run_id), f"run {run_id} ends", timeout_s=RUN_TIMEOUT_S)
        listed = self.get(f"/dagRuns/{run_id}/taskInstances", limit=100)["task_instances"]
        everything: list[Any] = [facts, listed]
        logs, xcoms = {}, {}
        for instance in listed:
            task, index = instance["task_id"], instance["map_index"]
            place = f"/dagRuns/{run_id}/taskInstances/{task}"
            for number in range(1, instance["try_number"] + 1):
                answer = self.get(f"{place}/logs/{number}", map_index=index, full_content=True)
                logs[task, index, number] = [printed(line) for line in answer["content"]]
                everything.append(answer)
            for entry in self.get(f"{place}/xcomEntries", map_index=index)["xcom_entries"]:
                key = entry["key"]
                answer = self.get(f"{place}/xcomEntries/{key}", map_index=index)
                xcoms[task, index, key] = answer["value"]
                everything.append(answer)
        return Run(
            facts=facts,
            instances={(instance["task_id"], instance["map_index"]): instance for instance in listed},
            logs=logs,
            xcoms=xcoms,
            everything=json.dumps(everything, ensure_ascii=False),
        )

    def _if_ended(self, run_id: str) -> dict[str, Any] | None:
        self.assert_running()
        facts: dict[str, Any] = self.get(f"/dagRuns/{run_id}")
        return facts if facts["state"] in ("success", "failed") else None

    def assert_running(self) -> None:
        stopped = [name for name in self.services if self.programs.processes[name].poll() is not None]
        assert stopped == []


@contextmanager
def running_airflow(
    *,
    home: Path,
    project_root: Path,
    metadata_uri: str,
    environment: Mapping[str, str],
    programs: Any,
    wait_until: Any,
    installation: Any,
    further: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[Airflow]:
    """Start the services and those in ``further``, log in, and wait until the DAG is parsed.

    :param metadata_uri: a database with Airflow's tables.
    :param environment: settings on top of those of every installation, such as the executor.
    :param further: {name: Airflow's command}.
    """
    port, password = free_port(), secrets.token_hex(12)
    url = f"http://127.0.0.1:{port}"
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({"admin": password}))
    installation.secrets.add(password)
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project_root / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project_root / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata_uri.replace("postgresql://", "postgresql+psycopg2://"),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "PYTHONPATH": str(project_root),
        **environment,
    }
    commands = {**SERVICES, **(further or {})}
    for name, arguments in commands.items():
        programs.start(name, [*AIRFLOW, *arguments], settings)
    with httpx.Client(trust_env=False, timeout=60) as client:
        running = Airflow(client, url, home, metadata_uri, wait_until, programs, tuple(commands))
        try:
            wait_until(lambda: _log_in(running, password), "the API server takes the login", timeout_s=START_TIMEOUT_S)
            wait_until(lambda: _parsed(running), "the DAG is parsed", timeout_s=START_TIMEOUT_S)
        except BaseException:
            print(programs.tails())  # noqa: T201 (a failed fixture has no test whose report could show them)
            raise
        yield running
    for process in programs.family("api-server"):
        process.kill()  # asked to stop, it would wait some seconds for clients that are gone


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def printed(line: Any) -> str:
    """As the UI prints a line; an exception is a field of its line."""
    if isinstance(line, str):
        return line
    errors = [f"\n{error['exc_type']}: {error['exc_value']}" for error in line.get("error_detail") or []]
    return f"{line.get('timestamp') or ''} {line.get('level') or ''} {line['event']}{''.join(errors)}"


def _log_in(airflow: Airflow, password: str) -> bool:
    airflow.assert_running()
    try:
        answer = airflow.client.post(f"{airflow.url}/auth/token", json={"username": "admin", "password": password})
    except httpx.TransportError:
        return False
    airflow.client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
    airflow.client.base_url = httpx.URL(f"{airflow.url}/api/v2")
    return True


def _parsed(airflow: Airflow) -> bool:
    airflow.assert_running()
    return airflow.client.get(DAG).status_code == 200
