"""What ``scripts/check-installation`` reads from a run's log."""

from __future__ import annotations

from include.schema_sync.demo.installation import messages, next_steps, organizations_table

LOG = """\
2026-11-26T00:43:26Z [info     ] schema-sync organization="O'Hara \\\\ Sons" id=1 state=no-datasets checked=0 \
unchecked=0 critical=0 warnings=0 infos=0 ignored=0 [include.schema_sync.x] loc=diff.py:1
2026-11-26T00:43:27Z [info     ] Dry run, nothing is sent. 'Bluebird Coffee' would read:
🔴 2 columns broke
`coupon` is gone
Schema Sync [schema_sync_airflow.tasks.notify] loc=notify.py:177
2026-11-26T00:43:28Z [info     ] Dry run, nothing is sent. The data team's message would read:
one line [schema_sync_airflow.tasks.summarize] loc=summarize.py:177
2026-11-26T00:43:29Z [info     ] something else [x] loc=y.py:1
"""


def result(*errors: dict, success: bool = True) -> dict:
    return {"success": success, "result": {"errors": list(errors)}}


def test_messages_are_whole_and_end_where_their_entry_ends():
    assert list(messages(LOG)) == [
        ("Bluebird Coffee", "🔴 2 columns broke\n`coupon` is gone\nSchema Sync"),
        ("The data team's message", "one line"),
    ]


def test_organizations_that_failed_stand_in_the_table_too():
    failed = {"organizationId": "2", "organizationName": "Dune", "dataSourceId": None, "error": "refused"}
    rows = organizations_table(LOG, result(failed)).splitlines()
    assert rows[2].split() == ["O'Hara", "\\", "Sons", "no-datasets", "0", "0", "0", "0", "0"]
    assert rows[3].split() == ["Dune", "failed"]


def test_what_to_do_next_names_every_reason_once_and_how_to_go_on():
    error = {"organizationId": "2", "organizationName": "Dune", "dataSourceId": "d", "error": "refused. Start it."}
    steps = list(next_steps(result(error)))
    assert steps[0] == "✕ Dune: refused. Start it."
    assert any("unpause" in step for step in steps)
    refused = {**result(success=False), "error": {"code": "X", "message": "app_db: wrong password."}}
    assert list(next_steps(refused)) == ["✕ app_db: wrong password."]
