"""Where datasets live, and which requests that makes: one per (database, schema) of a data source. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..nouns.dataset import Dataset
from ..nouns.proof import NOBODY_KNOWS, Part, PartTable
from ..nouns.snapshot import GroupRequest
from ..sql.expressions import words_of
from ..warehouses.proofs import Compiler
from ..yml.dataset import DatasetDefinition
from .budget import BeyondBudgetError, ReadingBudget
from .needs import Need, Needs, folded, needs_of
from .parts import Owner, parts_of
from .qualifiers import DatasetNames, Whereabouts, first_part, names_for_relationships

# Datasets of one name on more tables than these mean nothing that could be judged.
MOST_TARGET_TABLES = 20
_Group = tuple[str | None, str]  # database, schema


@dataclass(frozen=True, slots=True)
class Placement:
    """One definition of one dataset and the place it describes. ``database`` None: the connection's own.

    :ivar other_schemas: where the table may be instead.
    """

    dataset: Dataset
    definition: DatasetDefinition
    database: str | None
    schema: str
    other_schemas: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        return self.definition.table

    def needs(self, dialect: str, budget: ReadingBudget) -> Needs | None:
        """What the definition needs, its expressions read in the given dialect; None beyond the budget."""
        if budget.is_over(self.dataset.id):
            return None
        at = Whereabouts(self.dataset.name, self.database, self.schema)
        try:
            return needs_of(self.definition, dialect, at, lambda text: budget.spend(self.dataset.id, text, dialect))
        except BeyondBudgetError:
            return None

    @property
    def group(self) -> _Group:
        return (self.database, self.schema)

    @property
    def everywhere(self) -> tuple[Placement, ...]:
        schemas = (self.schema, *self.other_schemas)
        return tuple(replace(self, schema=schema, other_schemas=()) for schema in schemas)


def place(dataset: Dataset, definition: DatasetDefinition, *, own_database: str | None) -> Placement:
    """:param own_database: that the connection opens by itself. Source: contract, section 3: YML, row, connection."""
    schema, *others = definition.schemas(dataset.schema)
    database = definition.database or dataset.database_identifier or own_database
    return Placement(dataset, definition, database, schema, tuple(others))


def group_requests(
    data_source_id: str,
    placements: Iterable[Placement],
    dialect: str,
    budget: ReadingBudget | None = None,
    compiler: Compiler | None = None,
) -> list[GroupRequest]:
    """One request per (database, schema), whatever the number of datasets; sorted, so runs can be compared.

    Linear in what the datasets say, however they are related: what is needed of a word is gathered first, and given
    to the tables that it may mean afterwards.

    :param compiler: None: nothing is to be compiled.
    :param budget: what reading them may cost; a dataset beyond it is in its ``unread``, and in no request.
    """
    budget = budget or ReadingBudget()
    read = [(each, each.needs(dialect, budget)) for placement in placements for each in placement.everywhere]
    needs = [(each, own) for each, own in read if own is not None and each.dataset.id not in budget.unread]
    datasets: DatasetNames[tuple[Placement, Needs]] = DatasetNames()
    for placement, own in needs:
        datasets.add(names_for_relationships(placement.definition, placement.dataset.name), (placement, own))
    needed, named = _names_by_table(), _names_by_table()
    meant: dict[int, tuple[list[tuple[Placement, Needs]], dict[str, None]]] = {}
    for placement, own in needs:
        needed[placement.group][placement.table].update(_confirmable(own.columns))
        named[placement.group][placement.table].update(_names(own))
        for word, on_target in own.on_targets.items():
            targets = datasets.find(word)
            _, columns = meant.setdefault(id(targets), (targets, {}))
            columns.update(dict.fromkeys(_confirmable(on_target)))
    # Of several targets only one may turn out to be there, and then it is judged: so all of them are asked.
    for targets, columns in meant.values():
        tables = _aliases_of(targets)
        if len(tables) > MOST_TARGET_TABLES:
            continue
        for (group, name), aliases in tables.items():
            needed[group][name].update(each for each in columns if not aliases or folded(each) not in aliases)
            named[group][name].update(map(folded, columns))
    parts = _parts(needs, datasets, dialect, compiler)
    return [
        GroupRequest(
            data_source_id,
            database,
            schema,
            tables=tuple(sorted(tables)),
            columns={table: tuple(sorted(columns)) for table, columns in sorted(tables.items())},
            named={table: frozenset(named[database, schema][table]) for table in tables},
            parts=tuple(parts[database, schema][0]),
            left_out=tuple(parts[database, schema][1]),
        )
        for (database, schema), tables in sorted(needed.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    ]


# Of one data source: definitions beyond are not compiled, and are told as such.
MOST_PARTS = 20_000
_Parts = dict[_Group, tuple[list[Part], list[tuple[str, str, str]]]]


def _parts(
    needs: Iterable[tuple[Placement, Needs]],
    datasets: DatasetNames[tuple[Placement, Needs]],
    dialect: str,
    compiler: Compiler | None,
) -> _Parts:
    found: _Parts = defaultdict(lambda: ([], []))
    if compiler is None:
        return found
    # Thousands of relationships may mean the same thousands of models. What is found is kept, so no id is used again.
    meant: dict[int, tuple[list[tuple[Placement, Needs]], tuple[PartTable, ...]]] = {}
    made = 0

    def tables_of(word: str) -> tuple[PartTable, ...]:
        targets = datasets.find(word)
        if id(targets) not in meant:
            meant[id(targets)] = targets, tuple(dict.fromkeys(_part_table(target) for target, _ in targets))
        return meant[id(targets)][1]

    for placement, own in needs:
        if made > MOST_PARTS:
            found[placement.group][1].append((placement.dataset.id, placement.table, NOBODY_KNOWS))
            continue
        owner = Owner(placement.dataset.id, placement.definition, _part_table(placement), own)
        parts, left_out = parts_of(owner, tables_of, dialect, compiler)
        made += len(parts)
        found[placement.group][0].extend(parts)
        found[placement.group][1].extend((placement.dataset.id, placement.table, user) for user in left_out)
    return found


def _part_table(placement: Placement) -> PartTable:
    return PartTable(placement.database, placement.schema, placement.table, None, ())


def _names_by_table() -> dict[_Group, dict[str, set[str]]]:
    return defaultdict(lambda: defaultdict(set))


def _aliases_of(targets: Iterable[tuple[Placement, Needs]]) -> dict[tuple[_Group, str], frozenset[str]]:
    """{(group, table): folded names that are an alias in each of its definitions}."""
    shared: dict[tuple[_Group, str], frozenset[str]] = {}
    for placement, own in targets:
        place = placement.group, placement.table
        shared[place] = shared[place] & own.aliases if place in shared else own.aliases
    return shared


def _names(own: Needs) -> Iterator[str]:
    """Every column of the own table that a definition may mean, as a qualifier's root or as a nested field too."""
    for need in (*own.columns, *own.unplaced, *(each for needs in own.on_targets.values() for each in needs)):
        yield folded(need.column)
        if need.qualifier is not None:
            yield folded(first_part(need.qualifier))
            yield folded(f"{need.qualifier}.{need.column}")
    for item in own.unread:
        yield from words_of(item.expression)


def _confirmable(needs: Iterable[Need]) -> Iterable[str]:
    return (need.column for need in needs if not need.maybe_alias)
