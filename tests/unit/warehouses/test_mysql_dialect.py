"""MySQL's and MariaDB's facts: what their errors mean and what is asked of their catalogue."""

from __future__ import annotations

import pytest

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.mysql import MYSQL, classify, columns_query


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        # mysql-connector-python writes "number (SQLSTATE): text" and carries the SQLSTATE.
        ("42000", "1049 (42000): Unknown database 'shop'", Failure.MISSING_DATABASE),
        ("42S02", "1146 (42S02): Table 'shop.orders' doesn't exist", Failure.MISSING_TABLE),
        ("HY000", "1356 (HY000): View 'shop.v' references invalid table(s) or column(s)", Failure.MISSING_TABLE),
        ("42S22", "1054 (42S22): Unknown column 'x' in 'field list'", Failure.MISSING_COLUMN),
        ("42000", "1044 (42000): Access denied for user 'r'@'%' to database 'shop'", Failure.DENIED),
        ("42000", "1142 (42000): SELECT command denied to user 'r'@'%' for table `shop`.`orders`", Failure.DENIED),
        ("42000", "1143 (42000): SELECT command denied to user 'r'@'%' for column 'x'", Failure.DENIED),
        ("28000", "1045 (28000): Access denied for user 'r'@'%' (using password: YES)", Failure.TERMINAL),
        ("42000", "1064 (42000): You have an error in your SQL syntax", Failure.TERMINAL),
        ("HY000", "3024 (HY000): Query execution was interrupted, maximum statement time", Failure.TRANSIENT),
        ("70100", "1969 (70100): Query execution was interrupted (max_statement_time exceeded)", Failure.TRANSIENT),
        ("08004", "1040 (08004): Too many connections", Failure.TRANSIENT),
        ("HY000", "2003 (HY000): Can't connect to MySQL server on '127.0.0.1:3306' (111)", Failure.TRANSIENT),
        ("HY000", "2013 (HY000): Lost connection to MySQL server during query", Failure.TRANSIENT),
        # mysqlclient and PyMySQL have the number as their first argument.
        (None, "(1146, \"Table 'shop.1054' doesn't exist\")", Failure.MISSING_TABLE),
        (None, "(2006, 'Server has gone away')", Failure.TRANSIENT),
        ("1142", "SELECT command denied", Failure.DENIED),
        ("42S02", "no number in front", Failure.MISSING_TABLE),
        (None, "MySQL Connection not available.", Failure.TRANSIENT),
    ],
)
def test_the_number_of_an_error_tells_what_it_means(code: str | None, text: str, expected: Failure) -> None:
    assert classify(code, text) is expected


@pytest.mark.parametrize(
    ("database", "schema", "expected"),
    [
        ("shop", "sales", "sales"),  # the server calls databases schemas: the schema is meant
        (None, "sales", "sales"),
        ("shop", "public", "shop"),  # PostgreSQL's word for no particular schema
        ("shop", "", "shop"),
        ("public", "public", "public"),
        (None, "public", "public"),
        ("`shop`", "dbo", "shop"),
    ],
)
def test_a_schema_is_a_mysql_database(database: str | None, schema: str, expected: str) -> None:
    request = GroupRequest("s", database, schema, ("orders",))
    parameters = columns_query(request).parameters
    assert isinstance(parameters, dict)
    assert parameters["schema"] == expected
    assert f"`{expected}`." in MYSQL.probe(request, "orders", ("id",))


def test_a_name_that_mysql_cannot_store_is_not_compared_with_the_catalogue() -> None:
    parameters = columns_query(GroupRequest("s", None, "😀", ("orders",))).parameters
    assert isinstance(parameters, dict)
    assert parameters["schema"] == ""


def test_tables_that_differ_in_case_are_asked_for_once() -> None:
    parameters = columns_query(GroupRequest("s", None, "shop", ("Orders", "orders", "`ORDERS`"))).parameters
    assert isinstance(parameters, dict)
    assert {name: value for name, value in parameters.items() if name.startswith("key_")} == {"key_0": "orders"}
    assert parameters["tables_asked"] == 1


def test_each_server_sees_the_timeout_that_it_knows() -> None:
    text = MYSQL.session_statements[0].format(timeout_ms=1500)
    assert "/*!50708 , max_execution_time = 1500 */" in text
    assert "/*M!100101 , max_statement_time = 1500 / 1000 */" in text
