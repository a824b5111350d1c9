"""A run over 20 organizations that is killed (SIGKILL) in introspect, in diff and in notify, and cleared from there.

Afterwards: one message and one row each, nothing called clean that is not, every open problem still open.
``SCHEMA_SYNC_KILLS=50`` kills as often as it is told; the suite kills a few times.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.batch_of_stages import STAGES
from tests.integration.test_random_kills import memory_of_parent
from tests.integration.test_tell import give_channel

pytestmark = pytest.mark.postgres

KILLS = int(os.environ.get("SCHEMA_SYNC_KILLS", "5"))
ORGANIZATIONS = 20
ROOT = Path(__file__).resolve().parents[2]
# A stage's rough length in seconds: a kill comes within it, the first one of each directly at its beginning.
LENGTHS = {"introspect": 0.08, "diff": 0.05, "notify": 0.8}
YML = "name: orders\ndimensions: [{name: status, type: text}, {name: region, type: text}, {name: amount, type: text}]"
FIRST_DAY = ("status", "region")  # what each warehouse holds; amount is missing
# What the second day's warehouse holds, None: it cannot be reached; and which columns are then open problems.
SECOND_DAYS: tuple[tuple[tuple[str, ...] | None, set[str]], ...] = (
    (("status",), {"amount", "region"}),
    (("status", "region", "amount"), set()),
    (("status", "region"), {"amount"}),
    (None, {"amount"}),
)


def store(folder: Path, organization: str, columns: tuple[str, ...] | None) -> None:
    """The organization's warehouse with one table of these columns; None: without the file."""
    path = folder / f"{organization}.db"
    path.unlink(missing_ok=True)
    if columns is not None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"CREATE TABLE orders ({', '.join(f'{column} text' for column in columns)})")


class Run:
    """One run of the batch, in a process of its own that may be killed."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan

    def clear(self, stage: str) -> None:
        """As in Airflow's grid: this stage and what follows is to be done again."""
        for later in STAGES[STAGES.index(stage) :]:
            (Path(self.plan["folder"]) / f"{later}.json").unlink(missing_ok=True)

    def attempt(self, kill_in: str | None = None, after_s: float = 0.0) -> str:
        """:return: the last that it said before it was killed or done."""
        command = [sys.executable, "-m", "tests.integration.batch_of_stages", json.dumps(self.plan)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            while kill_in is not None and line not in (kill_in, ""):
                line = process.stdout.readline().strip()
            try:
                process.wait(timeout=120 if kill_in is None else after_s)
            except subprocess.TimeoutExpired:
                process.kill()
            return [line, *process.stdout.read().split()][-1]


def test_kills_in_every_stage_leave_one_message_each_and_every_open_problem_open(
    new_customer: Callable[[], Any], tmp_path: Path
) -> None:
    customers = [new_customer() for _ in range(ORGANIZATIONS)]
    ids = [customer.organization_id for customer in customers]
    for customer in customers:
        give_channel(customer)
        store(tmp_path, customer.organization_id, FIRST_DAY)
    plan = {"folder": str(tmp_path), "ids": ids, "yml": YML, "day": 0}
    run = Run(plan | {"uri": customers[0].uri, "slack": customers[0].slack.base_url})
    assert run.attempt() == "done"
    run.clear("introspect")
    run.plan["day"] = 1
    for number, organization in enumerate(ids):
        store(tmp_path, organization, SECOND_DAYS[number % len(SECOND_DAYS)][0])

    chance, killed = random.Random(KILLS), Counter[str]()
    while not all(killed[stage] for stage in STAGES) or sum(killed[stage] for stage in STAGES) < KILLS:
        stage = min(STAGES, key=killed.__getitem__)  # a run that was done before it was killed does not count
        run.clear(stage)  # what earlier kills have left undone before it is done now
        killed[run.attempt(stage, chance.uniform(0.0, LENGTHS[stage]) if killed[stage] else 0.0)] += 1
        for customer in customers:  # whatever has been said so far has been said once
            said = [each["metadata"]["event_payload"]["internal_message_id"] for each in customer.said()]
            assert len(said) == len(set(said))
    assert run.attempt() == "done"
    logging.getLogger(__name__).info("killed in %s", dict(killed))

    reports = {each["organization_id"]: each for each in json.loads((tmp_path / "diff.json").read_text())}
    for number, customer in enumerate(customers):
        columns, still_open = SECOND_DAYS[number % len(SECOND_DAYS)]
        report = reports[customer.organization_id]
        assert report["datasets_checked"] == (0 if columns is None else 1)
        assert (report.get("error") is None) is (columns is not None)
        customer.check_one_row_each()
        assert {problem[8] for problem in memory_of_parent(customer)["problems"]} == still_open
        kinds = Counter(row["message_type"] for row in customer.rows() if row["sender_info"]["action"] != "update")
        assert kinds["schema_sync_resolved"] == (1 if not still_open else 0)
        assert kinds["schema_sync_error"] == (1 if columns is None else 0)
