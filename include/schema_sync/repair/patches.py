"""Discrepancies of one dataset → a unified diff of its YML that repairs those that can be repaired safely. Pure.

- a renamed column: the name is replaced wherever the YML names it; a field without an expression keeps its public name,
  which dashboards use, and gets an ``expr``. Certain are letter case and separators, and what the column's identity
  proves; any other suggestion is only probable, and goes into a patch of its own, on request;
- a changed type: the declared type becomes the actual one;
- a column that was surely dropped (on request: any missing one that nothing resembles): the items that need it are
  commented out, below a line that says why;
- on request, an undocumented column: one more dimension.

No patch may turn a query that fails into one that runs and means something else. Nothing is trusted: the edited text is
read again, what it needs is compared with what it needed before, and a repair that did not do what it was meant to do,
or did anything else, is left out and not claimed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..errors import InvalidDatasetYml
from ..nouns.discrepancy import Discrepancy, DiscrepancyType
from ..nouns.report import SuggestedPatch
from ..text import cut
from .before_and_after import Context, Reading
from .repairs import Repair, Sheet, certain_name, is_dropped, may_have_a_name
from .suggest import CERTAIN, PatchOptions
from .unified_diff import apply_edits, unified_diff

MAX_DIFF = 64 * 1024  # characters; a longer patch helps nobody, and would go through XCom
MAX_TEXT = 256 * 1024  # characters; nobody writes longer ones by hand, and every repair means reading them again
MAX_REPAIRS = 500
# How often a text is read again to find out which repairs do what they should, and how many characters in all.
_MAX_READINGS, _MAX_READ = 64, 4 * 1024 * 1024

# A carriage return alone ends a line for YAML, not for `patch`; of surrogates places cannot be told.
_UNEDITABLE = re.compile(r"\r(?!\n)|\\u[dD][89abAB]")


def _by_column(found: Discrepancy) -> list[Discrepancy]:
    """A table's undocumented columns are one finding, and a repair each."""
    if found.type is not DiscrepancyType.UNDOCUMENTED_COLUMN or found.column is not None:
        return [found]
    return [replace(found, column=cut(each.name), actual=cut(each.type), columns=()) for each in found.columns]


def _fixing_whole_findings(patch: SuggestedPatch, parts: Mapping[str, Sequence[Discrepancy]]) -> SuggestedPatch:
    """The patch with its columns' repairs counted as what they were told as."""
    fixed = set(patch.fixes)
    whole = (whole for whole, own in parts.items() if own and all(part.fingerprint in fixed for part in own))
    return replace(patch, fixes=tuple(sorted(whole)))


def suggest_patches(
    context: Context, discrepancies: Iterable[Discrepancy], options: PatchOptions = CERTAIN, *, path: str | None = None
) -> list[SuggestedPatch]:
    """Repair what can be repaired of a dataset's YML.

    :param context: the dataset, and its data source's dialect and own database (None when not known).
    :param discrepancies: those of other datasets are passed over.
    :param path: the file's name in the diff; None: made of the dataset's name.
    :return: at most one patch of what is certain and one of what is probable, to be applied in this order. None of a
        kind when there is nothing to repair, nothing that can be repaired safely, or too much of it.
    """
    dataset = context.dataset
    parts = {each.fingerprint: _by_column(each) for each in discrepancies if each.dataset_id == dataset.id}
    own = [part for each in parts.values() for part in each]
    path = path or _file_name(dataset.name)
    wanted = [each for each in own if _is_repairable(each) and _is_wanted(each, options)]
    first, text = _patch(context, own, wanted, path)
    if not options.include_probable:
        return [_fixing_whole_findings(first, parts)] if first else []
    # The second is made of the text that the first leaves; lines that the discrepancies name are not that text's.
    left = [replace(each, line=None) for each in own if first is None or each.fingerprint not in first.fixes]
    probable = [each for each in left if _is_repairable(each) and _is_probable(each)]
    second, _ = _patch(context._replace(dataset=replace(dataset, yml=text)), left, probable, path)
    both = (first, second and replace(second, probable=True))
    return [_fixing_whole_findings(patch, parts) for patch in both if patch]


def _patch(
    context: Context, own: Sequence[Discrepancy], wanted: Sequence[Discrepancy], path: str
) -> tuple[SuggestedPatch | None, str]:
    """The patch that repairs what is wanted, as far as that is safe, and the text that it leaves."""
    dataset = context.dataset
    nothing = None, dataset.yml
    if not wanted or len(dataset.yml) > MAX_TEXT or _UNEDITABLE.search(dataset.yml):
        return nothing
    try:
        sheet = Sheet(context, own)
    except InvalidDatasetYml:
        return nothing
    repairs = [repair for each in wanted[:MAX_REPAIRS] if (repair := sheet.repair(each)) is not None]
    chosen = _that_hold(sheet, repairs)
    edits = sheet.edits(chosen) if chosen else None
    diff = unified_diff(dataset.yml, edits, path) if edits else ""
    text = apply_edits(dataset.yml, edits) if edits else None
    if not diff or text is None or len(diff) > MAX_DIFF:
        return nothing
    fixes = tuple(sorted(repair.discrepancy.fingerprint for repair in chosen))
    return SuggestedPatch(dataset.id, dataset.name, diff, fixes), text


def _is_repairable(discrepancy: Discrepancy) -> bool:
    """False where it is about the whole table, or its names were cut."""
    return discrepancy.column is not None and not any(
        text is not None and text.endswith("…") for text in (discrepancy.column, discrepancy.actual, discrepancy.table)
    )


def _is_wanted(discrepancy: Discrepancy, options: PatchOptions) -> bool:
    match discrepancy.type:
        case DiscrepancyType.UNDOCUMENTED_COLUMN:
            return options.add_undocumented
        case DiscrepancyType.MISSING_COLUMN:
            may_go = is_dropped(discrepancy) or (options.remove_missing and discrepancy.suggestion is None)
            return may_go or certain_name(discrepancy) is not None
        case DiscrepancyType.TYPE_MISMATCH:
            return not discrepancy.users  # what no longer compiles is not repaired by declaring the new type
        case kind:  # without a suggestion it was renamed and is of another sort now
            return kind is DiscrepancyType.CASE_MISMATCH and discrepancy.suggestion is not None


def _is_probable(discrepancy: Discrepancy) -> bool:
    is_missing = discrepancy.type is DiscrepancyType.MISSING_COLUMN
    return is_missing and may_have_a_name(discrepancy) and certain_name(discrepancy) is None


def _file_name(dataset_name: str) -> str:
    safe = re.sub(r"[^\w.-]+", "_", dataset_name, flags=re.ASCII).strip("._-")[:80] or "dataset"
    return safe if safe.lower().endswith((".yml", ".yaml")) else f"{safe}.yml"


def _that_hold(sheet: Sheet, repairs: Sequence[Repair]) -> list[Repair]:
    """The repairs that together do what they should and nothing else, as many as can be found."""
    before, readings = sheet.reading, 0
    known = before.facts()
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
            and all(fact[:3] in brought and fact[3] in ("column", "target") for fact in after.facts() - known)
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
