"""A reaction on an alert is read by the next run: who is then told less, until when, and what is told all the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.slack_stand_in import Fault

pytestmark = pytest.mark.postgres

CALLED = {"mention": lambda change: "<@UOWNER>" if change.new else ""}


def opened(customer: Any, *problems: str) -> str:
    """A conversation that began on day 0: its ts."""
    return str(customer.tell(0, problems or ("+amount",)).ts)


def first_message(customer: Any) -> str:
    return json.dumps(customer.said()[0]["blocks"], ensure_ascii=False)


def test_eyes_end_reminders_and_mentions_and_say_who(customer: Any) -> None:
    ts = opened(customer)
    customer.slack.react(customer.channel, ts, {"eyes": ["U1", "U2"], "tada": ["U3"]})
    for day in range(1, 16):
        customer.tell(day, ["+amount"], options=CALLED)
    assert len(customer.said()) == 1  # two reminders would have been due
    assert "👀 <@U1> looks into it: no reminders." in first_message(customer)
    customer.tell(16, ["+amount", "status"], options=CALLED)
    assert len(customer.said()) == 2  # news is told, and calls nobody
    assert "UOWNER" not in json.dumps(customer.said()[1]["blocks"])
    customer.tell(17, ["+amount", "status", "+price"], options=CALLED)
    assert "UOWNER" in json.dumps(customer.said()[2]["blocks"])  # a new critical calls whom it should
    customer.check_one_row_each()


def test_sleep_is_quiet_for_seven_days_except_for_new_criticals(customer: Any) -> None:
    ts = opened(customer)
    customer.slack.react(customer.channel, ts, {"zzz": ["U1"]})
    customer.tell(1, ["+amount", "status"])
    customer.tell(2, ["+amount"])
    assert len(customer.said()) == 1
    assert "💤 <@U1>: quiet until" in first_message(customer)
    assert "|2026-01-09>" in first_message(customer)
    customer.tell(3, ["+amount", "+price"])
    assert len(customer.in_channel()) == 2
    for day in range(4, 8):
        customer.tell(day, ["+amount", "+price", "status"])
    assert len(customer.said()) == 2
    customer.tell(8, ["+amount", "+price", "status", "note"])  # the week is over, though the reaction is still there
    assert len(customer.said()) == 3
    assert "💤" not in first_message(customer)
    customer.tell(9, ["+amount", "+price", "status", "note", "zip"])
    assert len(customer.said()) == 4
    customer.check_one_row_each()


def test_bell_is_quiet_until_something_new(customer: Any) -> None:
    ts = opened(customer, "+amount", "area")
    customer.slack.react(customer.channel, ts, {"no_bell": ["U1"]})
    for day in range(1, 9):
        customer.tell(day, ["+amount"])  # something is fixed, a week passes: not a word
    assert len(customer.said()) == 1
    assert "🔕 <@U1>: quiet until something new." in first_message(customer)
    customer.tell(9, ["+amount", "status"])
    assert len(customer.said()) == 2


def test_taking_the_reaction_away_undoes_it(customer: Any) -> None:
    ts = opened(customer)
    customer.slack.react(customer.channel, ts, {"zzz": ["U1"]})
    customer.tell(1, ["+amount", "status"])
    customer.slack.react(customer.channel, ts, {})
    customer.tell(2, ["+amount", "status", "note"])
    assert len(customer.said()) == 2
    assert "💤" not in first_message(customer)


def test_own_reaction_of_the_app_and_other_reactions_mean_nothing(customer: Any) -> None:
    ts = opened(customer)
    customer.slack.react(customer.channel, ts, {"eyes": ["U000"], "thumbsup": ["U1"]})
    for day in range(1, 9):
        customer.tell(day, ["+amount"])
    assert len(customer.said()) == 2  # the reminder
    assert "👀" not in first_message(customer)


def test_without_the_scope_the_feature_is_off_with_one_line(customer: Any, caplog: pytest.LogCaptureFixture) -> None:
    ts = opened(customer)
    customer.slack.react(customer.channel, ts, {"zzz": ["U1"]})
    customer.slack.fail("reactions.get", Fault(error="missing_scope"))
    with caplog.at_level("INFO"):
        assert customer.tell(1, ["+amount", "status"]).reached
    assert len(customer.said()) == 2
    assert [record.levelname for record in caplog.records if "Reactions" in record.getMessage()] == ["INFO"]


@pytest.mark.parametrize("how", ["hidden", "503"])
def test_what_slack_does_not_tell_any_more_goes_on_as_it_was_known(customer: Any, how: str) -> None:
    ts = opened(customer)
    customer.slack.react(customer.channel, ts, {"eyes": ["U1"]})
    customer.tell(1, ["+amount"])
    if how == "hidden":  # a workspace that does not pay hides what is older than 90 days
        customer.slack.oldest_shown = float(ts) + 1
    else:
        customer.slack.fail("reactions.get", Fault(status=503), times=20)
    for day in range(2, 9):
        assert customer.tell(day, ["+amount"]).reached
    assert len(customer.said()) == 1
    assert "👀 <@U1>" in first_message(customer)


def test_end_is_told_whatever_was_acknowledged_and_a_retry_asks_nobody(customer: Any) -> None:
    ts = opened(customer)
    customer.slack.react(customer.channel, ts, {"zzz": ["U1"]})
    customer.tell(1, ["+amount"])
    asked = customer.slack.calls.count("reactions.get")
    customer.tell(1, ["+amount"])
    assert customer.slack.calls.count("reactions.get") == asked
    customer.tell(2, [])
    assert "✅" in customer.said()[-1]["text"]
    assert len(customer.said()) == 2
    customer.tell(3, [])  # over: nobody is asked any more
    assert customer.slack.calls.count("reactions.get") == asked + 1
