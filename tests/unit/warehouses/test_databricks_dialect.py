"""Databricks' facts. No engine runs here: rows are those of the vendor's documentation and of its sample catalog."""

from __future__ import annotations

import json

import pytest
from golden_rows import (
    GoldenConnection,
    assert_golden_query,
    check,
    found,
    model,
    parsed,
    table_rows,
    types_that_differ,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import expressions as exp

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.databricks import DATABRICKS, classify, columns_query, probe
from include.schema_sync.warehouses.engine import Failure
from tests.examples import examples

PLACE = {"database": "main", "schema": "sales"}
EXISTS = [("sales", None, None, None, None, None, None, None)]

# https://docs.databricks.com/en/discover/databricks-datasets.html: samples.nyctaxi.trips
TRIPS = [
    ("tpep_pickup_datetime", "timestamp"), ("tpep_dropoff_datetime", "timestamp"), ("trip_distance", "double"),
    ("fare_amount", "double"), ("pickup_zip", "int"), ("dropoff_zip", "int"),
]  # fmt: skip
ORDERS = [
    ("order_id", "bigint"), ("amount_usd", "decimal(12,2)"), ("quantity", "string"), ("status", "string"),
    ("Address", "struct<city:string,zip:int>"), ("channel", "string"),
]  # fmt: skip

# https://docs.databricks.com/en/sql/language-manual/sql-ref-datatypes.html, as full_data_type spells them
TYPES = [
    ("tinyint", None, "tinyint"), ("tinyint", None, "byte"), ("smallint", None, "short"), ("int", None, "integer"),
    ("int", None, "number"), ("bigint", None, "long"), ("bigint", None, "integer"), ("float", None, "real"),
    ("float", None, "number"), ("double", None, "float"), ("double", None, "double precision"),
    ("decimal(10,0)", None, "decimal"), ("decimal(10,0)", None, "integer"), ("decimal(38,18)", None, "number"),
    ("decimal(12,2)", None, "numeric(12,2)"), ("boolean", None, "boolean"), ("boolean", None, "bool"),
    ("string", None, "text"), ("string", None, "varchar"), ("varchar(20)", None, "string"), ("char(3)", None, "string"),
    ("string collate UTF8_LCASE", None, "string"), ("string", None, "uuid"), ("string", None, "json"),
    ("binary", None, "binary"), ("binary", None, "bytes"), ("date", None, "date"), ("date", None, "datetime"),
    ("timestamp", None, "timestamp"), ("timestamp", None, "timestamptz"), ("timestamp", None, "datetime"),
    ("timestamp_ntz", None, "timestamp_ntz"), ("timestamp_ntz", None, "timestamp"),
    ("interval day to second", None, "interval"), ("interval year to month", None, "interval"),
    ("array<string>", None, "array"), ("array<string>", None, "array<string>"), ("array<struct<a:int>>", None, "array"),
    ("array<double>", None, "vector"), ("map<string,int>", None, "map"), ("map<string,int>", None, "object"),
    ("struct<city:string,zip:int>", None, "struct"), ("struct<a:int COMMENT 'x'>", None, "struct<a:int>"),
    ("variant", None, "variant"), ("variant", None, "json"), ("geography(4326)", None, "geography"),
    ("geometry(4326)", None, "geometry"),
]  # fmt: skip


def test_the_query_is_the_reviewed_one() -> None:
    assert_golden_query("databricks", columns_query(GroupRequest("s", "main", "sales", ("orders",))))


def test_the_query_is_one_select_in_the_engines_grammar() -> None:
    statement = parsed(DATABRICKS, columns_query(GroupRequest("s", "main", "sales", ("orders",))))
    bound = {node.name for node in statement.find_all(exp.Placeholder)}
    assert bound == {"schema", "tables", "schemata_view", "tables_view", "columns_view"}


def test_every_name_is_bound_the_catalogs_too() -> None:
    query = columns_query(GroupRequest("s", "Main`x", "Sales", ("Orders", "`Order Items`", "orders")))
    assert query.parameters == {
        "schema": "sales",
        "tables": '["order items", "orders"]',
        "schemata_view": "`Main``x`.information_schema.schemata",
        "tables_view": "`Main``x`.information_schema.tables",
        "columns_view": "`Main``x`.information_schema.columns",
    }


def test_without_a_catalog_the_connections_own_is_meant() -> None:
    parameters = columns_query(GroupRequest("s", None, "sales", ("orders",))).parameters
    assert isinstance(parameters, dict)
    assert parameters["tables_view"] == "information_schema.tables"


@settings(max_examples=examples(40))
@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_hostile_names_never_appear_in_the_sql(catalog: str, schema: str, tables: list[str]) -> None:
    query = columns_query(GroupRequest("s", catalog, schema, tuple(tables)))
    assert query.sql == columns_query(GroupRequest("s", "main", "sales", ("orders",))).sql
    assert isinstance(query.parameters, dict)
    assert isinstance(json.loads(str(query.parameters["tables"])), list)


@pytest.mark.parametrize("catalog", ["hive_metastore", "Hive_Metastore", "`hive_metastore`", "spark_catalog"])
def test_the_old_metastore_is_unchecked_with_what_to_do_and_never_missing(catalog: str) -> None:
    query = columns_query(GroupRequest("s", catalog, "sales", ("orders",)))
    assert "has no information_schema" in query.sql
    raised = "[USER_RAISED_EXCEPTION] The catalog hive_metastore has no information_schema … SQLSTATE: P0001"
    assert classify(None, raised) is Failure.TERMINAL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (("[TABLE_OR_VIEW_NOT_FOUND] The table or view `main`.`sales`.`refunds` cannot be found. Verify the spelling "
         "and correctness of the schema and catalog. SQLSTATE: 42P01; line 1 pos 14"), Failure.MISSING_TABLE),
        # A view over a table that was changed under it, as real Spark says it.
        (("[INCOMPATIBLE_VIEW_SCHEMA_CHANGE] The SQL query of view `main`.`sales`.`v` has an incompatible "
         "schema change and column `gone` cannot be resolved. Expected 1 columns … SQLSTATE: 51024"),
         Failure.MISSING_TABLE),
        (("[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `t`.`coupon` cannot "
         "be resolved. Did you mean one of the following? [`t`.`channel`]. SQLSTATE: 42703"), Failure.MISSING_COLUMN),
        ("[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] … SQLSTATE: 42703", Failure.MISSING_COLUMN),
        ("[FIELD_NOT_FOUND] No such struct field `zip` in `city`. SQLSTATE: 42704", Failure.MISSING_COLUMN),
        ("[SCHEMA_NOT_FOUND] The schema `main`.`sales` cannot be found. SQLSTATE: 42704", Failure.MISSING_DATABASE),
        ("[NO_SUCH_CATALOG_EXCEPTION] Catalog 'shop' was not found. SQLSTATE: 42704", Failure.MISSING_DATABASE),
        # Missing catalog, or one without the view: nobody can tell.
        (("[TABLE_OR_VIEW_NOT_FOUND] The table or view `shop`.`information_schema`.`tables` cannot be found. "
         "SQLSTATE: 42P01"), Failure.TERMINAL),
        ("[SCHEMA_NOT_FOUND] The schema `hive_metastore`.`information_schema` cannot be found. SQLSTATE: 42704",
         Failure.TERMINAL),
        (("[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have USE SCHEMA on Schema 'main.sales'. "
         "SQLSTATE: 42501"), Failure.DENIED),
        ("PERMISSION_DENIED: User does not have USE CATALOG on Catalog 'main'.", Failure.DENIED),
        ("[SOMETHING_NEW] … SQLSTATE: 42501", Failure.DENIED),
        ("[PARSE_SYNTAX_ERROR] Syntax error at or near 'FRM'. SQLSTATE: 42601", Failure.TERMINAL),
        ("[UNBOUND_SQL_PARAMETER] Found the unbound parameter: schema. SQLSTATE: 42P02", Failure.TERMINAL),
        ("[CANNOT_ESTABLISH_CONNECTION] … SQLSTATE: 08001", Failure.TRANSIENT),
        ("[REMOTE_FUNCTION_HTTP_RETRY_TIMEOUT] … SQLSTATE: 57012", Failure.TRANSIENT),
        ("[OPERATION_CANCELED] Operation has been canceled. SQLSTATE: HY008", Failure.TRANSIENT),
        ("Error during request to server: : Invalid access token.", Failure.TERMINAL),
        ("Error during request to server: TEMPORARILY_UNAVAILABLE: the warehouse is starting", Failure.TRANSIENT),
        ("Error during request to server: Retry request would exceed Retry policy max retry duration",
         Failure.TRANSIENT),
        ("RESOURCE_DOES_NOT_EXIST: No SQL warehouse found", Failure.TERMINAL),
        ("HTTPSConnectionPool(host='x.cloud.databricks.com', port=443): Max retries exceeded", Failure.TRANSIENT),
        # A name may hold anything, but comes after the server's own words.
        (("[TABLE_OR_VIEW_NOT_FOUND] The table or view `SQLSTATE: 08001 [SCHEMA_NOT_FOUND]` cannot be found. "
         "SQLSTATE: 42P01"), Failure.MISSING_TABLE),
    ],
)  # fmt: skip
def test_errors_mean(text: str, expected: Failure) -> None:
    assert classify(None, text) is expected


def test_documented_tables_are_clean_in_any_letter_case() -> None:
    connection = GoldenConnection([*EXISTS, *table_rows("sales", "trips", TRIPS)])
    trips = model("Trips", TPEP_PICKUP_DATETIME="timestamp", tpep_dropoff_datetime="datetime", trip_distance="number",
                  Fare_Amount="float", pickup_zip="integer", dropoff_zip="int")  # fmt: skip
    report, outcome = check(DATABRICKS, connection, trips, **PLACE)
    assert found(report) == set()
    assert [group.statements for group in outcome] == [1]
    assert connection.probes == []


def test_exactly_the_planted_discrepancies_are_found() -> None:
    def probed(sql: str) -> None:
        if "refunds" in sql:
            raise RuntimeError("[TABLE_OR_VIEW_NOT_FOUND] The table or view cannot be found. SQLSTATE: 42P01")
        if "payroll" in sql:
            raise RuntimeError("[INSUFFICIENT_PERMISSIONS] User does not have SELECT on Table. SQLSTATE: 42501")
        if "`amount`" in sql:
            raise RuntimeError("[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column … cannot be resolved. SQLSTATE: 42703")

    connection = GoldenConnection([*EXISTS, *table_rows("sales", "orders", ORDERS)], probed)
    orders = model("orders", order_id="integer", amount="decimal", quantity="integer", status="string",
                   address="struct", **{"address.city": None})  # fmt: skip
    report, _ = check(
        DATABRICKS, connection, orders, model("refunds", id="int"), model("payroll", id="int"), **PLACE
    )  # fmt: skip
    warnings = {each for each in found(report) if each[0] in ("type_mismatch", "case_mismatch")}
    criticals = {
        (each.type.value, each.table, each.column) for each in report.discrepancies if each.severity == "critical"
    }
    assert warnings == {("type_mismatch", "orders", "quantity")}
    assert criticals == {
        ("missing_column", "orders", "amount"),
        ("missing_table", "refunds", None),
        ("inaccessible_table", "payroll", None),
    }
    assert report.datasets_unchecked == 0
    assert "t.`address`.`city`" in "".join(connection.probes)  # not listed, but the warehouse can run it: no critical


def test_a_missing_schema_is_one_finding_after_its_tables_were_asked_for() -> None:
    def probed(sql: str) -> None:
        raise RuntimeError("[SCHEMA_NOT_FOUND] The schema `main`.`sales` cannot be found. SQLSTATE: 42704")

    connection = GoldenConnection([], probed)
    report, _ = check(DATABRICKS, connection, model("orders", id="int"), model("refunds", id="int"), **PLACE)
    assert found(report) == {("missing_schema", None, None)}


def test_every_documented_type_is_clean_against_what_a_yml_says() -> None:
    assert len(TYPES) >= 40
    assert types_that_differ(DATABRICKS, TYPES, **PLACE) == set()


def test_probes_address_fields_unless_the_name_is_quoted() -> None:
    request = GroupRequest("s", "main", "`sales`", ())
    assert probe(request, "orders", ["a.b", "`c.d`", "e f"]) == (
        "SELECT t.`a`.`b`, t.`c.d`, t.`e f` FROM `main`.`sales`.`orders` AS t WHERE 1 = 0"
    )
    assert probe(request, "`o``r`", []) == "SELECT 1 FROM `main`.`sales`.`o``r` AS t WHERE 1 = 0"
