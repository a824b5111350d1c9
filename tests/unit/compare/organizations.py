"""One organization's datasets against a snapshot that a test makes up, and what was found in short."""

from __future__ import annotations

from collections.abc import Iterable

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import (
    Column,
    GroupSnapshot,
    OrganizationSnapshot,
    Probe,
    SourceSnapshot,
    Table,
)

SOURCE = DataSource("source-1", "Warehouse", "postgres")
ORDERS = Table(
    "orders",
    "table",
    True,
    (
        Column("order_id", "bigint"),
        Column("amount", "numeric(12,2)"),
        Column("status", "text"),
        Column("Mixed Case", "text"),
        Column("mood", "mood", "enum"),
        Column("email", "email_address", "text"),
    ),
)


def dataset(yml: str, name: str = "orders", dataset_id: str = "dataset-1") -> Dataset:
    return Dataset(dataset_id, name, "org-1", SOURCE.id, None, "public", yml)


def report(
    *datasets: Dataset,
    tables: Iterable[Table] = (ORDERS,),
    exists: bool = True,
    error: str | None = None,
    source_error: str | None = None,
    neighbours: tuple[str, ...] = (),
    asked: tuple[Dataset, ...] | None = None,
    probes: tuple[Probe, ...] = (),
) -> OrganizationReport:
    group = GroupSnapshot(SOURCE.id, "shop", "public", exists, tuple(tables), neighbours, error, probes)
    snapshot = OrganizationSnapshot(
        "org-1",
        "Acme",
        (
            SourceSnapshot(
                SOURCE,
                "shop",
                {each.id: each.yml_hash for each in (datasets if asked is None else asked)},
                () if source_error else (group,),
                source_error,
            ),
        ),
    )
    return diff_organization(snapshot, datasets)


def told(found: OrganizationReport, *, without: tuple[DiscrepancyType, ...] = (DiscrepancyType.UNDOCUMENTED_COLUMN,)):
    return by_column([each for each in found.discrepancies if each.type not in without])


def by_column(found: Iterable[Discrepancy]) -> list[tuple[str, str | None]]:
    """Undocumented columns are one finding a table, with their names."""
    return [
        (str(each.type), name)
        for each in found
        for name in ([column.name for column in each.columns] or (each.column,))
    ]


def only(found: OrganizationReport, kind: DiscrepancyType) -> Discrepancy:
    (discrepancy,) = [each for each in found.discrepancies if each.type is kind]
    return discrepancy


def undocumented(found: OrganizationReport) -> set[str | None]:
    return {column.name for each in found.discrepancies for column in each.columns}


FULL = """\
name: orders
dimensions:
  - {name: status, type: text}
  - {name: '"Mixed Case"', type: string}
  - {name: mood, type: mood}
  - {name: email, type: string}
measures:
  - {name: order_id, type: integer}
  - {name: amount, type: number}
"""
LINK = "relationships:\n- {name: buyer, ref: customers, source_col: order_id, ref_col: id}"


def orders(expr: str, rest: str = LINK) -> Dataset:
    return dataset(f"name: orders\nmetrics:\n- name: m\n  expr: {expr}\n{rest}")
