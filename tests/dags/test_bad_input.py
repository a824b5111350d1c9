"""What customers, servers and people at the keyboard can get wrong: reported in its place, and nobody else notices."""

from __future__ import annotations

import json
import re
import socket
import uuid
from contextlib import closing

import psycopg
import pytest
from psycopg import sql

from tests.airflow_names import airflow_name

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

ORDERS = "CREATE TABLE orders (order_id bigint, amount numeric(12,2), status text)"
CLEAN = "name: orders\ndimensions: [{name: status, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"
DRIFTED = "name: orders\ndimensions: [{name: state, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"

LAUGHS = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
UNREADABLE = {
    "empty": "",
    "comment": "# the whole dataset was commented out\n# name: orders\n",
    "laughs": f"name: orders\nl0: &l0 [lol]\n{LAUGHS}",
    "deep": "name: orders\ndimensions: " + "[" * 5_000 + "]" * 5_000,
    "large": CLEAN + "\n#" + "x" * (1_100 * 1024),
}

# As every sort of name. `forged` would begin a line of its own in a log that shows names as they are.
HOSTILE = [
    '"; DROP TABLE orders; --',
    "'; DROP TABLE orders; --",
    "<!channel>",
    "@here",
    "🧨 émoji",
    "n" * 200,
    "line\nforged: nothing differs",
    "tab\there",
    "back`tick",
    "\u202egnp.exe",
    "{{ 1+1 }}",
    "%s",
    "%(schema)s",
]


def as_yml(**keys: object) -> str:
    """JSON is YAML, and its quotes hold any character."""
    return json.dumps(keys, ensure_ascii=False)


def test_a_malformed_organization_id_is_refused_before_anything_runs(world):
    ParamValidationError = airflow_name("ParamValidationError", "airflow.sdk.exceptions", "airflow.exceptions")  # noqa: N806

    organization = world.customer("Acme", ORDERS, DRIFTED)
    for ids in [[organization, "not-an-id"], [f"{organization}' OR true --"], organization, [], [None]]:
        with pytest.raises((ParamValidationError, ValueError), match="organization_ids"):  # 3.2 raises the latter
            world.run({"organization_ids": ids})
    assert world.slack.messages == []
    assert world.tracked() == []


def test_unreadable_yml_is_a_verdict_on_that_dataset_and_on_no_other(world, refused_uri):
    """A warehouse that nothing has to be asked of is not even connected to, so that it is down is no failure."""
    world.customer("Acme", ORDERS, CLEAN)
    unreadable = world.organization("Bombs")
    source = world.source(unreadable, world.warehouse(ORDERS))
    world.dataset(source, CLEAN, name="good")
    hopeless = world.organization("Hopeless")
    down = world.source(hopeless, refused_uri)
    for name, yml in UNREADABLE.items():
        world.dataset(source, yml, name=name)
        world.dataset(down, yml, name=name)
    run = world.run()
    assert run.state == "success"
    assert set(run.states.values()) == {"success"}
    assert run.differences("Acme") == []
    for organization in ("Bombs", "Hopeless"):
        found = [each for each in run.reports()[organization]["discrepancies"] if each["severity"] != "info"]
        assert {each["type"] for each in found} == {"invalid_yml"}
        assert sorted(each["dataset_name"] for each in found) == sorted(UNREADABLE)
    result = run.result["result"]
    assert (result["datasetsChecked"], result["datasetsUnchecked"]) == (2 + 2 * len(UNREADABLE), 0)
    assert result["errors"] == []
    assert {message["channel"] for message in world.slack.messages} == {
        "C0DATATEAM", world.channel(unreadable), world.channel(hopeless)
    }  # fmt: skip


@pytest.fixture
def hostile_warehouse(world):
    """For each hostile name a schema that holds a table that has a column, all of that name."""
    uri = world.warehouse(ORDERS)
    with psycopg.connect(uri, autocommit=True) as warehouse:
        for text in HOSTILE:
            name = sql.Identifier(text)
            warehouse.execute(sql.SQL("CREATE SCHEMA {}").format(name))
            warehouse.execute(sql.SQL("CREATE TABLE {0}.{0} ({0} bigint)").format(name))
    return uri


def test_hostile_names_are_names_wherever_they_stand(world, hostile_warehouse, monkeypatch):
    monkeypatch.setenv("SCHEMA_SYNC_MAX_MAPPED", "3")
    ids = {}
    for text in HOSTILE:
        ids[text] = organization = world.organization(text)
        world.execute(
            "UPDATE slack_integrations SET default_channel = default_channel || jsonb_build_object('name', %s::text)"
            " WHERE organization_id = %s",
            text, organization,
        )  # fmt: skip
        source = world.source(organization, hostile_warehouse, name=text)
        # NUL is a character that YAML can write and that no name in PostgreSQL can have.
        for schema, table, column in [
            (text, text, text),
            (text, text, f"no {text}"),
            (text, f"no {text}", text),
            (f"no {text}", text, text),
            (text, text, f"nul\0{text}"),
            (text, f"nul\0{text}", text),
            (f"nul\0{text}", text, text),
        ]:
            metric = {"name": f"{text}\0", "expr": f"{text}\0", "type": text}
            yml = as_yml(name=table, schema=schema, dimensions=[{"name": column}], metrics=[metric], filters=[metric])
            world.dataset(source, yml, name=text)
    broken = world.organization("broken\u2028forged: \u202e")
    world.dataset(world.source(broken, None, name="without\nforged: credentials"), CLEAN)
    world.dataset(world.source(broken, hostile_warehouse, name="with\nforged: credentials"), DRIFTED)
    world.execute("UPDATE slack_integrations SET token_vault_key = 'a\nforged: b' WHERE organization_id = %s", broken)
    run = world.run()
    assert run.state == "success"
    assert run.outcomes()["broken\u2028forged: \u202e"]["notification_error"] is not None
    for text in HOSTILE:
        found = [each for each in run.reports()[text]["discrepancies"] if each["severity"] != "info"]
        assert sorted(each["type"] for each in found) == [
            "missing_column", "missing_column", "missing_schema", "missing_schema", "missing_table", "missing_table",
        ], text  # fmt: skip
        assert {each["column"] for each in found} > {None, f"no {text}"}
        (alert,) = world.messages(world.channel(ids[text]))
        assert_harmless(alert)
    (summary,) = world.messages("C0DATATEAM")
    assert_harmless(summary)
    # Nothing ran that was a name: the table that the names want dropped is still there.
    with psycopg.connect(hostile_warehouse) as warehouse:
        assert warehouse.execute("SELECT count(*) FROM public.orders").fetchone() == (0,)
    assert not [line for line in run.log.splitlines() if line.lstrip().startswith("forged")]
    assert "\u202e" not in run.log
    # Airflow keeps what tasks hand on as PostgreSQL's jsonb, which refuses some texts that JSON allows.
    assert world.execute("SELECT jsonb_typeof(%s::jsonb)", json.dumps(run.xcoms)) == [("array",)]


def assert_harmless(message):
    """The stand-in has held it to Slack's limits already; what is left is what its texts could do."""
    for written in [message["text"], *texts_of(message["blocks"])]:
        text = re.sub(r"<!date\^\d+\^[^<>|]*\|[^<>|]*>", "", written)  # ours: a time in the reader's own zone
        for live in ("<!", "<@", "@here", "@channel", "\u202e", "\0"):
            assert live not in text


def texts_of(block):
    if isinstance(block, list):
        return [text for each in block for text in texts_of(each)]
    if isinstance(block, dict):
        return [text for each in block.values() for text in texts_of(each)]
    return [block] if isinstance(block, str) else []


@pytest.fixture
def silent_uri():
    """A server that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield f"postgresql://reader:secret@127.0.0.1:{listener.getsockname()[1]}/shop"


def test_a_silent_server_is_given_up_and_a_wrong_password_is_not_tried_again(world, silent_uri, monkeypatch):
    monkeypatch.setenv("SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS", "1")
    monkeypatch.setenv("SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS", "1")
    partly = world.organization("Partly silent")
    silent = world.source(partly, silent_uri, name="Silent")
    world.dataset(silent, CLEAN)
    world.dataset(world.source(partly, world.warehouse(ORDERS)), DRIFTED)
    refused = world.organization("Refused")
    wrong = world.source(refused, world.warehouse(ORDERS).replace("postgres:", "postgres:wrong", 1))
    world.dataset(wrong, CLEAN)
    run = world.run()
    assert run.state == "success"
    assert run.differences("Partly silent") == [("missing_column", "state")]
    result = run.result["result"]
    assert (result["datasetsChecked"], result["datasetsUnchecked"]) == (1, 2)
    assert [(error["organizationName"], error["dataSourceId"]) for error in result["errors"]] == [
        ("Partly silent", silent), ("Refused", None), ("Refused", wrong),
    ]  # fmt: skip
    assert "password" in result["errors"][-1]["error"]
    groups = [line for line in run.log.splitlines() if "schema-sync group " in line]
    assert len([line for line in groups if "'Silent'" in line]) == 2
    assert len([line for line in groups if "'Refused'" in line]) == 1


def test_what_a_role_may_not_read_is_inaccessible_and_not_missing(world):
    role = f"reader_{uuid.uuid4().hex}"
    uri = world.warehouse(
        f"""
        CREATE ROLE {role} LOGIN PASSWORD 'reads-little';
        {ORDERS};
        CREATE TABLE salaries (id bigint, salary numeric);
        CREATE TABLE people (id bigint, name text, iban text);
        CREATE SCHEMA hidden;
        CREATE TABLE hidden.plans (id bigint);
        GRANT SELECT ON orders TO {role};
        GRANT SELECT (id, name) ON people TO {role};
        GRANT SELECT ON hidden.plans TO {role};
        """
    )
    server = uri.split("@", 1)[1]
    organization = world.organization("Acme")
    source = world.source(organization, f"postgresql://{role}:reads-little@{server}")
    world.dataset(source, CLEAN)
    world.dataset(source, as_yml(name="salaries", dimensions=[{"name": "id"}, {"name": "gone"}]))
    world.dataset(source, as_yml(name="people", dimensions=[{"name": "id"}, {"name": "iban"}]))
    world.dataset(source, as_yml(name="plans", dimensions=[{"name": "id"}]), schema="hidden")
    run = world.run()
    found = [each for each in run.reports()["Acme"]["discrepancies"] if each["severity"] != "info"]
    assert sorted((each["type"], each["schema"], each["table"], each["column"] or "") for each in found) == [
        ("inaccessible_table", "hidden", "plans", ""),
        ("inaccessible_table", "public", "people", "iban"),
        ("inaccessible_table", "public", "salaries", ""),
    ]
    assert run.result["result"]["datasetsChecked"] == 4


def test_changes_in_mid_run_are_neither_an_error_nor_mixed_with_what_was_asked(world, monkeypatch):
    """A table is dropped, one YML is edited and one dataset deleted, all after introspection and before the diff."""
    monkeypatch.setenv("SCHEMA_SYNC_MAX_MAPPED", "1")  # one introspection for all, so that all are between the two
    uri = world.warehouse(ORDERS)
    world.dataset(world.source(world.organization("Dropped"), uri), CLEAN)
    source = world.source(world.organization("Edited"), world.warehouse(ORDERS))
    edited = world.dataset(source, CLEAN, name="edited")
    world.dataset(source, CLEAN, name="untouched")
    source = world.source(world.organization("Deleted"), world.warehouse(ORDERS))
    deleted = world.dataset(source, DRIFTED, name="deleted")
    world.dataset(source, CLEAN, name="kept")

    def change() -> None:
        with psycopg.connect(uri, autocommit=True) as warehouse:
            warehouse.execute("DROP TABLE orders")
        world.execute("UPDATE datasets SET yml_file = %s WHERE id = %s", DRIFTED, edited)
        world.execute("UPDATE datasets SET deleted_at = now() WHERE id = %s", deleted)

    with world.after("check_organization.introspect", change):
        run = world.run()
    assert run.state == "success"
    assert run.differences("Dropped") == []
    assert run.differences("Edited") == []
    assert run.differences("Deleted") == []
    counts = {
        name: (report["datasets_checked"], report["datasets_unchecked"]) for name, report in run.reports().items()
    }
    assert counts == {"Dropped": (1, 0), "Edited": (1, 1), "Deleted": (1, 0)}
    (error,) = run.result["result"]["errors"]
    assert (error["organizationName"], "changed between" in error["error"]) == ("Edited", True)
    # The next run sees all of it.
    after = world.run()
    assert after.differences("Dropped") == [("missing_table", None)]
    assert after.differences("Edited") == [("missing_column", "state")]


def test_ids_are_the_same_in_any_letter_case_and_an_organization_named_twice_is_checked_once(world):
    organization = world.customer("Acme", ORDERS, DRIFTED)
    world.customer("Bluebird", ORDERS, DRIFTED)
    source_id = str(uuid.uuid4()).upper()
    world.execute(
        "INSERT INTO data_sources (id, name, type, onboarding_status, organization_id)"
        " VALUES (%s, 'Lake', 'PostgreSQL', 'completed', %s)",
        source_id, organization,
    )  # fmt: skip
    world.connect_source(source_id, world.warehouse(ORDERS))
    world.dataset(source_id, CLEAN)
    run = world.run({"organization_ids": [organization.upper(), organization, organization]})
    assert run.state == "success"
    assert run.result["result"]["organizationsProcessed"] == 1
    assert run.result["result"]["datasetsChecked"] == 2
    assert run.result["result"]["errors"] == []
    assert [message["channel"] for message in world.slack.messages] == [world.channel(organization), "C0DATATEAM"]
