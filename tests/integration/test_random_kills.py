"""A run over 20 organizations that is killed (SIGKILL) at random points, and started again, until it gets through.

Whenever it was killed: one message and one row each, nothing called clean that is not, every open problem still open.
``SCHEMA_SYNC_KILLS=50`` kills as often as it is told; the suite kills a few times.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.postgres

KILLS = int(os.environ.get("SCHEMA_SYNC_KILLS", "5"))
CUSTOMERS = 20
ROOT = Path(__file__).resolve().parents[2]

RUN = """
import json, sys
from types import SimpleNamespace
sys.path[:0] = [sys.argv[2], sys.argv[1]]
from conftest import Customer
plan = json.loads(sys.argv[3])
print("ready", flush=True)
for each in plan["customers"]:
    Customer(plan["uri"], SimpleNamespace(base_url=plan["slack"]), *each["who"]).tell(1, each["found"], **each["facts"])
print("done", flush=True)
"""


def day_of(number: int) -> dict[str, Any]:
    """What the second day finds; on the first, everybody had ``+amount`` and ``status``."""
    kinds: tuple[dict[str, Any], ...] = (
        {"found": ["+amount", "status", "+new"], "facts": {}},
        {"found": [], "facts": {}},
        {"found": [], "facts": {"unchecked": ["a", "s"]}},
        {"found": ["+amount", "status"], "facts": {}},
        {"found": [], "facts": {"error": "no route to host"}},
    )
    return kinds[number % len(kinds)]


def memory_of_parent(customer: Any) -> dict[str, Any]:
    parents = [row for row in customer.rows() if row["message_type"] == "schema_sync" and not row["slack_thread_ts"]]
    state: dict[str, Any] = json.loads(parents[0]["content"])["state"]
    return state


def test_a_killed_run_leaves_one_message_and_one_row_each_and_every_open_problem_open(
    new_customer: Callable[[], Any],
) -> None:
    customers = [new_customer() for _ in range(CUSTOMERS)]
    for customer in customers:
        customer.tell(0, ("+amount", "status"))
    plan = json.dumps(
        {
            "uri": customers[0].uri,
            "slack": customers[0].slack.base_url,
            "customers": [
                {"who": [each.organization_id, each.integration_id, each.channel], **day_of(number)}
                for number, each in enumerate(customers)
            ],
        }
    )
    chance, killed = random.Random(15), 0
    while True:
        command = [sys.executable, "-c", RUN, str(ROOT), str(Path(__file__).parent), plan]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
            assert run.stdout is not None
            assert run.stdout.readline() == "ready\n"
            try:
                run.wait(timeout=chance.uniform(0.0, 1.5) if killed < KILLS else 120)
            except subprocess.TimeoutExpired:
                run.kill()
                killed += 1
            done = run.stdout.read() == "done\n"
        for customer in customers:  # whatever has been said so far has been said once
            ids = [each["metadata"]["event_payload"]["internal_message_id"] for each in customer.said()]
            assert len(ids) == len(set(ids))
        if done and killed >= KILLS:
            break
        assert killed or done
        killed += done  # it was faster than the killer: again, as a run that is cleared
    for number, customer in enumerate(customers):
        customer.check_one_row_each()
        open_now = {problem[8] for problem in memory_of_parent(customer)["problems"]}
        found, unknown = day_of(number)["found"], day_of(number)["facts"]
        assert open_now == ({"amount", "status"} if unknown else {column.lstrip("+") for column in found})
        said = [row for row in customer.rows() if row["sender_info"]["action"] != "update"]
        resolved = [row for row in said if row["message_type"] == "schema_sync_resolved"]
        assert len(resolved) == (0 if found or unknown else 1)
