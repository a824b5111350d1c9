"""Texts without secrets, parameters of a run, and what is tried again."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.airflow


def test_secrets_are_taken_out_of_texts_however_they_are_encoded():
    from airflow.sdk import Connection
    from schema_sync_airflow.connections import redactor

    extra = json.dumps({"private_key": "KEY-TEXT", "nested": {"api_token": ["tok-1"]}, "sslmode": "require"})
    redact = redactor(Connection(conn_id="x", conn_type="postgres", password="p@ss/word", extra=extra))
    text = "p@ss/word p%40ss%2Fword KEY-TEXT tok-1 require"
    assert redact(text) == "*** *** *** *** require"


def test_unknown_configuration_keys_are_listed_with_what_was_meant():
    from schema_sync_airflow.run.params import unknown_keys_message

    assert unknown_keys_message(["dry_run", "organization_ids"]) is None
    message = unknown_keys_message(["organisation_ids", "zzz"])
    assert "'organisation_ids', did you mean 'organization_ids'?" in message
    assert "Known keys are: organization_ids, dry_run, min_severity" in message


@pytest.mark.parametrize(
    ("error", "action"), [("TerminalError", "fail"), ("TransientError", "retry"), ("InvalidDatasetYml", "fail")]
)
def test_terminal_errors_fail_at_once_and_others_are_retried(error, action):
    from schema_sync_airflow.run.retries import TransientOnlyRetryPolicy

    from include.schema_sync import errors

    decision = TransientOnlyRetryPolicy(base_delay_s=10).evaluate(getattr(errors, error)("x"), 1, 2)
    assert decision.action.value == action


def test_delays_grow_are_jittered_and_bounded():
    from schema_sync_airflow.run.retries import TransientOnlyRetryPolicy

    from include.schema_sync.errors import TransientError

    policy = TransientOnlyRetryPolicy(base_delay_s=10)
    delays = {
        attempt: {policy.evaluate(TransientError("x"), attempt, 20).retry_delay.total_seconds() for _ in range(50)}
        for attempt in (1, 3, 15)
    }
    assert len(delays[1]) > 1
    assert all(5 <= delay <= 15 for delay in delays[1])
    assert all(20 <= delay <= 60 for delay in delays[3])
    assert all(delay <= 900 for delay in delays[15])
