"""Patches are tried on the warehouse: it compiles the datasets as they would be, and what it refuses is not offered.

Reading an edited text again (``patches.py``) tells that only names changed; whether the warehouse takes the new ones is
for the warehouse to say (contract, section 11). Types are declared and never sent, so that a patch of types alone is
not asked about. Asking is given: nothing here connects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..compare.organization import diff_organization
from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy, DiscrepancyType, Severity
from ..nouns.proof import Outcome
from ..nouns.report import OrganizationReport, SuggestedPatch
from ..nouns.snapshot import OrganizationSnapshot, SourceSnapshot
from .unified_diff import apply_diff

# {organization id: its datasets} → a snapshot of each, compiled.
Ask = Callable[[Mapping[str, Sequence[Dataset]]], Sequence[OrganizationSnapshot]]

MOST_DATASETS = 2_000  # of a data source that is asked once more; beyond, its patches are offered as only read again
_NAMES = (DiscrepancyType.MISSING_COLUMN, DiscrepancyType.CASE_MISMATCH)


def with_compiled_patches(
    reports: Sequence[OrganizationReport],
    snapshots: Sequence[OrganizationSnapshot],
    datasets: Mapping[str, Sequence[Dataset]],
    ask: Ask,
) -> list[OrganizationReport]:
    """Leave out the patches with which a dataset no longer compiles, and mark those with which it does.

    :param snapshots: what the reports were made of, in their order; what was not compiled then is not asked now.
    :param datasets: {organization id: what the reports were made of}.
    :param ask: called at most twice, with everybody's datasets: for the patches of what is certain, and for those of
        what is probable, which are made of the text that the first leave.
    """
    done = list(reports)
    for probable in (False, True):
        asked = {
            report.organization_id: edited
            for report, snapshot in zip(done, snapshots, strict=True)
            if (edited := _edited(report, snapshot, datasets[report.organization_id], probable=probable))
        }
        found = {snapshot.organization_id: snapshot for snapshot in ask(asked)} if asked else {}
        done = [
            _settled(report, found[report.organization_id], asked[report.organization_id], probable=probable)
            if report.organization_id in found
            else report
            for report in done
        ]
    return done


def _edited(
    report: OrganizationReport, snapshot: OrganizationSnapshot, datasets: Sequence[Dataset], *, probable: bool
) -> list[Dataset]:
    """All datasets of the data sources that are asked, with their patches applied: joins lead to others."""
    renamed = {each.fingerprint for each in report.discrepancies if each.type in _NAMES}
    wanted = {
        patch.dataset_id
        for patch in report.patches
        if patch.probable is probable and not renamed.isdisjoint(patch.fixes)
    }
    sources = {dataset.data_source_id for dataset in datasets if dataset.id in wanted}
    sources &= {each.data_source.id for each in snapshot.sources if _compiles(each)}
    texts = {dataset.id: dataset.yml for dataset in datasets if dataset.data_source_id in sources}
    for patch in report.patches:
        if patch.dataset_id in texts and patch.probable <= probable:
            texts[patch.dataset_id] = apply_diff(texts[patch.dataset_id], patch.diff)
    return [replace(each, yml=texts[each.id]) for each in datasets if each.id in texts]


def _compiles(source: SourceSnapshot) -> bool:
    return len(source.datasets) <= MOST_DATASETS and any(group.proof is not None for group in source.groups)


def _settled(
    report: OrganizationReport, snapshot: OrganizationSnapshot, edited: Sequence[Dataset], *, probable: bool
) -> OrganizationReport:
    known = {each.fingerprint for each in report.discrepancies}
    again = diff_organization(snapshot, edited)
    refused = {each.dataset_id for each in again.discrepancies if _is_worse(each, known)}
    unproven = {
        outcome.dataset_id
        for source in snapshot.sources
        for group in source.groups
        for outcome in group.proof or ()
        if outcome.outcome is Outcome.UNPROVEN
    }
    unproven.update(dataset_id for source in again.unchecked for dataset_id in source.dataset_ids)
    for source in snapshot.sources:
        if not all(group.proof is not None for group in source.groups):
            unproven.update(source.datasets)
    asked = {dataset.id for dataset in edited}

    def settled(patch: SuggestedPatch) -> SuggestedPatch | None:
        if patch.dataset_id not in asked or patch.probable < probable:
            return patch
        if patch.dataset_id in refused:
            return None
        return replace(patch, compiled=patch.probable is probable and patch.dataset_id not in unproven)

    return replace(report, patches=tuple(patch for each in report.patches if (patch := settled(each)) is not None))


def _is_worse(found: Discrepancy, known: set[str]) -> bool:
    return found.fingerprint not in known and found.type.severity is Severity.CRITICAL
