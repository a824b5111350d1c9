"""The application database is lost at each stage of a run: for good, or once, under one of a task's statements.

Whatever it takes along, the error names `app_db`, nothing that was not checked is called clean, and nobody is told
twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from tests.dags.conftest import _airflow_json as airflow_json
from tests.dags.test_schema_sync import DRIFTED, ORDERS

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

GROUP = "check_organization."
# {stage: the task before it}; the database is there until that one has succeeded.
STAGES = {
    "fetch_organizations": None,
    f"{GROUP}introspect": "fetch_organizations",
    f"{GROUP}diff": f"{GROUP}introspect",
    f"{GROUP}notify": f"{GROUP}diff",
}


class Outage:
    """From ``begin`` on the server ends the first connection to the application database that gets to a statement."""

    def __init__(self, uri: str, before: int) -> None:
        self.uri, self.before, self.lost, self.active = uri, before, 0, False

    def begin(self) -> None:
        self.active = True

    def statement(self, connection: psycopg.Connection[Any]) -> None:
        self.before -= 1
        if self.before < 0 and not self.lost:
            self.lost = connection.info.backend_pid
            with psycopg.connect(self.uri, autocommit=True) as other:
                psycopg.Cursor(other).execute("SELECT pg_terminate_backend(%s, 5000)", (self.lost,))


@pytest.fixture
def outage(world: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outage]:
    def make(before: int) -> Outage:
        made = Outage(world.application_uri, before)
        name = psycopg.conninfo.conninfo_to_dict(world.application_uri)["dbname"]
        execute = psycopg.Connection.execute

        def watched(self: psycopg.Connection[Any], *arguments: Any, **named: Any) -> Any:
            if made.active and not self.closed and self.info.dbname == name:
                made.statement(self)
            return execute(self, *arguments, **named)

        monkeypatch.setattr(psycopg.Connection, "execute", watched)
        return made

    return make


def run_with(world: Any, begin: Callable[[], None], stage: str) -> Any:
    with ExitStack() as stack:
        if (before := STAGES[stage]) is None:
            begin()
        else:
            stack.enter_context(world.after(before, begin))
        return world.run()


@pytest.mark.parametrize("stage", STAGES)
def test_a_database_that_stays_away_fails_its_stage_by_name_and_the_next_run_tells_once(world, refused_uri, stage):
    organization = world.customer("Acme", ORDERS, DRIFTED)
    run = run_with(world, lambda: world.connect("app_db", airflow_json(refused_uri)), stage)
    instance = stage if stage == "fetch_organizations" else f"{stage}[0]"
    (state,) = [state for name, state in run.states.items() if name.startswith(instance)]
    assert state == "failed"
    assert "app_db" in run.log
    assert world.messages(world.channel(organization)) == []
    (summary,) = world.messages("C0DATATEAM")
    assert "app_db" in json.dumps(summary) or "Acme" in json.dumps(summary)
    assert "no drift" not in json.dumps(summary).lower()
    found = run.result["result"]
    assert found["notificationsSent"] == 0
    assert run.result["success"] is False or stage == f"{GROUP}notify"
    if stage == f"{GROUP}notify":
        assert (found["criticalIssues"], run.outcomes()["Acme"]["notified"]) == (1, False)
        assert "app_db" in run.outcomes()["Acme"]["notification_error"]
    else:
        assert found["datasetsChecked"] == 0
    world.connect("app_db", airflow_json(world.application_uri))
    world.run()
    (alert,) = world.messages(world.channel(organization))
    assert "state" in json.dumps(alert)


@pytest.mark.parametrize(
    ("stage", "before"),
    [*((stage, 0) for stage in STAGES), *((f"{GROUP}notify", before) for before in (2, 4, 6, 8))],
)
def test_a_connection_lost_once_costs_a_try_and_no_second_message(world, outage, stage, before):
    organization = world.customer("Acme", ORDERS, DRIFTED)
    once = outage(before)
    run = run_with(world, once.begin, stage)
    assert once.lost
    once.active = False
    assert (run.state, run.result["result"]["criticalIssues"]) == ("success", 1)
    assert len(world.messages(world.channel(organization))) == 1
    rows = [row for row in world.tracked() if row[0] == "schema_sync"]
    assert len(rows) == 1
    world.run()
    assert len(world.messages(world.channel(organization))) == 1
