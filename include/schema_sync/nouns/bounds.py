"""A report as XCom takes it: under 1 MiB whatever was found (contract, section 14). All is counted. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from .discrepancy import Discrepancy, Severity
from .report import LeftOut, OrganizationReport, UncheckedSource
from .wire import discrepancy_to_json

MOST_FINDINGS = 1_000  # in detail
_MOST_IGNORED = 200
_MOST_DATASET_IDS = 3_000
# Characters of JSON, as Airflow writes it; together with what stands around them under 1 MiB.
_FINDINGS, _IGNORED, _PATCHES, _UNCHECKED, _CHANGES = 560_000, 60_000, 150_000, 60_000, 40_000
_FEW, _SHORT, _LONG = 5, 200, 4_000

T = TypeVar("T")


def bounded(report: OrganizationReport) -> OrganizationReport:
    """The most severe findings in detail, the rest as numbers."""
    findings = _fitting(report.discrepancies[:MOST_FINDINGS], _FINDINGS, discrepancy_to_json, _brief)
    ignored = _fitting(report.ignored[:_MOST_IGNORED], _IGNORED, discrepancy_to_json, _brief)
    patches = _fitting(report.patches, _PATCHES, lambda patch: [patch.diff, *patch.fixes])
    changes = _fitting(report.changes, _CHANGES, lambda table: [table.table, *map(str, table.columns)])
    named = sum(len(source.dataset_ids) for source in report.unchecked) <= _MOST_DATASET_IDS
    sources = [
        replace(source, error=_cut(source.error, _LONG), dataset_ids=source.dataset_ids if named else ())
        for source in report.unchecked
    ]
    unchecked = _fitting(sources, _UNCHECKED, lambda source: [source.error, source.data_source_name], _shorter)
    rest = report.discrepancies[len(findings) :]
    critical, warnings, infos = (sum(1 for each in rest if each.severity is severity) for severity in Severity)
    left_out = LeftOut(
        critical=critical,
        warnings=warnings,
        infos=infos,
        ignored=len(report.ignored) - len(ignored),
        patches=len(report.patches) - len(patches),
        sources=len(sources) - len(unchecked),
    )
    return replace(
        report,
        discrepancies=tuple(findings),
        ignored=tuple(ignored),
        patches=tuple(patches),
        changes=tuple(changes),
        unchecked=tuple(unchecked),
        error=None if report.error is None else _cut(report.error, _LONG),
        left_out=left_out,
    )


def _fitting(
    items: Sequence[T], size: int, to_json: Callable[[T], Any], shorter: Callable[[T], T] | None = None
) -> Sequence[T]:
    """All of them, or all in short, or as many in short as fit."""
    sizes = [len(json.dumps(to_json(each))) for each in items]
    if sum(sizes) <= size:
        return items
    if shorter is not None:
        items = [shorter(each) for each in items]
        sizes = [len(json.dumps(to_json(each))) for each in items]
    for count, own in enumerate(sizes):
        size -= own
        if size < 0:
            return items[:count]
    return items


def _brief(found: Discrepancy) -> Discrepancy:
    return replace(found, columns=found.columns[:_FEW], users=found.users[:_FEW], message=_cut(found.message, 500))


def _shorter(source: UncheckedSource) -> UncheckedSource:
    return replace(source, error=_cut(source.error, _SHORT), data_source_name=_cut(source.data_source_name, _SHORT))


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
