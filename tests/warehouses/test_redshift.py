"""What only Redshift has, over its real wire: late-binding views, external tables, grants on columns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engines.redshift import RedshiftServer, missing, running_redshift

from include.schema_sync.introspect.source import GroupOutcome, introspect_source
from include.schema_sync.nouns.snapshot import Column, GroupRequest, Table
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Failure

pytestmark = [pytest.mark.airflow, pytest.mark.postgres]

# https://docs.aws.amazon.com/redshift/latest/dg/PG_GET_LATE_BINDING_VIEW_COLS.html, its example
SALES_LBV = (
    ("salesid", "integer"), ("dateid", "smallint"), ("pricepaid", "numeric(8,2)"),
    ("saletime", "timestamp without time zone"),
)  # fmt: skip
# https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_EXTERNAL_TABLE.html, its data types and examples
SPECTRUM_SALES = (
    ("salesid", "int"), ("pricepaid", "decimal(8,2)"), ("saletime", "timestamp"), ("notes", "varchar(200)"),
    ("tags", "array<varchar(20)>"), ("buyer", "struct<given:varchar(20),family:varchar(20)>"), ("saledate", "date"),
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[RedshiftServer]:
    reason = missing()
    if reason is not None:
        pytest.skip(f"redshift: {reason}")
    with running_redshift() as running:
        yield running


def read(server: RedshiftServer, schema: str, *tables: str, database: str | None = None) -> GroupOutcome:
    group = GroupRequest("source", database, schema, tables)
    (outcome,) = introspect_source(server.connect, dialect_for("redshift"), [group], timeout_s=30)
    return outcome


def test_a_late_binding_view_has_the_columns_that_only_a_function_knows(server: RedshiftServer) -> None:
    schema = server.new_place().schema
    server.execute(
        f"CREATE VIEW {schema}.sales_lbv AS SELECT",  # without attributes, as Redshift keeps one
        f"CREATE TABLE {schema}.sales (salesid integer)",
        *(
            f"INSERT INTO late_binding VALUES ('{schema}', 'sales_lbv', '{name}', '{type_}', {number})"
            for number, (name, type_) in enumerate(SALES_LBV, 1)
        ),
        "INSERT INTO late_binding VALUES ('elsewhere', 'sales_lbv', 'other', 'integer', 1)",
    )
    outcome = read(server, schema, "Sales_LBV", "sales")
    assert outcome.snapshot.tables == (
        Table("sales", "table", True, (Column("salesid", "integer"),)),
        Table("sales_lbv", "view", True, tuple(Column(*column) for column in SALES_LBV)),
    )
    assert (outcome.statements, outcome.probes) == (1, 0)


def test_a_view_whose_columns_nobody_knows_is_there_without_columns(server: RedshiftServer) -> None:
    place = server.new_place()
    server.run(place, "CREATE VIEW broken_lbv AS SELECT")
    assert read(server, place.schema, "broken_lbv").snapshot.tables == (Table("broken_lbv", "view", True, ()),)


def test_an_external_table_is_found_with_its_types(server: RedshiftServer) -> None:
    schema = server.new_place().schema
    rows = [
        (database, schema, "sales", name, type_, number)
        for database in ("postgres", "other")
        for number, (name, type_) in enumerate(SPECTRUM_SALES if database == "postgres" else [("x", "int")], 1)
    ]
    server.execute(
        f"INSERT INTO svv_external_schemas (schemaname) VALUES ('{schema}')",
        *(
            "INSERT INTO svv_external_columns (redshift_database_name, schemaname, tablename, columnname,"
            f" external_type, columnnum) VALUES ('{row[0]}', '{row[1]}', '{row[2]}', '{row[3]}', '{row[4]}', {row[5]})"
            for row in rows
        ),
    )
    assert read(server, schema, "SALES").snapshot.tables == (
        Table("sales", "external table", True, tuple(Column(*column) for column in SPECTRUM_SALES)),
    )


def test_an_external_catalogue_is_left_alone_when_the_schema_is_a_local_one(server: RedshiftServer) -> None:
    """Another database's schema of the same name may be in it."""
    place = server.new_place()
    server.run(place, "CREATE TABLE orders (id integer)")
    server.execute(
        "INSERT INTO svv_external_columns (schemaname, tablename, columnname, external_type, columnnum)"
        f" VALUES ('{place.schema}', 'orders', 'foreign_column', 'int', 1)"
    )
    (table,) = read(server, place.schema, "orders").snapshot.tables
    assert table.columns == (Column("id", "integer"),)


def test_a_grant_on_single_columns_is_not_called_unreadable(server: RedshiftServer) -> None:
    place = server.new_place()
    server.run(place, "CREATE TABLE people (id integer, secret text)", "CREATE TABLE payroll (salary integer)")
    server.hide(place, "people")
    server.hide(place, "payroll")
    server.run(place, "GRANT SELECT (id) ON people TO reader")
    tables = {table.name: table.readable for table in read(server, place.schema, "payroll", "people").snapshot.tables}
    assert tables == {"payroll": False, "people": True}


def test_an_absent_table_brings_its_neighbours_and_an_absent_schema_nothing(server: RedshiftServer) -> None:
    place = server.new_place()
    server.run(place, "CREATE TABLE orders_2024 (id integer)")
    outcome = read(server, place.schema, "orders")
    assert (outcome.snapshot.exists, outcome.snapshot.neighbours) == (True, ("orders_2024",))
    assert read(server, server.new_place().schema, "orders").snapshot.exists
    assert not read(server, "nowhere", "orders").snapshot.exists


def test_another_database_is_another_connection(server: RedshiftServer) -> None:
    """The stand-in's other databases lack what Redshift has everywhere, so only what the driver says is looked at."""
    missing_database = read(server, "public", "orders", database="no_such_database")
    assert not missing_database.snapshot.exists
    assert missing_database.failure is None


def test_a_wrong_password_is_terminal(server: RedshiftServer) -> None:
    server.execute("ALTER ROLE reader PASSWORD 'another'")
    try:
        outcome = read(server, "public", "orders")
    finally:
        server.execute("ALTER ROLE reader PASSWORD 'reader-secret'")
    assert outcome.failure is Failure.TERMINAL
