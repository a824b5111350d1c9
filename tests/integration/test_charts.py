"""Saved charts in a real application database: one statement a batch, by index, and nobody else's."""

from __future__ import annotations

import itertools
import json
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.schema_sync.application.charts import fetch_charts
from include.schema_sync.errors import TerminalError

pytestmark = pytest.mark.postgres

ORGANIZATIONS, SOURCES = 3, 2


@pytest.fixture(scope="module")
def product(create_database: Any, project_root: Any) -> Any:
    """An application database with all of the product's tables, three organizations and two data sources each."""
    with psycopg.connect(create_database(), autocommit=True) as connection:
        for name in ("application_tables.sql", "chart_tables.sql"):
            connection.execute((project_root / "include" / "sql" / name).read_bytes())
        for number in range(ORGANIZATIONS):
            connection.execute("INSERT INTO organizations (id, name) VALUES (%s, %s)", (_id("o", number), "Acme"))
            for source in range(SOURCES):
                connection.execute(
                    "INSERT INTO data_sources (id, name, type, organization_id) VALUES (%s, 'Shop', 'postgres', %s)",
                    (_id("s", number * SOURCES + source), _id("o", number)),
                )
        yield connection


def _id(kind: str, number: int) -> str:
    return f"{ord(kind):08x}-0000-4000-8000-{number:012d}"


_organization = st.integers(0, ORGANIZATIONS - 1)
_charts = st.lists(
    st.tuples(_organization, st.integers(0, ORGANIZATIONS * SOURCES - 1), st.booleans(), st.lists(_organization)),
    max_size=12,
)


@given(charts=_charts, asked=st.sets(_organization), deleted=st.booleans())
def test_nothing_of_another_organization_is_ever_seen(
    product: Any, charts: Any, asked: set[int], deleted: bool
) -> None:
    """Whatever rows there are: charts on others' data sources, and pairs that lead to others' dashboards."""
    product.execute("TRUNCATE metric_files, dashboard_files, report_files CASCADE")
    for owner, source, is_deleted, shown in charts:
        ((chart_id,),) = product.execute(
            "INSERT INTO metric_files (name, organization_id, data_source_id, content, deleted_at)"
            " VALUES (%s, %s, %s, %s, CASE WHEN %s THEN now() END) RETURNING id",
            (f"chart of {owner}", _id("o", owner), _id("s", source), json.dumps({"sql": "SELECT 1"}), is_deleted),
        ).fetchall()
        for other, what in itertools.product(shown, ("dashboard", "report")):
            ((shown_id,),) = product.execute(
                f"INSERT INTO {what}_files (name, organization_id) VALUES (%s, %s) RETURNING id",
                (f"{what} of {other}", _id("o", other)),
            ).fetchall()
            product.execute(
                f"INSERT INTO metric_files_to_{what}_files VALUES (%s, %s, CASE WHEN %s THEN now() END)",
                (chart_id, shown_id, deleted),
            )
    wanted = {_id("o", each): [_id("s", each * SOURCES + source) for source in range(SOURCES)] for each in asked}
    found = fetch_charts(product, wanted) or {}
    assert found.keys() == wanted.keys()
    for each in asked:
        own = [chart for chart in charts if chart[0] == each and chart[1] // SOURCES == each and not chart[2]]
        assert len(found[_id("o", each)]) == len(own)
        for chart in found[_id("o", each)]:
            titles = {chart.title, *chart.dashboards.values(), *chart.reports.values()}
            assert all(title.endswith(f" of {each}") for title in titles)
            assert chart.data_source_id in wanted[_id("o", each)]
        shown = sum(each in on for *_, on in own for on in [on] if not deleted)
        assert sum(bool(chart.dashboards) for chart in found[_id("o", each)]) == shown


def test_without_the_products_tables_there_is_nothing_and_no_error(application_db_uri: str) -> None:
    with psycopg.connect(application_db_uri, autocommit=True) as connection:
        assert fetch_charts(connection, {_id("o", 0): []}) is None
        connection.execute(
            "CREATE TABLE metric_files (id uuid, name text, organization_id uuid, data_source_id uuid, content jsonb,"
            " deleted_at timestamptz)"
        )
        connection.execute(
            "INSERT INTO metric_files VALUES (gen_random_uuid(), 'Revenue', %s, %s, '{\"sql\": \"SELECT 1\"}')",
            (_id("o", 0), _id("s", 0)),
        )
        (chart,) = (fetch_charts(connection, {_id("o", 0): [_id("s", 0)]}) or {})[_id("o", 0)]
        assert (chart.title, chart.sql, chart.dashboards, chart.reports) == ("Revenue", "SELECT 1", {}, {})
        connection.execute("ALTER TABLE metric_files RENAME content TO file")
        with pytest.raises(TerminalError, match="read the saved charts"):
            fetch_charts(connection, {_id("o", 0): [_id("s", 0)]})
