"""Definitions beside what the snapshot knows of their tables, and how one finds another's. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..needs.needs import Need, Needs, folded
from ..needs.placement import MOST_TARGET_TABLES, Placement
from ..needs.qualifiers import DatasetNames, first_part
from ..yml.definitions import Field, Relationship
from .tables import KnownGroup, KnownTable


def label_of(item: Field | Relationship) -> str:
    """How findings list who fails: ``metric revenue``."""
    return f"{item.kind} {item.name}"


@dataclass(eq=False, slots=True)
class Subject:
    """A definition with the group that it lives in, and the table that its name resolved to (or None)."""

    placement: Placement
    group: KnownGroup
    needs: Needs
    table: KnownTable | None
    case_differs: bool

    def root_column(self, need: Need) -> str | None:
        """The stored column of the own table that a qualifier may stand for: then the need is for a field of it."""
        if need.qualifier is None or self.table is None:
            return None
        return self.table.names.resolve(first_part(need.qualifier)).name


class Target(NamedTuple):
    """What the word that a relationship uses for another dataset leads to; also a dataset that leads nowhere.

    :ivar table: its table, or None: then nothing that is needed of it can be judged.
    :ivar problem: why there is no table, for people; None when that is told elsewhere.
    :ivar unanswered: why nobody knows, for people: then whoever needs the table is unchecked.
    :ivar aliases: {a field that stands for something else, folded: the first of the subjects that has it}.
    """

    table: KnownTable | None
    problem: str | None = None
    unanswered: str | None = None
    aliases: Mapping[str, Subject] = {}

    def owner_of(self, column: str) -> Subject | None:
        """The definition with a field of that name whose expression may be what is meant."""
        return self.aliases.get(folded(column)) if self.aliases else None


class Targets:
    """All datasets of a data source, by the words that relationships use for them."""

    def __init__(self) -> None:
        self._datasets: DatasetNames[Subject | Target] = DatasetNames()
        self._subjects: dict[int, tuple[list[Subject | Target], list[Subject]]] = {}
        self._found: dict[int, Target] = {}  # by the list of datasets, which many spellings of a word share

    def add(self, names: Iterable[str], dataset: Subject | Target) -> None:
        self._datasets.add(names, dataset)

    def subjects_of(self, word: str) -> list[Subject]:
        """Every definition that a word may mean, whether its table is there or not."""
        meant = self._datasets.find(word)
        if id(meant) not in self._subjects:
            self._subjects[id(meant)] = meant, [each for each in meant if isinstance(each, Subject)]
        return self._subjects[id(meant)][1]

    def of(self, word: str) -> Target:
        """A word that means no dataset, or several tables, leads nowhere: it may be a role's name."""
        meant = self._datasets.find(word)
        if not meant:
            return Target(None, problem="no dataset of this data source is called so")
        if id(meant) not in self._found:
            self._found[id(meant)] = _target(meant)
        return self._found[id(meant)]


def _target(meant: Sequence[Subject | Target]) -> Target:
    subjects = [each for each in meant if isinstance(each, Subject)]
    unreached = [each for each in meant if isinstance(each, Target)]
    tables = {id(subject.table): subject.table for subject in subjects if subject.table is not None}
    places = {(subject.placement.group, subject.placement.table) for subject in subjects}
    if len(tables) > 1 or (tables and unreached) or len(places) > MOST_TARGET_TABLES:
        return Target(None, problem="several datasets are called so")
    if tables:
        (table,) = tables.values()
        own = [subject for subject in reversed(subjects) if subject.table is table]
        return Target(table, aliases={name: each for each in own for name in each.needs.aliases})
    unknown = [reason for each in subjects if (reason := each.group.unknown.get(each.placement.table)) is not None]
    unreached += [Target(None, unanswered=reason) for reason in unknown]
    # A missing table is told by the dataset that is about it.
    return min(unreached, key=lambda each: each.unanswered is None, default=Target(None))
