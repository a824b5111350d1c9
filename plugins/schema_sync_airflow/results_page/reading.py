"""What tasks left in XComs → the page's nouns. Pure.

The page shows runs that other releases of this project wrote, and anybody with the right to set XComs can write
there: whatever is missing or of another type is left out, and nothing here raises. ``wire`` is the strict reader.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.report import LeftOut, OrganizationTotals, UncheckedSource

Json = Mapping[str, Any]
_Noun = TypeVar("_Noun")

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
    """:ivar fixes: how many findings it repairs."""

    dataset_id: str
    dataset_name: str
    diff: str
    fixes: int
    probable: bool
    compiled: bool


@dataclass(frozen=True, slots=True)
class Report:
    """One organization's report; ``left_out`` is in its totals and not in its findings."""

    totals: OrganizationTotals
    findings: tuple[Finding, ...]
    patches: tuple[Patch, ...]
    left_out: LeftOut


def batches(content: Any) -> list[Batch]:
    """What ``fetch_organizations`` left, or in older releases returned; none is left out: positions are map indexes."""
    return [_batch(value) for value in content] if isinstance(content, list) else []


def totals(content: Any) -> list[OrganizationTotals]:
    """A list of :func:`wire.totals_to_json`."""
    found = (_read(OrganizationTotals, value, unchecked=_unchecked(value)) for value in objects(content))
    return [each for each in found if each.organization_id]


def totals_of_reports(content: Any) -> list[OrganizationTotals]:
    """A list of :func:`wire.report_to_json`, reduced to numbers."""
    return [report.totals for report in reports(content)]


def reports(content: Any, first_seen: Any = None, only: str | None = None) -> Iterator[Report]:
    """Reports of a batch.

    :param first_seen: ``{organization id: {fingerprint: timestamp}}``, or anything else where nobody keeps it.
    :param only: the id of the one organization that is wanted.
    """
    for value in objects(content):
        organization_id = _text(value, "organization_id")
        if only in (None, organization_id):
            yield _report(value, _object(_object(first_seen).get(organization_id)))


def objects(content: Any) -> Iterator[Json]:
    """The JSON objects of what should be a list of them."""
    return (value for value in content if isinstance(value, dict)) if isinstance(content, list) else iter(())


def _batch(value: Any) -> Batch:
    own = value.get("organizations") if isinstance(value, dict) else value
    organizations = list(objects(_parsed(own)))
    sources = [source for each in organizations for source in objects(each.get("data_sources"))]
    return Batch({_text(each, "id"): _text(each, "name") for each in organizations},
                 {_text(each, "id"): _text(each, "name") for each in sources})  # fmt: skip


def _parsed(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None


def _report(value: Json, first_seen: Json) -> Report:
    left_out = _read(LeftOut, _object(value.get("left_out")))
    findings = tuple(_finding(each, first_seen) for each in objects(value.get("discrepancies")))
    listed = Counter(each.severity for each in findings)
    return Report(
        totals=_read(
            OrganizationTotals,
            value,
            critical=listed[Severity.CRITICAL] + left_out.critical,
            warnings=listed[Severity.WARNING] + left_out.warnings,
            infos=listed[Severity.INFO] + left_out.infos,
            unchecked=_unchecked(value),
            ignored=sum(1 for _ in objects(value.get("ignored"))) + left_out.ignored,
        ),
        findings=findings,
        patches=tuple(
            _read(Patch, each, fixes=len(each["fixes"]) if isinstance(each.get("fixes"), list) else 0)
            for each in objects(value.get("patches"))
        ),
        left_out=left_out,
    )


def _finding(value: Json, first_seen: Json) -> Finding:
    place = (_text(value, part) for part in ("database", "schema", "table"))
    users = value.get("users")
    return _read(
        Finding,
        value,
        severity=_SEVERITIES.get(_text(value, "severity"), Severity.INFO),
        place=".".join(part for part in place if part),
        first_seen=_text(first_seen, _text(value, "fingerprint")) or None,
        users=tuple(each for each in users if isinstance(each, str)) if isinstance(users, list) else (),
        impact=_object(value.get("impact")) or None,
    )


def _unchecked(value: Json) -> tuple[UncheckedSource, ...]:
    return tuple(_read(UncheckedSource, each) for each in objects(value.get("unchecked")))


def _read(noun: type[_Noun], value: Json, **given: Any) -> _Noun:
    """Fill a dataclass: what is given, and of all other fields that are plain what the object has under their name."""
    plain = {
        name: found if type(found := value.get(name)) is kind else default
        for name, (kind, default) in _PLAIN_FIELDS[noun].items()
    }
    return noun(**plain | given)


def _text(value: Json, key: str) -> str:
    return text if isinstance(text := value.get(key), str) else ""


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


# {what a field is declared as: (what it must be, what it is otherwise)}
_PLAIN = {
    "str": (str, ""),
    "str | None": (str, None),
    "int": (int, 0),
    "int | None": (int, None),
    "bool": (bool, False),
}
_PLAIN_FIELDS: Mapping[type, Mapping[str, tuple[type, Any]]] = {
    noun: {each.name: _PLAIN[str(each.type)] for each in fields(noun) if each.type in _PLAIN}
    for noun in (OrganizationTotals, UncheckedSource, LeftOut, Finding, Patch)
}
