"""A patch is offered when the warehouse compiles the dataset with it, and is not when the warehouse refuses."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from include.schema_sync.compare.history import Memory, remember
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import OrganizationSnapshot
from include.schema_sync.repair import compiled
from include.schema_sync.repair.compiled import with_compiled_patches
from include.schema_sync.repair.suggest import PatchOptions, with_patches
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from tests.check_command import run

pytestmark = pytest.mark.postgres

ORDERS = """\
name: orders
dimensions:
  - name: payload
    type: {type}
  - name: status
    type: text
metrics:
  - name: gifts
    expr: "count(*) FILTER (WHERE payload @> '[1]')"
relationships:
  - {{name: customers, source_col: customer_id, ref_col: id}}
"""
CUSTOMERS = "name: customers\ndimensions:\n  - {name: id, type: integer}\n  - {name: country, type: text}\n"
TABLES = (
    "CREATE TABLE customers (id integer, country text)",
    "CREATE TABLE orders (id integer, payload jsonb, status text, customer_id integer)",
)
SOURCE = DataSource("source-1", "Shop", "postgres")
ACME = Organization("org-1", "Acme", (SOURCE,))


class Shop:
    """An organization whose tables change between two runs."""

    def __init__(self, uri: str, owner: psycopg.Connection) -> None:
        self.uri, self.owner = uri, owner
        ymls = {"orders": ORDERS.format(type="jsonb"), "customers": CUSTOMERS}
        self.datasets = [Dataset(name, name, ACME.id, SOURCE.id, None, "public", yml) for name, yml in ymls.items()]
        self.asked: list[Mapping[str, Sequence[Dataset]]] = []
        self.run(*TABLES)

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.owner.execute(statement)

    def ask(self, datasets: Mapping[str, Sequence[Dataset]]) -> tuple[OrganizationSnapshot, ...]:
        self.asked.append(datasets)
        access = SourceAccess(dialect_for("postgres"), None, lambda _: psycopg.connect(self.uri), str)
        settings = Settings.from_environment({})
        return introspect_organizations([ACME], datasets, lambda _: access, settings).snapshots

    def patched(self, *statements: str, options: PatchOptions | None = None) -> OrganizationReport:
        """The report of the run after the statements, its patches tried."""
        now = {ACME.id: self.datasets}
        (before,) = self.ask(now)
        self.run(*statements)
        (snapshot,) = (remember(each, [Memory("2026-01-01T07:00:00Z", before)]) for each in self.ask(now))
        report = diff_organization(snapshot, self.datasets)
        report = with_patches(report, snapshot, self.datasets, options or PatchOptions())
        self.offered = {patch.dataset_id for patch in report.patches}
        assert not any(patch.compiled for patch in report.patches)
        self.asked.clear()
        (report,) = with_compiled_patches([report], [snapshot], now, self.ask)
        return report


@pytest.fixture
def shop(fresh_database: str) -> Iterator[Shop]:
    with psycopg.connect(fresh_database, autocommit=True) as owner:
        yield Shop(fresh_database, owner)


def test_a_rename_that_compiles_says_so_and_asks_once(shop: Shop) -> None:
    report = shop.patched("ALTER TABLE orders RENAME payload TO body")
    (patch,) = report.patches
    assert patch.compiled
    assert "body @> " in patch.diff
    (asked,) = shop.asked
    assert {each.id: "body" in each.yml for each in asked[ACME.id]} == {"orders": True, "customers": False}


def test_a_rename_whose_metric_the_warehouse_refuses_is_not_offered(shop: Shop) -> None:
    """Of the same family, so that reading the text again finds nothing: json has no @>."""
    report = shop.patched("ALTER TABLE orders ALTER payload TYPE json", "ALTER TABLE orders RENAME payload TO body")
    assert shop.offered == {"orders"}
    assert report.patches == ()


def test_one_refused_dataset_does_not_take_anothers_patch(shop: Shop) -> None:
    report = shop.patched(
        "ALTER TABLE orders ALTER payload TYPE json",
        "ALTER TABLE orders RENAME payload TO body",
        "ALTER TABLE customers RENAME country TO land",
    )
    assert shop.offered == {"orders", "customers"}
    assert [(each.dataset_id, each.compiled) for each in report.patches] == [("customers", True)]


def test_what_was_broken_before_does_not_cost_the_patch(shop: Shop) -> None:
    shop.datasets[0] = Dataset(
        "orders", "orders", ACME.id, SOURCE.id, None, "public",
        ORDERS.format(type="jsonb") + "filters:\n  - {name: odd, expr: no_such_function(status)}\n",
    )  # fmt: skip
    report = shop.patched("ALTER TABLE orders RENAME payload TO body")
    assert "broken_expression" in {str(each.type) for each in report.discrepancies}
    (patch,) = report.patches
    assert patch.compiled


def test_types_alone_are_not_asked_about(shop: Shop) -> None:
    report = shop.patched("ALTER TABLE orders ALTER status TYPE integer USING 1")
    (patch,) = report.patches
    assert not patch.compiled
    assert shop.asked == []


def test_a_warehouse_that_does_not_answer_leaves_the_patch_unproven(shop: Shop) -> None:
    uri, shop.uri = shop.uri, "postgresql://127.0.0.1:1/gone?connect_timeout=1"
    asks: Callable[..., tuple[OrganizationSnapshot, ...]] = shop.ask
    turns = iter([uri, uri, shop.uri])

    def ask(datasets: Mapping[str, Sequence[Dataset]]) -> tuple[OrganizationSnapshot, ...]:
        shop.uri = next(turns)
        return asks(datasets)

    shop.ask = ask  # type: ignore[method-assign]
    report = shop.patched("ALTER TABLE orders RENAME payload TO body")
    assert [patch.compiled for patch in report.patches] == [False]


def test_a_data_source_of_very_many_datasets_is_not_asked_twice(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MOST_DATASETS", 1)
    report = shop.patched("ALTER TABLE orders RENAME payload TO body")
    assert [patch.compiled for patch in report.patches] == [False]
    assert shop.asked == []


def test_probable_patches_are_tried_on_the_text_that_the_certain_leave(shop: Shop) -> None:
    report = shop.patched(
        "ALTER TABLE orders RENAME payload TO body",
        "ALTER TABLE customers DROP country",
        "ALTER TABLE customers ADD countrys text",
        options=PatchOptions(include_probable=True),
    )
    assert {(each.dataset_id, each.probable, each.compiled) for each in report.patches} >= {("orders", False, True)}
    assert all(patch.compiled for patch in report.patches)
    assert len(shop.asked) == 1 + any(patch.probable for patch in report.patches)


@pytest.mark.parametrize(("arguments", "proven"), [((), True), (("--no-compile",), False)])
def test_the_check_command_says_of_each_patch_whether_it_was_compiled(
    tmp_path: Path, arguments: Sequence[str], proven: bool
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE orders (orderTotal integer)")
    (tmp_path / "orders.yml").write_text("name: orders\nmeasures:\n  - {name: order_total, type: integer, agg: sum}\n")
    uri = f"sqlite:///{tmp_path}/shop.db"
    done = run(str(tmp_path / "orders.yml"), *arguments, uri=uri)
    assert ("Suggested patch, compiled by the warehouse, repairs 1" in done.stdout) is proven, done.stdout
    found = json.loads(run(str(tmp_path / "orders.yml"), "--format", "json", *arguments, uri=uri).stdout)
    assert [patch["compiled"] for patch in found["patches"]] == [proven]
