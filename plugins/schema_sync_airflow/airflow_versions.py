"""The only place that asks which Airflow this is: 3.1, 3.2 and 3.3 name, or lack, some things differently.

What an older one lacks is done by other means or left out, as README.md's table of versions says; nothing else in this
project looks at a version. 3.0 lacks too much and is refused in one sentence when the DAG file is parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from airflow import __version__

OLDEST = (3, 1)


def refuse_unsupported(text: str) -> tuple[int, int]:
    """(major, minor) of an Airflow that this project runs on.

    :raises RuntimeError: it is too old; Airflow shows the sentence as the DAG's import error.
    """
    found = re.match(r"(\d+)\.(\d+)", text)
    version = (int(found[1]), int(found[2])) if found else OLDEST
    if version < OLDEST:
        raise RuntimeError(f"Schema Sync needs Airflow 3.1 or newer, and this is {text}: upgrade Airflow.")
    return version


_VERSION = refuse_unsupported(__version__)
_HAS_RETRY_POLICIES = _VERSION >= (3, 3)
_HAS_3_2 = _VERSION >= (3, 2)

if TYPE_CHECKING or _HAS_3_2:
    from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException, AirflowRescheduleException
    from airflow.sdk.plugins_manager import AirflowPlugin
else:
    from airflow.exceptions import AirflowFailException, AirflowNotFoundException, AirflowRescheduleException
    from airflow.plugins_manager import AirflowPlugin

__all__ = ["AirflowFailException", "AirflowNotFoundException", "AirflowPlugin", "AirflowRescheduleException"]


def airflow_setting(section: str, key: str) -> str:
    """A value of Airflow's own configuration, ``""`` where it is not set."""
    if _HAS_3_2:
        from airflow.sdk.configuration import conf
    else:
        from airflow.configuration import conf
    return str(conf.get(section, key, fallback=""))


class Metrics(Protocol):
    """What is used of Airflow's metrics client."""

    def gauge(self, stat: str, value: float) -> None: ...
    def incr(self, stat: str, count: int) -> None: ...
    def timing(self, stat: str, dt: float) -> None: ...


def metrics() -> Metrics:
    """Airflow's metrics client: StatsD, Datadog, OpenTelemetry, or nothing."""
    client: Any
    if _VERSION >= (3, 3):
        from airflow.sdk.observability import stats as client
    elif _HAS_3_2:
        from airflow.sdk.observability.stats import Stats as client  # noqa: N813 (it is an object)
    else:
        from airflow.stats import Stats as client  # noqa: N813 (it is an object)
    return client  # type: ignore[no-any-return]


def when_to_retry(base_delay_s: float) -> Mapping[str, Any]:
    """A task's arguments for exponential backoff."""
    delay = timedelta(seconds=base_delay_s)
    if _HAS_RETRY_POLICIES:
        from schema_sync_airflow.run.retries import TransientOnlyRetryPolicy

        return {"retry_delay": delay, "retry_policy": TransientOnlyRetryPolicy(base_delay_s=base_delay_s)}
    # A factor from 3.2 on. Without a policy the jitter is Airflow's, the same for all mapped instances.
    backoff = 2.0 if _HAS_3_2 else True
    return {"retry_delay": delay, "retry_exponential_backoff": backoff, "max_retry_delay": timedelta(minutes=10)}


@contextmanager
def terminal_errors_fail_at_once() -> Iterator[None]:
    """Around a task: without a retry policy only an exception of Airflow's own ends all tries."""
    from include.schema_sync.errors import TerminalError

    try:
        yield
    except TerminalError as error:
        if _HAS_RETRY_POLICIES:
            raise
        raise AirflowFailException(str(error)) from error


def late_alert(after: timedelta, callback: Callable[..., Any]) -> Any:
    """The DAG's deadline, counted from when a run was queued; None where Airflow has none that it can keep (3.1)."""
    if not _HAS_3_2:
        return None
    from airflow.sdk.definitions.callback import AsyncCallback
    from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

    kept: dict[str, Any] = {"interval": after}
    if _VERSION >= (3, 3):
        # Seconds, which it reads as well: of a timedelta 3.3.2 cannot clear a run that failed (HTTP 500).
        kept = {"interval": after.total_seconds(), "name": "the run has not finished in time"}
    return DeadlineAlert(reference=DeadlineReference.DAGRUN_QUEUED_AT, callback=AsyncCallback(callback), **kept)


def run_types_but_backfill() -> Mapping[str, Any]:
    """The DAG's argument that lets Airflow refuse backfills; before 3.2 ``fetch_organizations`` refuses them."""
    if not _HAS_3_2:
        return {}
    from airflow.sdk.api.datamodels._generated import DagRunType

    return {"allowed_run_types": [each for each in DagRunType if each is not DagRunType.BACKFILL]}
