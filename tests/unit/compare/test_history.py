"""What became of columns, from two snapshots: what is said, and what is not said where nobody can know."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from include.schema_sync.compare.history import Memory, changes_of, is_remembered, remember, words
from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.nouns.discrepancy import Change, ChangeKind, DiscrepancyType
from include.schema_sync.nouns.report import OrganizationReport
from include.schema_sync.nouns.snapshot import Column, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table
from include.schema_sync.nouns.wire import snapshot_from_json, snapshot_to_json
from include.schema_sync.repair.suggest import with_patches
from tests.unit.compare.organizations import SOURCE, dataset

YML = "name: orders\nmeasures: [{name: amount, type: integer}]\n"
DATASET = dataset(YML)
DAY_1, DAY_2, DAY_3 = (f"2026-01-0{day}T07:00:00Z" for day in (1, 2, 3))


def table(*columns: str, identity: int | None = 7, **changes: object) -> Table:
    """Columns as ``name type number``."""
    made = []
    for each in columns:
        name, type_, *number = each.split()
        made.append(Column(name, type_, identity=int(number[0]) if number else None))
    return replace(Table("orders", "table", True, tuple(made), identity), **changes)  # type: ignore[arg-type]


def snapshot(*tables: Table, error: str | None = None) -> OrganizationSnapshot:
    group = GroupSnapshot(SOURCE.id, "shop", "public", True, tables, error=error)
    source = SourceSnapshot(SOURCE, "shop", {DATASET.id: DATASET.yml_hash}, (group,))
    return OrganizationSnapshot("org-1", "Acme", (source,))


def after(now: OrganizationSnapshot, *memories: Memory) -> OrganizationSnapshot:
    return snapshot_from_json(json.loads(json.dumps(snapshot_to_json(remember(now, memories)))))


def changes(now: Table, before: Table) -> set[tuple[str, str, str | None]]:
    (found,) = changes_of(after(snapshot(now), Memory(DAY_1, snapshot(before)))) or [None]
    return set() if found is None else {(each.name, str(each.kind), each.to) for each in found.columns}


def report(now: OrganizationSnapshot) -> OrganizationReport:
    return with_patches(diff_organization(now, [DATASET]), now, [DATASET])


def of_amount(found: OrganizationReport) -> tuple[Change | None, str | None]:
    (missing,) = [each for each in found.discrepancies if each.type is DiscrepancyType.MISSING_COLUMN]
    return missing.changed, missing.suggestion


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (table("a int 1"), table("b int 1"), {("a", "renamed", "b")}),
        (table("a int 1", "b int 2"), table("b int 2"), {("a", "dropped", None)}),
        (table("a int 1"), table("a text 1"), {("a", "retyped", "text")}),
        (table("a int 1"), table("a int 1", "b int 2"), {("b", "added", None)}),
        (table("a int 1", "b int 2"), table("b int 1", "a int 2"), {("a", "renamed", "b"), ("b", "renamed", "a")}),
        # Another table, or an engine that numbers nothing: gone, unless nothing came that it could have become.
        (table("a int 1"), table("b int 1", identity=8), {("a", "gone", None), ("b", "added", None)}),
        (table("a int", identity=None), table("b int", identity=None), {("a", "gone", None), ("b", "added", None)}),
        (table("a int", "b int", identity=None), table("b int", identity=None), {("a", "dropped", None)}),
        # Numbers that moved: not the same table, whatever its own number says.
        (table("a int 1", "b int 2", "c int 3"), table("a int 1", "c int 2", "x int 3"),
         {("b", "gone", None), ("c", "renamed", "x"), ("x", "added", None)} - {("x", "added", None)}),
        # Of a table that was not listed whole, nobody knows what else came.
        (table("a int 1", "b int 2", more=5), table("b int 2", more=5), {("a", "gone", None)}),
        (table("a int 1", readable=False), table("b int 1"), set()),
        (table("a int 1"), table(broken="its base is gone"), set()),
    ],
)  # fmt: skip
def test_only_what_cannot_be_otherwise_is_said(before, now, said):
    assert changes(now, before) == said


def test_a_certain_rename_is_kept_for_days_and_followed():
    day_1 = Memory(DAY_1, snapshot(table("amount integer 1", "status text 2")))
    day_2 = Memory(DAY_2, after(snapshot(table("gross integer 1", "status text 2")), day_1))
    found = report(day_2.snapshot)
    assert of_amount(found) == (Change(DAY_1, ChangeKind.RENAMED, "gross"), "gross")
    assert len(found.patches) == 1
    day_3 = after(snapshot(table("total integer 1", "status text 2")), day_2, day_1)
    assert of_amount(report(day_3)) == (Change(DAY_1, ChangeKind.RENAMED, "total"), "total")
    back = after(snapshot(table("amount integer 1", "status text 2")), day_2)
    assert report(back).discrepancies[0].type is DiscrepancyType.UNDOCUMENTED_COLUMN


def test_a_rename_to_another_sort_is_told_and_not_patched():
    day_1 = Memory(DAY_1, snapshot(table("amount integer 1")))
    found = report(after(snapshot(table("gross text 1")), day_1))
    assert of_amount(found) == (Change(DAY_1, ChangeKind.RENAMED, "gross"), "gross")
    assert found.patches == ()


@pytest.mark.parametrize(("type_", "new"), [("integer", "Amount"), ("text", None)])
def test_a_rename_by_letter_case_says_the_name_that_is_there_and_is_patched_where_its_sort_is_the_same(type_, new):
    day_1 = Memory(DAY_1, snapshot(table("amount integer 1")))
    found = report(after(snapshot(table(f"Amount {type_} 1")), day_1))
    (differs,) = [each for each in found.discrepancies if each.type is DiscrepancyType.CASE_MISMATCH]
    assert (differs.actual, differs.suggestion) == ("Amount", new)
    assert differs.changed == Change(DAY_1, ChangeKind.RENAMED, "Amount")
    assert any(differs.fingerprint in patch.fixes for patch in found.patches) is (new is not None)


def test_a_name_that_was_there_before_is_no_hint_and_one_that_came_is():
    day_1 = Memory(DAY_1, snapshot(table("amount integer", "amounts integer", identity=None)))
    day_2 = Memory(DAY_2, after(snapshot(table("amounts integer", "x integer", identity=None)), day_1))
    assert of_amount(report(day_2.snapshot)) == (None, None)
    # Without memory, a slip of the YML may mean it.
    assert of_amount(report(snapshot(table("amounts integer")))) == (None, "amounts")
    day_2 = Memory(DAY_2, after(snapshot(table("amounts integer", identity=None)), Memory(DAY_1, snapshot(
        table("amount integer", identity=None)))))  # fmt: skip
    day_3 = after(snapshot(table("amounts integer", identity=None)), day_2)
    assert of_amount(report(day_2.snapshot)) == of_amount(report(day_3)) == (None, "amounts")


def test_an_unread_run_is_passed_over():
    day_1 = Memory(DAY_1, snapshot(table("amount integer 1")))
    day_2 = Memory(DAY_2, snapshot(error="timed out"))
    now = snapshot(table("gross integer 1"))
    assert not is_remembered(now, [day_2])
    assert is_remembered(now, [day_2, day_1])
    assert of_amount(report(after(now, day_2, day_1)))[0] == Change(DAY_1, ChangeKind.RENAMED, "gross")


def test_words_for_people():
    (found,) = changes_of(
        after(
            snapshot(table("gross integer 1", "status text 2", "currency text 4", identity=7)),
            Memory(DAY_1, snapshot(table("amount integer 1", "status varchar(8) 2", "tax integer 3"))),
        )
    )
    assert words(found.columns) == (
        "`status` was varchar(8), now text; `amount` was renamed to `gross`; `tax` was dropped; `currency` is new"
    )
