"""Patches for what an organization's report found; how one is made is read when there is something to repair. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..nouns.dataset import Dataset
from ..nouns.discrepancy import Discrepancy
from ..nouns.report import OrganizationReport, SuggestedPatch
from ..nouns.snapshot import OrganizationSnapshot
from ..warehouses import dialect_for


@dataclass(frozen=True, slots=True)
class PatchOptions:
    """What patches do beyond what is certain.

    :ivar add_undocumented: they add the columns that are in no dataset of the table.
    :ivar remove_missing: they comment out what needs a missing column, although nothing proves that it was dropped.
    :ivar include_probable: one more patch a dataset, marked as such, renames what was probably renamed.
    """

    add_undocumented: bool = False
    remove_missing: bool = False
    include_probable: bool = False


CERTAIN = PatchOptions()


def with_patches(
    report: OrganizationReport,
    snapshot: OrganizationSnapshot,
    datasets: Sequence[Dataset],
    options: PatchOptions = CERTAIN,
    *,
    paths: Mapping[str, str] | None = None,
) -> OrganizationReport:
    """Add the patches of each dataset that can be repaired, in the order of what is most severe.

    :param snapshot: what the report was made of.
    :param paths: {dataset id: its file's name in the diff}; of others it is made of the dataset's name.
    """
    by_dataset: dict[tuple[str, str], list[Discrepancy]] = {}
    for each in report.discrepancies:
        if each.dataset_id is not None:
            by_dataset.setdefault((each.data_source_id, each.dataset_id), []).append(each)
    if not by_dataset:
        return report
    from .before_and_after import Context  # most datasets have not drifted: what makes patches is not read for them
    from .patches import suggest_patches

    sources = {source.data_source.id: source for source in snapshot.sources}
    texts = {dataset.id: dataset for dataset in datasets}
    patches: list[SuggestedPatch] = []
    for (source_id, dataset_id), own in by_dataset.items():
        dialect = dialect_for(sources[source_id].data_source.type)
        context = Context(texts[dataset_id], dialect, sources[source_id].own_database)
        patches += suggest_patches(context, own, options, path=(paths or {}).get(dataset_id))
    return replace(report, patches=tuple(patches))
