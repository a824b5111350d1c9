"""``scripts/demo``: the whole job once, on sample organizations, with nothing real behind it.

Starts a private PostgreSQL (application database and customers' warehouses) and a Slack stand-in, makes the DuckDB
and SQLite files of two customers, runs the real DAG with ``airflow dags test``, and shows what came of it.
Everything stops with the program.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from ..notify.messages.layout import Message, render_text
from ..nouns.wire import totals_from_json
from ..report.task_log import totals_table
from .organizations import (
    ORGANIZATIONS,
    channel_of,
    create_application,
    create_files,
    create_warehouses,
)
from .postgres import running_postgres
from .slack import SlackStandIn, running_slack

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("SCHEMA_SYNC_DEMO_FOLDER") or ROOT / ".demo")
DATA_TEAM_CHANNEL = "C0DATATEAM"
DATA_TEAM_TOKEN = "xoxb-demo-data-team"
RESULT_MARK = "schema-sync result "
# Of somebody who also works with a real installation: the demo must not find its way there.
_FOREIGN_SETTINGS = ("AIRFLOW", "_AIRFLOW", "DATA_TEAM_", "SCHEMA_SYNC_")
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # Ctrl-C, kill, a terminal that is closed
_ORIGIN = re.compile(r" \[[\w.]+\] loc=\S+\s*$")  # where in the code a line was logged


def main() -> int:
    for how in _STOPS:
        if signal.getsignal(how) is not signal.SIG_IGN:  # nohup and background jobs mean it
            signal.signal(how, _interrupt)
    FOLDER.mkdir(exist_ok=True)
    try:
        return _run()
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.", file=sys.stderr)
        return 130


def _run() -> int:
    started = time.monotonic()
    log = FOLDER / "airflow.log"

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    say("Starting a private PostgreSQL …")
    with (
        running_postgres(log=FOLDER / "postgres.log") as server_uri,
        running_slack() as slack,
        _closed_port() as closed,
        tempfile.TemporaryDirectory(prefix="schema-sync-demo-", ignore_cleanup_errors=True) as files,
    ):
        say("Creating the application database and the customers' warehouses …")
        environment = _enter_organizations(server_uri, slack, closed, Path(files))
        say("Running the real DAG: airflow dags test schema_sync (the first time it sets up a private Airflow home)")
        code = _airflow(["dags", "test", "schema_sync"], environment, log, say)
        result = _result(log)
        if result is None:
            print(f"\nThe run ended (exit code {code}) without a result. Its log: {log}", file=sys.stderr)
            return code or 1
        (FOLDER / "result.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
        _show(result, slack)
    print(f"\nResult as JSON: {_shown(FOLDER / 'result.json')}")
    print(f"Task logs:      {_shown(log)}")
    print(f"Took {time.monotonic() - started:.0f} s. Everything has been stopped.")
    return code


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port where connections are refused: bound, so that nobody else gets it, but not listening."""
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        yield unused.getsockname()[1]


def _enter_organizations(server_uri: str, slack: SlackStandIn, closed_port: int, files: Path) -> dict[str, str]:
    password = secrets.token_hex(12)
    create_warehouses(server_uri, password)
    create_files(files)
    port = urlsplit(server_uri).port or 0
    connections = create_application(server_uri, password, port=port, closed_port=closed_port, folder=files)
    return {
        **connections,
        "AIRFLOW_CONN_DATA_TEAM_SLACK": json.dumps({"conn_type": "slack", "password": DATA_TEAM_TOKEN}),
        "DATA_TEAM_SLACK_CHANNEL_ID": DATA_TEAM_CHANNEL,
        "SCHEMA_SYNC_SLACK_BASE_URL": slack.base_url,
        "no_proxy": "127.0.0.1",  # slack_sdk asks a proxy even for this machine
        "SCHEMA_SYNC_RETRIES": "1",
        "SCHEMA_SYNC_RETRY_DELAY_SECONDS": "1",
    }


def _airflow(arguments: list[str], environment: Mapping[str, str], log: Path, say: Any) -> int:
    """Run one Airflow command in a private home; its output goes to ``log``, its milestones to the screen."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)}
    with subprocess.Popen(
        [str(ROOT / "scripts" / "airflow"), *arguments],
        env={**own, **environment, "AIRFLOW_HOME": str(FOLDER / "airflow")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # so that its children can be stopped with it
    ) as process:
        try:
            assert process.stdout is not None
            with log.open("w") as file:
                for line in process.stdout:
                    file.write(line)
                    if (milestone := _milestone(line)) is not None:
                        say(milestone)
        except BaseException:
            _stop(process)
            raise
        return process.wait()


def _milestone(line: str) -> str | None:
    for mark in ("schema-sync fetched ", "schema-sync group ", "schema-sync source ", "schema-sync organization="):
        position = line.find(mark)
        if position >= 0:
            return "  " + _ORIGIN.sub("", line[position + len("schema-sync ") :]).strip()[:150]
    if line.startswith(("airflow: ", "bootstrap: ")):
        return "  " + line.strip()
    return None


def _stop(process: subprocess.Popen[str]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(10)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _result(log: Path) -> dict[str, Any] | None:
    """The run result, from the line that the contract promises in the log of ``summarize``."""
    for line in log.read_text().splitlines():
        position = line.find(RESULT_MARK)
        if position >= 0:
            value: dict[str, Any] = json.JSONDecoder().raw_decode(line[position + len(RESULT_MARK) :])[0]
            return value
    return None


def _show(result: Mapping[str, Any], slack: SlackStandIn) -> None:
    names = {channel_of(organization): organization.name for organization in ORGANIZATIONS}
    names[DATA_TEAM_CHANNEL] = "the data team"
    for posted in slack.messages:
        channel = posted["channel"]
        print(f"\n━━━ Slack, to {names.get(channel, channel)} " + "━" * 40)
        print(render_text(Message(posted["text"], tuple(posted["blocks"]))))
    print("\n━━━ Organizations " + "━" * 60)
    print(totals_table([totals_from_json(value) for value in _outcomes()]))
    print("\n━━━ Result " + "━" * 67)
    print(json.dumps({key: value for key, value in result["result"].items() if key != "errors"}, indent=2))


def _outcomes() -> list[dict[str, Any]]:
    """What each organization's last task left in XCom, from the demo's own metadata database."""
    with closing(sqlite3.connect(FOLDER / "airflow" / "airflow.db")) as metadata:
        rows = metadata.execute(
            "SELECT value FROM xcom WHERE key = 'outcomes'"
            " AND dag_run_id = (SELECT max(id) FROM dag_run) ORDER BY map_index"
        ).fetchall()
    return [value for (text,) in rows for value in json.loads(text)]


def _shown(path: Path) -> str:
    return os.path.relpath(path)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # Once is enough: a second Ctrl-C would interrupt the tidying up, and leave processes and folders behind.
    for how in _STOPS:
        signal.signal(how, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
