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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..errors import InvalidDatasetYml
from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy, DiscrepancyType
from ..nouns.report import OrganizationReport, SuggestedPatch
from ..nouns.snapshot import OrganizationSnapshot
from ..warehouses import dialect_for
from ..warehouses.engine import Dialect
from .before_and_after import Context, Reading
from .repairs import Repair, Sheet
from .unified_diff import apply_edits, unified_diff

MAX_DIFF = 64 * 1024  # characters; a longer patch helps nobody, and would go through XCom
MAX_TEXT = 256 * 1024  # characters; nobody writes longer ones by hand, and every repair means reading them again
MAX_REPAIRS = 500
# How often a text is read again to find out which repairs do what they should, and how many characters in all.
_MAX_READINGS, _MAX_READ = 64, 4 * 1024 * 1024

_LONE_RETURN = re.compile(r"\r(?!\n)")


def with_patches(
    report: OrganizationReport,
    snapshot: OrganizationSnapshot,
    datasets: Sequence[Dataset],
    *,
    add_undocumented: bool = False,
    paths: Mapping[str, str] | None = None,
) -> OrganizationReport:
    """Add a patch for each dataset that can be repaired safely, in the order of what is most severe.

    :param snapshot: what the report was made of.
    :param add_undocumented: patches also add the columns that are in no dataset.
    :param paths: {dataset id: its file's name in the diff}; of others it is made of the dataset's name.
    """
    sources = {source.data_source.id: source for source in snapshot.sources}
    texts = {dataset.id: dataset for dataset in datasets}
    by_dataset: dict[tuple[str, str], list[Discrepancy]] = {}
    for each in report.discrepancies:
        if each.dataset_id is not None:
            by_dataset.setdefault((each.data_source_id, each.dataset_id), []).append(each)
    patches = (
        suggest_patch(
            texts[dataset_id],
            own,
            dialect=dialect_for(sources[source_id].data_source.type),
            own_database=sources[source_id].own_database,
            add_undocumented=add_undocumented,
            path=(paths or {}).get(dataset_id),
        )
        for (source_id, dataset_id), own in by_dataset.items()
    )
    return replace(report, patches=tuple(patch for patch in patches if patch is not None))


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
