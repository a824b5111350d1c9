"""Every setting, its default and its bounds, one line each. The only reader of ``os.environ``.

Read inside tasks, never at import, but for :class:`DagSettings`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_network
from typing import Any, Self

from .errors import TerminalError

_TRUTHS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable.

    :ivar parse: its text → the setting's value, or a ValueError that says what is expected, and the default.
    """

    name: str
    default: Any
    parse: Callable[[str], Any]

    def value(self, environment: Mapping[str, str]) -> Any:
        text = environment.get(self.name, "").strip()
        try:
            return self.parse(text) if text else self.default
        except ValueError as expected:
            raise TerminalError(f"The environment variable {self.name} is {text[:40]!r}, {expected}") from None


def variables_of(settings: type[_FromEnvironment]) -> dict[str, Variable]:
    """{field: the environment variable that it is read from}."""
    return {each.name: each.metadata["variable"] for each in fields(settings) if "variable" in each.metadata}


def _setting(name: str, default: Any = None, parse: Callable[[str], Any] = str, *, secret: bool = False) -> Any:
    return field(repr=not secret, metadata={"variable": Variable(name, default, parse)})


def _whole_number(name: str, default: int | None, *, low: int, high: int, otherwise: str = "") -> Any:
    """:param otherwise: the default in words, where it follows from other settings."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
            raise ValueError(
                f"expected a whole number from {low} to {high}. "
                f"Correct it or remove it (default {otherwise or default})."
            )
        return int(text)

    return _setting(name, default, parse)


def _yes_or_no(name: str, *, default: bool) -> Any:
    def parse(text: str) -> bool:
        if text.lower() not in _TRUTHS:
            raise ValueError(f"expected true or false. Correct it or remove it (default {str(default).lower()}).")
        return _TRUTHS[text.lower()]

    return _setting(name, default, parse)


def _cloudwatch_namespace(text: str) -> str:
    """Characters and length as CloudWatch's PutMetricData takes them; AWS/ is kept for its own services."""
    if not re.fullmatch(r"[0-9A-Za-z.\-_/#:]{1,255}", text) or text.startswith("AWS/"):
        raise ValueError(
            "expected a CloudWatch namespace: up to 255 letters, digits and .-_/#: that do not begin with AWS/. "
            "Correct it or remove it (default: no metrics in the log)."
        )
    return text


def _impact(text: str) -> str:
    if text not in ("names", "counts", "off"):
        raise ValueError("expected names, counts or off. Correct it or remove it (default names).")
    return text


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(each.strip())) for each in text.split(",") if each.strip())
    except ValueError as error:
        raise ValueError(f"expected networks such as 10.0.0.0/8,fd00::/8 ({error}). Correct it or remove it.") from None


def _task_timeout() -> Any:
    return _whole_number("SCHEMA_SYNC_TASK_TIMEOUT_MINUTES", 20, low=1, high=1440)


@dataclass(frozen=True, slots=True)
class _FromEnvironment:
    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """:raises TerminalError: a value is not what it has to be; the message says which."""
        env = os.environ if environment is None else environment
        return cls(**{attribute: variable.value(env) for attribute, variable in variables_of(cls).items()})


@dataclass(frozen=True, slots=True)
class Settings(_FromEnvironment):
    """What tasks may be told from outside; docs/settings.md says what each is for.

    :ivar max_mapped: batches of a run; 1 024 is Airflow's own max_map_length, and a mapped group slows down long
        before it.
    :ivar wake_up_s: how much longer than a statement the first answer may take of a warehouse that is stopped.
    :ivar quiet_start_after_min: a first scheduled run that starts later than this after its time tells no organization.
    :ivar file_root: organizations' DuckDB and SQLite files, in a folder for each, named as its id; None: none are read.
    :ivar denied_networks, allowed_networks: where hosts of vault credentials may not, and may all the same, be.
    :ivar slack_base_url, results_url: None: Slack's own, Airflow's own.
    :ivar mentions: whom new problems call, as JSON text; ``notify.owners`` reads it.
    :ivar emf_namespace, environment: of the run's embedded metrics; without a namespace none are written.
    """

    max_mapped: int = _whole_number("SCHEMA_SYNC_MAX_MAPPED", 200, low=1, high=1024)
    connect_timeout_s: int = _whole_number("SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS", 10, low=1, high=300)
    statement_timeout_s: int = _whole_number("SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS", 60, low=1, high=3600)
    wake_up_s: int = _whole_number("SCHEMA_SYNC_WAKE_UP_SECONDS", 300, low=0, high=3600)
    task_timeout_min: int = _task_timeout()
    source_concurrency: int = _whole_number("SCHEMA_SYNC_SOURCE_CONCURRENCY", 4, low=1, high=64)
    organization_concurrency: int = _whole_number("SCHEMA_SYNC_ORGANIZATION_CONCURRENCY", 4, low=1, high=64)
    host_concurrency: int = _whole_number("SCHEMA_SYNC_HOST_CONCURRENCY", 4, low=1, high=64)
    compile_expressions: bool = _yes_or_no("SCHEMA_SYNC_COMPILE", default=True)
    confirm_missing: bool = _yes_or_no("SCHEMA_SYNC_CONFIRM_MISSING", default=True)
    reading_timeout_s: int = _whole_number("SCHEMA_SYNC_READING_TIMEOUT_SECONDS", 60, low=1, high=3600)
    most_columns: int = _whole_number("SCHEMA_SYNC_MOST_COLUMNS", 2_000_000, low=1_000, high=100_000_000)
    most_mebibytes: int = _whole_number("SCHEMA_SYNC_MOST_MEBIBYTES", 256, low=1, high=16_384)
    dry_run: bool = _yes_or_no("SCHEMA_SYNC_DRY_RUN", default=False)
    vault_first: bool = _yes_or_no("SCHEMA_SYNC_VAULT_FIRST", default=False)
    quiet_start_after_min: int = _whole_number("SCHEMA_SYNC_QUIET_START_AFTER_MINUTES", 60, low=0, high=10_000)
    file_root: str | None = _setting("SCHEMA_SYNC_FILE_ROOT")
    denied_networks: tuple[str, ...] = _setting(
        "SCHEMA_SYNC_DENIED_NETWORKS",
        ("127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10", "0.0.0.0/8", "::/128"),
        _networks,
    )
    allowed_networks: tuple[str, ...] = _setting("SCHEMA_SYNC_ALLOWED_NETWORKS", (), _networks)
    slack_base_url: str | None = _setting("SCHEMA_SYNC_SLACK_BASE_URL")
    results_url: str | None = _setting("SCHEMA_SYNC_RESULTS_URL")
    data_team_channel: str | None = _setting("DATA_TEAM_SLACK_CHANNEL_ID")
    data_team_webhook_url: str | None = _setting("DATA_TEAM_SLACK_WEBHOOK_URL", secret=True)
    notifier: str | None = _setting("SCHEMA_SYNC_NOTIFIER", secret=True)
    mentions: str = _setting("SCHEMA_SYNC_MENTIONS", "{}")
    patch_undocumented: bool = _yes_or_no("SCHEMA_SYNC_PATCH_UNDOCUMENTED", default=False)
    emf_namespace: str | None = _setting("SCHEMA_SYNC_EMF_NAMESPACE", None, _cloudwatch_namespace)
    impact: str = _setting("SCHEMA_SYNC_IMPACT", "names", _impact)
    environment: str = _setting("SCHEMA_SYNC_ENVIRONMENT", "production")

    @property
    def introspection_budget_s(self) -> float:
        """What is not known by then stays unchecked: what is known is reported before Airflow stops the task."""
        return self.task_timeout_min * 60 * 0.8


def results_url() -> str | None:
    """:attr:`Settings.results_url` alone: messages about a wrong setting need it too."""
    url: str | None = variables_of(Settings)["results_url"].value(os.environ)
    return url


@dataclass(frozen=True, slots=True)
class DagSettings(_FromEnvironment):
    """What Airflow must know while it parses the DAG file."""

    retries: int = _whole_number("SCHEMA_SYNC_RETRIES", 2, low=0, high=10)
    retry_delay_s: int = _whole_number("SCHEMA_SYNC_RETRY_DELAY_SECONDS", 60, low=0, high=3600)
    run_timeout_min: int = _whole_number("SCHEMA_SYNC_RUN_TIMEOUT_MINUTES", 60, low=1, high=1440)
    told_late_after_min: int | None = _whole_number(
        "SCHEMA_SYNC_LATE_AFTER_MINUTES", None, low=0, high=1440, otherwise="three quarters of the run's time-out"
    )
    task_timeout_min: int = _task_timeout()
    pool: str = _setting("SCHEMA_SYNC_POOL", "default_pool")

    @property
    def late_after_min(self) -> int:
        """The data team is told of a run that has not finished by then; 0: never."""
        late_after = self.told_late_after_min
        return self.run_timeout_min * 3 // 4 if late_after is None else late_after
