"""BigQuery: our statements through Google's own client and Airflow's hook, answered by local-bigquery (DuckDB)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from tests.emulators.conftest import free_port, installed, running

DIALECT = dialect_for("bigquery")
SETTINGS = Settings.from_environment({})


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("airflow.providers.google", reason="run with .emulators/tests/bin/python")
    server = installed("bigquery", "bin", "local-bigquery")
    home, port = tmp_path_factory.mktemp("bigquery"), free_port()
    command = [str(server), "serve", "--host", "127.0.0.1", "--port", str(port), "--grpc-port", str(free_port()),
               "--project", "shop-prod", "--data-dir", str(home)]  # fmt: skip
    with running(command, port, Path(home) / "log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def connection(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    from airflow.sdk import Connection
    from schema_sync_airflow.warehouse_hooks import warehouse_hook

    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
    extra = json.dumps({"project": "shop-prod", "is_anonymous": True})
    given = Connection(conn_id="x", conn_type="google_cloud_platform", extra=extra)
    return lambda database: warehouse_hook("bigquery").open(given, database, SETTINGS)


def test_the_columns_query_and_the_probe_run(connection: Any) -> None:
    opened = connection(None)
    cursor = opened.cursor()
    for statement in (
        "CREATE SCHEMA IF NOT EXISTS sales",
        "CREATE OR REPLACE TABLE sales.orders (id INT64, paid BOOL, address STRUCT<city STRING>, tags ARRAY<STRING>)",
        "CREATE OR REPLACE VIEW sales.paid_orders AS SELECT id FROM sales.orders",
    ):
        cursor.execute(statement)
    opened.close()
    request = GroupRequest("s", "shop-prod", "sales", ("orders", "paid_orders", "refunds"), {"orders": ("id", "nope")})
    (group,) = introspect_source(connection, DIALECT, [request], timeout_s=60)
    assert group.snapshot.error is None, group.snapshot.error
    found = {table.name: {column.name: column.type for column in table.columns} for table in group.snapshot.tables}
    assert found["orders"]["id"] == "INT64"
    assert found["orders"]["address.city"] == "STRING"
    assert found["orders"]["tags"] == "ARRAY<STRING>"
    assert found["paid_orders"] == {"id": "INT64"}
    assert "refunds" not in found
    assert group.statements == 1
