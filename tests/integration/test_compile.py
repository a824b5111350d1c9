"""Compiling what datasets' queries consist of, on real engines: what is refused is told, and nothing at all is run."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import Introspection, SourceAccess, introspect_organizations
from include.schema_sync.needs import placement
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.wire import snapshot_from_json, snapshot_to_json
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.duckdb import DuckDBConnection

pytestmark = pytest.mark.postgres


def check(
    engine: str, connect: Callable[[], Any], *ymls: str, compiled: bool = True
) -> tuple[OrganizationReport, Introspection]:
    source = DataSource("source-1", "Shop", engine)
    organization = Organization("org-1", "Acme", (source,))
    schema = "public" if engine == "postgres" else "main"
    datasets = [
        Dataset(f"dataset-{number:03}", f"d{number}", "org-1", "source-1", None, schema, yml)
        for number, yml in enumerate(ymls)
    ]
    access = SourceAccess(dialect_for(engine), None, lambda _: connect(), str)
    settings = replace(Settings.from_environment({}), statement_timeout_s=5, compile_expressions=compiled)
    found = introspect_organizations([organization], {"org-1": datasets}, lambda _: access, settings)
    (snapshot,) = [snapshot_from_json(snapshot_to_json(each)) for each in found.snapshots]
    return diff_organization(snapshot, datasets), found


def told(report: OrganizationReport) -> dict[str, Discrepancy]:
    """{type.column: finding}, without columns that are in no dataset."""
    return {
        f"{each.type}.{each.column}": each for each in report.discrepancies if str(each.type) != "undocumented_column"
    }


@pytest.fixture
def run(fresh_database: str) -> Iterator[Callable[..., Any]]:
    with psycopg.connect(fresh_database, autocommit=True) as owner:

        def execute(*statements: str) -> Any:
            for statement in statements:
                result = owner.execute(statement)  # type: ignore[call-overload,unused-ignore]
            return result

        yield execute


def test_what_is_refused_is_told_with_the_engines_words_and_who_fails_with_it(
    fresh_database: str, run: Callable[..., Any]
) -> None:
    run("CREATE TABLE orders (id int, total text, day text)")
    yml = (
        "name: orders\ndimensions:\n  - {name: id, type: text}\n  - {name: month, expr: \"date_trunc('month', day)\"}\n"
        "measures:\n  - {name: total, type: numeric, agg: sum}\n"
        "filters:\n  - {name: flag, expr: abs(id)}\n  - {name: plain, expr: id}\n"
    )
    report, introspection = check("postgres", lambda: psycopg.connect(fresh_database), yml)
    found = told(report)
    assert set(found) == {
        "broken_expression.month", "broken_expression.total", "broken_expression.flag", "type_mismatch.total",
        "type_mismatch.id",
    }  # fmt: skip
    broken = found["broken_expression.total"]
    assert (broken.declared, broken.actual) == ("sum of total", "function sum(text) does not exist")
    assert (broken.users, broken.line) == (("measure total",), 6)
    retyped = found["type_mismatch.total"]
    assert retyped.message.endswith("Some of its queries no longer compile. It breaks 1 measure: total.")
    assert (retyped.users, found["type_mismatch.id"].users) == (("measure total",), ("filter flag",))
    (outcome,) = introspection.results[0].outcomes
    assert (outcome.statements, outcome.probes, outcome.compiled) == (1, 0, 1 + 3)  # all together, then each
    report, introspection = check("postgres", lambda: psycopg.connect(fresh_database), yml, compiled=False)
    assert set(told(report)) == {"type_mismatch.total", "type_mismatch.id"}
    assert introspection.results[0].outcomes[0].compiled == 0


def test_what_may_mean_something_else_accuses_nobody(fresh_database: str, run: Callable[..., Any]) -> None:
    run("CREATE TABLE orders (id text, total numeric, day date)")
    yml = (
        "name: orders\ndimensions: [{name: day}, {name: again, expr: total}]\n"
        "measures: [{name: id, agg: count}, {name: total, agg: sum}]\n"
        "metrics: [{name: mean, expr: total / id}, {name: other, expr: again / id},"
        " {name: rows, expr: count(orders)}]\n"
        "filters:\n  - {name: plain, expr: day}\n"
        "  - {name: near, expr: 'day > {a} - {b}', args: [{name: a}, {name: b}]}\n"
        "  - {name: text, expr: \"to_char({a}, 'YYYY') = id\", args: [{name: a}]}\n"
    )
    report, _ = check("postgres", lambda: psycopg.connect(fresh_database), yml)
    assert not {kind for kind in told(report) if kind.startswith("broken")}


def test_a_type_that_differs_says_that_its_queries_still_compile(fresh_database: str, run: Callable[..., Any]) -> None:
    run("CREATE TABLE orders (id int, total numeric)")
    yml = "name: orders\ndimensions: [{name: id}]\nmeasures: [{name: total, type: text, agg: sum}]"
    report, _ = check("postgres", lambda: psycopg.connect(fresh_database), yml)
    assert told(report)["type_mismatch.total"].message.endswith("Its queries still compile.")


def test_a_type_that_differs_names_who_is_built_on_what_fails_and_nobody_of_another_table(
    fresh_database: str, run: Callable[..., Any]
) -> None:
    run("CREATE TABLE orders (id int, total text)", "CREATE TABLE customers (id int, total text)")
    yml = (
        "name: orders\nmeasures: [{name: gross, expr: total, type: numeric, agg: sum}]\n"
        "dimensions: [{name: theirs, expr: customers.total, type: numeric}]\n"
        "metrics: [{name: double, expr: gross * 2}]\n"
        "relationships: [{name: customers, source_col: id, ref_col: id}]"
    )
    report, _ = check(
        "postgres", lambda: psycopg.connect(fresh_database), yml, "name: customers\ndimensions: [{name: id}]"
    )
    retyped = {each.table: each for each in report.discrepancies if each.type is DiscrepancyType.TYPE_MISMATCH}
    assert retyped["orders"].users == ("metric double", "measure gross")
    assert "It breaks 1 metric: double; 1 measure: gross." in retyped["orders"].message
    assert retyped["customers"].users == ()


def test_what_is_missing_is_told_once_and_never_as_broken(fresh_database: str, run: Callable[..., Any]) -> None:
    run("CREATE TABLE orders (id int)", "CREATE TABLE customers (id int)")
    yml = (
        "name: orders\nmeasures: [{name: total, agg: sum}]\nmetrics: [{name: m, expr: SUM(total) * 2},"
        " {name: n, expr: 'SUM(customers.age)'}]\n"
        "relationships: [{name: customers, source_col: id, ref_col: id}]"
    )
    report, _ = check(
        "postgres", lambda: psycopg.connect(fresh_database), yml, "name: customers\ndimensions: [{name: id}]"
    )
    assert set(told(report)) == {"missing_column.total", "missing_column.age"}


def test_a_clean_group_of_600_parts_costs_the_catalogues_statement_and_one_round_trip(
    fresh_database: str, run: Callable[..., Any]
) -> None:
    run("CREATE TABLE orders (id int, total numeric)")
    filters = "".join(f"\n  - {{name: f{number}, expr: total > {number}}}" for number in range(600))
    yml = f"name: orders\ndimensions: [{{name: id}}]\nfilters:{filters}"
    report, introspection = check("postgres", lambda: psycopg.connect(fresh_database), yml)
    (outcome,) = introspection.results[0].outcomes
    assert (told(report), outcome.statements + outcome.probes, outcome.compiled) == ({}, 1, 4)


HARMLESS = (
    "pg_sleep(900)::text", "nextval('tickets')::text", "touched(id)", "lo_import('/etc/passwd')::text", "1 / 0",
    "pg_read_file('/etc/passwd')", "set_config('statement_timeout', '0', false)", "(SELECT touched(id))",
    "CAST('x' || id AS int)", "query_to_xml('SELECT touched(1)', true, true, '')::text",
)  # fmt: skip


def test_what_the_bound_leaves_out_is_told_and_not_accused(
    fresh_database: str, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(placement, "MOST_PARTS", 0)
    run("CREATE TABLE first (total text)", "CREATE TABLE later (total text)")
    yml = "name: {}\nmeasures: [{{name: total, agg: sum}}]\n"
    with caplog.at_level("INFO", "include.schema_sync.introspect"):
        report, _ = check("postgres", lambda: psycopg.connect(fresh_database), yml.format("first"), yml.format("later"))
    assert [(each.table, str(each.type), str(each.severity)) for each in report.discrepancies] == [
        ("first", "broken_expression", "critical"), ("later", "unverifiable_expression", "info")
    ]  # fmt: skip
    assert ", 1 definition was not compiled (beyond " in caplog.text


def test_postgres_compiles_and_runs_nothing(fresh_database: str, run: Callable[..., Any]) -> None:
    run(
        "CREATE TABLE orders (id int)", "INSERT INTO orders VALUES (1)", "CREATE SEQUENCE tickets",
        "CREATE TABLE touches (id int)",
        "CREATE FUNCTION touched(x int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
        " $$ BEGIN RAISE EXCEPTION 'it ran'; END $$",
    )  # fmt: skip
    dimensions = "".join(f'\n  - {{name: d{number}, expr: "{text}"}}' for number, text in enumerate(HARMLESS))
    filters = "".join(f'\n  - {{name: f{number}, expr: "({text}) IS NULL"}}' for number, text in enumerate(HARMLESS))
    yml = f"name: orders\ndimensions:\n  - {{name: id}}{dimensions}\nfilters:{filters}"
    report, introspection = check("postgres", lambda: psycopg.connect(fresh_database), yml)
    assert introspection.results[0].outcomes[0].compiled >= 1
    assert not {kind for kind in told(report) if kind.startswith("broken")}
    assert run("SELECT is_called FROM tickets").fetchone() == (False,)


def files_of(engine: str, path: Path) -> Callable[[], Any]:
    if engine == "duckdb":
        config: Any = {"enable_external_access": False, "lock_configuration": True}
        return lambda: DuckDBConnection(duckdb.connect(str(path), read_only=True, config=config))
    return lambda: sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)


# What people would try, whatever the engine: endings, other statements, files, placeholders, comments.
PIECES = (
    "id", "note", "1", "'x'", "(", ")", ",", "+", "||", "=", "AND", ";", "--", "/*", "*/",
    "'", '"', "`", "\\'", "$$", "[",
    "]", "DROP TABLE orders", "DELETE FROM orders", "ATTACH '{file}' AS x", "COPY orders TO '{file}'", "SELECT",
    "FROM orders", "FROM '{secret}'", "read_text('{secret}')", "read_csv('{secret}')", "load_extension('{file}')",
    "pg_read_file('{secret}')", "nextval('tickets')", "pg_sleep(9)", "sleep(9)", "LOAD_FILE('{secret}')", "{{arg}}",
    "%s", "?", ":x", "@x", "$1", "\n", "UNION SELECT", "INTO OUTFILE '{file}'", "EXPLAIN", "PRAGMA writable_schema=1",
    "CAST(note AS int)", "lower(note)",
)  # fmt: skip


def hostile(generator: random.Random, file: Path, secret: Path) -> str:
    pieces = [generator.choice(PIECES) for _ in range(generator.randint(1, 7))]
    text = generator.choice(("", " ")).join(pieces)
    return text.replace("{file}", str(file)).replace("{secret}", str(secret)).replace("{{arg}}", "{arg}")


@pytest.mark.parametrize("engine", ["postgres", "duckdb", "sqlite"])
def test_hostile_expressions_run_nothing_change_nothing_and_show_no_file(
    engine: str, tmp_path: Path, fresh_database: str, run: Callable[..., Any]
) -> None:
    secret, file, path = tmp_path / "secret.csv", tmp_path / "written", tmp_path / f"shop.{engine}"
    secret.write_text("confidential_header,2\n777888999,4\n")
    create = ("CREATE TABLE orders (id integer, note text)", "INSERT INTO orders VALUES (1, 'row-content-4711')")
    if engine == "postgres":
        run(*create, "CREATE SEQUENCE tickets")
        connect: Callable[[], Any] = lambda: psycopg.connect(fresh_database)  # noqa: E731
    else:
        owner: Any = duckdb.connect(str(path)) if engine == "duckdb" else sqlite3.connect(path)
        for statement in create:
            owner.execute(statement)
        getattr(owner, "commit", lambda: None)()
        owner.close()
        connect = files_of(engine, path)
    before = path.read_bytes() if path.exists() else b""
    generator = random.Random(f"{engine} 2026")
    fields = "".join(
        f"\n  - name: x{number}\n    args: [{{name: arg}}]\n    expr: {quoted(hostile(generator, file, secret))}"
        for number in range(400)
    )
    report, introspection = check(engine, connect, f"name: orders\ndimensions: [{{name: id}}]\nfilters:{fields}")
    texts = " ".join(
        f"{each.message} {each.actual}" for each in report.discrepancies if str(each.type) != "undocumented"
    )
    engine_words = " ".join(each.actual or "" for each in report.discrepancies)
    assert introspection.results[0].outcomes[0].compiled > 5
    assert report.datasets_unchecked == 0
    assert not file.exists()
    assert "confidential_header" not in texts
    assert "777888999" not in texts
    assert "row-content-4711" not in engine_words
    if engine == "postgres":
        assert run("SELECT is_called FROM tickets").fetchone() == (False,)
        assert run("SELECT * FROM orders").fetchall() == [(1, "row-content-4711")]
    else:
        assert path.read_bytes() == before


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def test_duckdb_and_sqlite_tell_what_they_refuse(tmp_path: Path) -> None:
    duck = tmp_path / "shop.duckdb"
    with duckdb.connect(str(duck)) as owner:
        owner.execute("CREATE TABLE orders (id integer, total varchar, made timestamp)")
    yml = (
        "name: orders\ndimensions: [{name: id}, {name: made}, {name: gone, expr: no_such_function(id)}]\n"
        "measures: [{name: total, agg: sum}]\nfilters: [{name: since, expr: 'made >= {day}', args: [{name: day}]}]\n"
        "relationships: [{name: orders, source_col: total, ref_col: id}]"
    )
    report, _ = check("duckdb", files_of("duckdb", duck), yml)
    found = told(report)
    assert set(found) == {"broken_expression.gone", "broken_expression.total", "key_type_mismatch.total"}
    assert found["key_type_mismatch.total"].severity == "info"
    lite = tmp_path / "shop.sqlite"
    with sqlite3.connect(lite) as other:
        other.execute("CREATE TABLE orders (id integer, total text, made text)")
    other.close()
    report, _ = check("sqlite", files_of("sqlite", lite), yml)
    assert {kind for kind in told(report) if kind.startswith("broken")} == {"broken_expression.gone"}
