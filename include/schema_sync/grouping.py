"""Where datasets live, and which requests that makes: one per (database, schema) of a data source. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from include.schema_sync.dataset_yml import DatasetDefinition
from include.schema_sync.models import Dataset, GroupRequest


@dataclass(frozen=True, slots=True)
class Placement:
    """One definition of one dataset and the place it describes. ``database`` None: the connection's own."""

    dataset: Dataset
    definition: DatasetDefinition
    database: str | None
    schema: str

    @property
    def table(self) -> str:
        return self.definition.table

    @property
    def group(self) -> tuple[str | None, str]:
        return (self.database, self.schema)


def place(dataset: Dataset, definition: DatasetDefinition, *, own_database: str | None) -> Placement:
    """Find the database and schema of a definition (contract, section 3: YML, else row, else connection).

    :param own_database: name of the database that the connection opens by itself, None when not known.
    """
    return Placement(
        dataset=dataset,
        definition=definition,
        database=definition.database or dataset.database_identifier or own_database,
        schema=definition.schema or dataset.schema,
    )


def group_requests(data_source_id: str, placements: Iterable[Placement]) -> list[GroupRequest]:
    """One request per (database, schema), whatever the number of datasets; sorted, so runs can be compared."""
    tables: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for placement in placements:
        tables[placement.group].add(placement.table)
    return [
        GroupRequest(data_source_id, database, schema, tuple(sorted(names)))
        for (database, schema), names in sorted(tables.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    ]
