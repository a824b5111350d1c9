"""Opt-in: the real services, read only. One environment variable an engine switches its test on.

- ``SCHEMA_SYNC_LIVE_SNOWFLAKE``: an Airflow connection as JSON or URI;
- ``SCHEMA_SYNC_LIVE_SNOWFLAKE_TABLE``: ``database.schema.table``, any table that this connection may read. The database
  may be left out: the connection's own.

The engine's word is its name in ``DIALECTS``, in capitals.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from include.schema_sync.introspect.source import GroupOutcome, introspect_source
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import DIALECTS
from include.schema_sync.warehouses.engine import Dialect

pytestmark = pytest.mark.airflow


class Live:
    """One real warehouse, and a table that is there."""

    def __init__(self, dialect: Dialect, connection: str, table: str) -> None:
        *database, self.schema, self.table = table.split(".")
        self.dialect, self._connection = dialect, connection
        self.database = database[0] if database else None

    def read(self, **columns_of: tuple[str, ...]) -> GroupOutcome:
        from airflow.sdk import Connection
        from schema_sync_airflow.warehouse_hooks import warehouse_hook

        hook = warehouse_hook(self.dialect.name)
        if self._connection.lstrip().startswith("{"):
            fields: dict[str, Any] = json.loads(self._connection)
            if not isinstance(fields.get("extra", ""), str):
                fields["extra"] = json.dumps(fields["extra"])
            connection = Connection(conn_id="live", **fields)
        else:
            connection = Connection.from_uri(self._connection, conn_id="live")
        settings = Settings.from_environment({})
        database = self.database or hook.own_database(connection)
        group = GroupRequest("live", database, self.schema, tuple(sorted(columns_of)), columns_of)
        (outcome,) = introspect_source(
            lambda database: hook.open(connection, database, settings), self.dialect, [group], timeout_s=120
        )
        assert outcome.snapshot.error is None
        return outcome


@pytest.fixture(params=list(DIALECTS.values()), ids=list(DIALECTS))
def live(request: pytest.FixtureRequest) -> Live:
    dialect: Dialect = request.param
    name = f"SCHEMA_SYNC_LIVE_{dialect.name.upper()}"
    connection, table = os.environ.get(name), os.environ.get(f"{name}_TABLE")
    if not connection:
        pytest.skip(f"{name} is not set")
    assert table, f"{name}_TABLE must name a table that is there"
    return Live(dialect, connection, table)


def test_a_table_is_read_in_one_statement(live: Live) -> None:
    outcome = live.read(**{live.table: ()})
    (table,) = outcome.snapshot.tables
    assert (outcome.statements, outcome.probes) == (1, 0)
    assert table.readable
    assert table.columns
    assert all(column.name and column.type for column in table.columns)


def test_what_the_catalogue_lists_can_be_selected_and_what_it_does_not_is_confirmed_missing(live: Live) -> None:
    absent = "schema_sync_no_such_name"
    outcome = live.read(**{live.table: (absent,), absent: (absent,)})
    assert outcome.statements == 1
    assert outcome.probes > 0
    assert outcome.failure is None
    assert outcome.snapshot.probes == ()  # every probe was answered: no such table, no such column
    columns = tuple(column.name for column in outcome.snapshot.tables[0].columns[:50])
    assert live.read(**{live.table: columns}).probes == 0
