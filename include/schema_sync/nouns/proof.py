"""What a query builder would run of datasets, and what a warehouse said when it was asked to compile that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ColumnOf(NamedTuple):
    """A column in SQL that is still to be written. :ivar table: number of the part's table; ``name`` as written."""

    table: int
    name: str


class Argument(NamedTuple):
    """A value in SQL that only a query will know."""

    name: str


Sql = tuple[str | ColumnOf | Argument, ...]


class PartTable(NamedTuple):
    """A table that a part reads.

    :ivar table: as the dataset that describes it writes it, in (``database``, ``schema``).
    :ivar alias: the word before its columns' dots in the part, as written; None: there is none.
    :ivar columns: what the part needs of it, as written.
    :ivar keys: (what is needed of the part's first table, of this one): how this one is joined to it.
    """

    database: str | None
    schema: str
    table: str
    alias: str | None
    columns: tuple[str, ...]
    keys: tuple[tuple[Sql, Sql], ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a query builder would run of a dataset: a field's expression, or a relationship's join.

    :ivar user: who it is, as findings name it: ``measure `total```.
    :ivar value: the expression as it is used, aggregated where a measure is; empty: only the join is asked.
    :ivar tables: the dataset's own first.
    :ivar aggregates: it makes one row of many, so that it stands beside no value that does not.
    """

    dataset_id: str
    user: str
    value: Sql
    tables: tuple[PartTable, ...]
    aggregates: bool = False


class Outcome(StrEnum):
    """What was said of a part that did not simply compile."""

    BROKEN = "broken"  # the warehouse refuses it
    LACKING = "lacking"  # this session lacks something that another may have
    UNPROVEN = "unproven"  # it could not be asked, or the answer does not tell


NOBODY_KNOWS = ""  # the user that stands for all of a definition: nothing of it was compiled


class PartOutcome(NamedTuple):
    """:ivar table: the own table as the dataset writes it. :ivar words: the engine's own, without secrets."""

    dataset_id: str
    table: str
    user: str
    outcome: Outcome
    words: str = ""
