"""What stands before a column's dot (``model.column``): the dataset itself, a way to another one, or neither. Pure.

Words are compared without quotes and letter case: whether the column is really there is judged elsewhere, with the
engine's own rules; here a wrong *no* would only hide it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

from ..warehouses import sql_words_of
from ..warehouses.names import unquote
from ..yml.definitions import DatasetDefinition

T = TypeVar("T")


class Whereabouts(NamedTuple):
    """A dataset's names: what its row is called, and where it lives; None: not known."""

    dataset_name: str
    database: str | None = None
    schema: str | None = None


class Meaning(NamedTuple):
    """What a qualifier stands for.

    :ivar targets: the datasets (as relationships call them) whose table it names; empty: the own table.
    :ivar column: the first part of it that is no table any more: then the reference is to a field of that column.
    """

    targets: tuple[str, ...] = ()
    column: str | None = None


def targets_by_word(definition: DatasetDefinition) -> Mapping[str, Mapping[str, None]]:
    """{a relationship's name or target, folded: the targets that it may mean}."""
    targets: dict[str, dict[str, None]] = {}
    for relationship in definition.relationships:
        for name in (relationship.name, relationship.target):
            targets.setdefault(_word(name), {})[relationship.target] = None
    return targets


def meaning_of(
    qualifier: str,
    definition: DatasetDefinition,
    at: Whereabouts,
    targets: Mapping[str, Mapping[str, None]] | None = None,
) -> Meaning | None:
    """Read a qualifier as written, such as ``orders``, ``public."Orders"`` or ``customer.address``.

    :param targets: :func:`targets_by_word`, for callers with many qualifiers.
    :return: None when it is neither the dataset nor one of its relationships; it may then be a column with fields.
    """
    parts = tuple(_parts(qualifier))
    words = tuple(_word(part) for part in parts)
    own = {_word(definition.name), _word(definition.table)}
    places = {tuple(_word(name) for name in each if name) for each in ((at.schema,), (at.database, at.schema))} - {()}
    if targets is None:
        targets = targets_by_word(definition)
    if _word(at.dataset_name) not in targets:  # a file of several models may be called as one that is joined
        own.add(_word(at.dataset_name))
    if words[0] in own:
        return Meaning(column=parts[1] if len(parts) > 1 else None)
    if words[-1] in own and words[:-1] in places:
        return Meaning()
    if words[0] in targets:
        return Meaning(tuple(targets[words[0]]), parts[1] if len(parts) > 1 else None)
    if words[-1] in targets and len(parts) <= _LONGEST_PLACE:
        return Meaning(tuple(targets[words[-1]]))
    return None


def may_be_row(name: str, expression: str, dialect: str, is_known: Callable[[str], bool]) -> bool:
    """``to_jsonb(orders)``: a name without a qualifier, in an expression that is more than it, may stand for a row.

    :param is_known: whether the name is the dataset's or a relationship's.
    """
    return sql_words_of(dialect).rows_are_values and expression.strip() != name and is_known(name)


def first_part(qualifier: str) -> str:
    return next(_parts(qualifier), qualifier)


def names_for_relationships(definition: DatasetDefinition, dataset_name: str) -> set[str]:
    """The names by which a relationship of another dataset may point to this definition."""
    return {definition.name, definition.table, dataset_name}


class DatasetNames(Generic[T]):
    """Whatever belongs to datasets, found by the word that a relationship uses: exactly, else in any letter case."""

    def __init__(self) -> None:
        self._exact: dict[str, list[T]] = {}
        self._folded: dict[str, list[T]] = {}

    def add(self, names: Iterable[str], value: T) -> None:
        for name in set(names):
            self._exact.setdefault(name, []).append(value)
        for word in {_word(name) for name in names}:
            self._folded.setdefault(word, []).append(value)

    def find(self, word: str) -> list[T]:
        return self._exact.get(word) or self._folded.get(_word(word), [])


_LONGEST_PLACE = 3  # database.schema.table
_PART = re.compile(r'"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[(?:[^\]]|\]\])*\]|[^."`\[]+|["`\[]')


def _parts(qualifier: str) -> Iterator[str]:
    """Between dots outside of quotes; never nothing at all."""
    part = ""
    end = 0
    for match in _PART.finditer(qualifier):
        if qualifier[end : match.start()]:  # dots
            if part:
                yield part
            part = ""
        part += match[0]
        end = match.end()
    yield part or qualifier


def _word(name: str) -> str:
    return unquote(name.strip())[0].casefold()
