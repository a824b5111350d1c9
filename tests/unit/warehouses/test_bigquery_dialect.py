"""BigQuery's facts. No engine runs here: rows are those of the vendor's documentation of INFORMATION_SCHEMA."""

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
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import expressions as exp

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses.bigquery import BIGQUERY, classify, columns_query, probe, quote
from include.schema_sync.warehouses.engine import Failure
from tests.examples import examples

PLACE = {"database": "shop-prod", "schema": "sales"}
EXISTS = [("sales", None, None, None, None, None, None, None)]
OF_THE_CALL = "404 POST https://bigquery.googleapis.com/bigquery/v2/projects/shop-prod/queries?prettyPrint=false: "

# https://cloud.google.com/bigquery/docs/information-schema-column-field-paths#example: github_repos.commits
COMMITS = [
    ("author", "STRUCT<name STRING, email STRING, time_sec INT64, tz_offset INT64, date TIMESTAMP>"),
    ("author.date", "TIMESTAMP"),
    ("author.email", "STRING"),
    ("author.name", "STRING"),
    ("author.time_sec", "INT64"),
    ("author.tz_offset", "INT64"),
    ("difference", "ARRAY<STRUCT<old_mode INT64, new_mode INT64, old_path STRING, new_path STRING>>"),
    ("difference.new_mode", "INT64"),
    ("difference.new_path", "STRING"),
    ("difference.old_mode", "INT64"),
    ("difference.old_path", "STRING"),
]
# https://cloud.google.com/bigquery/docs/information-schema-columns#example: population_by_zip_2010
POPULATION = [
    ("zipcode", "STRING"), ("geo_id", "STRING"), ("minimum_age", "INT64"), ("maximum_age", "INT64"),
    ("gender", "STRING"), ("population", "INT64"),
]  # fmt: skip
ORDERS = [
    ("order_id", "INT64"), ("amount_usd", "NUMERIC(12, 2)"), ("quantity", "STRING(20)"), ("status", "STRING"),
    ("channel", "STRING"),
]  # fmt: skip

# https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types, as COLUMNS.data_type spells them
TYPES = [
    ("INT64", None, "integer"), ("INT64", None, "int64"), ("INT64", None, "bigint"), ("INT64", None, "number"),
    ("NUMERIC", None, "number"), ("NUMERIC", None, "numeric"), ("NUMERIC(12, 2)", None, "decimal"),
    ("NUMERIC(38, 0)", None, "integer"), ("BIGNUMERIC", None, "number"), ("BIGNUMERIC(50, 10)", None, "bignumeric"),
    ("BIGNUMERIC", None, "bigdecimal"), ("FLOAT64", None, "float"), ("FLOAT64", None, "float64"),
    ("FLOAT64", None, "double"), ("FLOAT64", None, "number"), ("BOOL", None, "boolean"), ("BOOL", None, "bool"),
    ("STRING", None, "string"), ("STRING", None, "text"), ("STRING(20)", None, "varchar"), ("STRING", None, "uuid"),
    ("STRING", None, "categorical"), ("BYTES", None, "bytes"), ("BYTES(16)", None, "binary"), ("DATE", None, "date"),
    ("DATE", None, "datetime"), ("DATETIME", None, "datetime"), ("DATETIME", None, "timestamp"),
    ("TIMESTAMP", None, "timestamp"), ("TIMESTAMP", None, "timestamptz"), ("TIMESTAMP", None, "time"),
    ("TIME", None, "time"), ("INTERVAL", None, "interval"), ("JSON", None, "json"), ("GEOGRAPHY", None, "geography"),
    ("RANGE<DATE>", None, "range"), ("RANGE<TIMESTAMP>", None, "range<timestamp>"),
    ("ARRAY<STRING>", None, "array"), ("ARRAY<INT64>", None, "array<int64>"), ("ARRAY<FLOAT64>", None, "vector"),
    ("ARRAY<STRUCT<a INT64, b STRING>>", None, "array"), ("STRUCT<city STRING, zip INT64>", None, "record"),
    ("STRUCT<city STRING, zip INT64>", None, "struct<city string, zip int64>"),
    ("STRUCT<a ARRAY<DATE>>", None, "struct"),
]  # fmt: skip


def test_the_query_is_the_reviewed_one() -> None:
    assert_golden_query("bigquery", columns_query(GroupRequest("s", "shop-prod", "sales", ("orders",))))


def test_the_query_reads_the_datasets_own_catalogue_and_nothing_else() -> None:
    statement = parsed(BIGQUERY, columns_query(GroupRequest("s", "shop-prod", "sales", ("orders",))))
    own = {cte.alias for cte in statement.find_all(exp.CTE)}
    read = {table.sql("bigquery", identify=False).split(" AS ")[0] for table in statement.find_all(exp.Table)} - own
    assert {text.replace("`", "") for text in read} == {
        "shop-prod.sales.INFORMATION_SCHEMA.TABLES",
        "shop-prod.sales.INFORMATION_SCHEMA.COLUMNS",
        "shop-prod.sales.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS",
    }


def test_without_a_project_the_clients_own_is_meant() -> None:
    assert "FROM `sales`.INFORMATION_SCHEMA.TABLES" in columns_query(GroupRequest("s", None, "`sales`", ("o",))).sql


@settings(max_examples=examples(40))
@given(st.text(), st.text(), st.lists(st.text(), max_size=3))
def test_hostile_names_never_appear_in_the_sql(project: str, dataset: str, tables: list[str]) -> None:
    """What could be a project or a dataset is an identifier; what could not is nowhere."""
    query = columns_query(GroupRequest("s", project, dataset, tuple(tables)))
    ordinary = columns_query(GroupRequest("s", "p", "d", ()))
    if structure(parsed(BIGQUERY, query)) == structure(parsed(BIGQUERY, ordinary)):
        assert not {"`", "\\", "%", "'", ";", "\n"} & set(project.strip('`"[]') + dataset.strip('`"[]'))
    else:
        assert query.sql == columns_query(GroupRequest("s", "p", "not a dataset", ())).sql


@pytest.mark.parametrize("dataset", ["a b", "sal-es", "x`; DROP TABLE y", "", "%(tables)s", "münchen"])
def test_a_dataset_that_cannot_exist_is_asked_for_without_its_name(dataset: str) -> None:
    query = columns_query(GroupRequest("s", "shop-prod", dataset, ("orders",)))
    assert query.parameters == {"schema": dataset, "tables": ["orders"]}
    assert "INFORMATION_SCHEMA" not in query.sql


@pytest.mark.parametrize("project", ["shop-prod", "example.com:shop-prod", "shop1"])
def test_every_form_of_a_project_id_can_be_asked_for(project: str) -> None:
    assert f"`{project}`.`sales`." in columns_query(GroupRequest("s", project, "sales", ("orders",))).sql


def test_an_array_is_never_empty_because_its_type_could_not_be_told() -> None:
    assert columns_query(GroupRequest("s", None, "sales", ())).parameters == {"schema": "sales", "tables": [""]}


def test_quoted_names_hold_a_string_literals_escapes() -> None:
    assert quote("a`b\\c\nd") == "`a\\u0060b\\u005cc\\u000ad`"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("404 Not found: Dataset shop-prod:sales was not found in location US", Failure.MISSING_DATABASE),
        (OF_THE_CALL + "Not found: Dataset shop-prod:sales was not found in location US", Failure.MISSING_DATABASE),
        (OF_THE_CALL + "Not found: Project other-shop", Failure.MISSING_DATABASE),
        (OF_THE_CALL + "Not found: Project shop-prod", Failure.TERMINAL),  # nobody's group: the job has no project
        ("400 Invalid project ID 'Shop'. Project IDs must contain 6-63 lowercase letters", Failure.MISSING_DATABASE),
        ("404 Not found: Table shop-prod:sales.refunds was not found in location EU", Failure.MISSING_TABLE),
        ("400 shop-prod:sales.events_* does not match any table.", Failure.MISSING_TABLE),
        ("400 Unrecognized name: coupon; Did you mean coupons? at [1:8]", Failure.MISSING_COLUMN),
        ("400 Unrecognized name: `Not found: Table x` at [1:8]", Failure.MISSING_COLUMN),
        ("400 Name my column not found inside t at [1:10]", Failure.MISSING_COLUMN),
        ("400 Field name zip does not exist in STRUCT<city STRING> at [1:16]", Failure.MISSING_COLUMN),
        (("403 Access Denied: Table shop-prod:sales.payroll: User does not have permission to query table "
         "shop-prod:sales.payroll, or perhaps it does not exist."), Failure.DENIED),
        (("403 Access Denied: Dataset shop-prod:sales: Permission bigquery.tables.list denied on dataset "
         "shop-prod:sales (or it may not exist)."), Failure.DENIED),
        (("403 Access Denied: BigQuery BigQuery: User has neither fine-grained reader nor masked get permission to "
         "get data protected by policy tag"), Failure.DENIED),
        ("403 Access Denied: Project shop-prod: User does not have bigquery.jobs.create permission", Failure.TERMINAL),
        ("403 Exceeded rate limits: too many concurrent queries for this project_and_region", Failure.TRANSIENT),
        ("403 Quota exceeded: Your project exceeded quota for free query bytes scanned", Failure.TRANSIENT),
        ("400 Syntax error: Unexpected keyword WHERE at [1:9]", Failure.TERMINAL),
        (("400 Cannot query over table 'sales.events' without a filter over column(s) 'day' that can be used for "
         "partition elimination"), Failure.TERMINAL),
        ("401 Request had invalid authentication credentials.", Failure.TERMINAL),
        ("('invalid_grant: Invalid JWT Signature.', {'error': 'invalid_grant'})", Failure.TERMINAL),
        ("Your default credentials were not found. To set up Application Default Credentials, see …", Failure.TERMINAL),
        ("Invalid key JSON.", Failure.TERMINAL),
        ("500 An internal error occurred and the request could not be completed", Failure.TRANSIENT),
        ("503 Service unavailable", Failure.TRANSIENT),
        ("429 Too many requests", Failure.TRANSIENT),
        ("HTTPSConnectionPool(host='oauth2.googleapis.com', port=443): Max retries exceeded", Failure.TRANSIENT),
        ("Timeout of 60.0s exceeded, last exception: 503 Service unavailable", Failure.TRANSIENT),
    ],
)  # fmt: skip
def test_errors_mean(text: str, expected: Failure) -> None:
    assert classify(None, text) is expected


def test_documented_tables_are_clean_nested_fields_included() -> None:
    rows = [
        *EXISTS,
        *table_rows("sales", "commits", COMMITS),
        *table_rows("sales", "events_*", POPULATION, "wildcard table"),
    ]
    commits = model("commits", **dict.fromkeys(name for name, _ in COMMITS))
    population = model("events_*", ZIPCODE="string", geo_id=None, minimum_age="integer", maximum_age="number",
                       gender="text", population="int64", _TABLE_SUFFIX="string")  # fmt: skip
    connection = GoldenConnection(rows)
    report, outcome = check(BIGQUERY, connection, commits, population, **PLACE)
    assert found(report) == set()
    assert [group.statements for group in outcome] == [1]
    assert connection.probes == []
    assert connection.catalogue[0][1] == {"schema": "sales", "tables": ["commits", "events_*"]}


def test_exactly_the_planted_discrepancies_are_found() -> None:
    def probed(sql: str) -> None:
        if "refunds" in sql:
            raise RuntimeError("404 Not found: Table shop-prod:sales.refunds was not found in location US")
        if "payroll" in sql:
            raise RuntimeError("403 Access Denied: Table shop-prod:sales.payroll: User does not have permission")
        if "`late`" not in sql:
            raise RuntimeError("400 Name amount not found inside t at [1:8]")

    rows = [*EXISTS, *table_rows("sales", "Customers", [("id", "INT64")]), *table_rows("sales", "orders", ORDERS)]
    connection = GoldenConnection(rows, probed)
    report, _ = check(
        BIGQUERY, connection,
        model("orders", order_id="integer", amount="decimal", quantity="integer", status="string", **{"a.b": None}),
        model("refunds", id="integer"), model("payroll", id="integer"), model("customers", id="integer"),
        model("late", id="integer"), **PLACE,
    )  # fmt: skip
    assert found(report) == {
        ("missing_column", "orders", "amount"),
        ("missing_column", "orders", "a.b"),
        ("type_mismatch", "orders", "quantity"),
        ("undocumented_column", "orders", "amount_usd"),
        ("undocumented_column", "orders", "channel"),
        ("missing_table", "refunds", None),
        ("inaccessible_table", "payroll", None),
        ("case_mismatch", "customers", None),
        ("unverifiable_type", "late", None),  # the catalogue is behind, and the warehouse can query it
    }
    assert report.datasets_unchecked == 0
    assert any("t.`a`.`b` AS c" in sql for sql in connection.probes)


def test_a_missing_dataset_is_one_finding() -> None:
    connection = GoldenConnection([])

    def refuse(sql: str, *parameters: object) -> None:
        raise RuntimeError("404 Not found: Dataset shop-prod:sales was not found in location US")

    connection.execute = refuse  # type: ignore[method-assign]
    report, _ = check(BIGQUERY, connection, model("orders", id="integer"), model("refunds", id="integer"), **PLACE)
    assert found(report) == {("missing_schema", None, None)}


def test_every_documented_type_is_clean_against_what_a_yml_says() -> None:
    assert len(TYPES) >= 40
    assert types_that_differ(BIGQUERY, TYPES, **PLACE) == set()


def test_probes_address_fields_and_never_select_one_name_twice() -> None:
    request = GroupRequest("s", "shop-prod", "sales", ())
    assert probe(request, "events_*", ["`id`", "a.id"]) == (
        "SELECT t.`id` AS c0, t.`a`.`id` AS c1 FROM `shop-prod`.`sales`.`events_*` AS t WHERE FALSE"
    )
    assert probe(request, "orders", []) == "SELECT 1 FROM `shop-prod`.`sales`.`orders` AS t WHERE FALSE"
