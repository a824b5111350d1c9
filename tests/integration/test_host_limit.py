"""Customers share servers: however many data sources are on one, it sees no more than so many connections at once."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for

ORGANIZATIONS, SOURCES = 6, 3


@pytest.mark.parametrize(("shared", "most"), [(True, 2), (False, 9)])
def test_a_shared_server_sees_no_more_connections_at_once_than_the_setting_says(tmp_path: Path, shared, most):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id integer)")
    open_now, seen = 0, []
    lock = threading.Lock()

    def connect(_: str | None) -> sqlite3.Connection:
        nonlocal open_now
        with lock:
            open_now += 1
            seen.append(open_now)
        time.sleep(0.03)  # long enough for everybody who may come
        with lock:
            open_now -= 1
        return sqlite3.connect(path, check_same_thread=False)

    organizations, datasets = [], {}
    for number in range(ORGANIZATIONS):
        sources = tuple(DataSource(f"{number}-{each}", "Shop", "sqlite") for each in range(SOURCES))
        organizations.append(Organization(str(number), f"Organization {number}", sources))
        datasets[str(number)] = [
            Dataset(source.id, "orders", str(number), source.id, None, "main", "name: orders\ndimensions: [{name: id}]")
            for source in sources
        ]

    def open_source(source: DataSource) -> SourceAccess:
        host = "db.example.com" if shared else f"{source.id}.example.com"
        return SourceAccess(dialect_for("sqlite"), None, connect, str, host)

    settings = Settings.from_environment(
        {
            "SCHEMA_SYNC_HOST_CONCURRENCY": "2",
            "SCHEMA_SYNC_ORGANIZATION_CONCURRENCY": "3",
            "SCHEMA_SYNC_SOURCE_CONCURRENCY": "3",
        }
    )
    found = introspect_organizations(organizations, datasets, open_source, settings)

    assert all(snapshot.reached for snapshot in found.snapshots)
    assert len(seen) == ORGANIZATIONS * SOURCES
    assert max(seen) <= most
    assert max(seen) > 1
    assert (max(seen) > 2) is not shared
