"""For engines that cannot run here: a connection that carries rows from the vendor's documentation, and nothing else.

What a query means on the engine is not tested by this; that it is the reviewed text, in the engine's grammar, is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import expressions as exp

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.source import GroupOutcome, introspect_source
from include.schema_sync.needs.placement import group_requests, place
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import OrganizationSnapshot, SourceSnapshot
from include.schema_sync.warehouses.engine import Dialect, Query
from include.schema_sync.yml.dataset import parse_dataset_yml

QUERIES = Path(__file__).parents[1] / "golden" / "queries"

Row = tuple[str | None, ...]


class GoldenConnection:
    """Answers a statement with parameters (the catalogue's) with the rows, and one without (a probe) as told."""

    def __init__(self, rows: Sequence[Any], probed: Callable[[str], None] = lambda sql: None) -> None:
        self.rows, self.probed = list(rows), probed
        self.catalogue: list[tuple[str, Any]] = []
        self.probes: list[str] = []
        self._left: list[Any] = []

    def cursor(self) -> GoldenConnection:
        return self

    def execute(self, sql: str, *parameters: Any) -> None:
        self._left = []
        if parameters:
            self.catalogue.append((sql, parameters[0]))
            self._left = list(self.rows)
        elif sql.startswith("SELECT"):
            self.probes.append(sql)
            self.probed(sql)

    def fetchmany(self, size: int) -> list[Any]:
        portion, self._left = self._left[:size], self._left[size:]
        return portion

    def rollback(self) -> None: ...

    def close(self) -> None: ...


def table_rows(schema: str, table: str, columns: Sequence[tuple[Any, ...]], kind: str = "table") -> list[Any]:
    """Rows of one table as a dialect's query yields them; columns are (name, type) or (name, type, base type)."""
    return [(schema, table, kind, True, each[0], each[1], each[2] if len(each) > 2 else None, True) for each in columns]


def check(
    dialect: Dialect, connection: GoldenConnection, *models: dict[str, object], database: str | None, schema: str
) -> tuple[OrganizationReport, tuple[GroupOutcome, ...]]:
    """What introspection and diff make of one dataset for each model."""
    source = DataSource("source", "Warehouse", dialect.name)
    datasets = [
        Dataset(f"dataset-{number}", str(model["name"]), "organization", source.id, None, schema, yaml.safe_dump(model))
        for number, model in enumerate(models)
    ]
    placements = [
        place(dataset, definition, own_database=database)
        for dataset in datasets
        for definition in parse_dataset_yml(dataset.yml, name=dataset.name)
    ]
    requests = group_requests(source.id, placements, dialect.name)
    outcome = introspect_source(lambda _: connection, dialect, requests, timeout_s=10)
    snapshot = SourceSnapshot(
        source, database, {each.id: each.yml_hash for each in datasets}, tuple(each.snapshot for each in outcome)
    )
    return diff_organization(OrganizationSnapshot("organization", "Shop", (snapshot,)), datasets), outcome


def model(name: str, /, **fields: str | None) -> dict[str, object]:
    return {"name": name, "dimensions": [{"name": column, "type": type_} for column, type_ in fields.items()]}


def found(report: OrganizationReport) -> set[tuple[str, str | None, str | None]]:
    return {
        (each.type.value, each.table, name)
        for each in report.discrepancies
        for name in ([column.name for column in each.columns] or (each.column,))
    }


def types_that_differ(
    dialect: Dialect, columns: Sequence[tuple[Any, ...]], *, database: str | None, schema: str
) -> set[tuple[str, str | None, str | None]]:
    """Findings on a table with these (type, base type or None, type in a YML) as its columns."""
    rows = table_rows(schema, "all_types", [(f"c{i}", each[0], each[1]) for i, each in enumerate(columns)])
    declared = model("all_types", **{f"c{i}": each[2] for i, each in enumerate(columns)})
    report, _ = check(dialect, GoldenConnection(rows), declared, database=database, schema=schema)
    assert report.datasets_checked == 1
    return found(report)


def assert_golden_query(engine: str, query: Query) -> None:
    """UPDATE_GOLDEN=1 rewrites the file: then run it on the real engine before you commit it."""
    path = QUERIES / f"{engine}.sql"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(query.sql, encoding="utf-8")
    assert query.sql == path.read_text(encoding="utf-8")


def parsed(dialect: Dialect, query: Query) -> exp.Query:
    """The one statement as its engine's grammar reads it, whatever stands for the placeholders."""
    sql = query.sql
    for name in query.parameters if isinstance(query.parameters, dict) else ():
        sql = sql.replace(f"%({name})s", "NULL")
    (statement,) = sqlglot.parse(sql, read=dialect.sqlglot, error_level=sqlglot.ErrorLevel.RAISE)
    assert isinstance(statement, exp.Query), "read as something opaque"
    return statement


def structure(statement: exp.Query) -> str:
    """The statement without its identifiers and literals."""
    return repr(
        statement.transform(
            lambda node: (
                exp.to_identifier("x")
                if isinstance(node, exp.Identifier)
                else exp.Literal.string("x")
                if isinstance(node, exp.Literal)
                else node
            )
        )
    )
