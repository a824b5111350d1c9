"""Thirty migrations over two real runs and a third: what is said of them is true, and no patch makes a number wrong."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from engines import ENGINES
from engines.base import Engine, Place, Server
from migrations import COLUMNS, MIGRATIONS, ROWS, YML, Migration

from include.schema_sync.compare.history import Memory, remember
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.discrepancy import ChangeKind
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import OrganizationSnapshot
from include.schema_sync.nouns.wire import snapshot_from_json, snapshot_to_json
from include.schema_sync.repair.suggest import with_patches
from include.schema_sync.settings import Settings
from include.schema_sync.yml.dataset import parse_dataset_yml

ENGINES_HERE = [pytest.param(ENGINES[name], id=name) for name in ("postgres", "duckdb", "sqlite", "mariadb")]
DAYS = [f"2026-01-0{day}T07:00:00Z" for day in (1, 2, 3)]


class Shop:
    """One table of one organization on a real server."""

    def __init__(self, engine: Engine, server: Server, place: Place) -> None:
        self.engine, self.server, self.place = engine, server, place
        self.source = DataSource("source-1", "Shop", engine.dialect_name)
        self.organization = Organization("org-1", "Acme", (self.source,))
        self.dataset = Dataset("dataset-1", "orders", "org-1", "source-1", place.database, place.schema, YML)
        rows = ", ".join(str(row) for row in ROWS)
        server.run(place, engine.create_table("orders", COLUMNS), f"INSERT INTO orders VALUES {rows}")

    def look(self, memories: Sequence[Memory]) -> OrganizationSnapshot:
        """One run's introspection, with what it remembers, as XCom keeps it."""
        access = SourceAccess(self.engine.dialect, self.server.own_database, self.server.connect, str)

        found = introspect_organizations(
            [self.organization], {"org-1": [self.dataset]}, lambda _: access, Settings.from_environment({})
        )
        return snapshot_from_json(snapshot_to_json(remember(found.snapshots[0], memories)))

    def migrate(self, migration: Migration) -> None:
        for step in migration.steps:
            for statement in self._statements(*step):
                self.server.run(self.place, statement)

    def _statements(self, what: str, *arguments: str) -> list[str]:
        words = self.engine.words
        if what == "rename":
            return ["ALTER TABLE orders RENAME COLUMN {} TO {}".format(*arguments)]
        if what == "drop":
            return [f"ALTER TABLE orders DROP COLUMN {arguments[0]}"]
        if what == "add":
            return [f"ALTER TABLE orders ADD COLUMN {arguments[0]} {words[arguments[1]]}"]
        if what == "fill":
            return ["UPDATE orders SET {} = {}".format(*arguments)]
        if what == "anew":
            return [
                f"CREATE TABLE orders_new AS SELECT {arguments[0]} FROM orders",
                "DROP TABLE orders",
                "ALTER TABLE orders_new RENAME TO orders",
            ]
        name, type_ = arguments[0], words[arguments[1]]
        return {
            "mariadb": [f"ALTER TABLE orders MODIFY {name} {type_}"],
            "sqlite": [
                f"ALTER TABLE orders ADD COLUMN held {type_}", f"UPDATE orders SET held = {name}",
                f"ALTER TABLE orders DROP COLUMN {name}", f"ALTER TABLE orders RENAME COLUMN held TO {name}",
            ],
        }.get(self.engine.name, [f"ALTER TABLE orders ALTER COLUMN {name} TYPE {type_}"])  # fmt: skip

    def values(self, yml: str) -> dict[str, Any]:
        """{metric or measure: its value, as text}; of those that run."""
        table = "orders" if self.engine.name == "sqlite" else f"{self.place.schema}.orders"
        found = {}
        for field in parse_dataset_yml(yml, name="orders")[0].fields:
            expression = f"{field.agg}({field.expr or field.name})" if field.agg else field.expr or field.name
            if field.agg is None and field.kind == "dimension":
                expression = f"min({expression})"
            with closing(self.server.connect(self.place.database)) as connection:
                cursor = connection.cursor()
                try:
                    cursor.execute(f"SELECT {expression} FROM {table}")
                    ((value,),) = cursor.fetchmany(1)
                except Exception:  # noqa: BLE001 (each driver has its own; a metric that fails has no value)
                    continue
                found[field.name] = None if value is None else f"{float(value):g}" if _is_number(value) else str(value)
        return found


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def patched(report: OrganizationReport, folder: Path) -> str:
    (folder / "orders.yml").write_text(YML)
    for patch in report.patches:
        subprocess.run(["git", "apply", "-"], cwd=folder, input=patch.diff.encode(), check=True, capture_output=True)
    return (folder / "orders.yml").read_text()


@pytest.fixture
def shop(engine: Engine, server: Server) -> Shop:
    return Shop(engine, server, server.new_place())


@pytest.mark.parametrize("migration", MIGRATIONS.values(), ids=MIGRATIONS.keys())
@pytest.mark.parametrize("engine", ENGINES_HERE, indirect=True)
def test_what_is_said_of_a_migration_is_true(shop: Shop, migration: Migration, tmp_path: Path) -> None:
    before = shop.values(YML)
    assert len(before) == len(parse_dataset_yml(YML, name="orders")[0].fields)
    memories = [Memory(DAYS[0], shop.look([]))]
    shop.migrate(migration)
    now = shop.values(YML)
    for day in DAYS[1:]:
        snapshot = shop.look(memories)
        report = with_patches(diff_organization(snapshot, [shop.dataset]), snapshot, [shop.dataset])
        memories.insert(0, Memory(day, snapshot))
        told = {each.column or "": each.changed for each in report.discrepancies if each.changed is not None}
        listed = [change for table in report.changes for change in table.columns]
        for name, change in told.items():
            assert change.since == DAYS[0]
            assert change.kind is not ChangeKind.RENAMED or migration.renamed.get(name) == change.to
            assert change.kind is not ChangeKind.DROPPED or name in migration.dropped
        for each in listed:
            assert each.kind is not ChangeKind.RENAMED or migration.renamed.get(each.name) == each.to
            assert each.kind is not ChangeKind.DROPPED or each.name in migration.dropped
        rebuilt = any(step[0] == "anew" for step in migration.steps)
        missing = {each.column for each in report.discrepancies if each.type == "missing_column"}
        if shop.engine.name == "postgres" and not rebuilt:
            # All of what could be known: the engine numbers its columns.
            shifted = set(migration.renamed.values()) & set(COLUMNS)
            for old in missing & set(migration.renamed) if not shifted else ():
                assert (told[old or ""].kind, told[old or ""].to) == (ChangeKind.RENAMED, migration.renamed[old or ""])
            for old in missing & set(migration.dropped):
                assert told[old or ""].kind is ChangeKind.DROPPED
        suggested = {each.column: each.suggestion for each in report.discrepancies if each.type == "missing_column"}
        assert not set(suggested.values()) & set(COLUMNS), "a name that was there before is no suggestion"
        assert shop.engine.name != "postgres" or all(suggested.get(name) is None for name in migration.dropped)
        after = shop.values(patched(report, tmp_path))
        for name, value in after.items():
            assert value in (before.get(name), now.get(name, before.get(name))), (name, report.patches)


def test_there_are_thirty() -> None:
    assert len(MIGRATIONS) >= 30
