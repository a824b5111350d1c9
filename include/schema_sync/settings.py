"""Every setting, its default and its bounds. The only reader of ``os.environ``.

Read inside tasks with :func:`Settings.from_environment`, never at import. The one exception is
:class:`DagSettings`: Airflow must know retries, timeouts and the pool while it parses the DAG file.
README.md lists all of them in one table.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from .errors import TerminalError

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """What tasks may be told from outside.

    :ivar host_concurrency: connections to one server at once, from one process.
    :ivar confirm_missing: ask the warehouse itself before anything that its catalogue does not list is called missing.
    :ivar wake_up_s: how much longer than a statement the first answer may take of a warehouse that is stopped.
    :ivar slack_base_url: Web API address for every Slack call, None means Slack's own.
    :ivar introspection_budget_s: what is not known by then stays unchecked, so that what is known gets reported
        before Airflow stops the task.
    :ivar data_team_webhook_url: a secret: whoever knows it can post.
    :ivar patch_undocumented: suggested patches also add the columns that are in no dataset.
    :ivar emf_namespace: CloudWatch namespace of the run's embedded metrics, None: none are written.
    :ivar mentions: whom new problems call, as JSON text; ``notify.owners`` reads it.
    """

    max_mapped: int
    connect_timeout_s: int
    statement_timeout_s: int
    wake_up_s: int
    introspection_budget_s: float
    source_concurrency: int
    organization_concurrency: int
    host_concurrency: int
    confirm_missing: bool
    slack_base_url: str | None
    data_team_channel: str | None
    data_team_webhook_url: str | None
    mentions: str
    patch_undocumented: bool
    emf_namespace: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read all settings.

        :raises TerminalError: a value is not what it has to be, such as a number within its bounds; the message says
            which.
        """
        env = os.environ if environment is None else environment
        return cls(
            # 1 024 is Airflow's own max_map_length; a mapped group slows down long before (AIRFLOW notes).
            max_mapped=_whole_number(env, "SCHEMA_SYNC_MAX_MAPPED", default=200, low=1, high=1024),
            connect_timeout_s=_whole_number(env, "SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS", default=10, low=1, high=300),
            statement_timeout_s=_whole_number(
                env, "SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS", default=60, low=1, high=3600
            ),
            wake_up_s=_whole_number(env, "SCHEMA_SYNC_WAKE_UP_SECONDS", default=300, low=0, high=3600),
            introspection_budget_s=_task_timeout_min(env) * 60 * 0.8,
            source_concurrency=_whole_number(env, "SCHEMA_SYNC_SOURCE_CONCURRENCY", default=4, low=1, high=64),
            organization_concurrency=_whole_number(
                env, "SCHEMA_SYNC_ORGANIZATION_CONCURRENCY", default=4, low=1, high=64
            ),
            host_concurrency=_whole_number(env, "SCHEMA_SYNC_HOST_CONCURRENCY", default=4, low=1, high=64),
            confirm_missing=_yes_or_no(env, "SCHEMA_SYNC_CONFIRM_MISSING", default=True),
            slack_base_url=_text(env, "SCHEMA_SYNC_SLACK_BASE_URL"),
            data_team_channel=_text(env, "DATA_TEAM_SLACK_CHANNEL_ID"),
            data_team_webhook_url=_text(env, "DATA_TEAM_SLACK_WEBHOOK_URL"),
            mentions=_text(env, "SCHEMA_SYNC_MENTIONS") or "{}",
            patch_undocumented=_yes_or_no(env, "SCHEMA_SYNC_PATCH_UNDOCUMENTED", default=False),
            emf_namespace=_cloudwatch_namespace(env, "SCHEMA_SYNC_EMF_NAMESPACE"),
        )


@dataclass(frozen=True, slots=True)
class DagSettings:
    """What Airflow must know while it parses the DAG file.

    :ivar late_after_min: the data team is told of a run that has not finished by then; 0: never.
    """

    retries: int
    retry_delay_s: int
    run_timeout_min: int
    late_after_min: int
    task_timeout_min: int
    pool: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """:raises TerminalError: as :meth:`Settings.from_environment`; Airflow shows it as an import error."""
        env = os.environ if environment is None else environment
        run_timeout_min = _whole_number(env, "SCHEMA_SYNC_RUN_TIMEOUT_MINUTES", default=60, low=1, high=1440)
        return cls(
            retries=_whole_number(env, "SCHEMA_SYNC_RETRIES", default=2, low=0, high=10),
            retry_delay_s=_whole_number(env, "SCHEMA_SYNC_RETRY_DELAY_SECONDS", default=60, low=0, high=3600),
            run_timeout_min=run_timeout_min,
            late_after_min=_whole_number(
                env, "SCHEMA_SYNC_LATE_AFTER_MINUTES", default=run_timeout_min * 3 // 4, low=0, high=1440
            ),
            task_timeout_min=_task_timeout_min(env),
            pool=_text(env, "SCHEMA_SYNC_POOL") or "default_pool",
        )


def _task_timeout_min(env: Mapping[str, str]) -> int:
    return _whole_number(env, "SCHEMA_SYNC_TASK_TIMEOUT_MINUTES", default=20, low=1, high=1440)


def _text(env: Mapping[str, str], name: str) -> str | None:
    return env.get(name, "").strip() or None


def _cloudwatch_namespace(env: Mapping[str, str], name: str) -> str | None:
    """Characters and length as CloudWatch's PutMetricData takes them; AWS/ is kept for its own services."""
    text = _text(env, name)
    if text is not None and (not re.fullmatch(r"[0-9A-Za-z.\-_/#:]{1,255}", text) or text.startswith("AWS/")):
        raise TerminalError(
            f"The environment variable {name} is {text[:40]!r}, expected a CloudWatch namespace: up to 255 letters, "
            "digits and .-_/#: that do not begin with AWS/. Correct it or remove it (default: no metrics in the log)."
        )
    return text


def _yes_or_no(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = _text(env, name)
    if text is None:
        return default
    if text.lower() not in _TRUTHS:
        raise TerminalError(
            f"The environment variable {name} is {text[:40]!r}, expected true or false. "
            f"Correct it or remove it (default {str(default).lower()})."
        )
    return _TRUTHS[text.lower()]


def _whole_number(env: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = _text(env, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise TerminalError(
            f"The environment variable {name} is {text[:40]!r}, expected a whole number from {low} to {high}. "
            f"Correct it or remove it (default {default})."
        )
    return int(text)
