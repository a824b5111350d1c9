"""What one organization writes costs nobody else: an innocent one in the same batch is checked, on a real engine.

Contract, section 14.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.needs.budget import ReadingBudget
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.wire import snapshot_from_json, snapshot_to_json
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for

INNOCENT = "name: orders\ndimensions: [{name: id}, {name: gone}]"


@dataclass(frozen=True)
class Batch:
    """Both organizations' reports, and the seconds of the processor that everything took."""

    innocent: OrganizationReport
    hostile: OrganizationReport
    cpu_s: float


@pytest.fixture
def check(tmp_path: Path) -> Callable[..., Batch]:
    """Check an innocent organization beside one with these datasets."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id integer)")

    def run(
        ymls: Iterable[str], connect: Callable[[str | None], object] | None = None, ends_s: float = 60.0, **env: str
    ) -> Batch:
        settings = Settings.from_environment(env)
        object.__setattr__(settings, "task_timeout_min", ends_s / 48)  # of a minute, four fifths are for this
        organizations, datasets = [], {}
        for name, texts in (("hostile", list(ymls)), ("innocent", [INNOCENT])):
            source = DataSource(f"{name}-source", name, "sqlite")
            organizations.append(Organization(name, name, (source,)))
            datasets[name] = [
                Dataset(f"{name}-{number:03}", f"d{number}", name, source.id, None, "main", text)
                for number, text in enumerate(texts)
            ]

        def open_source(source: DataSource) -> SourceAccess:
            own = connect if connect is not None and source.name == "hostile" else None
            return SourceAccess(
                dialect_for("sqlite"),
                None,
                own or (lambda _: sqlite3.connect(path, check_same_thread=False)),
                str,
            )

        started = time.process_time()
        found = introspect_organizations(organizations, datasets, open_source, settings)
        reports = {}
        for snapshot in found.snapshots:
            there = snapshot_from_json(snapshot_to_json(snapshot))
            own = datasets[snapshot.organization_id]
            reports[snapshot.organization_id] = diff_organization(there, own, ReadingBudget(settings.reading_timeout_s))
        return Batch(reports["innocent"], reports["hostile"], time.process_time() - started)

    return run


def assert_checked(innocent: OrganizationReport) -> None:
    assert (innocent.datasets_checked, innocent.datasets_unchecked) == (1, 0)
    assert [(each.type, each.column) for each in innocent.discrepancies] == [("missing_column", "gone")]


RELATED = {
    "to one name": "- {{name: m, relationships: [{{name: m, source_col: a{0}, ref_col: b{0}}}]}}\n",
    "to one name on many tables": "- {{name: m, model: t{0}, relationships: "
    "[{{name: m, source_col: a{0}, ref_col: b}}]}}\n",
    "in many schemas": "- {{name: m{0}, schema: s{0}, relationships: [{{name: m, source_col: a, ref_col: b{0}}}]}}\n",
    "by many qualifiers": "- {{name: m, dimensions: [{{name: x, expr: r{0}.c}}], relationships: "
    "[{{name: r{0}, source_col: a, ref_col: b}}]}}\n",
}


@pytest.mark.parametrize("form", RELATED.values(), ids=RELATED)
def test_eight_times_as_many_related_models_do_not_take_sixty_times_as_long(check, form):
    """Quadratic grouping did: it once took minutes."""

    def related(models: int) -> Batch:
        yml = "models:\n" + "".join(form.format(number) for number in range(models))
        batch = check([yml, yml])
        assert_checked(batch.innocent)
        assert batch.hostile.datasets_checked == 2
        return batch

    assert related(2_000).cpu_s < 24 * related(250).cpu_s


def test_a_dataset_of_tens_of_thousands_of_expressions_is_unchecked_and_its_sibling_is_not(check):
    many = "name: d\ndimensions:\n" + "".join(f"- {{name: a{n}, expr: 'x{n}+1'}}\n" for n in range(25_000))
    batch = check([many, "name: orders\ndimensions: [{name: id, expr: 'id + 1'}]"])
    assert_checked(batch.innocent)
    assert (batch.hostile.datasets_checked, batch.hostile.datasets_unchecked) == (1, 1)
    (source,) = batch.hostile.unchecked
    assert source.dataset_ids == ("hostile-000",)
    assert "more than 5,000 of its expressions" in source.error


def test_when_reading_takes_too_long_the_remaining_datasets_are_unchecked_with_the_reason(check):
    one = "models:\n" + "".join(f"- {{name: m{n}, dimensions: [{{name: a}}, {{name: b}}]}}\n" for n in range(3_000))
    batch = check([one.replace("m1", f"n{number}") for number in range(10)], SCHEMA_SYNC_READING_TIMEOUT_SECONDS="1")
    assert_checked(batch.innocent)
    hostile = batch.hostile
    assert hostile.datasets_checked + hostile.datasets_unchecked == 10
    assert hostile.datasets_unchecked > 0
    (source,) = hostile.unchecked
    assert "takes longer than 1 s (SCHEMA_SYNC_READING_TIMEOUT_SECONDS)" in source.error
    assert source.datasets == len(source.dataset_ids) == hostile.datasets_unchecked


def test_when_the_tasks_time_is_up_only_the_slow_organization_is_unchecked(check, monkeypatch):
    monkeypatch.setattr("include.schema_sync.introspect.organizations._GRACE_S", 0.2)
    release, returned = threading.Event(), threading.Event()

    def connect(_: str | None) -> object:
        release.wait(20)
        returned.set()
        raise sqlite3.OperationalError("unable to open database file")

    try:
        batch = check([INNOCENT], connect, ends_s=1.0)
        assert not returned.is_set()  # the hostile one hangs on while the batch is done
    finally:
        release.set()
    assert_checked(batch.innocent)
    (source,) = batch.hostile.unchecked
    assert "its time for this run is up" in source.error or "the time of the task was up" in source.error
