"""Databricks SQL in real Spark: our statement over stand-ins for Unity Catalog's views, our probes, its own errors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Failure

DIALECT = dialect_for("databricks")
REQUEST = GroupRequest("s", None, "sales", ("orders", "refunds"))


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql", reason="run with .emulators/tests/bin/python")
    if shutil.which("java") is None:
        pytest.skip("no Java is here")
    home: Path = tmp_path_factory.mktemp("spark")
    builder = sql.SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    for key, value in {
        "spark.sql.warehouse.dir": str(home / "warehouse"),
        "spark.sql.shuffle.partitions": "1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    for statement in (
        "CREATE DATABASE information_schema",
        "CREATE DATABASE sales",
        "CREATE TABLE sales.orders (id INT, amount DECIMAL(10,2)) USING parquet",
        "CREATE TABLE sales.base (id INT, gone INT) USING parquet",
        "CREATE VIEW sales.broken AS SELECT * FROM sales.base",
        "DROP TABLE sales.base",
        "CREATE TABLE sales.base (id STRING) USING parquet",
        "CREATE VIEW information_schema.schemata AS SELECT 'sales' AS schema_name",
        """CREATE VIEW information_schema.tables AS SELECT * FROM VALUES
             ('sales', 'orders', 'MANAGED'), ('sales', 'neighbour', 'VIEW')
             AS t(table_schema, table_name, table_type)""",
        """CREATE VIEW information_schema.columns AS SELECT * FROM VALUES
             ('sales', 'orders', 'id', 'int', 0), ('sales', 'orders', 'amount', 'decimal(10,2)', 1)
             AS c(table_schema, table_name, column_name, full_data_type, ordinal_position)""",
    ):
        session.sql(statement)
    yield session
    session.stop()


def test_the_columns_query_is_sql_that_spark_runs(spark: Any) -> None:
    query = DIALECT.columns_query(REQUEST)
    rows = [tuple(row)[:8] for row in spark.sql(query.sql, args=query.parameters).collect()]
    assert rows == [
        ("sales", None, None, None, None, None, None, None),
        ("sales", "neighbour", None, None, None, None, None, None),
        ("sales", "orders", "table", True, "id", "int", None, True),
        ("sales", "orders", "table", True, "amount", "decimal(10,2)", None, True),
    ]


@pytest.mark.parametrize(
    ("table", "columns", "expected"),
    [
        ("orders", ("id", "amount"), None),
        ("orders", ("id", "nope"), Failure.MISSING_COLUMN),
        ("refunds", (), Failure.MISSING_TABLE),
        ("broken", ("id",), Failure.MISSING_TABLE),  # a view whose table was changed under it: drift, tried no more
    ],
)
def test_probes_mean_what_sparks_errors_say(
    spark: Any, table: str, columns: tuple[str, ...], expected: Failure | None
) -> None:
    from pyspark.errors import PySparkException

    found: Failure | None = None
    try:
        assert spark.sql(DIALECT.probe(REQUEST, table, columns)).collect() == []
    except PySparkException as error:
        found = DIALECT.classify(None, str(error))
    assert found is expected
