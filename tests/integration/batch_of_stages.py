"""One run over a batch as Airflow runs it, for a test that kills it: three stages, each hands its result on as JSON.

A stage whose result is there is not run again, as a task that has succeeded is not. Says what it begins on standard
output: ``ready``, each stage's name, ``done``.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import (
    SourceAccess,
    introspect_organizations,
    unreachable_report,
)
from include.schema_sync.notify.slack.client import slack_client
from include.schema_sync.notify.tell import Account, Desk, tell_organizations
from include.schema_sync.nouns.bounds import bounded
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.wire import report_from_json, report_to_json, snapshot_from_json, snapshot_to_json
from include.schema_sync.repair.suggest import with_patches
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from tests.integration.conftest import TOKEN, run_of

STAGES = ("introspect", "diff", "notify")


def introspect(plan: dict[str, Any], _: Any) -> Any:
    def access(source: DataSource) -> SourceAccess:
        uri = f"file:{plan['folder']}/{source.id}.db?mode=ro"  # one that is not there is an error, not empty
        return SourceAccess(
            dialect_for("sqlite"), "shop", lambda _: sqlite3.connect(uri, uri=True, check_same_thread=False), str
        )

    organizations = [Organization(each, "Acme", (DataSource(each, "Shop", "sqlite"),)) for each in plan["ids"]]
    found = introspect_organizations(organizations, _datasets(plan), access, Settings.from_environment({}))
    return [snapshot_to_json(each) for each in found.snapshots]


def diff(plan: dict[str, Any], handed_on: Any) -> Any:
    datasets, reports = _datasets(plan), []
    for snapshot in map(snapshot_from_json, handed_on):
        if snapshot.reached:
            own = datasets[snapshot.organization_id]
            reports.append(with_patches(diff_organization(snapshot, own), snapshot, own))
        else:
            reports.append(unreachable_report(snapshot))
    return [report_to_json(bounded(report)) for report in reports]


def notify(plan: dict[str, Any], handed_on: Any) -> Any:
    client = slack_client(TOKEN, base_url=plan["slack"], timeout_s=10)
    account = Account()
    with psycopg.connect(plan["uri"], autocommit=True) as connection:
        desk = Desk(connection, lambda *_: client, run_of(plan["day"]), Severity.WARNING, "{}")
        tell_organizations([report_from_json(each) for each in handed_on], desk, account)
    assert not account.errors, account.errors
    return [each.organization_id for each in account.outcomes]


def _datasets(plan: dict[str, Any]) -> dict[str, list[Dataset]]:
    return {each: [Dataset(each, "orders", each, each, None, "main", plan["yml"])] for each in plan["ids"]}


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    plan = json.loads(sys.argv[1])
    say("ready")
    handed_on: Any = None
    stages: list[Callable[[dict[str, Any], Any], Any]] = [introspect, diff, notify]
    for stage in stages:
        result = Path(plan["folder"]) / f"{stage.__name__}.json"
        if not result.exists():
            say(stage.__name__)
            unfinished = result.with_suffix(".new")
            unfinished.write_text(json.dumps(stage(plan, handed_on)))
            unfinished.rename(result)
        handed_on = json.loads(result.read_text())
    say("done")


if __name__ == "__main__":
    main()
