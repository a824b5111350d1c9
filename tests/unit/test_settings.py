"""Settings: defaults, bounds, and errors that say which variable to correct."""

from __future__ import annotations

import pytest

from include.schema_sync.errors import TerminalError
from include.schema_sync.notify.owners import mentions_by_organization
from include.schema_sync.settings import DagSettings, Settings, variables_of


def test_nothing_set_gives_the_documented_defaults():
    settings = Settings.from_environment({})
    assert (settings.max_mapped, settings.connect_timeout_s, settings.statement_timeout_s) == (200, 10, 60)
    assert settings.slack_base_url is None
    dag = DagSettings.from_environment({})
    assert (dag.retries, dag.retry_delay_s, dag.run_timeout_min, dag.pool) == (2, 60, 60, "default_pool")


def test_blank_is_the_same_as_not_set():
    settings = Settings.from_environment({"SCHEMA_SYNC_MAX_MAPPED": " ", "SCHEMA_SYNC_SLACK_BASE_URL": ""})
    assert (settings.max_mapped, settings.slack_base_url) == (200, None)


@pytest.mark.parametrize("value", ["0", "-1", "1e3", "abc", "1025", "١٢"])
def test_a_value_out_of_bounds_names_its_variable_and_the_bounds(value):
    with pytest.raises(TerminalError, match=r"SCHEMA_SYNC_MAX_MAPPED.*1 to 1024"):
        Settings.from_environment({"SCHEMA_SYNC_MAX_MAPPED": value})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", True),
        ("true", True),
        ("True", True),
        ("1", True),
        ("on", True),
        ("false", False),
        ("NO", False),
        ("0", False),
    ],
)
def test_a_switch_is_on_unless_it_is_switched_off(value, expected):
    assert Settings.from_environment({"SCHEMA_SYNC_CONFIRM_MISSING": value}).confirm_missing is expected


def test_a_switch_that_is_neither_on_nor_off_names_its_variable():
    with pytest.raises(TerminalError, match=r"SCHEMA_SYNC_CONFIRM_MISSING is 'maybe', expected true or false"):
        Settings.from_environment({"SCHEMA_SYNC_CONFIRM_MISSING": "maybe"})


def test_owners_that_nobody_can_read_name_the_variable_and_the_form():
    with pytest.raises(TerminalError, match=r"SCHEMA_SYNC_MENTIONS cannot be used: '@here' is no id .*correct it"):
        mentions_by_organization('{"*": {"critical": ["@here"]}}')


@pytest.mark.parametrize(("timeout", "late"), [("60", 45), ("30", 22), ("1", 0)])
def test_a_run_is_late_before_it_is_stopped(timeout, late):
    assert DagSettings.from_environment({"SCHEMA_SYNC_RUN_TIMEOUT_MINUTES": timeout}).late_after_min == late


def test_nobody_need_be_told_of_late_runs():
    assert DagSettings.from_environment({"SCHEMA_SYNC_LATE_AFTER_MINUTES": "0"}).late_after_min == 0


def test_metrics_for_cloudwatch_are_off_unless_a_namespace_is_named():
    assert Settings.from_environment({}).emf_namespace is None
    assert Settings.from_environment({"SCHEMA_SYNC_EMF_NAMESPACE": "Data/Sync-1"}).emf_namespace == "Data/Sync-1"


@pytest.mark.parametrize("value", ["AWS/Lambda", "two words", "x" * 256, "ü"])
def test_a_namespace_that_cloudwatch_would_refuse_is_refused_at_once(value):
    with pytest.raises(TerminalError, match=r"SCHEMA_SYNC_EMF_NAMESPACE is .*expected a CloudWatch namespace"):
        Settings.from_environment({"SCHEMA_SYNC_EMF_NAMESPACE": value})


@pytest.mark.parametrize("settings", [Settings, DagSettings])
def test_every_setting_is_documented(settings, project_root):
    documented = (project_root / "docs" / "settings.md").read_text()
    names = [variable.name for variable in variables_of(settings).values()]
    assert len(names) >= 6
    assert [name for name in names if f"| `{name}` |" not in documented] == []


def test_the_webhook_is_in_no_repr():
    settings = Settings.from_environment({"DATA_TEAM_SLACK_WEBHOOK_URL": "https://hooks.example.com/secret"})
    assert settings.data_team_webhook_url == "https://hooks.example.com/secret"
    assert "hooks.example.com" not in repr(settings)
