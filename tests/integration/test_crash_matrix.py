"""Exactly one message and one row, wherever an attempt ends: before every statement, commit and call to Slack.

An attempt is a sequence of steps on its connection and its client. The matrix ends it before each of them in turn, by
death (an error that nobody may catch, and the connection with it) or by the loss of the connection alone, and lets
the same run, or the next one, go on. Real PostgreSQL, real HTTP.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.schema_sync.errors import TransientError
from include.schema_sync.notify.delivery import outbox
from include.schema_sync.notify.delivery import rows as tracking_rows
from include.schema_sync.notify.slack import rate_limits as turns
from tests.slack_stand_in import Fault

pytestmark = pytest.mark.postgres

MANY = [f"+many_{number:03}_{'x' * 120}" for number in range(60)]


class Killed(BaseException):
    """Ends an attempt as a killed worker ends: no handler of the code under test may catch it."""


@dataclass(frozen=True)
class Scenario:
    """What is said on the days before, and on the day that goes wrong; ``None``: the check failed."""

    name: str
    before: tuple[tuple[str, ...], ...]
    today: tuple[str, ...] | None

    def prepare(self, customer: Any) -> None:
        for day, problems in enumerate(self.before):
            customer.tell(day, problems)

    def attempt(self, customer: Any, *, later: int = 0, **how: Any) -> Any:
        day = len(self.before) + later
        return customer.tell_failure(day, **how) if self.today is None else customer.tell(day, self.today, **how)


SCENARIOS = [
    Scenario("first post", (), ("+amount", "status")),
    Scenario("paged first post", (), tuple(MANY)),
    Scenario("update only", (("status",),), ("status",)),
    Scenario("reply", (("status",),), ("status", "price")),
    Scenario("broadcast", (("status",),), ("status", "+amount")),
    Scenario("resolved notice", (("status",),), ()),
    Scenario("error notice", (), None),
    Scenario("error notice in a thread", (("status",),), None),
]
in_every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
SPEAKING = [scenario for scenario in SCENARIOS if scenario.name != "update only"]
wherever_a_message_is_sent = pytest.mark.parametrize("scenario", SPEAKING, ids=lambda scenario: scenario.name)


class Steps:
    """Counts the steps of an attempt and lets ``end`` happen before step number ``at``."""

    def __init__(self, customer: Any, at: int | None, end: Callable[[psycopg.Connection[Any]], None]) -> None:
        self.taken = 0
        self.at, self.end = at, end
        self.connection = _Stepping(customer.connect(), self)
        self.client = customer.client()
        call = self.client.api_call

        def api_call(*arguments: Any, **named: Any) -> Any:
            self.step()
            return call(*arguments, **named)

        self.client.api_call = api_call

    def step(self) -> None:
        if self.taken == self.at:
            self.at = None
            self.end(self.connection.real)
        self.taken += 1


class _Stepping:
    """A connection whose statements and commits are steps."""

    def __init__(self, real: psycopg.Connection[Any], steps: Steps) -> None:
        self.real, self.steps = real, steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def execute(self, *arguments: Any) -> Any:
        self.steps.step()
        return self.real.execute(*arguments)

    def commit(self) -> None:
        self.steps.step()
        self.real.commit()


def die(connection: psycopg.Connection[Any]) -> None:
    connection.close()
    raise Killed


def lose(connection: psycopg.Connection[Any]) -> None:
    """The network, or a failover of the database: the attempt itself goes on."""
    if connection.closed:
        return
    with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))


def outcome(customer: Any) -> list[tuple[Any, ...]]:
    """What people see in the end; a message by its words, a thread by its first message's place."""
    places = {message["ts"]: number for number, message in enumerate(customer.said())}
    return [
        (message["text"], places.get(message["thread_ts"]), message["reply_broadcast"]) for message in customer.said()
    ]


@pytest.fixture
def expected(new_customer: Callable[[], Any]) -> Callable[[Scenario], tuple[list[tuple[Any, ...]], int]]:
    """What a scenario comes to when nothing goes wrong, and in how many steps."""

    def run(scenario: Scenario) -> tuple[list[tuple[Any, ...]], int]:
        customer = new_customer()
        scenario.prepare(customer)
        steps = Steps(customer, None, die)
        scenario.attempt(customer, connection=steps.connection, client=steps.client)
        customer.check_one_row_each()
        return outcome(customer), steps.taken

    return run


@pytest.mark.parametrize("end", [die, lose], ids=["worker dies", "connection is lost"])
@in_every_scenario
def test_retry_completes_what_ended_anywhere(
    scenario: Scenario, end: Any, expected: Any, new_customer: Callable[[], Any]
) -> None:
    wanted, count = expected(scenario)
    ended = 0
    for at in range(count + 1):
        customer = new_customer()
        scenario.prepare(customer)
        steps = Steps(customer, at, end)
        try:
            scenario.attempt(customer, connection=steps.connection, client=steps.client)
        except (Killed, TransientError):
            ended += 1
        finally:
            steps.connection.close()
        scenario.attempt(customer)
        assert outcome(customer) == wanted, f"ended before step {at}"
        customer.check_one_row_each()
    # After the last commit nothing is left that could go wrong.
    assert ended >= count - 1


@in_every_scenario
def test_next_run_completes_what_ended_anywhere(
    scenario: Scenario, expected: Any, new_customer: Callable[[], Any]
) -> None:
    wanted, count = expected(scenario)
    for at in range(count + 1):
        customer = new_customer()
        scenario.prepare(customer)
        steps = Steps(customer, at, die)
        with suppress(Killed):
            scenario.attempt(customer, connection=steps.connection, client=steps.client)
        scenario.attempt(customer, later=1)
        scenario.attempt(customer)  # somebody clears the dead one
        pages = scenario.name.startswith("paged")  # those of a dead run are not sent; its successor's parent lists them
        came = [each for each in outcome(customer) if not (pages and each[1] is not None)]
        assert [each[1:] for each in came] == [each[1:] for each in wanted if not (pages and each[1] is not None)], (
            f"ended before step {at}"
        )
        customer.check_one_row_each()


FAULTS = {
    "lost before acceptance": Fault(drop=True),
    "lost after acceptance": Fault(drop=True, accepted=True),
    "500": Fault(status=500),
    "500 after acceptance": Fault(status=500, accepted=True),
    "answer later than the client waits": Fault(delay_s=1.2),
    "acceptance later than the client waits": Fault(hold_s=1.2),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@wherever_a_message_is_sent
def test_fault_of_slack_leads_to_one_message(
    scenario: Scenario, fault: Fault, expected: Any, customer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "SETTLE_S", 1.0)
    wanted, _ = expected(scenario)
    scenario.prepare(customer)
    customer.slack.fail("chat.postMessage", fault)
    waits = {"sleep": lambda seconds: time.sleep(min(seconds, 1.0))}
    with pytest.raises(TransientError):
        scenario.attempt(customer, options=waits)
    scenario.attempt(customer, options=waits)
    time.sleep(2 * fault.hold_s / 3)  # by then Slack has taken what the client gave up on, too
    assert outcome(customer) == wanted
    customer.check_one_row_each()


@wherever_a_message_is_sent
def test_storm_of_rate_limits_leads_to_one_message(
    scenario: Scenario, expected: Any, customer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, _ = expected(scenario)
    scenario.prepare(customer)
    waited: list[float] = []
    monkeypatch.setattr(turns, "_sleep", waited.append)
    for method in ("chat.postMessage", "chat.update", "conversations.history"):
        customer.slack.fail(method, Fault(status=429, retry_after=1), times=6)
    for _ in range(6):
        try:
            scenario.attempt(customer)
        except TransientError:
            continue
    assert waited
    assert outcome(customer) == wanted
    customer.check_one_row_each()


@in_every_scenario
def test_eight_workers_at_once_come_to_the_same(scenario: Scenario, expected: Any, customer: Any) -> None:
    wanted, _ = expected(scenario)
    scenario.prepare(customer)
    customer.slack.fail("chat.postMessage", Fault(hold_s=0.2), times=4)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: scenario.attempt(customer), range(8)))
    assert outcome(customer) == wanted
    customer.check_one_row_each()


@pytest.mark.parametrize("later", [0, 1], ids=["its own retry", "the next run"])
@pytest.mark.parametrize("after_the_gate", [False, True], ids=["before its last look", "after its last look"])
@wherever_a_message_is_sent
def test_zombie_that_wakes_up_late_adds_nothing(
    scenario: Scenario,
    after_the_gate: bool,
    later: int,
    customer: Any,
    monkeypatch: pytest.MonkeyPatch,
    expected: Any,
) -> None:
    """A worker falls asleep over a message, the server ends its lease, others do its work, it wakes up."""
    wanted, _ = expected(scenario)
    scenario.prepare(customer)
    zombie = customer.connect()
    client = customer.client()
    call = client.api_call
    pass_gate = turns.pass_gate
    slept: list[str] = []

    def sleep_once() -> None:
        if not slept:
            slept.append("zzz")
            lose(zombie)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(scenario.attempt, customer, later=later).result()

    def api_call(method: str, **arguments: Any) -> Any:
        if method == "chat.postMessage" and not slept:
            if after_the_gate:

                def gate_then_sleep() -> None:
                    monkeypatch.setattr(turns, "pass_gate", pass_gate)
                    pass_gate()
                    sleep_once()

                monkeypatch.setattr(turns, "pass_gate", gate_then_sleep)
            else:
                sleep_once()
        return call(method, **arguments)

    client.api_call = api_call
    with pytest.raises(TransientError):
        scenario.attempt(customer, connection=zombie, client=client)
    assert slept
    if later == 0:
        assert sorted(map(str, outcome(customer))) == sorted(map(str, wanted))
        customer.check_one_row_each()
        scenario.attempt(customer)
        assert len(outcome(customer)) == len(wanted)


@in_every_scenario
def test_worker_that_hangs_keeps_others_waiting_no_longer_than_its_lease(
    scenario: Scenario, customer: Any, monkeypatch: pytest.MonkeyPatch, expected: Any
) -> None:
    wanted, _ = expected(scenario)
    monkeypatch.setattr(tracking_rows, "LOCK_WAIT_S", 1)
    monkeypatch.setattr(tracking_rows, "LEASE_S", 3)
    scenario.prepare(customer)
    asleep, wake = threading.Event(), threading.Event()

    def hang(_: Any) -> None:
        asleep.set()
        wake.wait(20)

    steps = Steps(customer, None, hang)
    call = steps.client.api_call

    def api_call(*arguments: Any, **named: Any) -> Any:
        if not asleep.is_set() and arguments[0] != "reactions.get":  # what is asked before holds up nobody
            hang(None)
        return call(*arguments, **named)

    steps.client.api_call = api_call
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(scenario.attempt, customer, connection=steps.connection, client=steps.client)
        assert asleep.wait(10)
        with pytest.raises(TransientError, match="Another worker has been sending"):
            scenario.attempt(customer)
        time.sleep(3)
        scenario.attempt(customer)
        wake.set()
        assert isinstance(hanging.exception(20), TransientError)
    assert outcome(customer) == wanted
    customer.check_one_row_each()


_CHILD = """
import sys

sys.path[:0] = {path!r}
import psycopg
from tests.integration.conftest import Customer
customer = Customer({uri!r}, None, {organization!r}, {integration!r}, {channel!r})
class Slack: base_url, messages = {base_url!r}, []
customer.slack = Slack
customer.client = lambda: __import__("include.schema_sync.notify.slack.client", fromlist=["x"]).slack_client(
    {token!r}, base_url={base_url!r}, timeout_s=10)
customer.tell({day}, {problems!r})
"""


@pytest.mark.parametrize("name", ["first post", "broadcast"])
def test_killed_process_whose_request_is_still_under_way_does_not_lead_to_a_second_message(
    name: str, customer: Any, expected: Any, monkeypatch: pytest.MonkeyPatch, project_root: Path
) -> None:
    (scenario,) = [each for each in SCENARIOS if each.name == name]
    wanted, _ = expected(scenario)
    scenario.prepare(customer)
    customer.slack.fail("chat.postMessage", Fault(hold_s=2.0))
    posts = customer.slack.calls.count("chat.postMessage")
    script = _CHILD.format(
        path=[str(project_root)],
        uri=customer.uri,
        organization=customer.organization_id,
        integration=customer.integration_id,
        channel=customer.channel,
        base_url=customer.slack.base_url,
        token=customer.client().token,
        day=len(scenario.before),
        problems=scenario.today,
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=project_root) as child:
        deadline = time.monotonic() + 60
        while customer.slack.calls.count("chat.postMessage") == posts:
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        child.kill()
    killed = time.monotonic()
    scenario.attempt(customer, options={"sleep": time.sleep})
    time.sleep(max(killed + 2.3 - time.monotonic(), 0))  # by then Slack has taken the dead worker's request, too
    assert outcome(customer) == wanted
    customer.check_one_row_each()
