"""One dataset checked against a PostgreSQL whose catalogue does not tell all."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import (
    Introspection,
    SourceAccess,
    SourceResult,
    introspect_organizations,
)
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.discrepancy import DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.nouns.wire import snapshot_from_json, snapshot_to_json
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Dialect, Query

POSTGRES = dialect_for("postgres")
SOURCE = DataSource("source-1", "Shop", "postgres")
ACME = Organization("org-1", "Acme", (SOURCE,))

ORDERS = "CREATE TABLE orders (order_id bigint, amount numeric(12,2), status text)"
ORDERS_YML = "name: orders\ndimensions: [{name: status, type: text}]\nmeasures: [{name: order_id}, {name: amount}]"


@dataclass(frozen=True)
class Checked:
    """What one whole check found: introspection, through JSON, diff."""

    introspection: Introspection
    report: OrganizationReport

    @property
    def result(self) -> SourceResult:
        (result,) = self.introspection.results
        return result

    @property
    def probes(self) -> int:
        return sum(outcome.probes for outcome in self.result.outcomes)

    @property
    def found(self) -> list[tuple[str, str | None, str | None]]:
        """(type, table, column); undocumented columns are another matter."""
        return [
            (str(each.type), each.table, each.column)
            for each in self.report.discrepancies
            if each.type is not DiscrepancyType.UNDOCUMENTED_COLUMN
        ]

    @property
    def unchecked(self) -> str:
        return "; ".join(source.error for source in self.report.unchecked)


def check(uri: str, *ymls: str, dialect: Dialect = POSTGRES, confirm: bool = True, timeout_s: int = 30) -> Checked:
    datasets = [
        Dataset(f"dataset-{number}", f"dataset {number}", ACME.id, SOURCE.id, None, "public", yml)
        for number, yml in enumerate(ymls)
    ]

    def connect(database: str | None) -> Any:
        return psycopg.connect(uri, connect_timeout=10)

    settings = replace(Settings.from_environment({}), confirm_missing=confirm, statement_timeout_s=timeout_s)
    access = SourceAccess(dialect, None, connect, str)
    found = introspect_organizations([ACME], {ACME.id: datasets}, lambda _: access, settings)
    (snapshot,) = [snapshot_from_json(json.loads(json.dumps(snapshot_to_json(each)))) for each in found.snapshots]
    return Checked(found, diff_organization(snapshot, datasets))


def run(uri: str, *statements: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload,unused-ignore]


def without_columns(*hidden: str) -> Dialect:
    """PostgreSQL whose catalogue does not list columns that are there."""

    def query(request: GroupRequest) -> Query:
        real = POSTGRES.columns_query(request)
        listed = f"SELECT * FROM ({real.sql}) AS listed WHERE attname IS NULL OR attname <> ALL (%(hidden)s)"
        return Query(listed, {**dict(real.parameters), "hidden": list(hidden)})  # type: ignore[arg-type]

    return replace(POSTGRES, columns_query=query)


def without_tables(*hidden: str) -> Dialect:
    """PostgreSQL whose catalogue does not list tables that are there."""

    def query(request: GroupRequest) -> Query:
        return POSTGRES.columns_query(
            replace(request, tables=tuple(each for each in request.tables if each not in hidden))
        )

    return replace(POSTGRES, columns_query=query)


def without_schemas() -> Dialect:
    """PostgreSQL whose catalogue lists nothing at all."""

    def query(request: GroupRequest) -> Query:
        real = POSTGRES.columns_query(request)
        return Query(f"SELECT * FROM ({real.sql}) AS listed WHERE false", real.parameters)

    return replace(POSTGRES, columns_query=query)
