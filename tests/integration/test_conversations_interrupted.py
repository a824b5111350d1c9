"""Conversations through outages, dead runs, deleted messages and refusals: nothing is told twice, nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from include.schema_sync.errors import TerminalError, TransientError
from include.schema_sync.notify.delivery.outbox import ThreadIncompleteError
from tests.integration.conversation_texts import whole
from tests.slack_stand_in import Fault

pytestmark = pytest.mark.postgres


@pytest.mark.parametrize("problems", [["+amount"], ["+amount", "+price"]], ids=["as before", "with news"])
def test_deleted_message_is_replaced_by_a_new_conversation(customer: Any, problems: list[str]) -> None:
    first = customer.tell(0, ["+amount"])
    customer.slack.delete(customer.channel, first.ts)
    told = customer.tell(1, problems)
    (posted,) = customer.said()
    assert told.reached
    assert (posted["ts"], posted["thread_ts"]) == (told.ts, None)
    assert len(told.change.new) == len(problems) - 1
    assert (
        sorted(set(told.change.first_seen.values()))
        == ["2026-01-01T07:00:00Z", "2026-01-02T07:00:00Z"][: len(problems)]
    )
    customer.tell(2, problems)
    assert [message["ts"] for message in customer.said()] == [told.ts]


def test_deleted_message_whose_problems_are_gone_needs_no_new_one(customer: Any) -> None:
    first = customer.tell(0, ["+amount"])
    customer.slack.delete(customer.channel, first.ts)
    told = customer.tell(1)
    assert (told.reached, len(told.change.resolved)) == (False, 1)
    assert customer.said() == []
    assert customer.tell(2).change is None


def test_message_deleted_after_its_own_run_is_posted_again_when_the_run_is_cleared(customer: Any) -> None:
    first = customer.tell(0, ["+amount", "status"])
    customer.tell(1, ["+amount", "status"])
    customer.slack.delete(customer.channel, first.ts)
    assert customer.tell(1, ["+amount"]).reached
    assert len(customer.said()) == 1
    customer.slack.delete(customer.channel, customer.said()[0]["ts"])
    assert customer.tell(1, ["+amount", "price"]).reached
    assert len(customer.said()) == 1


def test_outage_for_a_whole_run_is_caught_up_with_the_dates_of_the_first_sight(customer: Any) -> None:
    customer.slack.fail("chat.postMessage", Fault(status=503), times=2)
    for _ in range(2):
        with pytest.raises(TransientError):
            customer.tell(0, ["+amount"])
    told = customer.tell(1, ["+amount", "status"])
    assert {found.column: told.change.first_seen[found.fingerprint][:10] for found in told.change.new} == {
        "amount": "2026-01-01",
        "status": "2026-01-02",
    }
    assert len(customer.in_channel()) == 1
    customer.check_one_row_each()


def test_outage_over_news_is_caught_up_by_the_next_run(customer: Any) -> None:
    customer.tell(0, ["status"])
    customer.slack.fail("chat.postMessage", Fault(status=503))
    with pytest.raises(ThreadIncompleteError):
        customer.tell(1, ["status", "+amount"])
    told = customer.tell(2, ["status", "+amount"])
    assert [found.column for found in told.change.new] == ["amount"]
    assert "2026-01-02T07:00:00Z" in told.change.first_seen.values()
    assert [message["reply_broadcast"] for message in customer.said()] == [False, True]
    customer.check_one_row_each()


def test_news_that_nobody_could_be_told_and_that_is_over_is_never_mentioned(customer: Any) -> None:
    customer.tell(0, ["status"])
    customer.slack.fail("chat.update", Fault(status=503))
    with pytest.raises(TransientError):
        customer.tell(1, ["status", "+amount"])
    told = customer.tell(2, ["status"])
    assert (told.change.new, told.change.resolved) == ((), ())
    assert len(customer.said()) == 1


@pytest.mark.parametrize("fault", [Fault(drop=True, accepted=True), Fault(status=500, accepted=True)])
def test_reply_of_a_dead_run_that_reached_slack_is_not_repeated_by_the_next(customer: Any, fault: Fault) -> None:
    customer.tell(0, ["status"])
    customer.slack.fail("chat.postMessage", fault)
    with pytest.raises(TransientError):
        customer.tell(1, ["status", "+amount"])
    told = customer.tell(2, ["status", "+amount"])
    assert told.change.new == ()
    assert len(customer.said()) == 2
    customer.check_one_row_each()


def test_notice_of_a_dead_run_that_reached_slack_is_not_told_again_on_any_later_day(customer: Any) -> None:
    customer.tell(0, ["status"])
    customer.slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        customer.tell(1)
    for day in (2, 3):
        assert customer.tell(day).change is None
    assert len(customer.said()) == 2
    customer.check_one_row_each()


def test_first_message_of_a_dead_run_that_reached_slack_is_gone_on_with(customer: Any) -> None:
    customer.slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        customer.tell(0, ["status"])
    told = customer.tell(1, ["status"])
    (posted,) = customer.said()
    assert (told.ts, len(told.change.ongoing)) == (posted["ts"], 1)
    customer.check_one_row_each()


def test_message_that_may_not_be_edited_any_more_goes_on_in_its_thread(customer: Any) -> None:
    customer.tell(0, ["status"])
    customer.slack.fail("chat.update", Fault(error="edit_window_closed"))
    told = customer.tell(1, ["status", "+amount"])
    assert told.reached
    assert "edit_window_closed" in told.note
    assert len(customer.said()) == 2
    assert customer.rows()[1]["sender_info"]["note"] == told.note


@pytest.mark.parametrize("code", ["thread_not_found", "restricted_action_thread_locked"])
def test_thread_that_takes_no_reply_makes_a_new_conversation(customer: Any, code: str) -> None:
    customer.tell(0, ["status"])
    customer.slack.fail("chat.postMessage", Fault(error=code))
    told = customer.tell(1, ["status", "+amount"])
    assert told.reached
    assert len(told.change.new) == 1
    assert told.ts == customer.in_channel()[-1]["ts"]
    assert len(customer.in_channel()) == 2
    customer.check_one_row_each()


def test_channel_that_the_app_is_not_in_is_joined(customer: Any, caplog: pytest.LogCaptureFixture) -> None:
    customer.slack.channels[customer.channel] = "public"
    with caplog.at_level("INFO"):
        assert customer.tell(0, ["status"]).reached
    assert customer.slack.calls == ["chat.postMessage", "conversations.join", "chat.postMessage"]
    assert "Joined channel" in caplog.text


@pytest.mark.parametrize("state", ["private", "archived", "unknown"])
def test_channel_that_takes_nothing_is_terminal_and_the_next_run_tells_all(customer: Any, state: str) -> None:
    customer.slack.channels[customer.channel] = state
    with pytest.raises(TerminalError, match="channel"):
        customer.tell(0, ["status"])
    assert customer.rows() == []
    customer.slack.channels[customer.channel] = "joined"
    assert len(customer.tell(1, ["status"]).change.new) == 1


def test_message_that_slack_finds_too_long_is_halved_and_nothing_is_lost(customer: Any) -> None:
    problems = [f"+column_{number:04}" for number in range(60)]
    customer.slack.message_total = 2_000
    customer.tell(0, problems)
    text = "".join(f"{whole(message)} {message['text']}" for message in customer.said())
    assert all(problem.removeprefix("+") in text for problem in problems)
    assert len(customer.in_channel()) == 1
    count = len(customer.said())
    customer.tell(0, problems)
    assert len(customer.said()) == count
    customer.check_one_row_each()


def test_interrupted_halves_are_completed(customer: Any) -> None:
    problems = [f"+column_{number:04}" for number in range(60)]
    customer.slack.message_total = 4_000
    customer.slack.fail("chat.postMessage", Fault())
    customer.slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(TransientError):
        customer.tell(0, problems)
    customer.tell(0, problems)
    text = "".join(f"{whole(message)} {message['text']}" for message in customer.said())
    assert all(problem.removeprefix("+") in text for problem in problems)
    customer.check_one_row_each()
