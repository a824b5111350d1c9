"""Runs as the tasks leave them in Airflow's database: written with the project's own nouns and JSON.

Shared by the page's tests and by its benchmark.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from include.schema_sync.notify.messages.summary import result_json, run_result
from include.schema_sync.nouns.dataset import DataSource, Organization
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport, SuggestedPatch, UncheckedSource
from include.schema_sync.nouns.wire import report_to_json, totals_to_json
from tests.airflow_names import VERSION

DAG_ID = "schema_sync"
CHECKS = ("introspect", "diff", "notify")
FIRST_DAY = datetime(2026, 1, 15, 7, tzinfo=UTC)
PROBABLE_PATCH = "--- a/orders_0.yml\n+++ b/orders_0.yml\n@@ -1 +1 @@\n-  - name: amount\n+  - name: amount_usd\n"
PATCH = """--- orders.yml
+++ orders.yml
@@ -3,4 +3,4 @@
 dimensions:
-  - name: state
+  - name: status
     type: text
"""


def identity(number: int) -> str:
    return str(uuid.UUID(int=(0x5C << 120) + number))


def discrepancy(organization_id: str, dataset: int, number: int, type_: DiscrepancyType, **changes: Any) -> Discrepancy:
    column = f"customer_attribute_{number}"
    plain = Discrepancy(
        type=type_,
        organization_id=organization_id,
        data_source_id=f"{organization_id[:-1]}f",
        dataset_id=f"{organization_id[:-2]}{dataset:02x}",
        dataset_name=f"orders_{dataset}",
        database="analytics",
        schema="public",
        table=f"orders_{dataset}",
        column=column,
        declared="numeric(12,2)",
        actual="character varying(255)" if type_ is DiscrepancyType.TYPE_MISMATCH else None,
        message=f"Column `{column}` is not in the table, and measure `total_{number}` needs it.",
        line=10 + number,
        suggestion=f"client_attribute_{number}" if type_ is DiscrepancyType.MISSING_COLUMN else None,
    )
    return replace(plain, **changes)


def drifted(number: int, name: str, *, findings: int = 5, **changes: Any) -> OrganizationReport:
    """An organization with findings of every severity over three datasets; the first can be repaired."""
    own = identity(number)
    kinds = (DiscrepancyType.MISSING_COLUMN, DiscrepancyType.TYPE_MISMATCH, DiscrepancyType.UNDOCUMENTED_COLUMN)
    found = [discrepancy(own, at % 3, at, kinds[at * len(kinds) // findings]) for at in range(findings)]
    repaired = found[0]
    plain = OrganizationReport(
        organization_id=own,
        organization_name=name,
        datasets_checked=12,
        discrepancies=tuple(sorted(found, key=lambda each: each.sort_key)),
        ignored=(discrepancy(own, 5, 900, DiscrepancyType.UNDOCUMENTED_COLUMN),),
        patches=(
            SuggestedPatch(repaired.dataset_id or "", "orders_0", PATCH, (repaired.fingerprint,), compiled=True),
            SuggestedPatch(repaired.dataset_id or "", "orders_0", PROBABLE_PATCH, (repaired.fingerprint,), True),
        ),
    )
    return replace(plain, **changes)


def clean(number: int, name: str) -> OrganizationReport:
    return OrganizationReport(identity(number), name, datasets_checked=7)


def empty(number: int, name: str) -> OrganizationReport:
    return OrganizationReport(identity(number), name)


def partial(number: int, name: str, reason: str) -> OrganizationReport:
    own = identity(number)
    gap = UncheckedSource(f"{own[:-1]}e", "Warehouse of marketing", 3, reason, (f"{own[:-1]}d",))
    found = discrepancy(own, 1, 1, DiscrepancyType.TYPE_MISMATCH)
    return OrganizationReport(own, name, 4, 3, (found,), (gap,))


def failed(number: int, name: str, reason: str) -> OrganizationReport:
    return OrganizationReport(identity(number), name, datasets_unchecked=5, error=reason)


def many(number: int, *, findings: int = 20) -> list[OrganizationReport]:
    """A realistic mix: most are clean or drifted, some could not be checked."""
    reports: list[OrganizationReport] = []
    for at in range(number):
        name = f"Organization {at:04d} & Partners"
        if at % 50 == 49:
            reports.append(failed(at, name, "No data source could be reached: connection to 10.1.2.3 refused."))
        elif at % 25 == 24:
            reports.append(partial(at, name, "The role `reader` may not use the database; grant it CONNECT."))
        else:
            reports.append(drifted(at, name, findings=findings))
    return reports


@dataclass(frozen=True)
class Seeded:
    run_id: str
    key: int


def seed_run(
    connection: Any,
    reports: Sequence[OrganizationReport],
    *,
    day: int = 0,
    run_id: str | None = None,
    state: str = "success",
    batches: int = 200,
    done: int | None = None,
    conf: Mapping[str, Any] | None = None,
    fetch_error: str | None = None,
    first_seen: Mapping[str, Mapping[str, str]] | None = None,
    stored_as: Any = lambda value: value,
) -> Seeded:
    """Insert one run with the task instances and XComs that its tasks would have left.

    :param connection: an SQLAlchemy connection to a database of Airflow.
    :param day: days after :data:`FIRST_DAY`.
    :param done: how many batches have been worked through; None: all.
    :param stored_as: what the XCom backend makes of a value.
    """
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.xcom import XComModel
    from sqlalchemy import insert

    moment = FIRST_DAY + timedelta(days=day)
    name = run_id or f"scheduled__{moment.isoformat()}"
    running = state in ("queued", "running")
    key = connection.execute(
        insert(DagRun.__table__).values(
            dag_id=DAG_ID, run_id=name, run_type="scheduled", state=state, run_after=moment, logical_date=moment,
            start_date=None if state == "queued" else moment,
            end_date=None if running else moment + timedelta(seconds=45), conf=dict(conf or {}),
        )
    ).inserted_primary_key[0]  # fmt: skip
    # Before Airflow 3.2 the column is a text.
    new_id = uuid.uuid4 if VERSION >= (3, 2) else lambda: str(uuid.uuid4())
    split = _split(reports, batches)
    finished = len(split) if done is None else done
    instances: list[dict[str, Any]] = []
    xcoms: list[dict[str, Any]] = []

    def ran(task: str, outcome: str, map_index: int = -1, **pushed: Any) -> None:
        instances.append({"id": new_id(), "task_id": task, "dag_id": DAG_ID, "run_id": name, "pool": "default_pool",
                          "map_index": map_index, "state": outcome, "try_number": 1, "max_tries": 1, "pool_slots": 1,
                          "start_date": moment, "end_date": moment, "operator": task})  # fmt: skip
        xcoms.extend(
            {"dag_run_id": key, "task_id": task, "map_index": map_index, "key": pushed_as, "dag_id": DAG_ID,
             "run_id": name, "value": stored_as(value), "timestamp": moment}
            for pushed_as, value in pushed.items()
        )  # fmt: skip

    if fetch_error is not None:
        ran("fetch_organizations", "failed", error=fetch_error)
    elif state != "queued":
        ran(
            "fetch_organizations",
            "success",
            return_value=[
                {"label": _label(each), "organizations": " ".join(one.organization_id for one in each)}
                for each in split
            ],
            organizations=[_batch(each) for each in split],
        )
        for index, batch in enumerate(split):
            _check(ran, index, batch, done=index < finished, first_seen=first_seen or {})
    if not running:
        result = run_result([each.totals for each in reports], timestamp=moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                            execution_time_ms=45_000, run_error=fetch_error)  # fmt: skip
        ran("summarize", "success" if result.success else "failed", return_value=result_json(result))
    for table, rows in ((TaskInstance.__table__, instances), (XComModel.__table__, xcoms)):
        if rows:
            connection.execute(insert(table), rows)
    connection.commit()
    return Seeded(name, key)


def _check(ran: Any, index: int, batch: Sequence[OrganizationReport], *, done: bool, first_seen: Mapping) -> None:
    group = "check_organization"
    if not done:
        for task in CHECKS:
            ran(f"{group}.{task}", None, index)
        return
    outcomes = [totals_to_json(replace(each.totals, notified=bool(each.discrepancies))) for each in batch]
    dates = {each.organization_id: dict(first_seen.get(each.organization_id, {})) for each in batch}
    if all(each.error is not None for each in batch):
        ran(f"{group}.introspect", "failed", index, failures=[report_to_json(each) for each in batch])
        ran(f"{group}.diff", "upstream_failed", index)
    else:
        ran(f"{group}.introspect", "success", index, return_value=[{"sources": []}])
        ran(
            f"{group}.diff", "success", index,
            return_value=[report_to_json(each) for each in batch],
            totals=[totals_to_json(each.totals) for each in batch],
        )  # fmt: skip
    ran(f"{group}.notify", "success", index, outcomes=outcomes, **({"first_seen": dates} if first_seen else {}))


def _split(reports: Sequence[OrganizationReport], most: int) -> list[list[OrganizationReport]]:
    count = min(len(reports), most)
    return [list(reports[at * len(reports) // count : (at + 1) * len(reports) // count]) for at in range(count)]


def _label(reports: Sequence[OrganizationReport]) -> str:
    return reports[0].organization_name[:200]


def _batch(reports: Sequence[OrganizationReport]) -> str:
    from include.schema_sync.nouns.wire import organizations_to_text

    organizations = [
        Organization(
            each.organization_id,
            each.organization_name,
            (DataSource(f"{each.organization_id[:-1]}f", "Warehouse of sales", "postgres"),),
        )
        for each in reports
    ]
    return organizations_to_text(organizations)
