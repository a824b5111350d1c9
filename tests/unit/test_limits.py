"""Every limit that somebody chose, with the reason: who changes one changes it here too, knowingly."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module

import pytest

from include.schema_sync.introspect import source
from include.schema_sync.notify.delivery import outbox, rows
from include.schema_sync.notify.slack import rate_limits
from include.schema_sync.settings import DagSettings, Settings

_ROOT = "include.schema_sync."

LIMITS = {
    ("notify.delivery.rows", "LOCK_WAIT_S"): (30, "another worker's transaction on a row is over by then, or it hangs"),
    ("notify.delivery.rows", "LEASE_S"): (300, "longer than any pause of a healthy worker between two statements"),
    ("notify.delivery.rows", "CLOCK_DIFFERENCE_S"): (3900.0, "an hour and minutes: a summer time set wrong"),
    ("notify.delivery.outbox", "SETTLE_S"): (5.0, "Slack's history shows a message some seconds after it took it"),
    ("notify.slack.client", "RATE_LIMIT_RETRIES"): (3, "after that Airflow's own retry is the better wait"),
    ("notify.slack.rate_limits", "LONGEST_WAIT_S"): (60, "a longer Retry-After blocks other organizations' messages"),
    ("notify.slack.rate_limits", "SECONDS_PER_MESSAGE"): (1.0, "Slack's own: one message a second and channel"),
    ("notify.incidents", "REOPENS_WITHIN"): (timedelta(days=7), "contract: resolved less than seven days ago reopens"),
    ("notify.messages.conversation", "REMIND_AFTER"): (
        timedelta(days=6, hours=12), "weekly; half a day less, so that a run that starts early still reminds"),
    ("notify.messages.blocks", "MAX_TOTAL"): (9_000, "Slack refuses somewhere above, undocumented"),
    ("notify.messages.blocks", "MAX_BLOCKS"): (50, "Slack's own"),
    ("notify.delivery.retention", "LEAST_DAYS"): (14, "rows of the last week decide what is said next"),
    ("introspect.source", "_PROBING_TIMEOUTS"): (2, "confirming takes as long as two statements at most"),
    ("introspect.session", "_CONNECTIONS_PER_DATABASE"): (2, "one may break; a second break is the server's state"),
    ("introspect.confirm", "_TABLES_FOR_A_SCHEMA"): (5, "five absent tables stand for an absent schema"),
    ("introspect.rows", "OTHER_COLUMNS"): (200, "contract, section 14: other columns of a table in a snapshot"),
    ("introspect.bisect", "MOST_PARTS"): (150, "contract, section 11: parts of one round trip"),
}  # fmt: skip


@pytest.mark.parametrize(("module", "name"), LIMITS)
def test_a_limit_is_what_its_reason_says(module: str, name: str) -> None:
    value, reason = LIMITS[module, name]
    assert getattr(import_module(_ROOT + module), name) == value, reason


def test_a_lease_outlives_every_wait_of_its_holder() -> None:
    """Else a worker that merely waits for Slack would lose its row to another, and both would post."""
    waits = rate_limits.LONGEST_WAIT_S * 3 + rows.LOCK_WAIT_S + outbox.SETTLE_S
    assert waits < rows.LEASE_S


@pytest.mark.parametrize("minutes", [1, 20, 1440])
def test_introspection_ends_before_airflow_stops_its_task(minutes: int) -> None:
    """A fifth of the time is left for what was read to be returned."""
    environment = {"SCHEMA_SYNC_TASK_TIMEOUT_MINUTES": str(minutes)}
    assert Settings.from_environment(environment).introspection_budget_s == minutes * 60 * 0.8
    assert DagSettings.from_environment(environment).task_timeout_min == minutes


def test_confirming_takes_no_longer_than_the_task_has() -> None:
    settings = Settings.from_environment({})
    assert source._PROBING_TIMEOUTS * settings.statement_timeout_s < settings.introspection_budget_s
