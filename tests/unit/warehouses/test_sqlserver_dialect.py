"""SQL Server's facts. No engine runs here: rows are those of the vendor's sample database AdventureWorks."""

from __future__ import annotations

import pytest
import sqlglot
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
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import expressions as exp

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.names import can_be_asked
from include.schema_sync.warehouses.sqlserver import SQLSERVER, classify, columns_query, probe
from tests.examples import examples

PLACE = {"database": "AdventureWorks", "schema": "Sales"}
EXISTS = [("Sales", None, None, None, None, None, None, None)]

# https://learn.microsoft.com/sql/samples/adventureworks-install-configure: HumanResources.Department, Person.Person
DEPARTMENT = [
    ("DepartmentID", "smallint"), ("Name", "dbo.Name", "nvarchar(50)"), ("GroupName", "dbo.Name", "nvarchar(50)"),
    ("ModifiedDate", "datetime"),
]  # fmt: skip
PERSON = [
    ("BusinessEntityID", "int"), ("PersonType", "nchar(2)"), ("NameStyle", "dbo.NameStyle", "bit"),
    ("Title", "nvarchar(8)"), ("FirstName", "dbo.Name", "nvarchar(50)"), ("EmailPromotion", "int"),
    ("AdditionalContactInfo", "xml"), ("rowguid", "uniqueidentifier"), ("ModifiedDate", "datetime"),
]  # fmt: skip
ORDERS = [
    ("OrderID", "bigint"), ("AmountUSD", "decimal(12,2)"), ("Quantity", "nvarchar(20)"), ("Status", "varchar(10)"),
    ("Channel", "nvarchar(max)"),
]  # fmt: skip

# https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql, as the query composes them
TYPES = [
    ("bigint", None, "integer"), ("bigint", None, "bigint"), ("int", None, "int"), ("int", None, "number"),
    ("smallint", None, "smallint"), ("tinyint", None, "integer"), ("bit", None, "boolean"), ("bit", None, "bit"),
    ("bit", None, "integer"), ("decimal(18,2)", None, "numeric(18,2)"), ("decimal(10,0)", None, "integer"),
    ("numeric(38,10)", None, "number"), ("money", None, "decimal"), ("money", None, "money"),
    ("smallmoney", None, "money"), ("float", None, "float"), ("float", None, "double"), ("real", None, "float"),
    ("real", None, "real"), ("date", None, "date"), ("datetime", None, "datetime"), ("datetime", None, "timestamp"),
    ("datetime2(7)", None, "timestamp"), ("datetime2(3)", None, "datetime"), ("smalldatetime", None, "datetime"),
    ("datetimeoffset(7)", None, "timestamptz"), ("datetimeoffset(0)", None, "timestamp"), ("time(7)", None, "time"),
    ("char(3)", None, "string"), ("varchar(50)", None, "varchar"), ("varchar(max)", None, "text"),
    ("text", None, "text"), ("nchar(10)", None, "char"), ("nvarchar(50)", None, "string"),
    ("nvarchar(max)", None, "json"), ("ntext", None, "string"), ("binary(16)", None, "binary"),
    ("varbinary(max)", None, "bytes"), ("image", None, "binary"), ("uniqueidentifier", None, "uuid"),
    ("xml", None, "xml"), ("json", None, "json"), ("hierarchyid", None, "hierarchyid"),
    ("geography", None, "geography"), ("geometry", None, "geometry"), ("sql_variant", None, "sql_variant"),
    ("timestamp", None, "rowversion"), ("timestamp", None, "timestamp"), ("sysname", "nvarchar(128)", "string"),
    ("vector", None, "vector"), ("dbo.Name", "nvarchar(50)", "string"), ("dbo.Flag", "bit", "boolean"),
    ("dbo.Flag", "bit", "Flag"), ("dbo.AccountNumber", "nvarchar(15)", "nvarchar(15)"),
]  # fmt: skip


def test_the_query_is_the_reviewed_one() -> None:
    assert_golden_query("sqlserver", columns_query(GroupRequest("s", "shop", "dbo", ("orders",))))


def test_the_query_reads_catalogue_views_of_the_groups_database_only() -> None:
    statement = parsed(SQLSERVER, columns_query(GroupRequest("s", "shop", "dbo", ("orders",))))
    own = {cte.alias for cte in statement.find_all(exp.CTE)}
    read = {(table.catalog, table.db) for table in statement.find_all(exp.Table) if table.name not in own and table.db}
    assert {place for place in read if place[1] == "sys"} == {("shop", "sys")}


def test_without_a_database_the_connections_own_is_meant() -> None:
    query = columns_query(GroupRequest("s", None, "[dbo]", ("Orders", '"Orders"', "a&<b>")))
    assert "FROM sys.schemas AS s" in query.sql
    assert query.parameters == {"database": None, "schema": "dbo", "tables": "<t>Orders</t><t>a&amp;&lt;b&gt;</t>"}


@settings(max_examples=examples(40))
@given(st.text().filter(can_be_asked), st.text(), st.lists(st.text(), max_size=3))
def test_hostile_names_change_nothing_about_the_statement(database: str, schema: str, tables: list[str]) -> None:
    """Only the database is in the text, as one quoted identifier; a placeholder in it is refused."""
    query = columns_query(GroupRequest("s", database, schema, tuple(tables)))
    ordinary = columns_query(GroupRequest("s", "shop", "dbo", ("orders",)))
    if not query.parameters:
        assert "THROW" in query.sql
        assert database not in query.sql or len(database) < 10
        return
    tokens = sqlglot.tokenize(query.sql.replace("%(", "(").replace(")s", ")"), read="tsql")
    expected = sqlglot.tokenize(ordinary.sql.replace("%(", "(").replace(")s", ")"), read="tsql")
    assert [token.token_type for token in tokens] == [token.token_type for token in expected]


def test_a_database_that_the_driver_would_take_for_a_placeholder_is_unchecked() -> None:
    query = columns_query(GroupRequest("s", "a%(schema)sb", "dbo", ("orders",)))
    assert query.sql.startswith("THROW 50000")
    assert classify("50000", "The driver cannot be given a database …") is Failure.TERMINAL


def test_quoted_databases_keep_the_structure() -> None:
    ordinary = structure(parsed(SQLSERVER, columns_query(GroupRequest("s", "shop", "dbo", ("orders",)))))
    hostile = columns_query(GroupRequest("s", "x]; DROP TABLE y; --", "dbo", ("orders",)))
    assert structure(parsed(SQLSERVER, hostile)) == ordinary


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("911", "Database 'shop' does not exist. Make sure that the name is entered correctly.",
         Failure.MISSING_DATABASE),
        ("208", "Invalid object name 'shop.sys.schemas'.", Failure.MISSING_DATABASE),
        ("208", "Invalid object name 'dbo.refunds'.", Failure.MISSING_TABLE),
        ("4413", "Could not use view or function 'dbo.v' because of binding errors.", Failure.MISSING_TABLE),
        ("4502", "View or function 'dbo.v' has more column names specified than columns defined.",
         Failure.MISSING_TABLE),
        (None, "(208, b\"Invalid object name 'dbo.refunds'.DB-Lib error message 20018, severity 16:\\n\")",
         Failure.MISSING_TABLE),
        ("207", "Invalid column name 'coupon'.", Failure.MISSING_COLUMN),
        ("4104", "The multi-part identifier \"t.coupon\" could not be bound.", Failure.MISSING_COLUMN),
        ("229", "The SELECT permission was denied on the object 'payroll', database 'shop', schema 'dbo'.",
         Failure.DENIED),
        ("230", "The SELECT permission was denied on the column 'salary' of the object 'payroll'.", Failure.DENIED),
        ("916", ("The server principal \"reader\" is not able to access the database \"shop\" under the current "
         "security context."), Failure.DENIED),
        # Not there, or not to be entered: the server says the same of both.
        ("4060", "Cannot open database \"shop\" requested by the login. The login failed.", Failure.TERMINAL),
        ("18456", "Login failed for user 'reader'.", Failure.TERMINAL),
        (None, "((18456, b\"Login failed for user 'reader'.\"),)", Failure.TERMINAL),
        ("40515", ("Reference to database and/or server name in 'x.sys.schemas' is not supported in this version of "
         "SQL Server."), Failure.TERMINAL),
        ("102", "Incorrect syntax near 'FROM'.", Failure.TERMINAL),
        ("468", "Cannot resolve the collation conflict", Failure.TERMINAL),
        ("1222", "Lock request time out period exceeded.", Failure.TRANSIENT),
        ("1205", "Transaction was deadlocked on lock resources", Failure.TRANSIENT),
        ("40613", "Database 'shop' on server 'x' is not currently available.", Failure.TRANSIENT),
        ("20009", "Unable to connect: Adaptive Server is unavailable or does not exist", Failure.TRANSIENT),
        ("20003", "SQL Server connection timed out", Failure.TRANSIENT),
        (None, "Connection is closed.", Failure.TRANSIENT),
    ],
)  # fmt: skip
def test_errors_mean(code: str | None, text: str, expected: Failure) -> None:
    assert classify(code, text) is expected


def test_documented_tables_are_clean_alias_types_and_synonyms_included() -> None:
    rows = [
        *EXISTS,
        *table_rows("Sales", "Department", DEPARTMENT),
        *table_rows("Sales", "People", PERSON, "synonym"),
    ]
    connection = GoldenConnection(rows)
    department = model("department", departmentid="integer", name="string", GroupName="nvarchar(50)",
                       ModifiedDate="timestamp")  # fmt: skip
    people = model("People", BusinessEntityID="int", PersonType="char", NameStyle="boolean", Title="text",
                   FirstName="Name", EmailPromotion="number", AdditionalContactInfo="xml", rowguid="uuid",
                   ModifiedDate="datetime")  # fmt: skip
    report, outcome = check(SQLSERVER, connection, department, people, **PLACE)
    assert found(report) == set()
    assert [group.statements for group in outcome] == [1]
    assert connection.probes == []


def test_exactly_the_planted_discrepancies_are_found() -> None:
    def probed(sql: str) -> None:
        if "[refunds]" in sql:
            raise RuntimeError("(208, b\"Invalid object name 'AdventureWorks.Sales.refunds'.\")")
        if "[hidden]" in sql:
            raise RuntimeError("(229, b\"The SELECT permission was denied on the object 'hidden'.\")")
        if "[Amount]" in sql:
            raise RuntimeError("(207, b\"Invalid column name 'Amount'.\")")

    rows = [
        *EXISTS,
        *table_rows("Sales", "Orders", ORDERS),
        ("Sales", "Payroll", "table", False, "Salary", "money", None, False),
        ("Sales", "Staff", "table", True, "Name", "nvarchar(50)", None, True),
        ("Sales", "Staff", "table", True, "Salary", "money", None, False),
        ("Sales", "Refund", None, None, None, None, None, None),
    ]
    connection = GoldenConnection(rows, probed)
    report, _ = check(
        SQLSERVER, connection,
        model("orders", orderid="integer", Amount="decimal", Quantity="integer", Status="string"),
        model("refunds", id="int"), model("hidden", id="int"), model("Payroll", Salary="decimal"),
        model("Staff", Name="string", Salary="decimal"), **PLACE,
    )  # fmt: skip
    assert found(report) == {
        ("missing_column", "Orders", "Amount"),
        ("type_mismatch", "Orders", "Quantity"),
        ("undocumented_column", "Orders", "AmountUSD"),
        ("undocumented_column", "Orders", "Channel"),
        ("missing_table", "refunds", None),
        ("inaccessible_table", "hidden", None),
        ("inaccessible_table", "Payroll", None),
        ("inaccessible_table", "Staff", "Salary"),
    }
    suggestions = {each.table: each.suggestion for each in report.discrepancies if each.suggestion}
    assert suggestions == {"Orders": "AmountUSD", "refunds": "Refund"}
    assert report.datasets_unchecked == 0


def test_every_documented_type_is_clean_against_what_a_yml_says() -> None:
    assert len(TYPES) >= 40
    assert types_that_differ(SQLSERVER, TYPES, **PLACE) == set()


def test_probes_quote_the_database_because_more_words_are_reserved_here() -> None:
    request = GroupRequest("s", "Backup", "[dbo]", ())
    assert probe(request, "[Orders]", ["[Plan]", "two words"]) == (
        "SELECT [Plan], [two words] FROM [Backup].[dbo].[Orders] AS schema_sync_probe WHERE 1 = 0"
    )


def test_a_lock_is_not_waited_for_longer_than_a_statement_may_take() -> None:
    assert [each.format(timeout_ms=1500) for each in SQLSERVER.session_statements] == ["SET LOCK_TIMEOUT 1500"]
