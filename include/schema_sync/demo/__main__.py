"""``scripts/demo``: the whole job once, on sample organizations, with nothing real behind it.

Starts a private PostgreSQL (application database and customers' warehouses) and a Slack stand-in, makes the DuckDB
and SQLite files of two customers, runs the real DAG with ``airflow dags test``, and shows what came of it.
Everything stops with the program; with ``--ui`` that is when somebody stops it.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..notify.messages.layout import Message, render_text
from ..nouns.wire import totals_from_json
from ..report.task_log import totals_table
from .airflow_command import catch_stops, result_in, run_airflow
from .interface import interface_settings, serve_interface
from .organizations import channel_of, create_application, create_files, create_warehouses, organizations
from .postgres import running_postgres
from .slack import SlackStandIn, running_slack

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ.get("SCHEMA_SYNC_DEMO_FOLDER") or ROOT / ".demo")
DATA_TEAM_CHANNEL = "C0DATATEAM"
DATA_TEAM_TOKEN = "xoxb-demo-data-team"
# Of somebody who also works with a real installation: the demo must not find its way there.
_FOREIGN_SETTINGS = ("AIRFLOW", "_AIRFLOW", "DATA_TEAM_", "SCHEMA_SYNC_")


def main(arguments: Sequence[str] | None = None) -> int:
    """:return: the run's exit code; 130 after Ctrl-C, also where that ended ``--ui``."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description="The whole job once, on sample organizations, with nothing real behind it."
    )
    parser.add_argument(
        "--ui", nargs="?", const="127.0.0.1:0", metavar="HOST:PORT",
        help="then leave everything running, with Airflow's user interface (default: this machine, a free port)",
    )  # fmt: skip
    address = parser.parse_args(arguments).ui
    catch_stops()
    FOLDER.mkdir(exist_ok=True)
    try:
        return _run(address)
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.", file=sys.stderr)
        return 130


def _run(address: str | None) -> int:
    started = time.monotonic()
    log = FOLDER / "airflow.log"

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)

    say("Starting a private PostgreSQL …")
    with (
        running_postgres(log=FOLDER / "postgres.log") as server_uri,
        running_slack(SlackStandIn) as slack,
        _closed_port() as closed,
        tempfile.TemporaryDirectory(prefix="schema-sync-demo-", ignore_cleanup_errors=True) as files,
    ):
        say("Creating the application database and the customers' warehouses …")
        environment = {**_own_environment(), **_enter_organizations(server_uri, slack, closed, Path(files))}
        if address is not None:
            environment |= interface_settings(address, FOLDER / "airflow")
        say("Running the real DAG: airflow dags test schema_sync (the first time it sets up a private Airflow home)")
        code = run_airflow(["dags", "test", "schema_sync"], environment, log, say)
        result = result_in(log)
        if result is None:
            print(f"\nThe run ended (exit code {code}) without a result. Its log: {log}", file=sys.stderr)
            return code or 1
        (FOLDER / "result.json").write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
        (FOLDER / "messages.json").write_text(json.dumps(slack.messages, ensure_ascii=False) + "\n")
        _show(result, slack)
        print(f"\nResult as JSON: {_shown(FOLDER / 'result.json')}")
        print(f"Task logs:      {_shown(log)}")
        if address is not None:
            return serve_interface(environment, FOLDER / "interface.log", say)
    print(f"Took {time.monotonic() - started:.0f} s. Everything has been stopped.")
    return code


def _own_environment() -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_SETTINGS)}
    return {**own, "AIRFLOW_HOME": str(FOLDER / "airflow")}


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
        "SCHEMA_SYNC_FILE_ROOT": str(files),
        "SCHEMA_SYNC_ALLOWED_NETWORKS": "127.0.0.0/8",  # its warehouses are here
        "SCHEMA_SYNC_RETRY_DELAY_SECONDS": "1",
    }


def _show(result: Mapping[str, Any], slack: SlackStandIn) -> None:
    names = {channel_of(organization): organization.name for organization in organizations()}
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


if __name__ == "__main__":
    sys.exit(main())
