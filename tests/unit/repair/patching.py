"""A dataset against hand-made tables, its patches, and a strict way to apply them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.nouns.dataset import Dataset, DataSource
from include.schema_sync.nouns.report import OrganizationReport, SuggestedPatch
from include.schema_sync.nouns.snapshot import Column, GroupSnapshot, OrganizationSnapshot, SourceSnapshot, Table
from include.schema_sync.repair.before_and_after import Context
from include.schema_sync.repair.patches import suggest_patches
from include.schema_sync.repair.suggest import PatchOptions
from include.schema_sync.repair.unified_diff import apply_diff
from include.schema_sync.warehouses import dialect_for

NO_NEWLINE = "\\ No newline at end of file"


def column(name: str, type_: str = "text") -> Column:
    return Column(name, type_)


def check(yml: str, tables: Sequence[Table], source: str = "postgres") -> tuple[Dataset, OrganizationReport]:
    """One dataset against hand-made tables, as a run does it."""
    data_source = DataSource("source-1", "Warehouse", source)
    dataset = Dataset("dataset-1", "orders", "org-1", data_source.id, None, "public", yml)
    group = GroupSnapshot(data_source.id, "shop", "public", exists=True, tables=tuple(tables))
    snapshot = SourceSnapshot(data_source, "shop", {dataset.id: dataset.yml_hash}, (group,))
    return dataset, diff_organization(OrganizationSnapshot("org-1", "Acme", (snapshot,)), [dataset])


EVERYTHING = PatchOptions(remove_missing=True, include_probable=True)
AND_UNDOCUMENTED = replace(EVERYTHING, add_undocumented=True)


def suggested(
    dataset: Dataset, found: OrganizationReport, source: str = "postgres", options: PatchOptions = EVERYTHING
) -> list[SuggestedPatch]:
    return suggest_patches(Context(dataset, dialect_for(source), "shop"), found.discrepancies, options)


def patches_for(
    yml: str, *columns: Column, source: str = "postgres", options: PatchOptions = EVERYTHING
) -> list[SuggestedPatch]:
    dataset, report = check(yml, [Table("orders", "table", True, columns)], source)
    return suggested(dataset, report, source, options)


def apply(text: str, patch: str) -> str:
    """Apply a unified diff exactly: every line of context and every removed line must be there."""
    old = re.findall(r"[^\n]*\n|[^\n]+", text)
    lines = re.findall(r"[^\n]*\n", patch)
    assert lines[0].startswith("--- a/")
    assert lines[1].startswith("+++ b/")
    new: list[str] = []
    at, index = 0, 2
    while index < len(lines):
        head = re.fullmatch(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n", lines[index])
        assert head is not None, lines[index]
        counts = {"-": int(head[2] or 1), "+": int(head[4] or 1)}
        first = int(head[1]) - (1 if counts["-"] else 0)
        new += old[at:first]
        at = first
        assert int(head[3]) - (1 if counts["+"] else 0) == len(new)
        index += 1
        while counts["-"] or counts["+"]:
            mark, line = lines[index][0], lines[index][1:]
            index += 1
            if index < len(lines) and lines[index].strip() == NO_NEWLINE:
                line = line.removesuffix("\n")
                index += 1
            if mark in " -":
                assert old[at] == line
                at += 1
                counts["-"] -= 1
            if mark in " +":
                new.append(line)
                counts["+"] -= 1
    result = "".join([*new, *old[at:]])
    assert apply_diff(text, patch) == result
    return result


def patched(yml: str, *columns: Column, source: str = "postgres", options: PatchOptions = EVERYTHING) -> str:
    patches = patches_for(yml, *columns, source=source, options=options)
    assert patches
    for patch in patches:
        yml = apply(yml, patch.diff)
    return yml
