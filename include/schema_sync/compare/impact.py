"""Who fails with a finding: fields, metrics through other metrics, filters, relationships, other datasets'. Pure.

Names are followed as a query builder follows them: a name is the table's column where there is one, else the field of
that name; ``customers.x`` needs the relationship's join too. Where a name may mean several things that do not all
fail, nobody is named: that a query fails is only said where it is certain.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

from ..needs.needs import Need, folded
from ..nouns.discrepancy import Discrepancy, DiscrepancyType
from ..text import cut
from ..warehouses.engine import Dialect
from ..warehouses.names import NameCase, fold
from ..yml.definitions import FieldKind, Relationship
from .subjects import Subject, Targets, label_of
from .tables import KnownTable

MOST_USERS = 100  # named in one finding; its message counts all
_MOST_FOLLOWED = 2_000  # users of one finding; nobody reads more, and a hostile file could have them squared
_MOST_FOLLOWED_IN_ALL = 200_000  # of all findings: some seconds; afterwards nobody is named
_NAMED_OF_A_KIND = 4  # in a message

_KINDS = ("metric", "filter", "relationship", "measure", "dimension", "entity", "column")
_OF_TABLE = frozenset(
    (DiscrepancyType.MISSING_TABLE, DiscrepancyType.INACCESSIBLE_TABLE, DiscrepancyType.BROKEN_VIEW,
     DiscrepancyType.CASE_MISMATCH)
)  # fmt: skip
_OF_COLUMN = frozenset(
    (DiscrepancyType.MISSING_COLUMN, DiscrepancyType.INACCESSIBLE_TABLE, DiscrepancyType.CASE_MISMATCH)
)


class _User(NamedTuple):
    """A field or relationship of a definition. :ivar name: with its kind: ``metric revenue``."""

    subject: Subject
    name: str


# ({what is needed: who needs it}, {what fields offer: how many offer it}, {who: what it offers})
_Graph: TypeAlias = tuple[dict[Hashable, list[_User]], Counter[Hashable], dict[_User, list[Hashable]]]


class Users:
    """Everything that the definitions of one data source offer, by what it cannot do without."""

    def __init__(self, subjects: Sequence[Subject], targets: Targets, dialect: Dialect) -> None:
        self._subjects = subjects
        self._targets = targets
        self._dialect = dialect
        self._closures: dict[frozenset[Hashable], list[_User]] = {}
        self._meant_by: dict[int, Hashable | None] = {}
        self._graphs: dict[int, _Graph] = {}
        self._left = _MOST_FOLLOWED_IN_ALL

    def failing_with(self, discrepancy: Discrepancy, subject: Subject) -> Discrepancy:
        """The finding with all its users, and with a message that names them.

        :param discrepancy: about a table or column that cannot be queried; or with the users that fail by themselves
            (``("measure amount",)`` of a broken expression, or of another type): then those built on them are added.
        :param subject: the definition that it was found in.
        """
        seeds = frozenset(self._seeds(discrepancy, subject))
        # Several definitions of one dataset tell the same finding: it belongs to the one that is about the table.
        owner = self._owners.get((subject.placement.dataset.id, self.table_of(discrepancy)), subject)
        return self._told(discrepancy, seeds, [subject], owner) if seeds else discrepancy

    def failing_with_schema(self, discrepancy: Discrepancy, subjects: Sequence[Subject]) -> Discrepancy:
        """As :meth:`failing_with`, for a schema that is not there and the definitions in it."""
        return self._told(discrepancy, frozenset(map(self._table, subjects)), subjects, None)

    def table_of(self, discrepancy: Discrepancy) -> KnownTable | None:
        """The table that a finding is about, where there is one."""
        return self._tables.get((discrepancy.database, discrepancy.schema, discrepancy.table))

    def _seeds(self, discrepancy: Discrepancy, subject: Subject) -> Iterator[Hashable]:
        table = self.table_of(discrepancy)
        if discrepancy.users:
            yield from (_User(subject, name) for name in discrepancy.users)
        elif discrepancy.column is not None and discrepancy.type in _OF_COLUMN and table is not None:
            yield self._column(table, discrepancy.column)
        elif discrepancy.column is None and discrepancy.type in _OF_TABLE:
            yield self._table(subject)

    @cached_property
    def _owners(self) -> dict[tuple[str, KnownTable | None], Subject]:
        return {(each.placement.dataset.id, each.table): each for each in reversed(self._subjects) if each.table}

    @cached_property
    def _tables(self) -> dict[tuple[str | None, str, str | None], KnownTable]:
        """As discrepancies name them."""
        tables = (each.table for each in self._subjects if each.table is not None)
        return {(at.database and cut(at.database), cut(at.schema), cut(at.table.name)): at for at in tables}

    def _told(
        self, discrepancy: Discrepancy, seeds: frozenset[Hashable], near: Iterable[Subject], reader: Subject | None
    ) -> Discrepancy:
        if self._left <= 0:
            return discrepancy
        if seeds not in self._closures:
            components = {id(each): each for each in (self._components[self._table(subject)] for subject in near)}
            self._closures[seeds] = [user for each in components.values() for user in self._failing(seeds, each)]
        failing = self._closures[seeds]
        self._left -= len(failing)
        labels: dict[str, None] = {}
        for user in sorted(failing, key=lambda user: (user.subject is not reader, _rank(user.name), user.name)):
            of = "" if user.subject is reader else f" of {user.subject.placement.definition.name}"
            labels[cut(f"{user.name}{of}")] = None
        sentence = breaks(list(labels), but=discrepancy.message)
        message = f"{discrepancy.message} {sentence}" if sentence else discrepancy.message
        return replace(discrepancy, users=tuple(labels)[:MOST_USERS], message=message)

    def _failing(self, seeds: frozenset[Hashable], component: Sequence[Subject]) -> Iterator[_User]:
        if id(component) not in self._graphs:
            self._graphs[id(component)] = self._graph(component)
        dependents, providers, provides = self._graphs[id(component)]
        failed: Counter[Hashable] = Counter()
        seen: set[_User] = set()
        waiting: list[_User] = []
        for seed in seeds:
            waiting += [seed] if isinstance(seed, _User) else dependents.get(seed, ())
        while waiting and len(seen) < _MOST_FOLLOWED:
            user = waiting.pop()
            if user in seen:
                continue
            seen.add(user)
            yield user
            for resource in provides.get(user, ()):
                failed[resource] += 1
                if failed[resource] == providers[resource]:
                    waiting += dependents.get(resource, ())

    @cached_property
    def _components(self) -> dict[Hashable, list[Subject]]:
        """{table: the definitions that relationships connect with it}: no failure leaves these, and most are small."""
        parents: dict[Hashable, Hashable] = {}

        def root(table: Hashable) -> Hashable:
            while (parent := parents.setdefault(table, table)) != table:
                parents[table] = table = parents[parent]
            return table

        joined: dict[int, Hashable] = {}  # by what a word stands for: thousands of definitions may share it
        for subject in self._subjects:
            own = self._table(subject)
            targets = {each.target for each in subject.placement.definition.relationships}
            for meant in map(self._targets.subjects_of, {*subject.needs.on_targets, *targets}):
                near = [joined[id(meant)]] if id(meant) in joined else [self._table(each) for each in meant]
                for each in near:
                    parents[root(each)] = root(own)
                    joined[id(meant)] = own
        components: dict[Hashable, list[Subject]] = defaultdict(list)
        for subject in self._subjects:
            components[root(self._table(subject))].append(subject)
        return {table: components[root(table)] for table in parents}

    def _graph(self, component: Sequence[Subject]) -> _Graph:
        dependents: dict[Hashable, list[_User]] = defaultdict(list)
        provides: dict[_User, list[Hashable]] = defaultdict(list)
        for subject in component:
            users: dict[_User, None] = {}
            for field in subject.placement.definition.fields:
                if field.expr is not None or field.kind.is_of_columns:
                    users[user := _User(subject, label_of(field))] = None
                    provides[user].append(_field(subject, field.name))
            for relationship in subject.placement.definition.relationships:
                users[user := _User(subject, label_of(relationship))] = None
                provides[user].append(("join", subject, relationship.target))
                if (far := self._table_meant(relationship.target)) is not None:
                    dependents[far].append(user)
            dependents[self._table(subject)] += users
            for need, resources in self._needed(subject):
                if (by := _User(subject, label_of(need.item))) in users:
                    for resource in resources:
                        if resource not in provides[by]:
                            dependents[resource].append(by)
        # A name that two fields have is one that fails with both: each counts once, however often it is written.
        providers = Counter(resource for own in provides.values() for resource in dict.fromkeys(own))
        return dependents, providers, {user: list(dict.fromkeys(own)) for user, own in provides.items()}

    def _needed(self, subject: Subject) -> Iterator[tuple[Need, list[Hashable]]]:
        for need in subject.needs.columns:
            if subject.table is not None:
                yield need, [self._meant(need, subject.table, subject if need.maybe_alias else None)]
        for need in subject.needs.unplaced:
            if subject.table is not None and (root := subject.root_column(need)) is not None:
                yield need, [self._column(subject.table, root)]
        for word, needs in subject.needs.on_targets.items():
            target = self._targets.of(word)
            for need in needs:
                of_join = isinstance(need.item, Relationship) or need.item.kind is FieldKind.ENTITY
                resources: list[Hashable] = [] if of_join else [("join", subject, word)]
                if target.table is not None:
                    resources.append(self._meant(need, target.table, target.owner_of(need.column)))
                yield need, resources

    def _meant(self, need: Need, table: KnownTable, owner: Subject | None) -> Hashable:
        """The column that a name is, or else the field of ``owner`` that it may stand for."""
        resolution = table.names.resolve(need.column)
        is_column = resolution.name is not None and not resolution.case_differs
        return self._column(table, need.column) if is_column or owner is None else _field(owner, need.column)

    def _column(self, table: KnownTable, name: str) -> Hashable:
        resolution = table.names.resolve(name)
        if resolution.name is not None and not resolution.case_differs:
            return ("column", table, resolution.name)
        return ("no column", table, cut(self._folded(name, self._dialect.column_case)))

    def _table(self, subject: Subject) -> Hashable:
        if subject.table is not None:
            return subject.table
        return ("no table", subject.group, self._folded(subject.placement.table, self._dialect.table_case))

    def _folded(self, name: str, case: NameCase) -> str:
        text = fold(name, case, self._dialect.max_name_bytes)
        return text.casefold() if case is NameCase.INSENSITIVE else text

    def _table_meant(self, word: str) -> Hashable | None:
        """The one table that a relationship's word stands for, there or not; None where nobody can tell."""
        subjects = self._targets.subjects_of(word)
        if id(subjects) not in self._meant_by:
            meant = {self._table(each) for each in subjects}
            self._meant_by[id(subjects)] = meant.pop() if len(meant) == 1 else None
        return self._meant_by[id(subjects)]


def breaks(users: Sequence[str], *, but: str = "") -> str:
    """``It breaks 2 metrics: aov, revenue; 1 filter: large.`` Empty when there is nobody to name.

    :param users: as :attr:`Discrepancy.users`. :param but: a message; the only user is not named again if it is there.
    """
    by_kind: dict[str, list[str]] = {}
    for user in users:
        kind, _, name = user.partition(" ")
        by_kind.setdefault(kind, []).append(name)
    if not users or (len(users) == 1 and f"{users[0].partition(' ')[0]} `{users[0].partition(' ')[2]}`" in but):
        return ""
    parts = []
    for kind in sorted(by_kind, key=_rank):
        names = by_kind[kind]
        more = ", …" if len(names) > _NAMED_OF_A_KIND else ""
        plural = kind if len(names) == 1 else "entities" if kind == FieldKind.ENTITY else f"{kind}s"
        parts.append(f"{len(names)} {plural}: {', '.join(names[:_NAMED_OF_A_KIND])}{more}")
    return f"It breaks {'; '.join(parts)}."


def _rank(user: str) -> int:
    return _KINDS.index(user.partition(" ")[0])


def _field(subject: Subject, name: str) -> Hashable:
    return ("field", subject, folded(name))
