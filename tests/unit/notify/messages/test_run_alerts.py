"""What the data team hears when a run itself goes wrong."""

from __future__ import annotations

import json

import pytest

from include.schema_sync.notify.messages.run_alerts import ended_without_summary_message, late_message
from include.schema_sync.nouns.run import RunFacts

RUN = RunFacts("manual__<1>", "2026-01-15T07:00:00Z", "https://airflow.example.com/dags/schema_sync/runs/manual__1")


def test_a_late_run_is_not_called_failed_and_its_end_is_told():
    message = late_message(late_after_min=45, run_timeout_min=60, run=RUN)
    assert "has not finished after 45 minutes" in message.text
    assert "is stopped 60 minutes after its start" in message.text
    assert "fail" not in message.text


@pytest.mark.parametrize(
    ("timed_out", "happened", "next_step"),
    [
        (True, "was stopped after 60 minutes", "SCHEMA_SYNC_RUN_TIMEOUT_MINUTES"),
        (False, "failed and has no summary", "The log of the task `summarize`"),
    ],
)
def test_a_run_without_a_summary_says_what_happened_and_what_to_do(timed_out, happened, next_step):
    message = ended_without_summary_message(timed_out=timed_out, run_timeout_min=60, run=RUN)
    assert happened in message.text
    assert next_step in json.dumps(message.blocks, ensure_ascii=False)


def test_alerts_link_to_the_run_and_have_no_thread():
    for message in (
        late_message(late_after_min=45, run_timeout_min=60, run=RUN),
        ended_without_summary_message(timed_out=True, run_timeout_min=60, run=RUN),
    ):
        assert RUN.run_url in json.dumps(message.blocks)
        assert "manual__<1>" not in json.dumps(message.blocks)
        assert message.replies == ()
