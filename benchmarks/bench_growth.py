"""What one organization costs when there are a thousand, ten thousand, a hundred thousand of them.

Run: PYTHONPATH=. .venv/bin/python benchmarks/bench_growth.py [1000 10000 100000] [--sample 1000]
Everything is real but small: an application database with that many organizations of five datasets, 95 % of them
clean, one PostgreSQL warehouse that all of them share, the Slack stand-in. The batches are those of a run (200 at
most); of many organizations only some batches are worked through, ``--sample`` organizations in all, each size in a
process of its own. Printed are CPU, statements, Slack calls, XCom bytes and peak memory per organization, and how each
grows: 1.00 is in proportion. Wall time is not looked at, so a busy machine does not matter much.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.demo.slack import SlackStandIn, running_slack

ROOT = Path(__file__).resolve().parent.parent
BATCHES, DATASETS, DRIFTED_EVERY = 200, 5, 20

_WAREHOUSE = "".join(
    f"CREATE TABLE table_{number} (id bigint, amount numeric(12,2), name text, created_at timestamptz);"
    for number in range(DATASETS)
)

# Every twentieth organization describes a column that is not there.
_ORGANIZATIONS = f"""
CREATE EXTENSION IF NOT EXISTS pgcrypto;
INSERT INTO organizations (id, name)
SELECT md5('o' || n)::uuid, 'Organization ' || n FROM generate_series(1, %(size)s) n;
INSERT INTO data_sources (id, name, type, onboarding_status, organization_id)
SELECT md5('s' || n)::uuid, 'Warehouse', 'postgres', 'completed', md5('o' || n)::uuid
  FROM generate_series(1, %(size)s) n;
INSERT INTO datasets (id, name, database_name, schema, type, enabled, data_source_id, organization_id, yml_file)
SELECT md5('d' || n || '.' || t)::uuid, 'table_' || t, 'table_' || t, 'public', 'table', true, md5('s' || n)::uuid,
       md5('o' || n)::uuid,
       'name: table_' || t || E'\\ndimensions:\\n  - name: id\\n    type: bigint\\n  - name: name\\n    type: text\\n'
       || E'  - name: created_at\\n    type: timestamp\\n'
       || CASE WHEN n %% {DRIFTED_EVERY} = 0 AND t = 0 THEN E'  - name: gone\\n' ELSE '' END
       || E'measures:\\n  - name: amount\\n    type: numeric\\n    agg: sum\\n'
  FROM generate_series(1, %(size)s) n, generate_series(0, {DATASETS - 1}) t;
INSERT INTO slack_integrations (id, organization_id, token_vault_key, status, default_channel)
SELECT md5('i' || n)::uuid, md5('o' || n)::uuid, 'token', 'active', jsonb_build_object('id', 'C' || n)
  FROM generate_series(1, %(size)s) n;
ANALYZE;
""".replace("CREATE EXTENSION IF NOT EXISTS pgcrypto;\n", "")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one organization, on average; memory is the whole process's peak, in MiB."""

    cpu_ms: float
    statements: float
    slack_calls: float
    xcom_bytes: float
    peak_mib: float
    fetched_bytes: float


class _CountingCursor(psycopg.Cursor[Any]):
    statements = 0

    def execute(self, *arguments: Any, **options: Any) -> Any:
        _CountingCursor.statements += 1
        return super().execute(*arguments, **options)


def _connect(uri: str, **options: Any) -> psycopg.Connection[Any]:
    return psycopg.connect(uri, cursor_factory=_CountingCursor, **options)


def _work(uri: str, warehouse: str, slack_url: str, sample: int, answer: Any) -> None:
    """One process: fetch all organizations, work through the first batches, report the cost."""
    from include.schema_sync.application.rows import fetch_datasets, fetch_organizations
    from include.schema_sync.compare.organization import diff_organization
    from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
    from include.schema_sync.notify.slack.client import slack_client
    from include.schema_sync.notify.tell import Account, Desk, tell_organizations
    from include.schema_sync.nouns.dataset import DataSource
    from include.schema_sync.nouns.discrepancy import Severity
    from include.schema_sync.nouns.run import RunFacts
    from include.schema_sync.nouns.wire import report_to_json, snapshot_to_json, totals_to_json
    from include.schema_sync.repair.suggest import PatchOptions, with_patches
    from include.schema_sync.settings import Settings
    from include.schema_sync.warehouses import dialect_for

    def open_source(_source: DataSource) -> SourceAccess:
        return SourceAccess(dialect_for("postgres"), "warehouse", lambda _database: _connect(warehouse), str)

    settings = Settings.from_environment({})
    run = RunFacts("scheduled__1", "2026-01-15T07:00:00Z", None, "2026-01-15T07:00:00.000000Z")
    application: Any = _connect(uri, autocommit=True)
    before_fetch = time.process_time()
    organizations = fetch_organizations(application, None)
    fetch_ms = (time.process_time() - before_fetch) * 1000 / len(organizations)
    fetched = len(json.dumps([each.id for each in organizations]))
    count = min(len(organizations), BATCHES)
    ends = [index * len(organizations) // count for index in range(count + 1)]
    _CountingCursor.statements = 0
    done = xcom = 0
    started = time.process_time()
    for start, end in pairwise(ends):
        if done >= sample:
            break
        batch = organizations[start:end]
        ids = [each.id for each in batch]
        datasets = fetch_datasets(application, ids)
        snapshots = introspect_organizations(batch, datasets, open_source, settings).snapshots
        xcom += len(json.dumps([snapshot_to_json(each) for each in snapshots]))
        again = fetch_datasets(application, ids)  # diff is another task
        reports = [
            with_patches(
                diff_organization(each, again[each.organization_id]), each, again[each.organization_id], PatchOptions()
            )
            for each in snapshots
        ]
        xcom += len(json.dumps([report_to_json(each) for each in reports]))
        desk = Desk(application, lambda *_: slack_client("xoxb-1", base_url=slack_url), run, Severity.WARNING, "{}")
        account = Account()
        tell_organizations(reports, desk, account)
        if account.errors:
            raise account.errors[0]
        xcom += len(json.dumps([totals_to_json(each) for each in account.outcomes]))
        done += len(batch)
    answer.put(
        asdict(
            Cost(
                cpu_ms=(time.process_time() - started) * 1000 / done + fetch_ms,
                statements=_CountingCursor.statements / done,
                slack_calls=0.0,
                xcom_bytes=xcom / done,
                peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                fetched_bytes=fetched / len(organizations),
            )
        )
        | {"done": done}
    )


def measure(size: int, sample: int) -> Cost:
    with running_postgres() as server, running_slack(SlackStandIn) as slack:
        base = server.rsplit("/", 1)[0]
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE application")
            connection.execute("CREATE DATABASE warehouse")
        with psycopg.connect(f"{base}/warehouse", autocommit=True) as connection:
            connection.execute(_WAREHOUSE)
        with psycopg.connect(f"{base}/application", autocommit=True) as connection:
            connection.execute((ROOT / "include" / "sql" / "application_tables.sql").read_text())
            for statement in _ORGANIZATIONS.split(";\n"):
                if statement.strip():
                    connection.execute(statement, {"size": size} if "%(size)s" in statement else None)
        context = multiprocessing.get_context("spawn")
        answer = context.Queue()
        child = context.Process(
            target=_work, args=(f"{base}/application", f"{base}/warehouse", slack.base_url, sample, answer)
        )
        child.start()
        value = answer.get(timeout=1_800)
        child.join()
        done = value.pop("done")
        return Cost(**{**value, "slack_calls": len(slack.calls) / done})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--sample", type=int, default=1_000, help="how many organizations are worked through")
    chosen = parser.parse_args(arguments)
    costs = {size: measure(size, chosen.sample) for size in chosen.sizes}
    names = list(asdict(next(iter(costs.values()))))
    print(f"| organizations | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for size, cost in costs.items():
        print(f"| {size} | {' | '.join(f'{value:.2f}' for value in asdict(cost).values())} |")
    first, last = min(costs), max(costs)
    if first < last:
        # What is spent in all grows as size ** exponent; memory is the process's, so it is not multiplied.
        grown = {}
        for name in names:
            ratio = asdict(costs[last])[name] / max(asdict(costs[first])[name], 1e-9)
            total = ratio if name == "peak_mib" else ratio * last / first
            grown[name] = math.log(max(total, 1e-9)) / math.log(last / first)
        print(f"| exponent | {' | '.join(f'{grown[name]:.2f}' for name in names)} |")


if __name__ == "__main__":
    main()
