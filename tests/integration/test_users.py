"""Who fails with a finding, against what really fails: every query of forty small organizations, tried before and
after something broke, on PostgreSQL and DuckDB. The queries are built by this test's own rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import duckdb
import psycopg
import pytest
import sqlglot
from sqlglot import exp

from include.schema_sync.check.connections import place_from_uri
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.settings import Settings
from include.schema_sync.yml.dataset import parse_dataset_yml
from include.schema_sync.yml.definitions import DatasetDefinition
from tests.integration.users_cases import CASES, Case

pytestmark = pytest.mark.postgres


class Engine(NamedTuple):
    """:ivar run: executes statements one after another, each by itself; returns those that are refused."""

    name: str
    schema: str
    uri: str
    run: Callable[..., list[str]]


@pytest.fixture(params=["postgres", "duckdb"])
def engine(request: pytest.FixtureRequest, tmp_path: Any) -> Engine:
    uri = request.getfixturevalue("fresh_database") if request.param == "postgres" else f"duckdb:///{tmp_path}/shop"

    def run(*statements: str) -> list[str]:
        refused = []
        postgres = request.param == "postgres"
        with psycopg.connect(uri, autocommit=True) if postgres else duckdb.connect(f"{tmp_path}/shop") as connection:
            for statement in statements:
                try:
                    execute: Any = connection.execute
                    execute(statement.encode() if postgres else statement)
                except (psycopg.Error, duckdb.Error):
                    refused.append(statement)
        return refused

    return Engine(request.param, "public" if request.param == "postgres" else "main", uri, run)


class Query(NamedTuple):
    user: str
    sql: str


class Builder:
    """Queries as a query builder sends them: a name is a column where there was one, else a field's expression."""

    def __init__(self, case: Case, engine: str) -> None:
        self.engine = engine
        self.columns = {
            table: {part.strip().rsplit(" ", 1)[0].strip('"') for part in columns.split(",")}
            for table, columns in case.tables.items()
        }
        self.definitions = [each for name, yml in case.ymls.items() for each in parse_dataset_yml(yml, name=name)]

    def queries(self) -> Iterator[Query]:
        for each in self.definitions:
            for field in each.fields:
                expression, joins = self.expand(field.expr or field.name, each, "t", field.args)
                if field.agg is not None:
                    expression = f"{field.agg}({expression})"
                yield Query(f"{field.kind} {field.name} of {each.name}", self.select(expression, each, joins))
            for relationship in each.relationships:
                yield Query(
                    f"{relationship.kind} {relationship.name} of {each.name}",
                    self.select("1", each, {self.join(each, relationship.name, "t")}),
                )

    def select(self, expression: str, definition: DatasetDefinition, joins: set[str]) -> str:
        return f"SELECT {expression} FROM {definition.table} AS t {' '.join(sorted(joins))} LIMIT 0"

    def join(self, definition: DatasetDefinition, name: str, alias: str) -> str:
        (relationship,) = [each for each in definition.relationships if name in (each.name, each.target)]
        target = self.named(relationship.target)
        far = f"{alias}_{relationship.name}"
        keys = (
            f"{self.expand(own, definition, alias)[0]} = {self.expand(other, target, far)[0]}"
            for own, other in zip(relationship.source, relationship.target_columns, strict=True)
        )
        return f"LEFT JOIN {target.table} AS {far} ON {' AND '.join(keys)}"

    def named(self, name: str) -> DatasetDefinition:
        (found,) = [each for each in self.definitions if name in (each.name, each.table)]
        return found

    def expand(
        self, text: str, definition: DatasetDefinition, alias: str, args: tuple[str, ...] = ()
    ) -> tuple[str, set[str]]:
        for arg in args:
            text = text.replace(f"{{{arg}}}", "NULL")
        joins: set[str] = set()

        def follow(node: exp.Expression) -> exp.Expression:
            if not isinstance(node, exp.Column):
                return node
            owner, at, name = definition, alias, node.name
            if node.table and node.table not in (definition.name, definition.table):
                joins.add(self.join(definition, node.table, alias))
                relationship = next(r for r in definition.relationships if node.table in (r.name, r.target))
                owner, at = self.named(relationship.target), f"{alias}_{relationship.name}"
            if name in self.columns[owner.table]:
                return exp.column(exp.to_identifier(name, quoted=True), table=at)
            field = next(each for each in owner.fields if each.name == name)
            inner, more = self.expand(field.expr or field.name, owner, at)
            joins.update(more)
            return exp.Paren(this=sqlglot.parse_one(inner, dialect=self.engine))

        tree = sqlglot.parse_one(text, dialect=self.engine)
        return tree.transform(follow).sql(dialect=self.engine), joins


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_users_are_exactly_what_the_engine_refuses(case: Case, engine: Engine):
    assert not engine.run(*(f"CREATE TABLE {name} ({columns})" for name, columns in case.tables.items()))
    queries = list(Builder(case, engine.name).queries())
    assert refused(queries, engine) == set(), "the case itself is wrong"
    assert not engine.run(case.drift)
    failing = refused(queries, engine)
    found = [each for each in report(case, engine).discrepancies if each.severity == "critical"]
    assert bool(found) == bool(failing)
    for each in found:
        own = each.table if "models:" in case.ymls[each.dataset_name or ""] else each.dataset_name
        users = {user if " of " in user else f"{user} of {own}" for user in each.users}
        assert users == failing, each.message


def refused(queries: list[Query], engine: Engine) -> set[str]:
    failing = set(engine.run(*(query.sql for query in queries)))
    return {query.user for query in queries if query.sql in failing}


def report(case: Case, engine: Engine) -> OrganizationReport:
    """One run, from connection to report."""
    settings = Settings.from_environment({})
    place = place_from_uri(engine.uri, engine.name, settings)
    source = DataSource("source-1", "Shop", engine.name)
    organization = Organization("org-1", "Acme", (source,))
    datasets = [
        Dataset(name, name, organization.id, source.id, None, engine.schema, yml) for name, yml in case.ymls.items()
    ]

    def open_source(_source: DataSource) -> SourceAccess:
        return place.access

    introspection = introspect_organizations([organization], {organization.id: datasets}, open_source, settings)
    return diff_organization(introspection.snapshots[0], datasets)


def test_there_are_forty():
    assert len(CASES) >= 40
