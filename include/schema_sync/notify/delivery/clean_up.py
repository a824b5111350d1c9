"""``python -m include.schema_sync.notify.delivery.clean_up``: old message rows, and Airflow's own records of this DAG.

Airflow is asked through its command line, as include/ never imports it: for the connection to the application database
(so that every secrets backend works), and to clean its own tables.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ...errors import SchemaSyncError, TerminalError
from ...text import one_line
from .retention import LEAST_DAYS, delete_old_messages

DAG_ID = "schema_sync"

# Of the tables that `airflow db clean` can restrict to a DAG (3.3.2), those that grow with every run. Task instances
# take their XComs and their history with them, runs their deadlines.
AIRFLOW_TABLES = ("xcom", "task_instance", "task_instance_history", "dag_run", "log")
# Airflow restricts by a column dag_id, also where a table has none (3.3.2): it then cleans the other tables and fails.
# The rows of this one go with their runs.
_GO_WITH_THEIR_RUNS = {"deadline"}
# psycopg's words → those of `airflow connections get`.
_CONNECTION = {"host": "host", "port": "port", "dbname": "schema", "user": "login", "password": "password"}
_NOT_CLEANED = re.compile(r"did not clean them: \[([^\]]*)\]")


def main(arguments: Sequence[str] | None = None) -> int:
    """:return: 0 done, 1 something could not be cleaned, 2 wrong arguments (argparse)."""
    parser = argparse.ArgumentParser(
        prog="clean-up",
        description="Deletes what Schema Sync and Airflow have recorded of old runs. Open conversations stay, and so "
        "does each integration's newest. May run at any time, beside a run too.",
        epilog="Exit codes: 0 done, 1 something could not be cleaned (the reason is printed), 2 wrong arguments.",
    )
    parser.add_argument("--days", type=_days, default=90, metavar="N", help="keep the last N days (default 90)")
    parser.add_argument("--dry-run", action="store_true", help="count, delete nothing")
    only = parser.add_mutually_exclusive_group()
    only.add_argument("--only-messages", action="store_true", help="rows of slack_message_tracking only")
    only.add_argument("--only-airflow", action="store_true", help="Airflow's own tables only")
    asked = parser.parse_args(arguments)
    before = datetime.now(UTC) - timedelta(days=asked.days)
    messages_cleaned = asked.only_airflow or _clean_messages(before, asked.dry_run)
    airflow_cleaned = asked.only_messages or _clean_airflow(before, asked.dry_run)
    return 0 if messages_cleaned and airflow_cleaned else 1


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= LEAST_DAYS):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number of at least {LEAST_DAYS}: younger rows are still in use"
        )
    return int(text)


def _clean_messages(before: datetime, dry_run: bool) -> bool:
    import psycopg

    try:
        with psycopg.connect(**_application_db(), autocommit=True) as connection:
            deleted = delete_old_messages(connection, before=before, dry_run=dry_run)
    except psycopg.OperationalError as error:
        return _failed(
            f"The application database cannot be reached: {one_line(str(error))}. "
            "Check the Airflow connection `app_db`."
        )
    except SchemaSyncError as error:
        return _failed(str(error))
    done = "would be deleted" if dry_run else "deleted"
    _say(f"slack_message_tracking: {sum(deleted.values())} row(s) older than {before:%Y-%m-%d} {done}")
    for kind, number in deleted.items():
        _say(f"  {kind}: {number}")
    return True


def _application_db() -> dict[str, Any]:
    """What psycopg needs to connect: the Airflow connection ``app_db``, wherever it is kept."""
    answer = _airflow("connections", "get", "app_db", "--output", "json")
    try:
        (found,) = json.loads(answer.stdout)
        parameters = {name: found[key] for name, key in _CONNECTION.items()}
        for name, value in found["extra_dejson"].items():
            if name.startswith(("ssl", "keepalives", "options")):
                parameters[name] = str(value)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise TerminalError(
            "The Airflow connection `app_db` was not found, so no message row was looked at. Create it, for instance "
            "with the environment variable AIRFLOW_CONN_APP_DB."
        ) from None
    return {"connect_timeout": 10, **{name: value for name, value in parameters.items() if value not in (None, "")}}


def _clean_airflow(before: datetime, dry_run: bool) -> bool:
    """A table at a time, so that one that Airflow cannot clean is named."""
    good = True
    for table in AIRFLOW_TABLES:
        answer = _airflow(
            "db", "clean", "--tables", table, "--dag-ids", DAG_ID, "--clean-before-timestamp", before.isoformat(),
            "--skip-archive", "--yes", "--batch-size", "1000", "--error-on-cleanup-failure",
            *(["--dry-run"] if dry_run else []),
        )  # fmt: skip
        output = answer.stdout + answer.stderr
        missed = _NOT_CLEANED.search(output)
        left = set(re.findall(r"'(\w+)'", missed[1])) if missed else set()
        if answer.returncode and not (left and left <= _GO_WITH_THEIR_RUNS):
            good = _failed(f"Airflow's table {table} could not be cleaned: {one_line(output[-1_000:])}")
        else:
            _say(f"Airflow's {table}: {'counted' if dry_run else 'cleaned'}{_found(output, table)}")
    _say(
        "Left to `airflow db clean` without --dag-ids, which is for the whole installation: callback, trigger, job, "
        "asset_event, celery_taskmeta. Task log files: delete them by age, or expire them where they are kept."
    )
    return good


def _found(output: str, table: str) -> str:
    counts = re.findall(r"Checking table (\w+)\s+Found (\d+) rows", output)
    return "".join(f", {number} row(s) of {name}" for name, number in counts if name == table or int(number))


def _airflow(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 (this program's own words and a date)
        [sys.executable, "-P", "-m", "airflow", *arguments], capture_output=True, text=True, check=False
    )


def _failed(reason: str) -> bool:
    sys.stderr.write(f"clean-up: {reason}\n")
    return False


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
