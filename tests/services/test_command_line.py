"""``scripts/airflow dags test schema_sync``: what a person runs on a laptop against a real installation."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

pytestmark = [pytest.mark.services, pytest.mark.airflow, pytest.mark.postgres]

ORDERS = "CREATE TABLE orders (order_id bigint, amount numeric(12,2), status text)"
CLEAN = "name: orders\ndimensions: [{name: status, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"
DRIFTED = "name: orders\ndimensions: [{name: state, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"
RESULT = "schema-sync result "


@dataclass(frozen=True)
class Command:
    """One ``airflow dags test`` that has ended. ``posted`` are the messages that it sent."""

    code: int
    output: str
    posted: list[dict[str, Any]]

    @property
    def result(self) -> dict[str, Any]:
        (line,) = [line for line in self.output.splitlines() if RESULT in line]
        value: dict[str, Any] = json.JSONDecoder().raw_decode(line.split(RESULT, 1)[1])[0]
        return value


@pytest.fixture(scope="module")
def customers(installation) -> dict[str, str]:
    return {
        "Acme": installation.customer("Acme", ORDERS, CLEAN, vault=False),
        "Bluebird": installation.customer("Bluebird", ORDERS, DRIFTED),
        "Dune": installation.customer("Dune", ORDERS, CLEAN, reachable=False),
    }


@pytest.fixture(scope="module")
def dags_test(
    installation, customers, programs, plain_environment, project_root, tmp_path_factory
) -> Callable[..., Command]:
    """Run the command with these arguments, in one Airflow home that the first of them has to set up."""
    environment = {
        **plain_environment,
        **installation.environment,
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("home") / "airflow"),
    }

    def run(*arguments: str) -> Command:
        before = len(installation.slack.messages)
        command = [project_root / "scripts" / "airflow", "dags", "test", "schema_sync", *arguments]
        code, output = programs.run(f"dags-test-{uuid.uuid4().hex[:6]}", command, environment)
        return Command(code, output, installation.slack.messages[before:])

    return run


def test_a_dry_run_prints_what_would_be_sent_and_sends_and_records_nothing(dags_test, installation):
    command = dags_test("-c", '{"dry_run": true}')
    assert command.code == 0, command.output
    assert command.posted == []
    assert installation.execute("SELECT count(*) FROM slack_message_tracking") == [(0,)]
    assert " in Bluebird" in command.output
    assert command.result["success"] is True
    assert command.result["result"]["notificationsSent"] == 0
    assert installation.leaks(command.output) == set()


def test_without_configuration_every_active_organization_is_checked_and_told(dags_test, installation, customers):
    command = dags_test()
    assert command.code == 0, command.output
    result = command.result
    assert set(result) == {"success", "timestamp", "result"}
    assert result["timestamp"].endswith("Z")
    assert result["result"]["executionTimeMs"] > 0
    assert [(error["organizationName"], error["dataSourceId"] is None) for error in result["result"]["errors"]] == [
        ("Dune", True),
        ("Dune", False),
    ]
    assert result["result"] | {"executionTimeMs": 0, "errors": []} == {
        "success": True,
        "executionTimeMs": 0,
        "organizationsProcessed": 3,
        "totalDiscrepancies": 1,
        "criticalIssues": 1,
        "warnings": 0,
        "infos": 1,
        "datasetsChecked": 2,
        "datasetsUnchecked": 1,
        "notificationsSent": 1,
        "errors": [],
    }
    channels = [installation.channel(customers[name]) for name in ("Bluebird", "Dune")]
    assert sorted(message["channel"] for message in command.posted) == sorted([*channels, "C0DATATEAM"])
    assert installation.leaks(command.output) == set()


def test_the_command_fails_when_every_organization_does(dags_test, customers):
    command = dags_test("-c", json.dumps({"organization_ids": [customers["Dune"]], "dry_run": True}))
    assert command.code not in (0, None)
    assert command.result["success"] is False
    assert command.result["result"]["organizationsProcessed"] == 1
    assert "every organization of the run failed" in command.output


def test_the_command_fails_for_an_organization_that_is_not_there_and_names_it(dags_test, customers):
    unknown = "00000000-0000-4000-8000-000000000000"
    command = dags_test("-c", json.dumps({"organization_ids": [customers["Acme"], unknown], "dry_run": True}))
    assert command.code not in (0, None)
    assert command.result["success"] is False
    assert command.result["result"]["organizationsProcessed"] == 0
    assert unknown in json.dumps(command.result["result"]["errors"])
    assert command.posted == []
