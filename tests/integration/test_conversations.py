"""One drift, one conversation: every transition, against a real PostgreSQL and a local Slack."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from include.schema_sync.errors import TransientError
from include.schema_sync.notify.delivery.outbox import ThreadIncompleteError
from tests.integration.conversation_texts import whole
from tests.slack_stand_in import Fault

pytestmark = pytest.mark.postgres


def headline(message: dict[str, Any]) -> str:
    return str(message["blocks"][0]["text"]["text"])


def test_first_drift_is_a_message_in_the_channel(customer: Any) -> None:
    told = customer.tell(0, ["+amount", "status"])
    (posted,) = customer.said()
    assert (told.reached, told.ts) == (True, posted["ts"])
    assert (len(told.change.new), len(told.change.ongoing)) == (2, 0)
    assert posted["thread_ts"] is None
    assert customer.slack.calls == ["chat.postMessage"]  # the ordinary case needs no history
    (row,) = customer.rows()
    content = json.loads(row["content"])
    assert (content["version"], content["told"], content["before"]) == (1, True, None)
    assert content["text"] == posted["text"]
    assert row["sender_info"] == {
        "sentBy": "schema-sync",
        "organizationId": customer.organization_id,
        "organizationName": "Acme",
        "state": "sent",
        "action": "post",
        "run_id": "scheduled__0",
    }


def test_nothing_found_and_nothing_open_says_nothing(customer: Any) -> None:
    told = customer.tell(0)
    assert (told.reached, told.change, told.ts) == (False, None, None)
    assert customer.slack.calls == []
    assert customer.rows() == []


def test_same_problems_next_day_only_change_the_first_message(customer: Any) -> None:
    customer.tell(0, ["+amount"])
    told = customer.tell(1, ["+amount"])
    (posted,) = customer.said()
    assert posted["updates"] == 1
    assert told.reached
    assert [len(told.change.new), len(told.change.ongoing)] == [0, 1]
    assert customer.actions() == ["post", "update"]
    post, update = customer.rows()
    assert (update["slack_message_ts"], update["slack_thread_ts"]) == (posted["ts"], posted["ts"])
    assert posted["blocks"][0]["block_id"] == f"schema_sync:{post['internal_message_id']}"


def test_reminder_comes_after_a_week_and_not_before(customer: Any) -> None:
    customer.tell(0, ["+amount"])
    for day in range(1, 15):
        customer.tell(day, ["+amount"])
        assert len(customer.said()) == 1 + day // 7
    assert len(customer.in_channel()) == 1
    customer.check_one_row_each()


def test_new_warning_is_a_reply_and_a_new_critical_is_broadcast(customer: Any) -> None:
    told = customer.tell(0, ["+amount"])
    customer.tell(1, ["+amount", "status"])
    first, reply = customer.said()
    assert (reply["thread_ts"], reply["reply_broadcast"]) == (told.ts, False)
    customer.tell(2, ["+amount", "status", "+price"])
    *_, broadcast = customer.said()
    assert (broadcast["thread_ts"], broadcast["reply_broadcast"]) == (told.ts, True)
    assert "price" in whole(broadcast)
    assert "status" not in whole(broadcast)
    assert first["updates"] == 2
    assert customer.actions() == ["post", "update", "reply", "update", "broadcast"]
    customer.check_one_row_each()


def test_what_is_gone_is_told_and_when_all_is_gone_the_first_message_turns_green(customer: Any) -> None:
    customer.tell(0, ["+amount", "status"])
    told = customer.tell(1, ["status"])
    assert [len(told.change.resolved), len(told.change.ongoing)] == [1, 1]
    told = customer.tell(2)
    assert told.reached
    parent, gone, notice = customer.said()
    assert "✅" in headline(parent)
    assert gone["thread_ts"] == notice["thread_ts"] == parent["ts"]
    assert customer.rows()[-1]["message_type"] == "schema_sync_resolved"
    calls = len(customer.slack.calls)
    assert not customer.tell(3).reached
    assert len(customer.slack.calls) == calls
    customer.check_one_row_each()


@pytest.mark.parametrize(("day", "messages"), [(5, 1), (8, 2)])
def test_drift_that_comes_back_within_a_week_is_the_same_conversation(customer: Any, day: int, messages: int) -> None:
    customer.tell(0, ["status"])
    customer.tell(1)
    told = customer.tell(day, ["status"])
    assert len(customer.in_channel()) == messages
    assert (told.ts == customer.said()[0]["ts"]) is (messages == 1)
    assert "✅" not in headline(customer.in_channel()[-1])
    customer.check_one_row_each()


def test_other_channel_gets_a_new_conversation_with_the_old_dates(customer: Any) -> None:
    customer.tell(0, ["+amount"])
    other = {"channel": f"{customer.channel}other"}
    told = customer.tell(1, ["+amount"], options=other)
    old, new = customer.said()
    assert (new["channel"], new["thread_ts"]) == (other["channel"], None)
    assert "updates" not in old
    assert set(told.change.first_seen.values()) == {"2026-01-01T07:00:00Z"}
    customer.tell(2, [], options=other)
    assert "✅" in headline(new)
    customer.check_one_row_each()


def test_drift_that_is_over_is_ended_where_it_was_told_even_if_the_channel_changed(customer: Any) -> None:
    customer.tell(0, ["+amount"])
    told = customer.tell(1, [], options={"channel": f"{customer.channel}other"})
    parent, notice = customer.said()
    assert told.reached
    assert "✅" in headline(parent)
    assert notice["thread_ts"] == parent["ts"]


def test_old_channel_that_is_archived_keeps_nobody_from_ending(customer: Any) -> None:
    customer.tell(0, ["+amount"])
    customer.slack.channels[customer.channel] = "archived"
    other = {"channel": f"{customer.channel}other"}
    told = customer.tell(1, [], options=other)
    assert (told.reached, len(told.change.resolved)) == (False, 1)
    assert "is_archived" in told.note
    assert customer.tell(2, [], options=other).change is None
    assert customer.tell(3, ["+amount"], options=other).reached
    assert len(customer.said()) == 2


def test_older_run_that_is_cleared_changes_nothing(customer: Any) -> None:
    customer.tell(0, ["+amount"])
    customer.tell(1, ["+amount", "status"])
    before, calls = customer.rows(), len(customer.slack.calls)
    told = customer.tell(0, ["+other"])
    assert (told.reached, told.change) == (False, None)
    assert "later run" in told.note
    assert customer.rows() == before
    assert len(customer.slack.calls) == calls


@pytest.mark.parametrize("history", [[], [["+amount"]], [["+amount", "status"]], [["old"], []]])
def test_same_run_again_says_nothing_twice(customer: Any, history: list[list[str]]) -> None:
    for day, problems in enumerate(history):
        customer.tell(day, problems)
    today = len(history)
    first = customer.tell(today, ["+amount", "+price"])
    before, calls = customer.rows(), len(customer.slack.calls)
    again = customer.tell(today, ["+amount", "+price"])
    assert again.reached
    assert again.change == first.change
    assert customer.rows() == before
    assert len(customer.slack.calls) == calls


def test_run_that_finds_something_else_when_it_is_cleared_tells_the_difference(customer: Any) -> None:
    customer.tell(0, ["+amount"])
    told = customer.tell(0, ["+amount", "+price"])
    assert [found.column for found in told.change.new] == ["price"]
    assert [message["reply_broadcast"] for message in customer.said()] == [False, True]
    customer.tell(0)
    assert "✅" in headline(customer.said()[0])
    customer.check_one_row_each()


def test_unchecked_dataset_keeps_its_problems_open(customer: Any) -> None:
    customer.tell(0, ["+amount", "status"])
    told = customer.tell(1, ["status"], unchecked="a")
    assert [len(told.change.kept), len(told.change.resolved)] == [1, 0]
    assert "✅" not in headline(customer.said()[0])
    told = customer.tell(2, [], unchecked="as")
    assert [len(told.change.kept), len(told.change.resolved)] == [2, 0]
    assert len(customer.said()) == 1


def test_plain_rows_of_before_conversations_are_left_alone(customer: Any) -> None:
    customer.tell(0, ["status"])
    with customer.connect() as connection:
        connection.execute(
            "UPDATE slack_message_tracking SET content = 'an alert of last year' WHERE integration_id = %s",
            (customer.integration_id,),
        )
    assert customer.tell(1, ["status"]).reached
    assert len(customer.in_channel()) == 2
    customer.check_one_row_each()


def test_long_alert_is_paged_and_pages_are_not_repeated(customer: Any) -> None:
    problems = [f"+column_{number:04}_{'x' * 100}" for number in range(120)]
    customer.slack.fail("chat.postMessage", Fault())
    customer.slack.fail("chat.postMessage", Fault(drop=True, accepted=True))
    with pytest.raises(ThreadIncompleteError):
        customer.tell(0, problems)
    customer.tell(0, problems)
    count = len(customer.said())
    assert count > 2
    customer.tell(0, problems)
    assert len(customer.said()) == count
    customer.check_one_row_each()


def test_mention_goes_into_what_is_new(customer: Any) -> None:
    options = {"mention": lambda change: "<@U1>" if change.new else ""}
    customer.tell(0, ["status"], options=options)
    customer.tell(1, [], options=options)
    parent, notice = customer.said()
    assert "<@U1>" not in whole(parent) + whole(notice)
    customer.tell(9, ["status"], options=options)
    assert "<@U1>" in whole(customer.said()[-1])


def test_failing_check_is_told_once_and_then_updated(customer: Any) -> None:
    first = customer.tell_failure(0)
    second = customer.tell_failure(1, "still no route")
    (notice,) = customer.said()
    assert first.ts == second.ts == notice["ts"]
    assert "2026-01-02 07:00 UTC" in whole(notice)
    assert not customer.tell_failure(0).reached
    assert customer.actions() == ["post", "update"]
    customer.tell_failure(7)
    assert len(customer.said()) == 2
    customer.check_one_row_each()


def test_check_that_succeeded_in_between_makes_the_next_failure_news(customer: Any) -> None:
    customer.tell_failure(0)
    customer.tell(1)
    customer.tell_failure(2)
    assert len(customer.in_channel()) == 2


def test_failure_goes_into_the_thread_of_what_is_open(customer: Any) -> None:
    told = customer.tell(0, ["+amount"])
    customer.tell_failure(1)
    customer.tell_failure(2)
    _, notice = customer.said()
    assert (notice["thread_ts"], notice["updates"]) == (told.ts, 1)
    customer.slack.delete(customer.channel, notice["ts"])
    customer.tell_failure(3)
    assert [message["thread_ts"] for message in customer.said()] == [None, told.ts]


def test_failure_goes_to_the_channel_when_the_thread_is_gone(customer: Any) -> None:
    told = customer.tell(0, ["+amount"])
    customer.slack.delete(customer.channel, told.ts)
    customer.tell_failure(1)
    assert len(customer.in_channel()) == 1
    customer.tell_failure(1)
    assert len(customer.in_channel()) == 1


@pytest.mark.parametrize("accepted", [True, False])
def test_failure_notice_of_a_dead_run_is_found_or_replaced(customer: Any, accepted: bool) -> None:
    customer.slack.fail("chat.postMessage", Fault(drop=True, accepted=accepted))
    with pytest.raises(TransientError):
        customer.tell_failure(0)
    customer.tell_failure(1)
    assert len(customer.said()) == 1
    customer.check_one_row_each()


def test_two_customers_are_told_apart(new_customer: Callable[[], Any]) -> None:
    one, other = new_customer(), new_customer()
    one.tell(0, ["+amount"])
    other.tell(0, ["+amount"])
    one.tell(1)
    assert "✅" in headline(one.said()[0])
    assert "✅" not in headline(other.said()[0])
