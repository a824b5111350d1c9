"""Nouns ↔ plain JSON, for XCom.

Airflow refuses dataclasses on read, turns nested ones into dicts, and may reorder keys; so every value that
crosses a task boundary is spelled out here. Snapshots are kept compact: each type text, and each reason why something
could not be confirmed, is written once a group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import count, repeat
from typing import Any

import msgspec
from msgspec import json

from ..text import cut
from .dataset import Organization
from .discrepancy import Discrepancy
from .report import OrganizationReport, OrganizationTotals
from .snapshot import (
    Column,
    GroupSnapshot,
    OrganizationSnapshot,
    SourceSnapshot,
    Table,
)

Json = dict[str, Any]

_FOUND = ("discrepancies", "ignored")


def organizations_to_text(organizations: Iterable[Organization]) -> str:
    """The organizations of a batch as one text: nested values Airflow takes apart and puts together again."""
    return json.encode(list(organizations)).decode()


def organizations_from_text(text: str) -> list[Organization]:
    """The organizations of a batch, in its order."""
    return json.decode(text, type=list[Organization])


def snapshot_to_json(snapshot: OrganizationSnapshot) -> Json:
    return {
        **plain(replace(snapshot, sources=())),
        "sources": [
            {
                **plain(replace(source, groups=(), unread={})),
                "groups": [_group_to_json(group) for group in source.groups],
                "unread": _by_reason(source.unread),
            }
            for source in snapshot.sources
        ],
    }


def snapshot_from_json(value: Json) -> OrganizationSnapshot:
    sources = tuple(map(_source_from_json, value["sources"]))
    return OrganizationSnapshot(value["organization_id"], value["organization_name"], sources)


def _source_from_json(value: Json) -> SourceSnapshot:
    groups = tuple(_group_from_json(value["data_source"]["id"], group) for group in value["groups"])
    unread = {dataset_id: reason for reason, ids in value.get("unread", ()) for dataset_id in ids}
    return replace(msgspec.convert({**value, "groups": (), "unread": unread}, SourceSnapshot), groups=groups)


def _by_reason(unread: Mapping[str, str]) -> list[list[Any]]:
    """``[[reason, [dataset id, …]], …]``: the reasons are few."""
    reasons: dict[str, list[str]] = {}
    for dataset_id, reason in unread.items():
        reasons.setdefault(reason, []).append(dataset_id)
    return [[reason, ids] for reason, ids in reasons.items()]


def report_to_json(report: OrganizationReport) -> Json:
    found = {key: [discrepancy_to_json(each) for each in getattr(report, key)] for key in _FOUND}
    return {**plain(replace(report, discrepancies=(), ignored=())), **found}


def report_from_json(value: Json) -> OrganizationReport:
    """:raises ValueError: another release wrote it in another shape."""
    of = {"organization_id": value["organization_id"]}
    found = {key: [{**each, **of} for each in value[key]] for key in _FOUND}
    return msgspec.convert({**value, **found}, OrganizationReport)


def totals_to_json(totals: OrganizationTotals) -> Json:
    return plain(totals)


def totals_from_json(value: Json) -> OrganizationTotals:
    """Other keys than the noun's are left alone: whoever keeps totals may add where they are from."""
    return msgspec.convert(value, OrganizationTotals)


def discrepancy_to_json(discrepancy: Discrepancy) -> Json:
    """What a report has of it: not the organization, which is said once; the severity and the fingerprint as well."""
    value = plain(replace(discrepancy, columns=()))
    del value["organization_id"]
    columns = [[cut(column.name), cut(column.type)] for column in discrepancy.columns]
    return {
        **value, "columns": columns, "severity": str(discrepancy.severity), "fingerprint": discrepancy.fingerprint
    }  # fmt: skip


def plain(noun: Any) -> Json:
    """Dictionaries, lists, texts and numbers alone: Airflow would write a tuple as one."""
    value: Json = json.decode(json.encode(noun))
    return value


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
            **({"changes": [list(change) for change in table.changes]} if table.changes else {}),
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
    names = {key: _with_nul(value[key]) for key in ("database", "schema")}
    probes = [[*probe, value["reasons"][reason]] for *probe, reason in value["probes"]]
    own = {"data_source_id": data_source_id, **names, "probes": probes, "tables": ()}
    tables = tuple(_table_from_json(table, value["types"]) for table in value["tables"])
    return replace(msgspec.convert({**value, **own}, GroupSnapshot), tables=tables)


def _table_from_json(value: Json, types: list[tuple[str, str | None]]) -> Table:
    unreadable = set(value["unreadable"])
    typed = map(types.__getitem__, value["types"])
    columns = tuple(
        Column(name, own, base, position not in unreadable, identity)
        for position, (name, (own, base), identity) in enumerate(
            zip(value["columns"], typed, _identities_from_json(value), strict=False)
        )
    )
    return replace(msgspec.convert({**value, "columns": ()}, Table), columns=columns)


def _without_nul(name: Any) -> Any:
    """YAML can write a NUL; PostgreSQL's jsonb, where Airflow keeps XComs, has none: such a name becomes a list."""
    return name.split("\0") if name is not None and "\0" in name else name


def _with_nul(value: Any) -> Any:
    return "\0".join(value) if isinstance(value, list) else value
