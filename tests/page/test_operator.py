"""What the operator finds: the latest known state, who has a column, who was not told, and all of it for programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from include.schema_sync.nouns.discrepancy import DiscrepancyType
from tests.page import seeding
from tests.page.routes import ACME, ALL, BLUEBIRD, COBALT, DUNE, listed, said, statements

ROOT = "/schema-sync"
TODAY = "2026-01-15T07:00:00Z"


def rows(answer) -> list[dict[str, str]]:
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


# The latest known state


def test_checking_one_organization_hides_no_other(client, seed):
    seed(ALL)
    repaired = seeding.clean(1, "Acme Analytics")
    seed([repaired], day=1, conf={"organization_ids": [repaired.organization_id]})
    answer = client.get(f"{ROOT}/")
    assert listed(answer) == ["Dune Energy", "Cobalt Logistics", "Acme Analytics", "Bluebird Coffee", "Ember Films"]
    assert "2 ✓ Clean" in said(answer)
    as_of = {each["name"]: each["asOf"][:10] for each in client.get(f"{ROOT}/api/organizations").json()}
    assert as_of["Acme Analytics"] == "2026-01-16"
    assert {day for name, day in as_of.items() if name != "Acme Analytics"} == {"2026-01-15"}


def test_a_run_in_progress_leaves_the_others_as_the_run_before_knew_them(client, seed):
    seed(ALL)
    seed([seeding.clean(1, "Acme Analytics"), BLUEBIRD, COBALT, DUNE], day=1, state="running", done=1, batches=4)
    states = {each["name"]: each["state"] for each in client.get(f"{ROOT}/api/organizations").json()}
    assert states == {
        "Acme Analytics": "clean", "Bluebird Coffee": "clean", "Cobalt Logistics": "partial", "Dune Energy": "failed"
    } | {"Ember Films": "no datasets"}  # fmt: skip


def test_an_organization_that_a_whole_run_no_longer_has_is_gone(client, seed):
    seed(ALL)
    seed([ACME], day=1)
    assert listed(client.get(f"{ROOT}/")) == ["Acme Analytics"]


def test_an_organizations_page_shows_what_is_known_last_and_not_the_runs_state(client, seed):
    seed(ALL)
    seed([ACME], day=1, conf={"organization_ids": [ACME.organization_id]})
    answer = client.get(f"{ROOT}/organizations/{BLUEBIRD.organization_id}")
    head = answer.text.partition('<nav class="strip"')[0]
    assert "As of 15 Jan 2026, 07:00 UTC" in said(answer)
    assert 'class="badge' not in head  # the run's criticals are others'
    assert "Every dataset was checked, and nothing differs." in said(answer)


# Find


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=CUSTOMER_ATTRIBUTE_3", [("Acme Analytics", "customer_attribute_3")]),
        (
            "q=orders_1&severity=warning",
            [("Acme Analytics", "customer_attribute_4"), ("Cobalt Logistics", "customer_attribute_1")],
        ),
        ("q=customer_attribute_1&untold=1", [("Cobalt Logistics", "customer_attribute_1")]),
        ("q=no_such_column", []),
        ("q=%25", []),
    ],
)
def test_findings_of_all_organizations_are_searched_by_table_and_column(client, seed, query, found, database):
    seed(ALL)
    with database.begin() as connection:  # nobody was told of Cobalt's
        from sqlalchemy import text

        value = connection.execute(text("SELECT value FROM xcom WHERE key = 'outcomes' AND map_index = 2")).scalar()
        changed = [{**each, "notified": False, "notification_error": "refused"} for each in json.loads(value)]
        connection.execute(
            text("UPDATE xcom SET value = :v WHERE key = 'outcomes' AND map_index = 2"), {"v": json.dumps(changed)}
        )
    hits = client.get(f"{ROOT}/api/findings?{query}").json()
    assert [(hit["organization"], hit["column"]) for hit in hits] == found
    answer = client.get(f"{ROOT}/findings?{query}")
    assert f"{len(found)} finding" in said(answer)
    for organization, column in found:
        assert organization in said(answer)
        assert column in said(answer)


def test_what_is_new_since_the_run_before_is_a_list(client, seed):
    new, *older = ACME.discrepancies
    dates = {each.fingerprint: "2026-01-10T07:00:00Z" for each in older} | {new.fingerprint: TODAY}
    seed(ALL, first_seen={ACME.organization_id: dates})
    (hit,) = client.get(f"{ROOT}/api/findings?new=1").json()
    assert (hit["fingerprint"], hit["new"]) == (new.fingerprint, True)
    assert "1 finding, seen for the first time" in said(client.get(f"{ROOT}/findings?new=1"))


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("critical", ["Acme Analytics"]),
        ("warning", ["Cobalt Logistics", "Acme Analytics"]),
        ("untold", []),
        ("unchecked", ["Dune Energy", "Cobalt Logistics"]),
        ("nonsense", ["Dune Energy", "Cobalt Logistics", "Acme Analytics", "Bluebird Coffee", "Ember Films"]),
    ],
)
def test_organizations_are_filtered_by_what_matters(client, seed, only, names):
    seed(ALL)
    assert listed(client.get(f"{ROOT}/?only={only}")) == names


def test_who_was_not_told_stands_in_a_column_with_the_reason(client, seed):
    seed(ALL, conf={"dry_run": True})
    told = {
        each["name"]: (each["told"], each["notToldBecause"]) for each in client.get(f"{ROOT}/api/organizations").json()
    }
    assert told["Dune Energy"] == ("no", "dry run")
    assert told["Bluebird Coffee"] == ("", "")
    assert "Not told dry run" in said(client.get(f"{ROOT}/"))


def test_a_failed_organization_that_got_its_error_notice_is_not_called_untold(client, seed):
    seed(ALL)
    rows = {each["name"]: each["told"] for each in client.get(f"{ROOT}/api/organizations").json()}
    assert (rows["Acme Analytics"], rows["Dune Energy"]) == ("yes", "")


def test_who_cannot_be_told_is_filtered_with_the_reason(client, seed, database):
    from sqlalchemy import text

    seed(ALL)
    with database.begin() as connection:
        value = json.loads(
            connection.execute(text("SELECT value FROM xcom WHERE key = 'outcomes' AND map_index = 0")).scalar()
        )
        value[0] |= {
            "notified": False,
            "not_told": "it has no active Slack integration: connect Slack",
            "thread": "C1/1700000000.000100",
        }
        connection.execute(
            text("UPDATE xcom SET value = :v WHERE key = 'outcomes' AND map_index = 0"), {"v": json.dumps(value)}
        )
    answer = client.get(f"{ROOT}/?only=untold")
    assert listed(answer) == ["Acme Analytics"]
    assert "Not told it has no active Slack integration: connect Slack" in said(answer)
    own = client.get(f"{ROOT}/organizations/{ACME.organization_id}").text
    assert 'href="https://slack.com/app_redirect?channel=C1&amp;message_ts=1700000000.000100"' in own


def test_words_are_those_of_slack_and_the_command_line_and_names_are_code(client, seed):
    broken = seeding.discrepancy(ACME.organization_id, 0, 1, DiscrepancyType.CASE_MISMATCH)
    seed([replace(ACME, discrepancies=(broken,))])
    answer = client.get(f"{ROOT}/organizations/{ACME.organization_id}")
    assert "Letter case differs" in said(answer)
    assert "`" not in said(answer)
    assert "<code><bdi>total_1</bdi></code>" in answer.text


# Go on


def test_all_patches_of_an_organization_come_in_one_file(client, seed):
    second = replace(ACME.patches[0], dataset_id="other", diff=seeding.PATCH.replace("orders", "refunds"))
    seed([replace(ACME, patches=(*ACME.patches, second))])
    answer = client.get(f"{ROOT}/organizations/{ACME.organization_id}/patches")
    assert answer.text == ACME.patches[0].diff + second.diff
    assert answer.headers["content-disposition"].startswith("attachment")
    assert client.get(f"{ROOT}/organizations/unknown/patches").status_code == 404


def test_a_queued_run_says_one_thing(client, seed):
    seed([], state="queued")
    text = said(client.get(f"{ROOT}/"))
    assert "This run is queued." in text
    assert "not there yet" not in text


# For programs


def test_the_api_says_what_the_page_shows_and_csv_is_no_formula(client, seed):
    evil = replace(BLUEBIRD, organization_name='=HYPERLINK("http://x")')
    seed([ACME, evil, COBALT])
    (run,) = client.get(f"{ROOT}/api/runs").json()
    assert (run["state"], run["restricted"], run["result"]["critical"]) == ("success", False, 3)
    whole = client.get(f"{ROOT}/api/organizations/{ACME.organization_id}").json()
    assert (whole["state"], len(whole["findings"]), len(whole["patches"])) == ("drifted", 9, 2)
    assert [patch["compiled"] for patch in whole["patches"]] == [True, False]
    table = rows(client.get(f"{ROOT}/api/organizations?format=csv&sort=name"))
    assert [row["name"] for row in table] == ["'" + evil.organization_name, "Acme Analytics", "Cobalt Logistics"]
    assert table[2]["unchecked"].startswith("Warehouse of marketing: The role")
    assert len(rows(client.get(f"{ROOT}/api/organizations/{ACME.organization_id}?format=csv"))) == 9
    assert len(rows(client.get(f"{ROOT}/api/findings?format=csv&q=attribute_1"))) == 2
    missing = client.get(f"{ROOT}/api/organizations/unknown")
    assert (missing.status_code, "No run knows" in missing.json()["detail"]) == (404, True)


def test_two_thousand_organizations_cost_as_many_statements_as_one(client, seed, database):
    seed(seeding.many(2_000), batches=200)
    checked = seeding.clean(7, "Organization 0007 & Partners")
    seed([checked], day=1, conf={"organization_ids": [checked.organization_id]})
    costs = {}
    for path in ("", "?q=0007", "?only=untold", "api/organizations?format=csv", "findings?q=customer_attribute_19",
                 f"organizations/{seeding.identity(1_234)}", f"organizations/{seeding.identity(7)}"):  # fmt: skip
        with statements(database) as sent:
            answer = client.get(f"{ROOT}/{path}")
        assert answer.status_code == 200
        costs[path] = (len(sent), len(answer.content))
    assert [number for number, _ in costs.values()] == [3, 3, 3, 3, 7, 3, 3]
    assert max(size for path, (_, size) in costs.items() if "csv" not in path) < 250_000
