"""Whole runs of the real DAG on real servers: what is found, who is told, what is recorded, how it ends."""

from __future__ import annotations

import json

import psycopg
import pytest

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

ORDERS = "CREATE TABLE orders (order_id bigint, amount numeric(12,2), status text)"
CLEAN = "name: orders\ndimensions: [{name: status, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"
DRIFTED = "name: orders\ndimensions: [{name: state, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"


def test_clean_and_drifted_organizations_side_by_side(world):
    clean = world.customer("Acme", ORDERS, CLEAN)
    drifted = world.customer("Bluebird", ORDERS, DRIFTED)
    run = world.run()
    assert run.state == "success"
    assert run.differences("Acme") == []
    assert run.differences("Bluebird") == [("missing_column", "state")]
    assert world.messages(world.channel(clean)) == []
    (alert,) = world.messages(world.channel(drifted))
    assert "Bluebird" in json.dumps(alert, ensure_ascii=False)
    assert "state" in json.dumps(alert)
    (summary,) = world.messages("C0DATATEAM")
    assert "Bluebird" in json.dumps(summary)
    assert [(row[0], row[1], row[2]) for row in world.tracked()] == [
        ("schema_sync", world.channel(drifted), alert["ts"]),
        ("schema_sync_summary", "C0DATATEAM", summary["ts"]),
    ]
    assert run.result["result"] | {"executionTimeMs": 0} == {
        "success": True,
        "executionTimeMs": 0,
        "organizationsProcessed": 2,
        "totalDiscrepancies": 1,
        "criticalIssues": 1,
        "warnings": 0,
        "infos": 1,
        "datasetsChecked": 2,
        "datasetsUnchecked": 0,
        "notificationsSent": 1,
        "errors": [],
    }
    assert run.result["success"] is True
    assert run.result["timestamp"].endswith("Z")
    line = next(line for line in run.log.splitlines() if "schema-sync result " in line)
    assert json.loads(line.split("schema-sync result ", 1)[1]) == run.result


def test_the_grid_labels_each_instance_with_its_organization_even_a_hostile_one(world):
    world.customer("{{ 1 + 1 }} <!channel>", ORDERS, CLEAN)
    run = world.run()
    labels = {name: label for name, label in run.labels.items() if name.startswith("check_organization")}
    assert set(labels.values()) == {"{{ 1 + 1 }} <!channel>"}
    assert len(labels) == 3


def test_one_unreachable_source_leaves_the_others_results_and_is_named_unchecked(world, refused_uri):
    organization = world.organization("Cobalt")
    world.dataset(world.source(organization, world.warehouse(ORDERS)), DRIFTED)
    broken = world.source(organization, refused_uri, name="Telemetry")
    world.dataset(broken, CLEAN)
    run = world.run()
    assert run.state == "success"
    assert run.differences("Cobalt") == [("missing_column", "state")]
    result = run.result["result"]
    assert (result["datasetsChecked"], result["datasetsUnchecked"]) == (1, 1)
    assert [error["dataSourceId"] for error in result["errors"]] == [broken]
    (alert,) = world.messages(world.channel(organization))
    assert "Telemetry" in json.dumps(alert)


def test_a_partly_checked_organization_without_drift_is_told_so_and_never_called_clean(world, refused_uri):
    organization = world.organization("Cobalt")
    world.dataset(world.source(organization, world.warehouse(ORDERS)), CLEAN)
    world.dataset(world.source(organization, refused_uri, name="Telemetry"), CLEAN)
    run = world.run()
    assert run.state == "success"
    (notice,) = world.messages(world.channel(organization))
    assert [row[0] for row in world.tracked()] == ["schema_sync_error", "schema_sync_summary"]
    assert "Telemetry" in json.dumps(notice)
    assert run.result["result"]["notificationsSent"] == 0


def test_a_failed_organization_is_red_and_told_while_the_run_stays_green(world, refused_uri):
    world.customer("Acme", ORDERS, CLEAN)
    failed = world.organization("Dune")
    source = world.source(failed, refused_uri)
    world.dataset(source, CLEAN)
    run = world.run()
    assert run.state == "success"
    assert run.states["check_organization.introspect[0]"] == "success"
    assert run.states["check_organization.introspect[1]"] == "failed"
    assert run.states["check_organization.diff[1]"] == "upstream_failed"
    assert run.states["check_organization.notify[1]"] == "success"
    (notice,) = world.messages(world.channel(failed))
    assert "not a drift report" in json.dumps(notice).lower()
    result = run.result["result"]
    assert result["organizationsProcessed"] == 2
    assert (result["datasetsChecked"], result["datasetsUnchecked"]) == (1, 1)
    assert [(error["organizationId"], error["dataSourceId"]) for error in result["errors"]] == [
        (failed, None),
        (failed, source),
    ]
    assert run.outcomes()["Dune"]["error"] is not None
    assert run.outcomes()["Acme"]["error"] is None


def test_the_run_fails_after_its_summary_when_every_organization_failed(world, refused_uri):
    organization = world.organization("Dune")
    world.dataset(world.source(organization, refused_uri), CLEAN)
    run = world.run()
    assert run.state == "failed"
    assert run.result["success"] is False
    assert len(world.messages("C0DATATEAM")) == 1


def test_no_active_organization_is_a_green_run_that_says_so(world):
    run = world.run()
    assert run.state == "success"
    assert run.result["result"]["organizationsProcessed"] == 0
    (summary,) = world.messages("C0DATATEAM")
    assert "no active organization" in json.dumps(summary).lower()


def test_an_organization_without_datasets_is_processed_and_not_called_clean(world):
    organization = world.organization("Empty")
    world.source(organization, world.warehouse(ORDERS))
    run = world.run()
    assert run.state == "success"
    assert world.messages(world.channel(organization)) == []
    assert "no-datasets" in run.log


def test_missing_credentials_make_the_source_unchecked_and_say_which_connection_to_create(world):
    organization = world.organization("Acme")
    world.dataset(world.source(organization, world.warehouse(ORDERS)), CLEAN)
    source = world.source(organization, None, name="Without")
    world.dataset(source, CLEAN)
    run = world.run()
    (error,) = run.result["result"]["errors"]
    assert f"data_source_{source.replace('-', '_')}" in error["error"]
    assert run.states["check_organization.introspect[0]"] == "success"


def test_an_unknown_kind_of_warehouse_is_unchecked_and_lists_the_known_ones(world):
    organization = world.organization("Acme")
    world.dataset(world.source(organization, world.warehouse(ORDERS), kind="oracle"), CLEAN)
    run = world.run()
    assert run.state == "failed"
    assert "postgres" in run.result["result"]["errors"][-1]["error"]


def test_credentials_from_the_vault_reach_the_warehouse_and_slack(world):
    from urllib.parse import urlsplit

    world.execute("CREATE SCHEMA vault")
    world.execute("CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text)")
    organization = world.organization("Acme", slack=False)
    source = world.source(organization, None)
    world.dataset(source, DRIFTED)
    parts = urlsplit(world.warehouse(ORDERS))
    secret = {
        "type": "postgres", "host": parts.hostname, "port": parts.port, "database": parts.path[1:],
        "username": parts.username, "password": parts.password,
    }  # fmt: skip
    world.execute("INSERT INTO vault.decrypted_secrets VALUES (%s, %s)", source, json.dumps(secret))
    world.execute("INSERT INTO vault.decrypted_secrets VALUES ('slack-acme', 'xoxb-from-the-vault')")
    world.execute(
        "INSERT INTO slack_integrations (organization_id, token_vault_key, status, default_channel)"
        " VALUES (%s, 'slack-acme', 'active', '{\"id\": \"CVAULT\"}')",
        organization,
    )
    run = world.run()
    assert run.differences("Acme") == [("missing_column", "state")]
    assert len(world.messages("CVAULT")) == 1


def test_drift_without_slack_is_reported_to_the_data_team_only(world):
    world.customer("Harbor", ORDERS, DRIFTED, slack=False)
    run = world.run()
    assert run.state == "success"
    assert [message["channel"] for message in world.slack.messages] == ["C0DATATEAM"]
    assert run.result["result"]["notificationsSent"] == 0
    assert "no active Slack integration" in run.log


def test_a_dry_run_renders_messages_into_the_log_and_sends_and_records_nothing(world):
    world.customer("Acme", ORDERS, DRIFTED)
    run = world.run({"dry_run": True})
    assert run.state == "success"
    assert world.slack.messages == []
    assert world.tracked() == []
    assert run.result["result"]["criticalIssues"] == 1
    assert run.result["result"]["notificationsSent"] == 0
    assert "Dry run" in run.log


def test_only_the_named_organizations_are_checked(world):
    one = world.customer("One", ORDERS, DRIFTED)
    world.customer("Two", ORDERS, DRIFTED)
    run = world.run({"organization_ids": [one.upper()]})
    assert set(run.reports()) == {"One"}
    assert run.result["result"]["organizationsProcessed"] == 1


def test_an_unknown_organization_fails_the_run_and_the_data_team_hears_why(world):
    world.customer("One", ORDERS, DRIFTED)
    unknown = "00000000-0000-4000-8000-000000000000"
    run = world.run({"organization_ids": [unknown]})
    assert run.state == "failed"
    assert run.states["fetch_organizations[-1]"] == "failed"
    (message,) = world.messages("C0DATATEAM")
    assert unknown in json.dumps(message)
    assert len(world.slack.messages) == 1


def test_a_typo_in_the_configuration_checks_nobody_and_is_told_to_who_made_it(world):
    organization = world.customer("One", ORDERS, DRIFTED)
    run = world.run({"organisation_ids": [organization]})
    assert run.state == "failed"
    assert "'organisation_ids', did you mean 'organization_ids'?" in run.log
    assert world.slack.messages == []  # the data team's channel is a real one
    assert run.result["error"] == {"code": "SCHEMA_SYNC_FAILED", "message": run.result["error"]["message"]}
    assert "unknown keys" in run.result["error"]["message"]


def test_min_severity_decides_what_an_alert_shows_not_what_is_counted(world):
    retyped = world.customer("Retyped", ORDERS, "name: orders\nmeasures: [{name: amount, type: text}]")
    run = world.run({"min_severity": "critical"})
    assert world.messages(world.channel(retyped)) == []
    assert run.result["result"]["warnings"] == 1


def test_an_undelivered_alert_turns_its_task_red_and_is_in_the_summary(world):
    organization = world.customer("Acme", ORDERS, DRIFTED)
    world.customer("Bluebird", ORDERS, CLEAN)
    world.execute("UPDATE slack_integrations SET token_vault_key = 'nothing' WHERE organization_id = %s", organization)
    run = world.run()
    assert run.state == "success"
    assert run.states["check_organization.notify[0]"] == "failed"
    (summary,) = world.messages("C0DATATEAM")
    assert "Acme" in json.dumps(summary)
    assert run.result["result"]["criticalIssues"] == 1
    assert run.result["result"]["notificationsSent"] == 0


def test_the_run_fails_when_the_summary_cannot_be_delivered(world, monkeypatch):
    world.customer("Acme", ORDERS, CLEAN)
    monkeypatch.setenv("SCHEMA_SYNC_SLACK_BASE_URL", "http://127.0.0.1:9/api/")
    run = world.run()
    assert run.state == "failed"
    assert run.result["success"] is False
    assert run.result["result"]["datasetsChecked"] == 1


def test_the_data_team_hears_of_an_application_database_that_is_down(world, refused_uri):
    parts = refused_uri.rsplit(":", 1)[1].split("/")[0]
    world.connect(
        "app_db", {"conn_type": "postgres", "host": "127.0.0.1", "port": int(parts), "password": "canary-app"}
    )
    run = world.run()
    assert run.state == "failed"
    (message,) = world.messages("C0DATATEAM")
    assert "app_db" in json.dumps(message)
    assert "canary-app" not in run.log


def test_without_a_data_team_the_summary_goes_to_the_log(world, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_DATA_TEAM_SLACK")
    run = world.run()
    assert run.state == "success"
    assert "Nobody is told" in run.log


def test_the_webhook_is_the_data_teams_second_way(world, monkeypatch):
    monkeypatch.delenv("AIRFLOW_CONN_DATA_TEAM_SLACK")
    monkeypatch.setenv("DATA_TEAM_SLACK_WEBHOOK_URL", world.slack.webhook_url)
    run = world.run()
    assert run.state == "success"
    assert len(world.slack.messages) == 1
    assert world.slack.webhook_url not in run.log
    assert [(row[0], row[1]) for row in world.tracked()] == [("schema_sync_summary", "C0DATATEAM")]


def test_the_task_log_says_what_was_asked_how_long_it_took_and_what_differs(world):
    world.customer("Acme", ORDERS, DRIFTED)
    log = world.run().log
    assert "FROM namespace" in log  # the query
    (group,) = [line for line in log.splitlines() if "schema-sync group " in line]
    assert "1 table asked for, 1 table found, 3 columns; 1 statement(s)" in group
    assert " ms" in group
    assert "missing_column" in log
    assert "did you mean" in log


def test_a_run_that_found_criticals_ends_with_a_warning_in_the_log_and_one_without_does_not(world):
    drifted = world.customer("Acme", ORDERS, DRIFTED)
    clean = world.customer("Bluebird", ORDERS, CLEAN)

    def warnings(*organization_ids):
        world.run({"organization_ids": [*organization_ids]})
        records = [each for each in world.records.records if each.name.endswith("tasks.summarize")]
        return [each.getMessage() for each in records if each.levelname == "WARNING"]

    assert warnings(drifted, clean) == [
        "schema-sync: 1 critical issue(s) in 1 of 2 organizations; queries on these datasets fail"
    ]
    assert warnings(clean) == []


@pytest.mark.parametrize("kind", ["password", "host"])
def test_a_terminal_error_is_not_retried_and_a_transient_one_is(world, refused_uri, kind):
    organization = world.organization("Acme")
    uri = world.warehouse(ORDERS) if kind == "password" else refused_uri
    source = world.source(organization, uri.replace("postgres:", "postgres:wrong", 1) if kind == "password" else uri)
    world.dataset(source, CLEAN)
    run = world.run()
    tries = run.log.count("schema-sync group ")
    assert tries == (1 if kind == "password" else 2)
    assert run.states["check_organization.introspect[0]"] == "failed"


def test_a_table_dropped_in_mid_run_is_reported_as_it_was_when_asked(world):
    organization = world.organization("Acme")
    uri = world.warehouse(ORDERS)
    world.dataset(world.source(organization, uri), CLEAN)
    assert world.run().differences("Acme") == []
    with psycopg.connect(uri, autocommit=True) as warehouse:
        warehouse.execute("DROP TABLE orders")
    assert world.run().differences("Acme") == [("missing_table", None)]


def test_secrets_reach_no_log_no_xcom_no_message_and_no_row(world, refused_uri):
    """Canaries in every place where a secret is kept; each path of failure is taken."""
    organization = world.customer("Acme", ORDERS, DRIFTED)
    world.dataset(world.source(organization, refused_uri, name="Refused"), CLEAN)
    wrong = world.warehouse(ORDERS).replace("postgres:", "postgres:canary-wrong-", 1)
    world.dataset(world.source(organization, wrong, name="Wrong password"), CLEAN)
    world.execute("CREATE SCHEMA vault")
    world.execute("CREATE TABLE vault.decrypted_secrets (name text, decrypted_secret text)")
    broken = world.source(organization, None, name="Broken vault row")
    world.dataset(broken, CLEAN)
    world.execute("INSERT INTO vault.decrypted_secrets VALUES (%s, %s)", broken, '{"password": "canary-vault", oops')
    run = world.run()
    assert len(run.result["result"]["errors"]) == 3
    everywhere = "\n".join(
        [
            run.log,
            json.dumps(run.xcoms, default=str),
            json.dumps(world.slack.messages, default=str),
            str(world.execute("SELECT * FROM slack_message_tracking")),
        ]
    )
    for canary in ("s3cret-canary-pw", "canary-wrong", "canary-vault", "xoxb-data-team-0123456789"):
        assert canary not in everywhere
