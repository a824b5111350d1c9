"""Asking a real PostgreSQL as introspection does, and a role that may read nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg

from include.schema_sync.introspect.session import Connect
from include.schema_sync.introspect.source import GroupOutcome, introspect_source
from include.schema_sync.nouns.snapshot import GroupRequest, GroupSnapshot, Table
from include.schema_sync.warehouses import dialect_for

POSTGRES = dialect_for("postgres")


def connects(uri: str, **options: Any) -> Connect:
    """As the operator's connect: the same server, another database when one is named."""

    def connect(database: str | None) -> Any:
        named = {} if database is None else {"dbname": database}
        return psycopg.connect(uri, **{"connect_timeout": 10, **named, **options})

    return connect


def request(schema: str, *tables: str, database: str | None = None) -> GroupRequest:
    return GroupRequest("source", database, schema, tables)


def outcome_of(connect: Connect | str, group: GroupRequest, **options: Any) -> GroupOutcome:
    ready = connects(connect) if isinstance(connect, str) else connect
    (outcome,) = introspect_source(ready, POSTGRES, [group], **{"timeout_s": 30, **options})
    return outcome


def snapshot_of(uri: str, schema: str, *tables: str) -> GroupSnapshot:
    outcome = outcome_of(uri, request(schema, *tables))
    assert outcome.snapshot.error is None
    return unnumbered(outcome.snapshot)


def unnumbered(snapshot: GroupSnapshot) -> GroupSnapshot:
    """Without the engine's own numbers, which no two servers share."""
    return replace(
        snapshot,
        tables=tuple(
            replace(table, identity=None, columns=tuple(each._replace(identity=None) for each in table.columns))
            for table in snapshot.tables
        ),
    )


def names(tables: Sequence[Table]) -> list[str]:
    return [table.name for table in tables]


def run(uri: str, *statements: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]
