"""An error that nobody foresaw stays with the data source that it struck: a batch holds many organizations."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for

CANARY = "s3cret-canary-pw"


class BackendDeniedError(Exception):
    """As a secrets backend's own client raises it."""


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id integer)")
    return path


def organization(name: str) -> tuple[Organization, Dataset]:
    source = DataSource(f"source-{name}", f"Shop of {name}", "sqlite")
    dataset = Dataset(
        f"dataset-{name}", "orders", name, source.id, None, "main", "name: orders\ndimensions: [{name: id}]"
    )
    return Organization(name, name, (source,)), dataset


@pytest.mark.parametrize("when", ["looking up its credentials", "introspecting it"])
def test_an_unforeseen_error_leaves_one_source_unchecked_and_the_batch_whole(warehouse, when, caplog):
    organizations, datasets = zip(*(organization(name) for name in ("acme", "broken", "zenith")), strict=True)

    def open_source(source: DataSource) -> SourceAccess:
        struck = source.id == "source-broken"
        if struck and when == "looking up its credentials":
            raise BackendDeniedError(f"access denied for {CANARY}")

        def redact(text: str) -> str:
            if struck:
                raise BackendDeniedError(f"a defect with {CANARY}")
            return text

        def connect(_: str | None) -> sqlite3.Connection:
            if struck:
                raise sqlite3.OperationalError("unable to open database file")  # to be redacted: that is the defect
            return sqlite3.connect(warehouse, check_same_thread=False)

        return SourceAccess(dialect_for("sqlite"), None, connect, redact)

    found = introspect_organizations(
        organizations, {each.id: [own] for each, own in zip(organizations, datasets, strict=True)}, open_source,
        Settings.from_environment({}),
    )  # fmt: skip

    reached = {snapshot.organization_id: snapshot.reached for snapshot in found.snapshots}
    assert reached == {"acme": True, "broken": False, "zenith": True}
    (source,) = found.snapshots[1].sources
    assert source.error is not None
    assert f"an unexpected BackendDeniedError while {when}" in source.error
    assert [result.organization.id for result in found.transient] == ["broken"]  # tried again while a try is left
    assert CANARY not in caplog.text + source.error
