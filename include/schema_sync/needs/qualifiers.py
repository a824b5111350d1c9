"""What stands before a column's dot (``model.column``): the dataset itself, a way to another one, or neither. Pure.

Words are compared without quotes and letter case: whether the column is really there is judged elsewhere, with the
engine's own rules; here a wrong *no* would only hide it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
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


class Qualifiers:
    """What may stand before a column's dot in one definition."""

    def __init__(self, definition: DatasetDefinition, at: Whereabouts) -> None:
        self._targets: dict[str, dict[str, None]] = {}  # a relationship's name or target, folded
        for relationship in definition.relationships:
            for name in (relationship.name, relationship.target):
                self._targets.setdefault(_word(name), {})[relationship.target] = None
        self._own = {_word(definition.name), _word(definition.table)}
        if _word(at.dataset_name) not in self._targets:  # a file of several models may be called as one that is joined
            self._own.add(_word(at.dataset_name))
        places = ((at.schema,), (at.database, at.schema))
        self._places = {tuple(_word(name) for name in place if name) for place in places} - {()}
        self._meanings: dict[str, Meaning | None] = {}

    def meaning_of(self, qualifier: str) -> Meaning | None:
        """Read a qualifier as written, such as ``orders``, ``public."Orders"`` or ``customer.address``.

        :return: None when it is neither the dataset nor one of its relationships; it may then be a column with fields.
        """
        if qualifier not in self._meanings:
            self._meanings[qualifier] = self._read(tuple(_parts(qualifier)))
        return self._meanings[qualifier]

    def may_be_row(self, name: str, expression: str, dialect: str) -> bool:
        """``to_jsonb(orders)``: a name without a qualifier, in an expression that is more than it, may stand for a row
        of the dataset or of a relationship's."""
        is_more = sql_words_of(dialect).rows_are_values and expression.strip() != name
        return is_more and self.meaning_of(name) is not None

    def _read(self, parts: Sequence[str]) -> Meaning | None:
        words = tuple(map(_word, parts))
        column = parts[1] if len(parts) > 1 else None
        if words[0] in self._own:
            return Meaning(column=column)
        if words[-1] in self._own and words[:-1] in self._places:
            return Meaning()
        if words[0] in self._targets:
            return Meaning(tuple(self._targets[words[0]]), column)
        if words[-1] in self._targets and len(parts) <= _LONGEST_PLACE:
            return Meaning(tuple(self._targets[words[-1]]))
        return None


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
