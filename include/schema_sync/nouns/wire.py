"""Nouns ↔ plain JSON, for XCom.

Airflow refuses dataclasses on read, turns nested ones into dicts, and may reorder keys; so every value that
crosses a task boundary is spelled out here. Snapshots are kept compact: each type text, and each reason why something
could not be confirmed, is written once a group.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields, replace
from itertools import count, repeat
from typing import Any

from ..text import cut
from .dataset import DataSource, Organization
from .discrepancy import Change, ChangeKind, Discrepancy, DiscrepancyType, Impact, Severity
from .proof import Outcome, PartOutcome
from .report import (
    LeftOut,
    OrganizationReport,
    OrganizationTotals,
    SourceTiming,
    SuggestedPatch,
    TableChanges,
    UncheckedSource,
)
from .snapshot import (
    Column,
    ColumnChange,
    GroupSnapshot,
    OrganizationSnapshot,
    Probe,
    ProbeAnswer,
    SourceSnapshot,
    Table,
)

Json = dict[str, Any]

_TOTALS = frozenset(each.name for each in fields(OrganizationTotals))


def organizations_to_text(organizations: Iterable[Organization]) -> str:
    """The organizations of a batch as one text: nested values Airflow takes apart and puts together again."""
    return json.dumps([asdict(each) for each in organizations])


def organizations_from_text(text: str) -> list[Organization]:
    """The organizations of a batch, in its order."""
    return [
        Organization(each["id"], each["name"], tuple(DataSource(**source) for source in each["data_sources"]))
        for each in json.loads(text)
    ]


def snapshot_to_json(snapshot: OrganizationSnapshot) -> Json:
    return {
        "organization_id": snapshot.organization_id,
        "organization_name": snapshot.organization_name,
        "sources": [
            {
                "data_source": asdict(source.data_source),
                "own_database": source.own_database,
                "datasets": source.datasets,
                "groups": [_group_to_json(group) for group in source.groups],
                "error": source.error,
                "elapsed_ms": source.elapsed_ms,
                "unread": _by_reason(source.unread),
            }
            for source in snapshot.sources
        ],
    }


def snapshot_from_json(value: Json) -> OrganizationSnapshot:
    return OrganizationSnapshot(
        organization_id=value["organization_id"],
        organization_name=value["organization_name"],
        sources=tuple(
            SourceSnapshot(
                data_source=DataSource(**source["data_source"]),
                own_database=source["own_database"],
                datasets=source["datasets"],
                groups=tuple(_group_from_json(source["data_source"]["id"], group) for group in source["groups"]),
                error=source["error"],
                elapsed_ms=source["elapsed_ms"],
                unread={id_: reason for reason, ids in source.get("unread", ()) for id_ in ids},
            )
            for source in value["sources"]
        ),
    )


def _by_reason(unread: Mapping[str, str]) -> list[list[Any]]:
    """``[[reason, [dataset id, …]], …]``: the reasons are few."""
    reasons: dict[str, list[str]] = {}
    for dataset_id, reason in unread.items():
        reasons.setdefault(reason, []).append(dataset_id)
    return [[reason, ids] for reason, ids in reasons.items()]


def report_to_json(report: OrganizationReport) -> Json:
    return {
        "organization_id": report.organization_id,
        "organization_name": report.organization_name,
        "datasets_checked": report.datasets_checked,
        "datasets_unchecked": report.datasets_unchecked,
        "discrepancies": [discrepancy_to_json(discrepancy) for discrepancy in report.discrepancies],
        "unchecked": [_unchecked_to_json(source) for source in report.unchecked],
        "error": report.error,
        "ignored": [discrepancy_to_json(discrepancy) for discrepancy in report.ignored],
        "patches": [{**asdict(patch), "fixes": list(patch.fixes)} for patch in report.patches],
        "slowest_source": _timing_to_json(report.slowest_source),
        "left_out": asdict(report.left_out),
        "changes": [
            [each.data_source_id, each.database, each.schema, each.table, _changes_to_json(each.columns)]
            for each in report.changes
        ],
        "sources_checked": report.sources_checked,
    }


def report_from_json(value: Json) -> OrganizationReport:
    return OrganizationReport(
        organization_id=value["organization_id"],
        organization_name=value["organization_name"],
        datasets_checked=value["datasets_checked"],
        datasets_unchecked=value["datasets_unchecked"],
        discrepancies=tuple(
            _discrepancy_from_json(value["organization_id"], discrepancy) for discrepancy in value["discrepancies"]
        ),
        unchecked=tuple(map(_unchecked_from_json, value["unchecked"])),
        error=value["error"],
        ignored=tuple(
            _discrepancy_from_json(value["organization_id"], discrepancy) for discrepancy in value["ignored"]
        ),
        patches=tuple(SuggestedPatch(**{**patch, "fixes": tuple(patch["fixes"])}) for patch in value["patches"]),
        slowest_source=_timing_from_json(value["slowest_source"]),
        left_out=LeftOut(**value.get("left_out", {})),
        changes=tuple(
            TableChanges(source, database, schema, table, _changes_from_json(columns))
            for source, database, schema, table, columns in value["changes"]
        ),
        sources_checked=value.get("sources_checked", 0),
    )


def totals_to_json(totals: OrganizationTotals) -> Json:
    return {**asdict(totals), "unchecked": [_unchecked_to_json(source) for source in totals.unchecked]}


def totals_from_json(value: Json) -> OrganizationTotals:
    """Other keys than the noun's are left alone: whoever keeps totals may add where they are from."""
    return OrganizationTotals(
        **{
            **{key: each for key, each in value.items() if key in _TOTALS},
            "unchecked": tuple(map(_unchecked_from_json, value["unchecked"])),
            "slowest_source": _timing_from_json(value["slowest_source"]),
        }
    )


def _unchecked_to_json(source: UncheckedSource) -> Json:
    return {**asdict(source), "dataset_ids": list(source.dataset_ids)}


def _unchecked_from_json(value: Json) -> UncheckedSource:
    return UncheckedSource(**{**value, "dataset_ids": tuple(value["dataset_ids"])})


def _timing_to_json(timing: SourceTiming | None) -> Json | None:
    return None if timing is None else asdict(timing)


def _timing_from_json(value: Json | None) -> SourceTiming | None:
    return None if value is None else SourceTiming(**value)


def discrepancy_to_json(discrepancy: Discrepancy) -> Json:
    value = asdict(replace(discrepancy, columns=()))
    value["columns"] = [[cut(column.name), cut(column.type)] for column in discrepancy.columns]
    del value["organization_id"]  # the report says it once
    value["users"] = list(discrepancy.users)
    if discrepancy.impact is not None:
        value["impact"]["names"] = list(discrepancy.impact.names)
    return {**value, "severity": str(discrepancy.severity), "fingerprint": discrepancy.fingerprint}


def _discrepancy_from_json(organization_id: str, value: Json) -> Discrepancy:
    derived = {"severity", "fingerprint", "type"}
    rest = {key: item for key, item in value.items() if key not in derived}
    rest["users"] = tuple(rest["users"])
    rest["columns"] = tuple(Column(name, type_) for name, type_ in rest.get("columns", ()))
    if (impact := rest["impact"]) is not None:
        rest["impact"] = Impact(**{**impact, "names": tuple(impact["names"])})
    if (changed := rest["changed"]) is not None:
        rest["changed"] = Change(changed["since"], ChangeKind(changed["kind"]), changed["to"])
    rest["own_severity"] = None if rest["own_severity"] is None else Severity(rest["own_severity"])
    return Discrepancy(type=DiscrepancyType(value["type"]), organization_id=organization_id, **rest)


def _group_to_json(group: GroupSnapshot) -> Json:
    types: dict[tuple[str, str | None], int] = {}
    reasons: dict[str | None, int] = {}
    tables = [
        {
            "name": table.name,
            "kind": table.kind,
            "readable": table.readable,
            "columns": [column.name for column in table.columns],
            "types": [types.setdefault((column.type, column.base_type), len(types)) for column in table.columns],
            "unreadable": [index for index, column in enumerate(table.columns) if not column.readable],
            **_identities_to_json(table),
            **({} if table.broken is None else {"broken": table.broken}),
            **({"more": table.more} if table.more else {}),
            **({"changes": _changes_to_json(table.changes)} if table.changes else {}),
        }
        for table in group.tables
    ]
    return {
        "database": _without_nul(group.database),
        "schema": _without_nul(group.schema),
        "exists": group.exists,
        "error": group.error,
        "neighbours": list(group.neighbours),
        "types": [list(pair) for pair in types],
        "tables": tables,
        "probes": [
            [probe.table, probe.column, str(probe.answer), reasons.setdefault(probe.reason, len(reasons))]
            for probe in group.probes
        ],
        "reasons": list(reasons),
        **({} if group.proof is None else {"proof": [list(outcome) for outcome in group.proof]}),
    }


def _changes_to_json(changes: Iterable[ColumnChange]) -> list[list[str | None]]:
    return [[each.name, str(each.kind), each.since, each.was, each.to] for each in changes]


def _changes_from_json(value: Iterable[list[Any]]) -> tuple[ColumnChange, ...]:
    return tuple(ColumnChange(name, ChangeKind(kind), *rest) for name, kind, *rest in value)


def _identities_to_json(table: Table) -> Json:
    """Left out where the engine has none, and where a column's identity is its position, as it mostly is."""
    identities = [column.identity for column in table.columns]
    value: Json = {} if table.identity is None else {"identity": table.identity}
    if identities == list(range(1, len(identities) + 1)):
        return {**value, "identities": True}
    return value if all(identity is None for identity in identities) else {**value, "identities": identities}


def _identities_from_json(table: Json) -> Iterable[int | None]:
    value = table.get("identities")
    return count(1) if value is True else value or repeat(None)


def _group_from_json(data_source_id: str, value: Json) -> GroupSnapshot:
    types = value["types"]

    def table_from_json(table: Json) -> Table:
        unreadable = set(table["unreadable"])
        return Table(
            name=table["name"],
            kind=table["kind"],
            readable=table["readable"],
            columns=tuple(
                Column(name, types[type_index][0], types[type_index][1], position not in unreadable, identity)
                for position, (name, type_index, identity) in enumerate(
                    zip(table["columns"], table["types"], _identities_from_json(table), strict=False)
                )
            ),
            identity=table.get("identity"),
            broken=table.get("broken"),
            more=table.get("more", 0),
            changes=_changes_from_json(table.get("changes", ())),
        )

    return GroupSnapshot(
        data_source_id=data_source_id,
        database=_with_nul(value["database"]),
        schema=_with_nul(value["schema"]),
        exists=value["exists"],
        tables=tuple(table_from_json(table) for table in value["tables"]),
        neighbours=tuple(value["neighbours"]),
        error=value["error"],
        probes=tuple(
            Probe(table, column, ProbeAnswer(answer), value["reasons"][reason])
            for table, column, answer, reason in value["probes"]
        ),
        proof=_proof_from_json(value.get("proof")),
    )


def _proof_from_json(value: list[list[str]] | None) -> tuple[PartOutcome, ...] | None:
    if value is None:
        return None
    return tuple(
        PartOutcome(dataset, table, user, Outcome(outcome), words) for dataset, table, user, outcome, words in value
    )


def _without_nul(name: Any) -> Any:
    """YAML can write a NUL; PostgreSQL's jsonb, where Airflow keeps XComs, has none: such a name becomes a list."""
    return name.split("\0") if name is not None and "\0" in name else name


def _with_nul(value: Any) -> Any:
    return "\0".join(value) if isinstance(value, list) else value
