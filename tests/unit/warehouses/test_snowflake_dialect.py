"""Snowflake's facts: what is asked of its catalogue, what its errors mean, and rows as its documentation has them."""

from __future__ import annotations

import pytest
from golden_rows import (
    GoldenConnection,
    assert_golden_query,
    check,
    found,
    model,
    parsed,
    structure,
    table_rows,
    types_that_differ,
)

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.snowflake import SNOWFLAKE, classify, columns_query

PLACE = {"database": "SHOP", "schema": "PUBLIC"}
EXISTS = [("PUBLIC", None, None, None, None, None, None, None)]
COMPILATION = "SQL compilation error:\n"

# https://docs.snowflake.com/en/user-guide/sample-data-tpch: ORDERS
ORDERS = [
    ("O_ORDERKEY", "NUMBER(38,0)"), ("O_CUSTKEY", "NUMBER(38,0)"), ("O_ORDERSTATUS", "VARCHAR(1)"),
    ("O_TOTALPRICE", "NUMBER(12,2)"), ("O_ORDERDATE", "DATE"), ("O_COMMENT", "VARCHAR(79)"),
]  # fmt: skip

# https://docs.snowflake.com/en/sql-reference/intro-summary-data-types, as the query composes them
TYPES = [
    ("NUMBER(38,0)", None, "integer"), ("NUMBER(38,0)", None, "bigint"), ("NUMBER(18,2)", None, "decimal(18,2)"),
    ("FLOAT", None, "double"), ("VARCHAR(16777216)", None, "string"), ("VARCHAR(16777216)", None, "text"),
    ("VARCHAR(20)", None, "varchar(20)"), ("BINARY(8388608)", None, "binary"), ("BOOLEAN", None, "boolean"),
    ("DATE", None, "date"), ("TIME", None, "time"), ("TIMESTAMP_NTZ", None, "datetime"),
    ("TIMESTAMP_LTZ", None, "timestamp"), ("TIMESTAMP_TZ", None, "timestamptz"), ("VARIANT", None, "variant"),
    ("VARIANT", None, "json"), ("OBJECT", None, "object"), ("ARRAY", None, "array"), ("GEOGRAPHY", None, "geography"),
    ("GEOMETRY", None, "geometry"),
]  # fmt: skip


# What is asked


def test_the_query_is_the_reviewed_one_in_the_grammar_of_the_engine() -> None:
    query = columns_query(GroupRequest("s", "shop", "Public", ("orders", '"Line Items"')))
    assert_golden_query("snowflake", query)
    assert query.parameters == {
        "schema": "Public", "folded_schema": "PUBLIC", "tables_asked": 2,
        "schema_0": "PUBLIC", "schema_1": "Public", "schema_2": "public",
        "key_0": "LINE ITEMS", "key_1": "ORDERS",
    }  # fmt: skip
    parsed(SNOWFLAKE, query)


@pytest.mark.parametrize(
    ("database", "written"),
    [
        (None, "FROM INFORMATION_SCHEMA.COLUMNS"),
        ("shop", 'FROM "SHOP".INFORMATION_SCHEMA.COLUMNS'),
        ('"Shop"', 'FROM "Shop".INFORMATION_SCHEMA.COLUMNS'),
        ("my-shop", 'FROM "my-shop".INFORMATION_SCHEMA.COLUMNS'),
        ('a"b.c', 'FROM "a""b.c".INFORMATION_SCHEMA.COLUMNS'),
    ],
)
def test_a_database_is_folded_and_quoted(database: str | None, written: str) -> None:
    assert written in columns_query(GroupRequest("s", database, "public", ("orders",))).sql


@pytest.mark.parametrize("database", ["100%", "%(schema)s", '"; DROP TABLE users; --', "it's", "a\nb", "\\"])
def test_a_hostile_database_name_leaves_the_statement_as_it_is(database: str) -> None:
    """The connector fills parameters in with the % operator: what it sends must read as the same statement."""
    plain = columns_query(GroupRequest("s", "shop", "public", ("orders",)))
    hostile = columns_query(GroupRequest("s", database, "public", ("orders",)))
    assert isinstance(hostile.parameters, dict)
    sent = hostile.sql % dict.fromkeys(hostile.parameters, "NULL")
    assert database.replace('"', '""') in sent
    assert structure(parsed(SNOWFLAKE, plain)) == structure(parsed(SNOWFLAKE, type(hostile)(sent, {})))


def test_schemas_are_compared_with_literals_because_only_those_keep_the_catalogue_from_being_read_whole() -> None:
    sql = columns_query(GroupRequest("s", None, "public", ("orders",))).sql
    assert sql.count("table_schema IN (%(schema_0)s, %(schema_1)s)") == 2


def test_what_cannot_be_plain_is_asked_for_as_it_is_written() -> None:
    query = columns_query(GroupRequest("s", None, '"Sales"', ("straße",)))
    assert isinstance(query.parameters, dict)
    assert query.parameters["folded_schema"] == "Sales"
    keys = {value for name, value in query.parameters.items() if name.startswith("key_")}
    assert keys == {"STRASSE", "STRAßE"}


# What comes back


def test_documented_rows_are_clean_and_a_dropped_column_is_not() -> None:
    declared = model(
        "orders", o_orderkey="integer", o_custkey="number", o_orderstatus="string", o_totalprice="decimal",
        o_orderdate="date", O_COMMENT="text", o_clerk="string",
    )  # fmt: skip

    def refuse(sql: str) -> None:
        raise RuntimeError(f"000904 (42000): {COMPILATION}error line 1 at position 7\ninvalid identifier 'O_CLERK'")

    connection = GoldenConnection(table_rows("PUBLIC", "ORDERS", ORDERS), refuse)
    report, outcome = check(SNOWFLAKE, connection, declared, **PLACE)
    assert found(report) == {("missing_column", "ORDERS", "o_clerk")}
    assert [group.statements for group in outcome] == [1]
    assert all('FROM SHOP."PUBLIC"."ORDERS"' in probe for probe in connection.probes)


def test_a_table_that_the_role_may_not_use_is_missing_because_snowflake_says_no_more() -> None:
    def refuse(sql: str) -> None:
        raise RuntimeError(f"002003 (42S02): {COMPILATION}Object 'SHOP.PUBLIC.X' does not exist or not authorized.")

    report, _ = check(SNOWFLAKE, GoldenConnection(EXISTS, refuse), model("payroll", salary="number"), **PLACE)
    assert found(report) == {("missing_table", "payroll", None)}


def test_a_table_that_the_catalogue_does_not_list_but_that_can_be_queried_raises_nothing_critical() -> None:
    report, _ = check(SNOWFLAKE, GoldenConnection(EXISTS), model("late", id="number"), **PLACE)
    assert report.datasets_checked == 1
    assert not any(each.severity.rank == 0 for each in report.discrepancies)


def test_documented_types_are_as_a_yml_says_them() -> None:
    assert types_that_differ(SNOWFLAKE, TYPES, **PLACE) == set()


# What errors mean


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("42S02", f"002003 (42S02): 01b2-x: {COMPILATION}Object 'A.B.C' does not exist or not authorized.", "table"),
        ("42S02", f"002003 (42S02): {COMPILATION}Table 'C' does not exist or not authorized.", "table"),
        ("02000", f"002003 (02000): {COMPILATION}Schema 'A.B' does not exist or not authorized.", "database"),
        ("02000", f"002003 (02000): {COMPILATION}Database 'A' does not exist or not authorized.", "database"),
        ("42S02", f"002003 (42S02): {COMPILATION}Object 'S.\"Schema 'X'\"' does not exist or not authorized.", "table"),
        ("42000", f"000904 (42000): {COMPILATION}error line 1 at position 7\ninvalid identifier 'FOO'", "column"),
        ("42501", "003001 (42501): SQL access control error:\nInsufficient privileges to operate on 'C'", "denied"),
        ("42000", f"001003 (42000): {COMPILATION}syntax error line 1 at position 0 unexpected 'x'.", "terminal"),
        ("42601", f"002037 (42601): {COMPILATION}Failure during expansion of view 'V': …", "terminal"),
        ("57P03", "000606 (57P03): No active warehouse selected in the current session.", "terminal"),
        ("22000", "090105 (22000): Cannot perform SELECT. This session does not have a current database.", "terminal"),
        ("57014", "000630 (57014): Statement reached its statement or warehouse timeout of 60 second(s)", "transient"),
        ("57014", "000604 (57014): SQL execution canceled", "transient"),
        ("08001", "390114 (08001): Authentication token has expired. The user must authenticate again.", "transient"),
        ("08001", "250001 (08001): Could not connect to Snowflake backend after 2 attempt(s).Aborting", "transient"),
        ("n/a", "250003: 250003: Failed to execute request: … Connection refused", "transient"),
        ("n/a", "251011: Connection timed out", "transient"),
        ("n/a", "290503: 503 Service Unavailable: post https://a.snowflakecomputing.com", "transient"),
        ("08001", "290404 (08001): 404 Not Found: post https://nowhere.snowflakecomputing.com", "terminal"),
        ("08001", "250001 (08001): Failed to connect to DB. Verify the account name is correct: a. 403", "terminal"),
        ("28000", "390100 (28000): Failed to connect to DB: a:443. Incorrect username or password was", "terminal"),
        ("08001", "250001 (08001): Failed to connect to DB: a:443. Incorrect username or password was", "terminal"),
        ("08001", "390144 (08001): Failed to connect to DB: a:443. JWT token is invalid. [x]", "terminal"),
        ("08001", "390189 (08001): Failed to connect to DB: a:443. Role 'R' specified in the", "terminal"),
        ("08001", "250001: Role 'R' specified in the connect string does not exist or not authorized", "terminal"),
        ("08001", "390422 (08001): Incoming request with IP 10.0.0.1 is not allowed to access Snowflake", "terminal"),
        ("n/a", "251005: User is empty", "terminal"),
        (None, "Invalid Snowflake account 'a/b': only letters, digits, '.', '_' and '-' are allowed.", "terminal"),
        (None, "", "transient"),
    ],
)  # fmt: skip
def test_a_number_tells_what_an_error_means(code: str | None, text: str, expected: str) -> None:
    meaning = {
        "table": Failure.MISSING_TABLE, "database": Failure.MISSING_DATABASE, "column": Failure.MISSING_COLUMN,
        "denied": Failure.DENIED, "terminal": Failure.TERMINAL, "transient": Failure.TRANSIENT,
    }  # fmt: skip
    assert classify(code, text) is meaning[expected]
