"""Runs that go on, ended early, failed, are of another DAG or of an earlier release: shown as what they are."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from tests.page.routes import ACME, ALL, BLUEBIRD, COBALT, DUNE, listed, said

pytestmark = pytest.mark.airflow


def test_a_run_in_progress_shows_what_is_known_and_who_waits(client, seed):
    seed(ALL, state="running", done=2)
    answer = client.get("/schema-sync/")
    assert "This run is in progress. 2 of 5 organizations checked." in said(answer)
    assert "3 … Waiting" in said(answer)
    assert "<body data-in-progress" in answer.text
    waiting = said(client.get(f"/schema-sync/organizations/{DUNE.organization_id}"))
    assert "This organization's turn has not come yet." in waiting
    assert "Not checked yet." in waiting


def test_a_run_that_ended_early_calls_nobody_clean_who_was_not_checked(client, seed):
    seed(ALL, state="failed", done=2)
    answer = client.get("/schema-sync/")
    assert "3 ✕ Failed" in said(answer)
    assert "The check did not finish" in said(answer)
    assert "data-in-progress" not in answer.text


def test_a_report_whose_notify_task_died_is_shown_as_found_and_not_told(client, seed, database):
    seed(ALL)
    with database.begin() as connection:
        connection.execute(text("DELETE FROM xcom WHERE key = 'outcomes' AND map_index = 0"))
    answer = client.get("/schema-sync/")
    assert "Not told Its notify task did not finish" in said(answer)
    assert "1 ▲ Drifted" in said(answer)


def test_a_failed_fetch_says_so_with_its_reason_and_a_way_to_the_log(client, seed):
    seed([], state="failed", fetch_error="The application database did not answer.\nCheck `app_db`.")
    answer = client.get("/schema-sync/")
    assert "No organization was checked. The list of organizations could not be made:" in said(answer)
    assert "The application database did not answer. Check `app_db`." in said(answer)
    assert "/tasks/fetch_organizations" in answer.text


def test_an_older_run_can_be_chosen_and_an_unknown_one_is_not_the_latest(client, seed):
    for day in range(40):
        seed([BLUEBIRD], day=day, run_id=f"run of day {day} & <more>")
    seed(ALL, day=41)
    answer = client.get("/schema-sync/", params={"run": "run of day 3 & <more>"})
    assert listed(answer) == ["Bluebird Coffee"]
    assert answer.text.count('class="run ') == 30
    assert "There is nothing here" in said(client.get("/schema-sync/", params={"run": "no such run"}), 404)
    gone = client.get(f"/schema-sync/organizations/{ACME.organization_id}", params={"run": "run of day 3 & <more>"})
    assert "This run did not check the organization" in said(gone, 404)


def test_the_strip_tells_what_each_run_found(client, seed):
    seed([ACME], day=0, conf={"organization_ids": [ACME.organization_id], "dry_run": True})
    seed([BLUEBIRD], day=1)
    seed([], day=2, state="failed", fetch_error="x")
    seed([COBALT], day=3)
    seed([ACME], day=4, state="running", done=0)
    text_ = said(client.get("/schema-sync/"))
    assert "◆ 15 Jan 2026, 07:00 UTC: Critical drift, 1 organization, 3 critical, 3 warnings" in text_
    assert "✓ 16 Jan 2026, 07:00 UTC: Clean" in text_
    assert "✕ 17 Jan 2026, 07:00 UTC: Failed" in text_
    assert "▲ 18 Jan 2026, 07:00 UTC: Drift" in text_
    assert "… 19 Jan 2026, 07:00 UTC: In progress" in text_
    assert "selected organizations only dry run" in said(
        client.get("/schema-sync/", params={"run": "scheduled__2026-01-15T07:00:00+00:00"})
    )


def test_runs_of_other_dags_are_not_ours(client, seed, database):
    seed(ALL)
    with database.begin() as connection:
        connection.execute(text("UPDATE dag_run SET dag_id = 'payroll'"))
    assert "No run yet." in said(client.get("/schema-sync/"))
    assert "payroll is another one" in said(client.get("/schema-sync/dags/payroll"))


NONSENSE: list[Any] = [None, 7, "text", {}, [None], [{}], [{"organization_id": 3}], {"organizations": "x"},
                       [{"organizations": [{"id": None}, 5]}]]  # fmt: skip


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_values_that_no_task_of_ours_wrote_do_not_break_the_page(client, seed, value):
    seed(ALL, stored_as=lambda _: value)
    assert client.get("/schema-sync/").status_code == 200
    assert client.get(f"/schema-sync/organizations/{ACME.organization_id}").status_code == 404


def test_what_an_earlier_release_wrote_is_still_shown(client, seed):
    newer = {"ignored", "patches", "slowest_source", "new", "new_critical", "ongoing", "resolved", "subject"}

    def older(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: older(item) for key, item in value.items() if key not in newer}
        return [older(item) for item in value] if isinstance(value, list) else value

    seed(ALL, stored_as=older)
    assert len(listed(client.get("/schema-sync/"))) == 5
    assert "Missing column" in said(client.get(f"/schema-sync/organizations/{ACME.organization_id}"))
