"""One drift, one conversation: every transition, against a real PostgreSQL and a local Slack."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from include.schema_sync.errors import TerminalError, TransientError
from include.schema_sync.notify.delivery.outbox import ThreadIncompleteError
from tests.slack_stand_in import Fault

pytestmark = pytest.mark.postgres


def headline(message: dict[str, Any]) -> str:
    return str(message["blocks"][0]["text"]["text"])


def whole(message: dict[str, Any]) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)


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
