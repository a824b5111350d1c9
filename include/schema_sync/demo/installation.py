"""``scripts/check-installation``: one dry run against a real installation, shown as the demo shows its own.

Everything is read, nothing is sent or recorded, and nothing waits to try again. What it shows it reads from the run's
log, which is kept.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..nouns.discrepancy import Severity
from ..report.task_log import text_table
from .airflow_command import ROOT, catch_stops, result_in, run_airflow, without_origin

_REPORT = re.compile(r"schema-sync organization=(?P<name>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\") id=\S+ (?P<rest>.*)")
_WOULD_READ = re.compile(r"Dry run, nothing is sent\. (?P<who>.*?) would read:$")
_COUNTS = ("state", "checked", "unchecked", "critical", "warnings", "infos")
_NOT_CHECKED = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """:return: 0 everything was checked, 1 the run failed, 2 something is unchecked or wrong arguments."""
    asked = _parser().parse_args(arguments)
    catch_stops()
    home = Path(os.environ.get("AIRFLOW_HOME") or ROOT / ".airflow")
    home.mkdir(parents=True, exist_ok=True)
    log = home / "check-installation.log"
    started = time.monotonic()
    conf: dict[str, Any] = {"dry_run": True, "min_severity": asked.min_severity}
    if asked.organization:
        conf["organization_ids"] = asked.organization
    environment = {"SCHEMA_SYNC_RETRIES": "0", **os.environ}
    try:
        code = run_airflow(
            ["dags", "test", "schema_sync", "-c", json.dumps(conf)], environment, log,
            lambda text: print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True),
        )  # fmt: skip
    except KeyboardInterrupt:
        print("\nStopped. Nothing is left running.", file=sys.stderr)
        return 130
    result = result_in(log)
    if result is None:
        print(f"\nThe run ended (exit code {code}) without a result. Its log: {log}", file=sys.stderr)
        return code or 1
    text = log.read_text()
    for who, message in messages(text):
        print(f"\n━━━ {who} would read " + "━" * 40)
        print(message)
    print("\n━━━ Organizations " + "━" * 60)
    print(organizations_table(text, result))
    print("\n━━━ What to do next " + "━" * 58)
    print("\n".join(next_steps(result)))
    print(f"\nNothing was sent. The log of the run: {os.path.relpath(log)}")
    if not result["success"]:
        return 1
    return _NOT_CHECKED if result["result"]["errors"] else 0


def messages(log: str) -> Iterator[tuple[str, str]]:
    """(who, what) of each message that the run would have sent, as a dry run logs them."""
    lines = iter(log.splitlines())
    for line in lines:
        if (begin := _WOULD_READ.search(line)) is None:
            continue
        message: list[str] = []
        for each in lines:
            message.append(without_origin(each))
            if message[-1] != each:  # the line's origin ends the entry
                break
        yield _unquoted(begin["who"]), "\n".join(message)


def organizations_table(log: str, result: Mapping[str, Any]) -> str:
    """One row an organization, those that failed included."""
    rows = {}
    for found in filter(None, map(_REPORT.search, log.splitlines())):
        values = dict(part.split("=", 1) for part in without_origin(found["rest"]).split() if "=" in part)
        rows[_unquoted(found["name"])] = tuple(values.get(key, "") for key in _COUNTS)
    for error in result["result"]["errors"]:
        if error["dataSourceId"] is None and error["organizationName"] is not None:
            rows.setdefault(error["organizationName"], ("failed", *[""] * (len(_COUNTS) - 1)))
    return text_table(("organization", *_COUNTS), [(name, *values) for name, values in rows.items()])


def next_steps(result: Mapping[str, Any]) -> Iterator[str]:
    """What could not be checked, each with the reason, which ends with the remedy; then how to go on."""
    why = result["error"]["message"] if "error" in result else ""
    if why:
        yield f"✕ {why}"
    for error in (each for each in result["result"]["errors"] if each["error"] not in why):
        yield f"✕ {error['organizationName'] or 'The run'}: {error['error']}"
    if not result["success"]:
        return
    if result["result"]["errors"]:
        yield "Each reason ends with its remedy; docs/runbook.md knows more. Then check again."
    yield "To see it run:     scripts/airflow standalone, then Browse → Schema Sync"
    yield "To switch it on:   unpause the DAG schema_sync; what comes then is in docs/deploy.md"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/check-installation",
        description="Checks a real installation once: reads everything, sends and records nothing.",
        epilog="The product's database is the Airflow connection app_db: "
        "export AIRFLOW_CONN_APP_DB='postgresql://reader:password@db.example.com:5432/product'. "
        "Exit status: 0 everything was checked, 1 the run failed, 2 something could not be checked.",
    )
    parser.add_argument("--organization", action="append", metavar="ID", help="only this one; may be repeated")
    parser.add_argument(
        "--min-severity", choices=tuple(map(str, Severity)), default="warning",
        help="the least severity that the shown messages contain (default: warning)",
    )  # fmt: skip
    return parser


def _unquoted(name: str) -> str:
    try:
        return str(ast.literal_eval(name))
    except (SyntaxError, ValueError):
        return name


if __name__ == "__main__":
    sys.exit(main())
