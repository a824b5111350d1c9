"""Discrepancies of one dataset → a unified diff of its YML that repairs those that can be repaired safely. Pure.

- a renamed column (missing, with a suggestion) or one of another letter case: the name is replaced wherever the YML
  names it; a field without an expression keeps its public name, which dashboards use, and gets an ``expr``;
- a changed type: the declared type becomes the actual one;
- a removed column: the items that need it are commented out, below a line that says why;
- on request, an undocumented column: one more dimension.

Nothing is trusted: the edited text is read again, what it needs is compared with what it needed before, and a repair
that did not do what it was meant to do, or did anything else, is left out and not claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from include.schema_sync.errors import InvalidDatasetYml
from include.schema_sync.nouns.dataset import Dataset
from include.schema_sync.nouns.discrepancy import Discrepancy, DiscrepancyType
from include.schema_sync.nouns.report import SuggestedPatch
from include.schema_sync.repair.before_and_after import Context, Reading
from include.schema_sync.repair.repairs import Repair, Sheet
from include.schema_sync.repair.unified_diff import apply_edits, unified_diff
from include.schema_sync.warehouses.engine import Dialect

MAX_DIFF = 64 * 1024  # characters; a longer patch helps nobody, and would go through XCom
MAX_TEXT = 256 * 1024  # characters; nobody writes longer ones by hand, and every repair means reading them again
MAX_REPAIRS = 500
# How often a text is read again to find out which repairs do what they should, and how many characters in all.
_MAX_READINGS, _MAX_READ = 64, 4 * 1024 * 1024

_LONE_RETURN = re.compile(r"\r(?!\n)")


def suggest_patch(
    dataset: Dataset,
    discrepancies: Iterable[Discrepancy],
    *,
    dialect: Dialect,
    own_database: str | None = None,
    add_undocumented: bool = False,
    path: str | None = None,
) -> SuggestedPatch | None:
    """Repair what can be repaired of a dataset's YML.

    :param discrepancies: those of other datasets are passed over.
    :param dialect: of the dataset's data source.
    :param own_database: the database that the data source's connection opens by itself, None when not known.
    :param add_undocumented: also add the columns that are in no dataset of the table.
    :param path: the file's name in the diff; None: made of the dataset's name.
    :return: None when there is nothing to repair, nothing that can be repaired safely, or too much of it.
    """
    own = [each for each in discrepancies if each.dataset_id == dataset.id]
    wanted = [each for each in own if _is_repairable(each, add_undocumented=add_undocumented)]
    if not wanted or len(dataset.yml) > MAX_TEXT or _LONE_RETURN.search(dataset.yml):
        return None
    context = Context(dataset, dialect, own_database)
    try:
        before = Reading(context, dataset.yml)
    except InvalidDatasetYml:
        return None
    sheet = Sheet(context, before, own)
    repairs = [repair for each in wanted[:MAX_REPAIRS] if (repair := sheet.repair(each)) is not None]
    chosen = _that_hold(sheet, before, repairs)
    edits = sheet.edits(chosen) if chosen else None
    if not edits:
        return None
    diff = unified_diff(dataset.yml, edits, path or _file_name(dataset.name))
    if not diff or len(diff) > MAX_DIFF:
        return None
    return SuggestedPatch(
        dataset.id, dataset.name, diff, tuple(sorted(repair.discrepancy.fingerprint for repair in chosen))
    )


def _is_repairable(discrepancy: Discrepancy, *, add_undocumented: bool) -> bool:
    if discrepancy.column is None or any(
        text is not None and text.endswith("…") for text in (discrepancy.column, discrepancy.actual, discrepancy.table)
    ):
        return False  # of the whole table, or its names were cut
    if discrepancy.type is DiscrepancyType.UNDOCUMENTED_COLUMN:
        return add_undocumented
    return discrepancy.type in (
        DiscrepancyType.MISSING_COLUMN,
        DiscrepancyType.CASE_MISMATCH,
        DiscrepancyType.TYPE_MISMATCH,
    )


def _file_name(dataset_name: str) -> str:
    safe = re.sub(r"[^\w.-]+", "_", dataset_name, flags=re.ASCII).strip("._-")[:80] or "dataset"
    return safe if safe.lower().endswith((".yml", ".yaml")) else f"{safe}.yml"


def _that_hold(sheet: Sheet, before: Reading, repairs: Sequence[Repair]) -> list[Repair]:
    """The repairs that together do what they should and nothing else, as many as can be found."""
    known, readings = before.facts(), 0
    most = max(1, min(_MAX_READINGS, _MAX_READ // len(sheet.text)))

    def hold(chosen: Sequence[Repair]) -> bool:
        nonlocal readings
        readings += 1
        edits = sheet.edits(chosen)
        text = apply_edits(sheet.text, edits) if edits else None
        if text is None:
            return False
        try:
            after = Reading(sheet.context, text)
        except InvalidDatasetYml:
            return False
        brought = frozenset().union(*(repair.brings for repair in chosen))
        return (
            after.places == before.places
            and all(fact[2] in brought and fact[3] in ("column", "target") for fact in after.facts() - known)
            and all(after.is_gone(repair.discrepancy) for repair in chosen)
        )

    chosen: list[Repair] = []
    waiting = [list(repairs)]
    while waiting and readings < most:
        batch = waiting.pop()
        if not batch:
            continue
        if hold([*chosen, *batch]):
            chosen += batch
        elif len(batch) > 1:
            middle = len(batch) // 2
            waiting += [batch[middle:], batch[:middle]]
    return chosen
