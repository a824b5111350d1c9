"""Views that the catalogue lists and nobody can select from, and the worst day: real engines, few statements."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import Introspection, SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.wire import snapshot_from_json, snapshot_to_json
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.duckdb import DuckDBConnection

pytestmark = pytest.mark.postgres


def check(engine: str, connect: Callable[[], Any], *ymls: str) -> tuple[OrganizationReport, Introspection]:
    source = DataSource("source-1", "Shop", engine)
    organization = Organization("org-1", "Acme", (source,))
    schema = "public" if engine == "postgres" else "main"
    datasets = [
        Dataset(f"dataset-{number:03}", f"dataset {number}", "org-1", "source-1", None, schema, yml)
        for number, yml in enumerate(ymls)
    ]
    access = SourceAccess(dialect_for(engine), None, lambda _: connect(), str)
    settings = replace(Settings.from_environment({}), statement_timeout_s=4)
    found = introspect_organizations([organization], {"org-1": datasets}, lambda _: access, settings)
    (snapshot,) = [snapshot_from_json(snapshot_to_json(each)) for each in found.snapshots]
    return diff_organization(snapshot, datasets), found


def told(report: OrganizationReport) -> list[tuple[str, str | None, str | None]]:
    return [
        (str(each.type), each.table, each.column)
        for each in report.discrepancies
        if each.type not in ("undocumented_column",)
    ]


def probes(introspection: Introspection) -> int:
    return sum(outcome.probes for result in introspection.results for outcome in result.outcomes)


def yml(table: str, *columns: str) -> str:
    return f"name: {table}\ndimensions: [{', '.join(f'{{name: {column}}}' for column in columns)}]"


@pytest.fixture
def run(fresh_database: str) -> Iterator[Callable[..., None]]:
    with psycopg.connect(fresh_database, autocommit=True) as owner:

        def execute(*statements: str) -> None:
            for statement in statements:
                owner.execute(statement)  # type: ignore[call-overload,unused-ignore]

        yield execute


def test_a_broken_view_is_told_once_whoever_describes_it_and_nothing_of_its_columns(
    fresh_database: str, run: Callable[..., None]
) -> None:
    run(
        "CREATE TABLE base (id int, amount int)",
        "CREATE MATERIALIZED VIEW empty AS SELECT id, amount FROM base WITH NO DATA",
        "CREATE VIEW fine AS SELECT id, amount FROM base",
        "CREATE VIEW divides AS SELECT 1 / 0 AS id",
    )
    report, introspection = check(
        "postgres",
        lambda: psycopg.connect(fresh_database),
        yml("empty", "id", "gone"),
        yml("empty", "amount"),
        yml("fine", "id", "gone"),
        yml("divides", "id"),
    )
    assert told(report) == [
        ("broken_view", "divides", None),
        ("broken_view", "empty", None),
        ("missing_column", "fine", "gone"),
    ]
    divides, empty = report.discrepancies[:2]
    assert empty.actual == 'materialized view "empty" has not been populated'
    assert divides.actual == "division by zero"
    assert "The warehouse itself cannot select from the materialized view `empty`" in empty.message
    assert (empty.dataset_id, empty.line, report.datasets_unchecked) == ("dataset-000", 1, 0)
    assert probes(introspection) == 1 + 3 + 1  # all together, each, and what `fine` lacks


def test_views_are_asked_together_and_with_the_columns_that_the_role_may_read(
    fresh_database: str, run: Callable[..., None]
) -> None:
    run("CREATE ROLE view_reader LOGIN PASSWORD 'reader'")
    try:
        run("CREATE TABLE base (id int, pay int)")
        for number in range(40):
            run(f"CREATE VIEW v{number} AS SELECT id, pay FROM base", f"GRANT SELECT (id) ON v{number} TO view_reader")
        uri = make_conninfo(fresh_database, user="view_reader", password="reader")
        report, introspection = check(
            "postgres", lambda: psycopg.connect(uri), *(yml(f"v{number}", "id") for number in range(40))
        )
        assert (told(report), probes(introspection)) == ([], 1)
        report, _ = check("postgres", lambda: psycopg.connect(uri), yml("v1", "id", "pay"))
        assert told(report) == [("inaccessible_table", "v1", "pay")]
    finally:
        run("DROP OWNED BY view_reader", "DROP ROLE view_reader")


def test_a_view_that_a_migration_has_locked_is_not_called_broken(fresh_database: str, run: Callable[..., None]) -> None:
    run("CREATE TABLE base (id int)", "CREATE VIEW v AS SELECT id FROM base")
    with psycopg.connect(fresh_database) as migration:
        migration.execute("LOCK TABLE v IN ACCESS EXCLUSIVE MODE")
        report, introspection = check("postgres", lambda: psycopg.connect(fresh_database), yml("v", "id"))
    assert told(report) == []
    assert introspection.transient  # so that the task is tried again


def test_what_is_an_index_or_a_composite_type_is_no_table(fresh_database: str, run: Callable[..., None]) -> None:
    run("CREATE TABLE t (id int)", "CREATE INDEX by_id ON t (id)", "CREATE TYPE place AS (street text)")
    report, _ = check(
        "postgres", lambda: psycopg.connect(fresh_database), yml("by_id", "id"), yml("place", "street"), yml("t", "id")
    )
    assert told(report) == [("missing_table", "by_id", None), ("missing_table", "place", None)]
    assert report.datasets_unchecked == 0


def test_why_a_table_may_not_be_read_is_said_as_the_server_knows_it(
    fresh_database: str, run: Callable[..., None]
) -> None:
    run("CREATE ROLE outsider LOGIN PASSWORD 'outsider'")
    try:
        run(
            "CREATE SCHEMA closed", "CREATE TABLE closed.a (id int)", "GRANT SELECT ON closed.a TO outsider",
            "CREATE TABLE b (id int)",
        )  # fmt: skip
        uri = make_conninfo(fresh_database, user="outsider", password="outsider")
        report, _ = check(
            "postgres", lambda: psycopg.connect(uri), yml("a", "id") + "\nschema: closed", yml("b", "id"),
            yml("never", "id") + "\nschema: closed",
        )  # fmt: skip
        found = {each.table: (str(each.type), each.message) for each in report.discrepancies}
        assert found["a"][0] == found["b"][0] == "inaccessible_table"
        assert "`a` exists, but the role lacks USAGE on its schema" in found["a"][1]
        assert "`b` exists, but the role lacks SELECT on it" in found["b"][1]
        assert found["never"][0] == "missing_table"
    finally:
        run("DROP OWNED BY outsider", "DROP ROLE outsider")


def test_names_that_an_encoding_cannot_hold_spoil_nothing_else(postgres_uri: str) -> None:
    for encoding, neighbour in (("LATIN1", "é"), ("SQL_ASCII", "")):
        name = f"encoded_{encoding.lower()}"
        with psycopg.connect(postgres_uri, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 LOCALE 'C'")  # type: ignore[call-overload,unused-ignore]
        uri = make_conninfo(postgres_uri, dbname=name)
        with psycopg.connect(uri, autocommit=True) as owner:
            owner.execute(f'CREATE TABLE orders (id int, "x{neighbour}" int)')  # type: ignore[call-overload,unused-ignore]
            if encoding == "SQL_ASCII":
                owner.execute("SET client_encoding = 'SQL_ASCII'")
                owner.execute(b'CREATE TABLE "caf\xe9" (id int)')
        report, _ = check(
            "postgres",
            lambda uri=uri: psycopg.connect(uri),  # type: ignore[misc]
            yml("orders", "id", "'Preis – netto'"),
            yml("'Süd – West'", "id"),
        )
        assert report.unchecked == ()
        assert told(report) == [
            ("missing_table", "Süd – West", None),
            ("missing_column", "orders", "Preis – netto"),
        ], encoding
        assert report.unchecked == ()


@pytest.mark.parametrize("engine", ["duckdb", "sqlite"])
def test_a_broken_view_of_a_file_leaves_its_neighbours_their_types(engine: str, tmp_path: Path) -> None:
    path = tmp_path / f"shop.{engine}"
    owner: Any = duckdb.connect(str(path)) if engine == "duckdb" else sqlite3.connect(path)
    for statement in (
        "CREATE TABLE base (id integer, price varchar)", "CREATE TABLE gone (id integer)",
        "CREATE VIEW a_broken AS SELECT id FROM gone", "CREATE VIEW fine AS SELECT id, price FROM base",
        "CREATE VIEW z_broken AS SELECT id FROM gone", "DROP TABLE gone",
    ):  # fmt: skip
        owner.execute(statement)
    owner.close()

    def connect() -> Any:
        if engine == "duckdb":
            return DuckDBConnection(duckdb.connect(str(path), read_only=True))
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)

    fine = "name: fine\ndimensions: [{name: id}, {name: price, type: decimal}, {name: gone}]"
    report, _ = check(engine, connect, yml("a_broken", "id"), fine, yml("z_broken", "id"))
    assert sorted(told(report)) == [
        ("broken_view", "a_broken", None),
        ("broken_view", "z_broken", None),
        ("missing_column", "fine", "gone"),
        ("type_mismatch", "fine", "price"),
    ]


def test_duckdb_tells_a_views_columns_as_they_are_and_not_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as owner:
        owner.execute("CREATE TABLE base (id integer, note integer)")
        owner.execute("CREATE VIEW v AS SELECT * FROM base")
        owner.execute("ALTER TABLE base ALTER note TYPE varchar")
        owner.execute("ALTER TABLE base ADD COLUMN extra date")
    dataset = "name: v\ndimensions: [{name: id}, {name: note, type: varchar}, {name: extra, type: date}]"
    report, _ = check("duckdb", lambda: DuckDBConnection(duckdb.connect(str(path), read_only=True)), dataset)
    assert told(report) == []


def test_a_day_on_which_everything_is_gone_costs_a_handful_of_statements(
    fresh_database: str, run: Callable[..., None]
) -> None:
    for number in range(10):
        run(f"CREATE TABLE kept_{number} (id int)")
    dropped = [yml(f"gone_{number}", "id", "amount") for number in range(1_800)]
    drifted = [yml(f"kept_{number}", "id", *(f"c{number}_{column}" for column in range(170))) for number in range(10)]
    started = time.monotonic()
    report, introspection = check("postgres", lambda: psycopg.connect(fresh_database), *dropped, *drifted)
    kinds = [kind for kind, _, _ in told(report)]
    # 1 000 findings are told in detail; all are answered
    assert (report.datasets_checked, report.datasets_unchecked) == (1_810, 0)
    assert set(kinds) == {"missing_table", "missing_column"}
    assert probes(introspection) <= 5, time.monotonic() - started
