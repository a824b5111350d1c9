"""Sixty days of random drift for twenty organizations: every transition against a plain model written for this test.

The model knows nothing of rows, locks or messages: sets of problems, days, and what issue 5 says people should see.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from include.schema_sync.errors import TransientError
from include.schema_sync.notify.messages.layout import MessageKind
from tests.slack_stand_in import Fault

pytestmark = pytest.mark.postgres

DAYS, CUSTOMERS = 60, 20
PROBLEMS = ["+amount", "+address", "area", "+bill", "branch", "+city", "country", "currency"]
WEEK = 7


@dataclass
class Model:
    """One organization as its people should see it."""

    open: dict[str, int] = field(default_factory=dict)  # announced problem → day on which it was found first
    talking: bool = False  # there is a conversation that is not over for good
    resolved: int | None = None
    spoke: int = 0
    unannounced: dict[str, int] = field(default_factory=dict)  # found on days of an outage
    first_message_pending: bool = False
    failing_since: int | None = None  # checks that are incomplete, while nothing is known to be wrong
    notices: int = 0
    incidents: int = 0
    critical_days: int = 0
    in_channel: int = 0
    messages: int = 0

    def look(self, day: int, found: set[str], ignored: set[str], unchecked: set[str]) -> dict[str, set[str]]:
        """What changes on ``day``."""
        if self.resolved is not None and day - self.resolved >= WEEK:
            self.talking, self.resolved = False, None
        gone = set(self.open) - found
        silenced = gone & ignored
        kept = {problem for problem in gone - silenced if problem.lstrip("+")[0] in unchecked}
        return {
            "new": found - set(self.open),
            "ongoing": found & set(self.open),
            "ignored": silenced,
            "kept": kept,
            "resolved": gone - silenced - kept,
        }

    def complete(self, unchecked: AbstractSet[str]) -> None:
        if not unchecked:
            self.failing_since = None

    def tell(self, day: int, change: dict[str, set[str]], unchecked: AbstractSet[str] = frozenset()) -> None:
        """The people of the organization hear of it."""
        something = bool(self.open or change["new"])
        news = bool(change["new"] or change["resolved"] or change["ignored"])
        critical = any(problem.startswith("+") for problem in change["new"])
        for problem in change["resolved"] | change["ignored"]:
            del self.open[problem]
        self.open |= {problem: self.unannounced.get(problem, day) for problem in change["new"]}
        self.unannounced, self.first_message_pending = {}, False
        self.complete(unchecked)
        if not something:
            if unchecked and (self.failing_since is None or day - self.failing_since >= WEEK):
                self.failing_since = day
                self.notices += 1
                self.in_channel += 1
                self.messages += 1
            return
        if not self.talking:
            self.talking, self.spoke = True, day
            self.incidents += 1
            self.in_channel += 1
            self.messages += 1
            return
        self.resolved = None if self.open else day
        self.critical_days += critical
        self.in_channel += critical
        if news or (self.open and day - self.spoke >= WEEK):
            self.spoke = day
            self.messages += 1

    def miss(self, day: int, change: dict[str, set[str]], unchecked: set[str], *, history: bool) -> None:
        """Nobody hears of it, for Slack is down (``history``: it can still be read)."""
        if self.first_message_pending and not history:
            return
        self.complete(unchecked)
        self.unannounced = {problem: self.unannounced.get(problem, day) for problem in change["new"]}
        if not self.talking:
            self.first_message_pending = bool(change["new"])


# How often a day is what, for each organization on its own.
KINDS = {"fine": 70, "twice": 6, "lost answer": 8, "refused first": 6, "dead after the post": 4, "outage": 4, "down": 2}


def attempts(kind: str, customer: Any, tell: Callable[[], Any]) -> Any:
    """Let a day of this kind happen; returns what the last attempt says, None when it failed."""
    slack = customer.slack
    match kind:
        case "lost answer":
            slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
        case "refused first":
            slack.fail("chat.update", Fault(status=500))
            slack.fail("chat.postMessage", Fault(status=500))
        case "dead after the post":
            slack.fail("chat.postMessage", Fault(status=500, accepted=True))
        case "outage" | "down":
            for method in ("chat.postMessage", "chat.update"):
                slack.fail(method, Fault(status=503), times=5)
            if kind == "down":
                for method in ("conversations.history", "conversations.replies"):
                    slack.fail(method, Fault(status=503), times=5)
    told = None
    tries = 1 if kind == "dead after the post" else 3
    for _ in range(tries):
        try:
            told = tell()
            break
        except TransientError:
            continue
    slack.relent()
    if kind == "twice":
        assert tell() == told
    return told


@pytest.mark.parametrize("seed", [2026])
def test_sixty_days_of_drift_are_told_as_a_plain_model_says(seed: int, new_customer: Callable[[], Any]) -> None:
    chance = random.Random(seed)
    channel_messages = incidents = critical_days = notices = 0
    days_of: dict[str, int] = dict.fromkeys(KINDS, 0)
    for number in range(CUSTOMERS):
        customer, model = new_customer(), Model()
        connection = customer.connect()
        broken: set[str] = set()
        for day in range(DAYS):
            where = f"organization {number}, day {day}"
            for problem in PROBLEMS:
                if chance.random() < (0.25 if problem in broken else 0.04):
                    broken ^= {problem}
            unchecked = {letter for letter in "abc" if chance.random() < 0.07}
            ignored = {problem for problem in broken if chance.random() < 0.03}
            found = {each for each in broken - ignored if each.lstrip("+")[0] not in unchecked}
            (kind,) = chance.choices(list(KINDS), list(KINDS.values()))
            days_of[kind] += 1
            change = model.look(day, found, ignored, unchecked)

            tell = partial(
                customer.tell,
                day,
                sorted(found),
                connection=connection,
                unchecked=sorted(unchecked),
                ignored=sorted(ignored),
            )
            said = attempts(kind, customer, tell)
            if kind in ("outage", "down") and said is None:
                model.miss(day, change, unchecked, history=kind == "outage")
            else:
                model.tell(day, change, unchecked)
            if said is not None:
                assert seen(said) == {key: value for key, value in change.items() if value}, where
                check_dates(customer, model, said, where)
            assert len(customer.said()) == model.messages, where
            assert len(customer.in_channel()) == model.in_channel, where
        # Two quiet days with Slack at its best: nothing stays behind.
        for day in (DAYS, DAYS + 1):
            model.tell(day, model.look(day, set(), set(), set()))
            customer.tell(day, connection=connection)
        assert len(customer.said()) == model.messages
        first = [message["text"] for message in customer.said() if message["thread_ts"] is None]
        assert all("✅" in text or "Schema check" in text for text in first)
        customer.check_one_row_each()
        channel_messages += len(customer.in_channel())
        incidents += model.incidents
        notices += model.notices
        critical_days += model.critical_days
    assert channel_messages <= incidents + critical_days + notices
    # The days were worth living.
    assert min(days_of.values()) >= 10
    assert incidents >= CUSTOMERS
    assert critical_days >= CUSTOMERS
    assert notices >= CUSTOMERS


def seen(told: Any) -> dict[str, set[str]]:
    """{what: problems} that an attempt says changed."""
    if told.change is None:
        return {}
    known = {problem.removeprefix("+"): problem for problem in PROBLEMS}
    return {
        name: {known[each.column] for each in part}
        for name in ("new", "ongoing", "kept", "resolved", "ignored")
        if (part := getattr(told.change, name))
    }


def check_dates(customer: Any, model: Model, told: Any, where: str) -> None:
    """Since when each open problem is known, and whether the first message shows that something is open."""
    if told.ts is None or told.kind is MessageKind.SCHEMA_SYNC_ERROR:
        assert model.open == {}, where
        return
    days = {customer.found(problem).fingerprint: day for problem, day in model.open.items()}
    if told.change is not None:
        dates = {problem.fingerprint: problem.first_seen for problem in told.change.state.problems}
        assert dates == {key: customer.timestamp(day) for key, day in days.items()}, where
    (parent,) = [message for message in customer.said() if message["ts"] == told.ts]
    assert ("✅" in parent["text"]) is (not model.open), where
