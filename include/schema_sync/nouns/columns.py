"""A column as a warehouse has it, and what became of one since an earlier run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class ChangeKind(StrEnum):
    """What became of a column. A finding's change is one of the first three; the others stand in lists of changes.

    GONE: it is not there any more, and whether it was renamed or dropped nobody can tell.
    """

    RENAMED = "renamed"
    DROPPED = "dropped"
    RETYPED = "retyped"
    ADDED = "added"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a column since the last run that saw it (contract, section 13).

    :ivar since: that run's timestamp, ISO 8601, UTC.
    :ivar to: the new name or type, None when the column was dropped.
    """

    since: str
    kind: ChangeKind
    to: str | None = None


class Column(NamedTuple):
    """A column as the warehouse has it. A tuple, because hundreds of thousands are made in one run.

    :ivar type: type text as the warehouse spells it.
    :ivar base_type: what a user-defined type stands for (a domain's base, ``enum``…), or None.
    :ivar readable: False when the role may not select it.
    :ivar identity: a number that a column keeps when it is renamed, where the engine has one; else None.
    """

    name: str
    type: str
    base_type: str | None = None
    readable: bool = True
    identity: int | None = None


class ColumnChange(NamedTuple):
    """What became of a column since an earlier run.

    :ivar since: timestamp of the last run that saw it as it was; of an added one, that did not see it.
    :ivar was: its type then; empty for an added one.
    :ivar to: the new name or type, None where there is none.
    """

    name: str
    kind: ChangeKind
    since: str
    was: str = ""
    to: str | None = None
