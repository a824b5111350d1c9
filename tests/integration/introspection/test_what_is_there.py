"""Every relation, column, type and name that a PostgreSQL may hold comes back as the server knows it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import Column, Table
from include.schema_sync.warehouses.names import NameIndex
from tests.integration.introspection.conftest import (
    POSTGRES,
    connects,
    names,
    outcome_of,
    request,
    run,
    snapshot_of,
)

pytestmark = pytest.mark.postgres

BUILT_IN_TYPES = (
    "bigint", "bit(3)", "bit varying(5)", "boolean", "box", "bytea", "character(7)", "character varying(80)",
    "character varying", "cidr", "circle", "date", "daterange", "double precision", "inet", "int4multirange",
    "int4range", "integer", "interval", "interval day to second(3)", "json", "jsonb", "line", "lseg", "macaddr",
    "macaddr8", "money", "name", "numeric", "numeric(12,2)", "numeric(38,0)", "oid", "path", "pg_lsn", "point",
    "polygon", "real", "smallint", "text", "text[]", "numeric(12,2)[]", "time without time zone",
    "time(3) with time zone", "timestamp without time zone", "timestamp(3) with time zone", "tsquery", "tsrange",
    "tsvector", "uuid", "xml",
)  # fmt: skip

HOSTILE_NAMES = (
    '"; DROP TABLE x; --', "<!channel>", "😀 émoji", "two\nlines", "100% {x} %(schema)s", "it's", "\\", "a.b", "`x",
)  # fmt: skip


# What is there


def test_every_kind_of_relation_is_seen_because_each_can_be_queried(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TABLE plain (a int)",
        "CREATE VIEW seen AS SELECT a FROM plain",
        "CREATE MATERIALIZED VIEW stored AS SELECT a FROM plain",
        "CREATE TABLE parted (a int) PARTITION BY LIST (a)",
        "CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1)",
        "CREATE FOREIGN DATA WRAPPER wrapper",
        "CREATE SERVER far FOREIGN DATA WRAPPER wrapper",
        "CREATE FOREIGN TABLE foreign_one (a int) SERVER far",
        "CREATE SEQUENCE not_a_table",
        "CREATE TYPE not_a_table_either AS (a int)",
        "CREATE INDEX nor_this ON plain (a)",
    )
    asked = ("plain", "seen", "stored", "parted", "part_1", "foreign_one", "not_a_table", "not_a_table_either")
    snapshot = snapshot_of(fresh_database, "public", *asked, "nor_this")
    assert [(table.name, table.kind) for table in snapshot.tables] == [
        ("foreign_one", "foreign table"),
        ("part_1", "table"),
        ("parted", "partitioned table"),
        ("plain", "table"),
        ("seen", "view"),
        ("stored", "materialized view"),
    ]
    assert all(table.readable and table.columns == (Column("a", "integer"),) for table in snapshot.tables)


def test_only_the_tables_asked_for_come_back(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)", "CREATE TABLE others (id int)")
    snapshot = snapshot_of(fresh_database, "public", "orders")
    assert names(snapshot.tables) == ["orders"]
    assert snapshot.neighbours == ()


def test_columns_come_in_table_order_without_the_dropped_ones(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TABLE orders (z int, gone int, a text NOT NULL)",
        "ALTER TABLE orders DROP COLUMN gone",
        "ALTER TABLE orders ADD COLUMN m date",
    )
    (table,) = snapshot_of(fresh_database, "public", "orders").tables
    assert table.columns == (Column("z", "integer"), Column("a", "text"), Column("m", "date"))


def test_columns_and_tables_have_numbers_that_survive_a_rename_and_nothing_else(fresh_database: str) -> None:
    def numbers() -> tuple[int | None, list[tuple[str, int | None]]]:
        (table,) = outcome_of(fresh_database, request("public", "orders")).snapshot.tables
        return table.identity, [(column.name, column.identity) for column in table.columns]

    run(fresh_database, "CREATE TABLE orders (a int, b int, c int)")
    table, columns = numbers()
    assert (table is not None, columns) == (True, [("a", 1), ("b", 2), ("c", 3)])
    run(fresh_database, "ALTER TABLE orders DROP b", "ALTER TABLE orders ADD d int", "ALTER TABLE orders RENAME c TO e")
    run(fresh_database, "ALTER TABLE orders ALTER e TYPE text", "VACUUM FULL orders", "ANALYZE orders")
    assert numbers() == (table, [("a", 1), ("e", 3), ("d", 4)])
    run(fresh_database, "DROP TABLE orders", "CREATE TABLE orders (a int)", "CREATE VIEW seen AS SELECT * FROM orders")
    assert numbers()[0] != table
    (view,) = outcome_of(fresh_database, request("public", "seen")).snapshot.tables
    assert view.identity is None


def test_a_table_without_columns_is_there(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE empty ()")
    assert snapshot_of(fresh_database, "public", "empty").tables == (Table("empty", "table", True, ()),)


def test_built_in_types_are_spelled_as_the_server_spells_them(fresh_database: str) -> None:
    assert len(BUILT_IN_TYPES) >= 40
    columns = ", ".join(f"c{number} {type_}" for number, type_ in enumerate(BUILT_IN_TYPES))
    run(fresh_database, f"CREATE TABLE wide ({columns})")
    (table,) = snapshot_of(fresh_database, "public", "wide").tables
    assert table.columns == tuple(Column(f"c{number}", type_) for number, type_ in enumerate(BUILT_IN_TYPES))


def test_types_of_users_tell_what_they_stand_for(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TYPE point3 AS (x float8, y float8, z float8)",
        "CREATE TYPE floatrange AS RANGE (subtype = float8)",
        "CREATE DOMAIN amount AS numeric(10,2) CHECK (VALUE >= 0)",
        "CREATE DOMAIN price AS amount NOT NULL",
        "CREATE DOMAIN tags AS varchar(20)[]",
        "CREATE DOMAIN feeling AS mood",
        "CREATE DOMAIN feelings AS mood[]",
        "CREATE DOMAIN spot AS point3",
        "CREATE DOMAIN span AS int4range",
        "CREATE TABLE others (id int)",
        """CREATE TABLE things (
             a mood, b mood[], c point3, d point3[], e floatrange, f floatmultirange, g floatrange[],
             h amount, i price, j price[], k tags, l feeling, m feelings, n spot, o span, p int4range, q others[]
           )""",
    )
    (table,) = snapshot_of(fresh_database, "public", "things").tables
    assert {column.name: (column.type, column.base_type) for column in table.columns} == {
        "a": ("mood", "enum"),
        "b": ("mood[]", "enum[]"),
        "c": ("point3", "composite"),
        "d": ("point3[]", "composite[]"),
        "e": ("floatrange", "range"),
        "f": ("floatmultirange", "multirange"),
        "g": ("floatrange[]", "range[]"),
        "h": ("amount", "numeric(10,2)"),
        "i": ("price", "numeric(10,2)"),
        "j": ("price[]", "numeric(10,2)[]"),
        "k": ("tags", "character varying(20)[]"),
        "l": ("feeling", "enum"),
        "m": ("feelings", "enum[]"),
        "n": ("spot", "composite"),
        "o": ("span", "int4range"),
        "p": ("int4range", None),
        "q": ("others[]", "composite[]"),
    }


def test_domains_that_come_with_the_server_are_domains_too(fresh_database: str) -> None:
    (table,) = snapshot_of(fresh_database, "information_schema", "tables").tables
    assert table.columns[0] == Column("table_catalog", "information_schema.sql_identifier", "name")


# Names


def test_tables_are_found_in_any_letter_case_so_that_the_diff_can_tell(fresh_database: str) -> None:
    run(
        fresh_database,
        'CREATE TABLE "Orders" (id int)',
        'CREATE TABLE "ORDERS" (id int)',
        'CREATE TABLE "äpfel" (id int)',
        "CREATE TABLE customers (id int)",
    )
    snapshot = snapshot_of(fresh_database, "public", "orders", "ÄPFEL", "CUSTOMERS")
    assert names(snapshot.tables) == ["ORDERS", "Orders", "customers", "äpfel"]
    index = NameIndex(names(snapshot.tables), POSTGRES.table_case, POSTGRES.max_name_bytes)
    assert index.resolve("CUSTOMERS") == ("customers", False)
    assert index.resolve("ÄPFEL") == ("äpfel", True)
    assert index.resolve("orders") == (None, True)


def test_a_folded_name_wins_over_the_exact_one_as_in_sql(fresh_database: str) -> None:
    run(fresh_database, 'CREATE TABLE "Orders" (a int)', "CREATE TABLE orders (b int)")
    assert names(snapshot_of(fresh_database, "public", "Orders").tables) == ["Orders", "orders"]


@pytest.mark.parametrize(
    ("schemas", "wanted", "exists"),
    [
        (["sales"], "sales", True),
        (["sales"], "SALES", True),
        (["Sales"], "Sales", True),
        (["Sales"], "sales", True),
        (["Sales"], '"Sales"', True),
        (["Sales", "SALES"], "sales", False),  # nobody can tell which
        (["Sales", "SALES"], "SALES", True),
        (["sales"], "sale", False),
        (["sälES"], "SÄLES", True),
        (["s" * 63], "s" * 100, True),
    ],
)
def test_a_schema_resolves_like_a_table(fresh_database: str, schemas: list[str], wanted: str, exists: bool) -> None:
    run(fresh_database, *(f'CREATE SCHEMA "{schema}"' for schema in schemas))
    snapshot = snapshot_of(fresh_database, wanted, "nothing")
    assert (snapshot.exists, snapshot.schema, snapshot.tables) == (exists, wanted, ())


def test_the_folded_schema_wins_over_the_exact_one(fresh_database: str) -> None:
    run(fresh_database, 'CREATE SCHEMA "Sales"', "CREATE SCHEMA sales", "CREATE TABLE sales.orders (id int)")
    assert names(snapshot_of(fresh_database, "Sales", "orders").tables) == ["orders"]


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "x" * 200])
def test_hostile_names_are_only_names(fresh_database: str, name: str) -> None:
    quoted = sql.Identifier(name)
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(quoted))
        connection.execute(sql.SQL("CREATE TABLE {}.{} ({} int)").format(quoted, quoted, quoted))
    snapshot = snapshot_of(fresh_database, name, name, "absent " + name)
    assert snapshot.exists
    (table,) = snapshot.tables
    assert (table.name, table.columns[0].name) == (name[:63], name[:63])
    assert not snapshot_of(fresh_database, "absent " + name[:30], name).exists


@pytest.mark.parametrize("name", ["nul\0", "lone \ud800 surrogate"])
def test_names_that_cannot_be_asked_for_are_absent_and_disturb_nothing(fresh_database: str, name: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    groups = [request(name, "orders"), request("public", "orders", database=name), request("public", "orders", name)]
    in_schema, in_database, beside = introspect_source(connects(fresh_database), POSTGRES, groups, timeout_s=30)
    for outcome in (in_schema, in_database):
        assert (outcome.snapshot.exists, outcome.snapshot.error, outcome.statements) == (False, None, 0)
    assert names(beside.snapshot.tables) == ["orders"]


def test_a_database_without_an_encoding_gives_names_as_text(postgres_uri: str) -> None:
    options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    run(postgres_uri, "DROP DATABASE IF EXISTS bare_ascii", f"CREATE DATABASE bare_ascii {options}")
    uri = make_conninfo(postgres_uri, dbname="bare_ascii")
    run(uri, "CREATE TABLE orders (id int)")
    assert snapshot_of(uri, "public", "orders").tables == (Table("orders", "table", True, (Column("id", "integer"),)),)
