"""Where datasets live, and which requests that makes: one per (database, schema) of a data source. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ..nouns.dataset import Dataset
from ..nouns.snapshot import GroupRequest
from ..yml.dataset import DatasetDefinition
from .needs import Need, Needs, needs_of
from .qualifiers import DatasetNames, Whereabouts, names_for_relationships


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

    def needs(self, dialect: str) -> Needs:
        """What the definition needs, its expressions read in the given dialect."""
        return needs_of(self.definition, dialect, Whereabouts(self.dataset.name, self.database, self.schema))

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


def group_requests(data_source_id: str, placements: Iterable[Placement], dialect: str) -> list[GroupRequest]:
    """One request per (database, schema), whatever the number of datasets; sorted, so runs can be compared.

    :param dialect: the data source's dialect, in which the datasets' expressions are written.
    """
    needs = [(placement, placement.needs(dialect)) for placement in placements]
    datasets: DatasetNames[tuple[Placement, Needs]] = DatasetNames()
    for placement, own in needs:
        datasets.add(names_for_relationships(placement.definition, placement.dataset.name), (placement, own))
    groups: dict[tuple[str | None, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for placement, own in needs:
        groups[placement.group][placement.table].update(_confirmable(own.columns))
        for word, on_target in own.on_targets.items():
            # Of several targets only one may turn out to be there, and then it is judged: so all of them are asked.
            for target, its_own in datasets.find(word):
                wanted = (need for need in on_target if not its_own.is_alias(need.column))
                groups[target.group][target.table].update(_confirmable(wanted))
    return [
        GroupRequest(
            data_source_id,
            database,
            schema,
            tables=tuple(sorted(tables)),
            columns={table: tuple(sorted(columns)) for table, columns in sorted(tables.items())},
        )
        for (database, schema), tables in sorted(groups.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    ]


def _confirmable(needs: Iterable[Need]) -> Iterable[str]:
    return (need.column for need in needs if not need.maybe_alias)
