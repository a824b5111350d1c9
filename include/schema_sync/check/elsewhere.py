"""A table that is missing from a schema that nobody named: where else it is. Only the command line has such schemas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import cache

from ..introspect.organizations import SourceAccess
from ..nouns.discrepancy import Discrepancy, DiscrepancyType
from ..text import cut
from ..yml.dataset import read_dataset
from .files import DatasetFile

_SQL = "SELECT table_schema, table_name FROM information_schema.tables"
_MOST_TABLES, _MOST_NAMED = 50_000, 3


def with_other_schemas(
    discrepancies: Iterable[Discrepancy], files: Mapping[str, DatasetFile], access: Mapping[str, SourceAccess]
) -> Iterator[Discrepancy]:
    """Say of each missing table whose schema was assumed that it was, and in which schemas a table of its name is.

    :param files: by dataset id. :param access: by data source id.
    """
    schemas_by_table = cache(lambda source_id, database: _schemas_by_table(access[source_id], database))
    for each in discrepancies:
        file = files.get(each.dataset_id or "")
        if each.type is DiscrepancyType.MISSING_TABLE and file is not None and _is_assumed(each, file):
            found = schemas_by_table(each.data_source_id, each.database).get((each.table or "").casefold(), [])
            names = [cut(name) for name in found[:_MOST_NAMED]]
            listed = ", ".join(f"`{name}`" for name in names)
            hint = f"; `{each.table}` exists in {listed}: --schema {names[0]}" if names else ""
            message = f"{each.message} No schema is named, so `{each.schema}` was assumed{hint}."
            each = replace(each, message=message)
        yield each


def _is_assumed(discrepancy: Discrepancy, file: DatasetFile) -> bool:
    if not file.schema_is_assumed or discrepancy.schema != file.dataset.schema:
        return False
    return any(each.schema is None and cut(each.table) == discrepancy.table for each in read_dataset(file.dataset))


def _schemas_by_table(access: SourceAccess, database: str | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        connection = access.connect(database if access.dialect.reconnects_per_database else None)
        with closing(connection), closing(connection.cursor()) as cursor:
            cursor.execute(_SQL)
            for schema, table in cursor.fetchmany(_MOST_TABLES):
                found.setdefault(str(table).casefold(), []).append(str(schema))
    except Exception:  # noqa: BLE001 (drivers share no base class; what is missing stays missing, only the hint is lost)
        return {}
    return found
