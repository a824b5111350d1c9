"""The page's routes in Airflow's own API application: what they answer, to whom, and what it costs."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from include.schema_sync.nouns.discrepancy import DiscrepancyType
from tests.page import seeding
from tests.page.conftest import token
from tests.page.routes import ACME, ALL, COBALT, DUNE, listed, said, statements

pytestmark = pytest.mark.airflow


def addresses(page: Any) -> list[str]:
    """One address of every route that the application has, whatever kind of route it is."""
    values = {"dag_id": "schema_sync", "organization_id": ACME.organization_id, "name": "results.js"}
    paths = [route.path for route in page.routes]
    assert paths
    return ["/schema-sync" + path.format(**values) for path in paths]


def test_every_route_is_known_here_and_only_reads(page):
    assert {route.path: route.methods for route in page.routes} == {
        "/": {"GET"},
        "/dags/{dag_id}": {"GET"},
        "/findings": {"GET"},
        "/organizations/{organization_id}": {"GET"},
        "/organizations/{organization_id}/history": {"GET"},
        "/organizations/{organization_id}/patches": {"GET"},
        "/api/runs": {"GET"},
        "/api/organizations": {"GET"},
        "/api/organizations/{organization_id}": {"GET"},
        "/api/findings": {"GET"},
        "/assets/{name}": {"GET"},
    }


@pytest.mark.parametrize("role", ["nobody", "wrong token", None])
def test_without_login_or_permission_no_route_answers(client, page, seed, role):
    seed(ALL)
    client.headers.pop("Authorization")
    if role is None:
        client.headers["Authorization"] = f"Bearer {token(None)}"
    elif role == "wrong token":
        client.headers["Authorization"] = "Bearer eyJhbGciOiJIUzUxMiJ9.e30.c2lnbmF0dXJl"
    for address in addresses(page):
        answer = client.get(address)
        assert answer.status_code == (401 if role == "nobody" else 403), address
        assert "Acme" not in answer.text
        assert "function" not in answer.text


def test_with_permission_every_route_answers(client, page, seed):
    seed(ALL)
    assert {address: client.get(address).status_code for address in addresses(page)} == dict.fromkeys(
        addresses(page), 200
    )


def test_every_answer_forbids_foreign_content_foreign_frames_and_guessing(client, page, seed):
    seed(ALL)
    for address in [*addresses(page), "/schema-sync/nothing-here", "/schema-sync/?run=no-such-run"]:
        headers = client.get(address).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none';")
        assert "frame-ancestors 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_pages_load_their_own_files_only_and_have_no_script_in_them(client, seed):
    seed(ALL)
    for path in ("", f"organizations/{ACME.organization_id}"):
        html = client.get(f"/schema-sync/{path}").text
        assert set(re.findall(r'(?:src|<link rel="stylesheet" href)="([^"]+)"', html)) == {
            f"/schema-sync/assets/{name}" for name in ("theme.js", "results.js", "results.css")
        }
        assert not re.search(r"<script(?! src=)|<style|\son[a-z]+=| style=", html)


@pytest.mark.parametrize("name", ["app.py", "..%2Fapp.py", "%2e%2e/app.py", "results.css.gz"])
def test_no_other_file_is_handed_out(client, name):
    assert client.get(f"/schema-sync/assets/{name}").status_code == 404


def test_before_the_first_run_the_page_says_when_there_will_be_one(client):
    assert "No run yet. Results appear here as soon as the first run has begun" in said(client.get("/schema-sync/"))
    assert "No run yet." in said(client.get(f"/schema-sync/organizations/{ACME.organization_id}"))


def test_organizations_are_counted_by_state_and_listed_worst_first(client, seed):
    seed(ALL)
    answer = client.get("/schema-sync/")
    assert listed(answer) == ["Dune Energy", "Cobalt Logistics", "Acme Analytics", "Bluebird Coffee", "Ember Films"]
    for tile in ("5 All organizations", "1 ✕ Failed", "1 ◐ Partly checked", "1 ▲ Drifted", "1 ✓ Clean",
                 "1 – No datasets"):  # fmt: skip
        assert tile in said(answer)
    assert "3 critical 4 warnings 3 infos 23 datasets checked 8 not checked" in said(answer)
    assert "Warehouse of marketing : The role reader may not use marketing ; grant it CONNECT." in said(answer)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=BLUE", ["Bluebird Coffee"]),
        (f"q={DUNE.organization_id[-6:]}", ["Dune Energy"]),
        ("q=%25", []),
        ("state=drifted", ["Acme Analytics"]),
        ("state=no+datasets", ["Ember Films"]),
        ("sort=name&dir=desc", ["Ember Films", "Dune Energy", "Cobalt Logistics", "Bluebird Coffee", "Acme Analytics"]),
        ("sort=warnings&dir=desc&q=co", ["Cobalt Logistics", "Bluebird Coffee"]),
        ("state=nonsense&sort=nonsense&page=nonsense&dir=nonsense&q=ember", ["Ember Films"]),
        ("page=99&state=clean", ["Bluebird Coffee"]),
    ],
)
def test_the_table_is_searched_filtered_and_sorted_by_its_address(client, seed, query, names):
    seed(ALL)
    assert listed(client.get(f"/schema-sync/?{query}")) == names


def test_an_organization_shows_what_differs_since_when_and_what_to_do(client, seed):
    dates = {each.fingerprint: "2026-01-02T07:00:00Z" for each in ACME.discrepancies[1:]}
    dates[ACME.discrepancies[0].fingerprint] = "2026-01-15T07:00:00Z"
    run = seed(ALL, first_seen={ACME.organization_id: dates})
    answer = client.get(f"/schema-sync/organizations/{ACME.organization_id}")
    text_ = said(answer)
    assert "12 datasets checked, 3 with findings 1 ignored" in text_
    assert "◆ Critical Missing column customer_attribute_0" in text_
    assert "analytics.public.orders_0 , line 10 of the YML Did you mean client_attribute_0 ?" in text_
    assert "numeric(12,2) character varying(255) 2 Jan 2026" in text_
    assert "15 Jan 2026 new" in text_
    assert "in Warehouse of sales" in text_
    assert "Suggested patch, repairs 1 finding; the warehouse compiles the dataset with it" in text_
    assert "Probable patch (look at each rename first), repairs 1 finding" in text_
    assert unescape(re.search(r"<pre[^>]*>(.*?)</pre>", answer.text, re.DOTALL)[1]) == seeding.PATCH
    for task in ("introspect", "diff", "notify"):
        path = f"/dags/schema_sync/runs/{run.run_id.replace(':', '%3A').replace('+', '%2B')}"
        assert f'href="{path}/tasks/check_organization.{task}/mapped/0"' in answer.text


def test_only_findings_of_the_chosen_severity_are_shown(client, seed):
    seed(ALL)
    text_ = said(client.get(f"/schema-sync/organizations/{ACME.organization_id}?severity=warning"))
    assert text_.count("Type mismatch") == 3
    assert "Missing column" not in text_


def test_what_could_not_be_checked_is_named_with_its_reason_and_never_called_clean(client, seed):
    seed(ALL)
    partly = said(client.get(f"/schema-sync/organizations/{COBALT.organization_id}"))
    assert "Not checked Data sources about which nothing is known in this run" in partly
    assert "Warehouse of marketing 3 The role reader may not use marketing ; grant it CONNECT." in partly
    failed = said(client.get(f"/schema-sync/organizations/{DUNE.organization_id}"))
    assert "This organization was not checked. This is no statement about its schema. No data source could" in failed
    assert "diff upstream failed" in failed
    assert "nothing differs" not in partly + failed


def test_two_thousand_findings_come_in_pages_and_none_is_lost(client, seed):
    crowd = tuple(
        seeding.discrepancy(ACME.organization_id, at % 40, at, DiscrepancyType.MISSING_COLUMN) for at in range(2_000)
    )
    seed([seeding.drifted(1, "Acme Analytics", discrepancies=crowd)])
    columns = [
        column
        for number in range(1, 11)
        for column in re.findall(
            r"Missing column <code><bdi>(\w+)",
            client.get(f"/schema-sync/organizations/{ACME.organization_id}?page={number}").text,
        )
    ]
    assert sorted(columns) == sorted(str(each.column) for each in crowd)


def test_pages_cost_a_fixed_number_of_statements_and_little_however_many_organizations_there_are(
    client, seed, database
):
    seed(seeding.many(2_000), batches=200)
    with statements(database) as sent:
        answer = client.get("/schema-sync/")
    assert len(sent) == 2
    assert len(listed(answer)) == 100
    assert len(answer.content) < 150_000
    with statements(database) as sent:
        answer = client.get(f"/schema-sync/organizations/{seeding.identity(1_234)}")
    assert len(sent) == 3
    assert len(answer.content) < 60_000


def test_a_run_in_progress_costs_one_statement_more(client, seed, database):
    seed(seeding.many(2_000), batches=200, state="running", done=100)
    with statements(database) as sent:
        answer = client.get("/schema-sync/")
    assert len(sent) == 3
    assert "1 000 of 2 000 organizations checked" in said(answer).replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_a_database_that_fails_is_named_and_nothing_of_it_is_shown(client, seed, database):
    seed(ALL)
    with database.begin() as connection:
        connection.execute(text("ALTER TABLE xcom RENAME TO elsewhere"))
    answer = client.get("/schema-sync/")
    assert "Airflow's database did not answer." in said(answer, 503)
    assert "SELECT" not in answer.text


def test_values_in_an_object_store_are_read_through_the_deployments_backend(client, seed, monkeypatch):
    from airflow.sdk.bases.xcom import BaseXCom
    from airflow.sdk.execution_time import xcom

    store: dict[str, Any] = {}

    class Store(BaseXCom):
        @staticmethod
        def deserialize_value(result: Any) -> Any:
            return store[result.value]

    def put(value: Any) -> str:
        store[f"s3://xcoms/{len(store)}"] = value
        return f"s3://xcoms/{len(store) - 1}"

    seed(ALL, stored_as=put)
    monkeypatch.setattr(xcom, "XCom", Store)
    assert len(listed(client.get("/schema-sync/"))) == 5
    assert "Missing column" in said(client.get(f"/schema-sync/organizations/{ACME.organization_id}"))
    store.clear()
    assert "The XCom backend Store did not hand out" in said(client.get("/schema-sync/"), 503)


def test_addresses_keep_the_path_under_which_airflow_is_served(client, airflow_app, seed, monkeypatch):
    seed(ALL)
    monkeypatch.setattr(airflow_app, "root_path", "/tools/airflow")
    for path in ("", f"organizations/{ACME.organization_id}"):
        html = client.get(f"/tools/airflow/schema-sync/{path}").text
        links = re.findall(r'(?:href|src|action|data-trigger|data-then)="([^"#]+)"', html)
        assert len(links) > 10
        assert [link for link in links if not link.startswith("/tools/airflow/")] == []


@pytest.mark.postgres
def test_the_statements_work_on_postgresql_too(fresh_database):
    """Airflow keeps XComs there as jsonb, and reorders their keys."""
    from airflow.models.base import Base
    from schema_sync_airflow.results_page import stored
    from schema_sync_airflow.results_page.findings import Question, find
    from schema_sync_airflow.results_page.organization import detail
    from schema_sync_airflow.results_page.overview import Choice, arranged, lines_of
    from sqlalchemy import create_engine

    engine = create_engine(fresh_database.replace("postgresql://", "postgresql+psycopg2://"))
    try:
        Base.metadata.create_all(engine)
        with engine.connect() as connection:
            seeding.seed_run(connection, ALL)
            seeding.seed_run(connection, ALL, day=1, stored_as=lambda value: "s3://elsewhere/1")
        with Session(engine) as session:
            elsewhere, run = stored.recent_runs(session)
            assert elsewhere.counts is None
            assert run.counts == stored.Counts(organizations=5, critical=3, warnings=4, datasets_unchecked=8)
            assert arranged(*lines_of(session, run), Choice()).by_state == {
                "failed": 1, "partial": 1, "drifted": 1, "clean": 1, "no datasets": 1
            }  # fmt: skip
            hits = find(session, lines_of(session, run)[0], Question("ATTRIBUTE_0"))
            assert [hit.finding.column for hit in hits] == ["customer_attribute_0"]
            found = detail(session, run, ACME.organization_id, severity=None, page=1)
            assert found is not None
            assert len(found.findings) == 9
            assert set(found.tasks.values()) == {"success"}
    finally:
        engine.dispose()
