"""What tasks left in XComs → the page's nouns. Pure.

The page shows runs that other releases of this project wrote, and anybody with the right to set XComs can write
there: whatever is missing or of another type is left out, and nothing here raises. ``wire`` is the strict reader.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.report import OrganizationTotals, UncheckedSource

Json = Mapping[str, Any]

_LEFT_OUT = {"critical": 0, "warnings": 0, "infos": 0, "ignored": 0}
_SEVERITIES = {str(severity): severity for severity in Severity}


@dataclass(frozen=True, slots=True)
class Batch:
    """Organizations of one mapped instance. :ivar organizations: {id: name}. :ivar sources: {data source id: name}."""

    organizations: Mapping[str, str]
    sources: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One discrepancy, in words. :ivar place: ``database.schema.table``. :ivar first_seen: ISO 8601, UTC, or None."""

    type: str
    severity: Severity
    fingerprint: str
    data_source_id: str
    dataset_id: str | None
    dataset_name: str | None
    place: str
    column: str | None
    declared: str | None
    actual: str | None
    message: str
    line: int | None
    suggestion: str | None
    first_seen: str | None
    users: tuple[str, ...] = ()
    impact: Json | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    dataset_id: str
    dataset_name: str
    diff: str
    fixes: int
    probable: bool = False
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """One organization's report; its totals count more than its findings where there were very many."""

    totals: OrganizationTotals
    findings: tuple[Finding, ...]
    patches: tuple[Patch, ...]


def batches(content: Any) -> list[Batch]:
    """What ``fetch_organizations`` left, or, in older releases, returned; positions are map indexes, so nothing is left
    out.
    """
    return [_batch(value) for value in content] if isinstance(content, list) else []


def totals(content: Any) -> list[OrganizationTotals]:
    """A list of :func:`wire.totals_to_json`."""
    return [_totals(value) for value in _objects(content) if _text(value, "organization_id")]


def totals_of_reports(content: Any) -> list[OrganizationTotals]:
    """A list of :func:`wire.report_to_json`, reduced to numbers."""
    return [report.totals for report in _reports(content, {})]


def report(content: Any, organization_id: str, first_seen: Any) -> Report | None:
    """One organization's report out of a batch's.

    :param first_seen: ``{organization id: {fingerprint: timestamp}}``, or anything else where nobody keeps it.
    """
    dates = first_seen.get(organization_id) if isinstance(first_seen, dict) else None
    mine = [value for value in _objects(content) if value.get("organization_id") == organization_id]
    return next(_reports(mine, dates if isinstance(dates, dict) else {}), None)


def reports(content: Any, first_seen: Any) -> Iterator[Report]:
    """Every report of a batch. :param first_seen: as of :func:`report`."""
    for value in _objects(content):
        dates = first_seen.get(_text(value, "organization_id")) if isinstance(first_seen, dict) else None
        yield from _reports([value], dates if isinstance(dates, dict) else {})


def _batch(value: Any) -> Batch:
    own = value.get("organizations") if isinstance(value, dict) else value
    organizations = list(_objects(_parsed(own)))
    sources = [source for each in organizations for source in _objects(each.get("data_sources"))]
    return Batch({_text(each, "id"): _text(each, "name") for each in organizations},
                 {_text(each, "id"): _text(each, "name") for each in sources})  # fmt: skip


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None


def _totals(value: Json) -> OrganizationTotals:
    return OrganizationTotals(
        organization_id=_text(value, "organization_id"),
        organization_name=_text(value, "organization_name"),
        datasets_checked=_number(value, "datasets_checked") or 0,
        datasets_unchecked=_number(value, "datasets_unchecked") or 0,
        critical=_number(value, "critical") or 0,
        warnings=_number(value, "warnings") or 0,
        infos=_number(value, "infos") or 0,
        unchecked=_unchecked(value),
        error=_text_or_none(value, "error"),
        notified=value.get("notified") is True,
        notification_error=_text_or_none(value, "notification_error"),
        ignored=_number(value, "ignored") or 0,
        withheld=value.get("withheld") is True,
        not_told=_text_or_none(value, "not_told"),
        thread=_text_or_none(value, "thread"),
        new=_number(value, "new"),
        ongoing=_number(value, "ongoing"),
        resolved=_number(value, "resolved"),
    )


def _reports(content: Any, first_seen: Json) -> Iterator[Report]:
    for value in _objects(content):
        left_out = value.get("left_out")
        more = {key: _number(left_out, key) or 0 for key in _LEFT_OUT} if isinstance(left_out, dict) else _LEFT_OUT
        findings = tuple(_finding(each, first_seen) for each in _objects(value.get("discrepancies")))
        yield Report(
            totals=OrganizationTotals(
                organization_id=_text(value, "organization_id"),
                organization_name=_text(value, "organization_name"),
                datasets_checked=_number(value, "datasets_checked") or 0,
                datasets_unchecked=_number(value, "datasets_unchecked") or 0,
                critical=_count(findings, Severity.CRITICAL) + more["critical"],
                warnings=_count(findings, Severity.WARNING) + more["warnings"],
                infos=_count(findings, Severity.INFO) + more["infos"],
                unchecked=_unchecked(value),
                error=_text_or_none(value, "error"),
                ignored=sum(1 for _ in _objects(value.get("ignored"))) + more["ignored"],
            ),
            findings=findings,
            patches=tuple(
                Patch(
                    _text(each, "dataset_id"),
                    _text(each, "dataset_name"),
                    _text(each, "diff"),
                    len(each["fixes"]) if isinstance(each.get("fixes"), list) else 0,
                    each.get("probable") is True,
                    each.get("compiled") is True,
                )
                for each in _objects(value.get("patches"))
            ),
        )


def _finding(value: Json, first_seen: Json) -> Finding:
    severity, fingerprint = _text(value, "severity"), _text(value, "fingerprint")
    place = (_text(value, part) for part in ("database", "schema", "table"))
    return Finding(
        type=_text(value, "type"),
        severity=_SEVERITIES.get(severity, Severity.INFO),
        fingerprint=fingerprint,
        data_source_id=_text(value, "data_source_id"),
        dataset_id=_text_or_none(value, "dataset_id"),
        dataset_name=_text_or_none(value, "dataset_name"),
        place=".".join(part for part in place if part),
        column=_text_or_none(value, "column"),
        declared=_text_or_none(value, "declared"),
        actual=_text_or_none(value, "actual"),
        message=_text(value, "message"),
        line=_number(value, "line"),
        suggestion=_text_or_none(value, "suggestion"),
        first_seen=_text_or_none(first_seen, fingerprint),
        users=tuple(each for each in value.get("users") or () if isinstance(each, str)),
        impact=each if isinstance(each := value.get("impact"), dict) else None,
    )


def _unchecked(value: Json) -> tuple[UncheckedSource, ...]:
    return tuple(
        UncheckedSource(
            _text(each, "data_source_id"),
            _text(each, "data_source_name"),
            _number(each, "datasets") or 0,
            _text(each, "error"),
        )
        for each in _objects(value.get("unchecked"))
    )


def _count(findings: tuple[Finding, ...], severity: Severity) -> int:
    return sum(1 for finding in findings if finding.severity is severity)


def _objects(content: Any) -> Iterator[Json]:
    return (value for value in content if isinstance(value, dict)) if isinstance(content, list) else iter(())


def _text(value: Json, key: str) -> str:
    return _text_or_none(value, key) or ""


def _text_or_none(value: Json, key: str) -> str | None:
    text = value.get(key)
    return text if isinstance(text, str) else None


def _number(value: Json, key: str) -> int | None:
    number = value.get(key)
    return number if isinstance(number, int) and not isinstance(number, bool) else None
