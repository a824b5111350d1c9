"""A batch of organizations is told: what it costs, and what becomes of who cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from include.schema_sync.errors import TerminalError
from include.schema_sync.notify.tell import Account, Desk, tell_organizations
from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.report import OrganizationReport, OrganizationTotals
from tests.integration.conftest import run_of

pytestmark = pytest.mark.postgres


class Counting:
    """A connection that counts its statements."""

    def __init__(self, real: psycopg.Connection[Any]) -> None:
        self.real, self.statements = real, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("real", "statements"):
            object.__setattr__(self, name, value)
        else:
            setattr(self.real, name, value)

    def execute(self, *arguments: Any) -> Any:
        self.statements += 1
        return self.real.execute(*arguments)


@contextmanager
def counting(customer: Any) -> Iterator[Any]:
    with psycopg.connect(customer.uri, autocommit=True) as real:
        yield Counting(real)


def give_channel(customer: Any, channel: str | None = "own") -> None:
    value = "{}" if channel is None else f'{{"id": "{customer.channel}"}}'
    with psycopg.connect(customer.uri, autocommit=True) as connection:
        connection.execute(
            "UPDATE slack_integrations SET default_channel = %s::jsonb WHERE id = %s", (value, customer.integration_id)
        )


def told(customers: list[Any], reports: list[OrganizationReport], day: float, **changes: Any) -> tuple[Account, int]:
    """One attempt for the whole batch: the account, and how many statements it took."""
    account = Account()
    with counting(customers[0]) as connection:
        desk = Desk(connection, lambda *_: customers[0].client(), run_of(day), Severity.WARNING, "{}")
        tell_organizations(reports, replace(desk, **changes), account)
        return account, connection.statements


def outcome(customer: Any, account: Account) -> OrganizationTotals:
    (one,) = [each for each in account.outcomes if each.organization_id == customer.organization_id]
    return one


def test_clean_organizations_cost_no_statement_of_their_own(new_customer: Callable[[], Any]) -> None:
    customers = [new_customer() for _ in range(40)]
    for customer in customers:
        give_channel(customer)
    clean = [customer.report([]) for customer in customers]
    account, statements = told(customers, clean, 0)
    assert statements <= 3  # integrations, conversations, what is unfinished
    assert len(account.outcomes) == 40
    assert customers[0].slack.calls == []
    # Two that had drift once: resolved and over, they cost nothing either.
    for customer in customers[:2]:
        customer.tell(0, ["+amount"])
        customer.tell(1, [])
    calls = len(customers[0].slack.calls)
    _, statements = told(customers, clean, 2)
    assert statements <= 3
    assert len(customers[0].slack.calls) == calls


def test_drifted_organization_costs_a_bounded_number_of_statements(new_customer: Callable[[], Any]) -> None:
    customers = [new_customer() for _ in range(20)]
    for customer in customers:
        give_channel(customer)
    reports = [customer.report(["+amount"] if number < 2 else []) for number, customer in enumerate(customers)]
    account, statements = told(customers, reports, 0)
    assert [each.notified for each in account.outcomes].count(True) == 2
    assert statements <= 3 + 2 * 12


@pytest.mark.parametrize("problems", [["+amount"], []])
def test_nobody_to_tell_is_not_told_with_the_reason(customer: Any, problems: list[str]) -> None:
    give_channel(customer, None)
    account, _ = told([customer], [customer.report(problems)], 0)
    expected = "its integration has no default channel: choose one" if problems else None
    assert (outcome(customer, account).untold, outcome(customer, account).notified) == (expected, False)
    with psycopg.connect(customer.uri, autocommit=True) as connection:
        connection.execute("UPDATE slack_integrations SET status = 'revoked' WHERE id = %s", (customer.integration_id,))
    account, _ = told([customer], [customer.report(problems)], 0)
    assert outcome(customer, account).untold == (
        "it has no active Slack integration: connect Slack" if problems else None
    )
    assert account.errors == []


def test_refusal_stays_with_its_organization_and_is_not_told(new_customer: Callable[[], Any]) -> None:
    customers = [new_customer() for _ in range(3)]
    for customer in customers:
        give_channel(customer)
    customers[1].slack.channels[customers[1].channel] = "archived"
    account, _ = told(customers, [customer.report(["+amount"]) for customer in customers], 0)
    assert [each.notified for each in account.outcomes] == [True, False, True]
    assert "is_archived" in str(outcome(customers[1], account).untold)
    (error,) = account.errors
    assert isinstance(error, TerminalError)


def test_check_that_failed_is_untold_only_where_nobody_can_be_told(customer: Any) -> None:
    failed = customer.report([], error="the warehouse is away")
    give_channel(customer)
    account, _ = told([customer], [failed], 0)
    assert (outcome(customer, account).untold, outcome(customer, account).notified) == (None, False)
    assert len(customer.said()) == 1
    give_channel(customer, None)
    account, _ = told([customer], [failed], 1)
    assert outcome(customer, account).untold == "its integration has no default channel: choose one"


def test_quiet_and_dry_runs_send_nothing_and_say_what_was_withheld(customer: Any) -> None:
    give_channel(customer)
    report = customer.report(["+amount"])
    quiet, _ = told([customer], [report], 0, quiet=True)
    dry, _ = told([customer], [report], 0, dry=True)
    assert (outcome(customer, quiet).withheld, outcome(customer, dry).withheld) == (True, False)
    assert customer.slack.calls == []
    assert customer.rows() == []


def test_content_and_sender_are_what_other_programs_read(customer: Any) -> None:
    give_channel(customer)
    for day, problems in enumerate([["+amount"], ["+amount", "+price"], []]):
        told([customer], [customer.report(problems)], day)
    told([customer], [customer.report([], error="away")], 3)
    with psycopg.connect(customer.uri) as connection:
        rows: Any = connection.execute(
            "SELECT message_type, content::jsonb, sender_info FROM slack_message_tracking WHERE integration_id = %s",
            (customer.integration_id,),
        ).fetchall()
    assert len(rows) >= 6
    for kind, content, sender in rows:
        assert {"text", "blocks", "messageType", "runId"} <= content.keys()
        assert content["messageType"] == kind or sender["action"] == "update"
        assert content["runId"].startswith("scheduled__")
        assert sender["sentBy"] == "schema-sync"
        assert (sender["organizationId"], sender["organizationName"]) == (customer.organization_id, "Acme")


def test_channel_without_threads_gets_each_news_as_a_message(customer: Any) -> None:
    from tests.slack_stand_in import Fault

    customer.tell(0, ["status"])
    for day, problem in ((1, "+price"), (2, "+amount")):
        problems = ["status", "+price", "+amount"][: day + 1]
        customer.slack.fail("chat.postMessage", Fault(error="restricted_action_non_threadable_channel"))
        said = customer.tell(day, problems)
        assert said.reached
        assert len(customer.in_channel()) == day + 1
        assert problem.removeprefix("+") in str(customer.in_channel()[-1]["blocks"])
    customer.check_one_row_each()


def test_unknown_refusal_of_an_update_never_stops_the_reply(customer: Any) -> None:
    from tests.slack_stand_in import Fault

    customer.tell(0, ["status"])
    customer.slack.fail("chat.update", Fault(error="a_word_of_tomorrow"))
    told_ = customer.tell(1, ["status", "+amount"])
    assert told_.reached
    assert "a_word_of_tomorrow" in str(told_.note)
    assert customer.said()[-1]["reply_broadcast"]
    customer.slack.fail("chat.update", Fault(error="a_word_of_tomorrow"))
    with pytest.raises(TerminalError, match="a_word_of_tomorrow"):  # nothing else to say: somebody must look
        customer.tell(2, ["status", "+amount"])
