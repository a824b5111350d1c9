"""What a dialect is: documented facts about one warehouse, and the SQL that asks for columns.

A dialect touches no connection. ``introspect`` executes what a dialect builds and parses the rows;
callers never branch on a warehouse's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from ..nouns.snapshot import GroupRequest
from .names import NameCase, NameIndex, fold, unquote
from .proofs import Compiler
from .sign_in import Driver
from .sql_words import RESERVED_SOMEWHERE, SqlWords
from .type_vocabulary import Vocabulary


class Failure(StrEnum):
    """What a driver's error means for us.

    At connect and for the columns query only three differ: the database (or schema) is missing, trying again may
    help (transient), or it does not (all others). A probe needs all of them: only an answer that surely means
    *no such table or column* confirms that something is missing.
    """

    MISSING_DATABASE = "missing_database"  # or the schema
    MISSING_TABLE = "missing_table"
    MISSING_COLUMN = "missing_column"
    DENIED = "denied"  # the object exists (or may), the role may not read it
    SCHEMA_DENIED = "schema_denied"  # the schema is there, the role may not look into it
    TERMINAL = "terminal"
    TRANSIENT = "transient"


def by_code(*meanings: tuple[Failure, str]) -> dict[str, Failure]:
    """{code: failure}; codes that mean the same are one text with spaces between them."""
    return {code: failure for failure, codes in meanings for code in codes.split()}


def bound_list(prefix: str, values: Iterable[str]) -> tuple[str, dict[str, object]]:
    """(placeholders in pyformat, parameters) of a list; ``IN ()`` is no SQL, so an empty one is NULL."""
    parameters: dict[str, object] = {f"{prefix}_{number}": value for number, value in enumerate(values)}
    return ", ".join(f"%({name})s" for name in parameters) or "NULL", parameters


_Meaning = TypeVar("_Meaning")


def by_text(otherwise: _Meaning, *meanings: tuple[_Meaning, str]) -> Callable[[str | None, str], _Meaning]:
    """(code, text) → what the first pattern means that the text begins with, where errors are only texts."""
    patterns = [(meaning, re.compile(pattern, re.DOTALL)) for meaning, pattern in meanings]
    return lambda _code, text: next((each for each, found in patterns if found.match(text)), otherwise)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement and its bound parameters, in the driver's own placeholder style."""

    sql: str
    parameters: dict[str, object] | tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Facts about one warehouse.

    :ivar name: the canonical ``data_sources.type``; ``aliases`` are further words for it.
    :ivar sqlglot: the name of sqlglot's dialect for this engine.
    :ivar table_case, column_case: how unquoted names resolve.
    :ivar max_name_bytes: longer names are cut by the engine (None: never).
    :ivar pseudo_columns: names, in lower case, that can be selected from a table though no catalogue lists them;
        one that ends with ``*`` stands for every name that begins so.
    :ivar reconnects_per_database: True where one connection sees one database only.
    :ivar columns_query: (request) → one statement that yields rows
        ``(schema, table, kind, table_readable, column, type, base_type, column_readable)``, ordered by table and
        by the columns' order in it; ``kind`` in words. Engines that number tables and columns, and never use a
        number again, append both numbers. Requested tables are found whatever their letter case.
        A table without columns yields one row with ``column`` NULL. A schema that is there without any requested
        table yields at least one row with ``table`` NULL; no row means: no such schema.
        A row with ``table`` but ``table_readable`` NULL is a neighbour: another relation of the schema, worth
        returning only when a requested one is absent (it may be the same under a new name).
    :ivar session_statements: run in this order at the start of every transaction (a fresh connection, or after a
        rollback), ``{timeout_ms}`` filled in (an integer of ours).
    :ivar classify: (SQLSTATE or code, or None; error text) → Failure.
    :ivar quote: a name as a quoted identifier of this engine, whatever it holds; never a string literal.
    :ivar probe: (request, table, columns) → a statement without parameters that selects exactly these columns from
        this table and returns no row. No columns: any column. Names may come quoted (:meth:`spellings` quotes where
        it can say which name is meant, and the schema of ``request`` may be quoted too); of the others, plain ones
        are left to the engine to fold and the rest is quoted. ``zero_row_select`` serves most engines.
    :ivar proofs: how the engine proves more than its catalogue tells; None: it cannot without running something.
    :ivar denies_only_what_exists: what a role is denied is there; elsewhere a denial may hide that there is nothing.
    :ivar lists_everything: the catalogue shows every relation to every role, whatever it may read.
    """

    name: str
    label: str
    sqlglot: str
    table_case: NameCase
    column_case: NameCase
    columns_query: Callable[[GroupRequest], Query]
    classify: Callable[[str | None, str], Failure]
    quote: Callable[[str], str]
    probe: Callable[[GroupRequest, str, Sequence[str]], str]
    vocabulary: Vocabulary
    sql: SqlWords
    driver: Driver
    aliases: tuple[str, ...] = ()
    proofs: Compiler | None = None
    denies_only_what_exists: bool = False
    lists_everything: bool = False
    reconnects_per_database: bool = False
    max_name_bytes: int | None = None
    session_statements: tuple[str, ...] = ()
    pseudo_columns: frozenset[str] = frozenset()

    def index_tables(self, names: Iterable[str]) -> NameIndex:
        """Stored tables of one schema, to look written names up."""
        return NameIndex(names, self.table_case, self.max_name_bytes)

    def index_columns(self, names: Iterable[str]) -> NameIndex:
        """Stored columns of one table, to look written names up."""
        return NameIndex(names, self.column_case, self.max_name_bytes)

    def is_pseudo_column(self, name: str) -> bool:
        """True for what can be selected from every table though no catalogue lists it: its absence says nothing."""
        name, listed = name.lower(), self.pseudo_columns
        return name in listed or any(each[-1] == "*" and name.startswith(each[:-1]) for each in listed)

    def folds_away(self, written: str, stored: str) -> bool:
        """True when SQL that names a column without quotes means another name than the stored one."""
        case = self.column_case
        return case in (NameCase.LOWER, NameCase.UPPER) and fold(written, case, self.max_name_bytes) != stored

    def identifier(self, stored: str, case: NameCase) -> str:
        """How SQL names exactly this stored name: as it is where that is safe, else quoted.

        :param case: the engine's rule for this sort of name.
        """
        plain = _PLAIN.fullmatch(stored) and stored.lower() not in RESERVED_SOMEWHERE
        return stored if plain and fold(stored, case, self.max_name_bytes) == stored else self.quote(stored)

    def spellings(self, name: str, case: NameCase) -> tuple[str, ...]:
        """How a probe spells a name of a YML: what it means first, and what else ``NameIndex`` accepts for it.

        Quoted wherever the stored name is known, because unquoted a plain name may be a word of SQL: reserved
        (``only``), or a function without parentheses (``session_user``), which runs whatever the table holds.

        :param case: the engine's rule for this sort of name.
        """
        if unquote(name)[1]:
            return (name,)
        if case in (NameCase.LOWER, NameCase.UPPER):
            meant = (fold(name, case, self.max_name_bytes), fold(name, NameCase.SENSITIVE, self.max_name_bytes))
            return tuple(dict.fromkeys(map(self.quote, meant)))
        return (self.quote(fold(name, case, self.max_name_bytes)) if _PLAIN.fullmatch(name) else name,)

    def spelling_of(self, name: str, stored: str, case: NameCase) -> str:
        """How a probe spells a name of a YML that the catalogue resolved to ``stored``."""
        meant = fold(name, case, self.max_name_bytes)
        same = meant.casefold() == stored.casefold() if case is NameCase.INSENSITIVE else meant == stored
        return self.spellings(name, case)[0] if same else self.quote(stored)


_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quote_with(open_quote: str, close_quote: str | None = None) -> Callable[[str], str]:
    """A quoting function: the closing quote is doubled inside the name."""
    close = close_quote or open_quote
    return lambda name: f"{open_quote}{name.replace(close, close * 2)}{close}"


def in_schema(request: GroupRequest) -> tuple[str, ...]:
    """What stands before a table's name where a connection sees one database only."""
    return (request.schema,)


def in_database(request: GroupRequest) -> tuple[str, ...]:
    """What stands before a table's name where a connection sees several databases."""
    return (request.database, request.schema) if request.database else (request.schema,)


def zero_row_select(
    quote: Callable[[str], str], place: Callable[[GroupRequest], tuple[str, ...]]
) -> Callable[[GroupRequest, str, Sequence[str]], str]:
    """``SELECT columns FROM [database.]schema.table AS … WHERE 1 = 0``, for engines that speak plain SQL.

    The alias is there because PostgreSQL, Redshift, DuckDB and BigQuery take the table's own name for the whole row:
    without it a table ``orders`` would seem to have a column ``orders``.

    :param place: what stands before a table's name.
    """
    as_written, relation = _as_written(quote), qualified_relation(quote, place)

    def probe(request: GroupRequest, table: str, columns: Sequence[str]) -> str:
        selected = ", ".join(map(as_written, columns)) or "1"
        return f"SELECT {selected} FROM {relation(request, table)} AS schema_sync_probe WHERE 1 = 0"  # noqa: S608 (names are quoted)

    return probe


def qualified_relation(
    quote: Callable[[str], str], place: Callable[[GroupRequest], tuple[str, ...]]
) -> Callable[[GroupRequest, str], str]:
    """``[database.]schema.table`` as a FROM clause names it; names as :attr:`Dialect.probe` takes them."""
    as_written = _as_written(quote)
    return lambda request, table: ".".join(map(as_written, (*place(request), table)))


def _as_written(quote: Callable[[str], str]) -> Callable[[str], str]:
    def as_written(name: str) -> str:
        bare, quoted = unquote(name)
        return name if not quoted and _PLAIN.fullmatch(name) and name.upper() not in _RESERVED else quote(bare)

    return as_written


# Reserved in most engines' SQL: as a plain identifier they would be a syntax error, not a name.
_RESERVED = frozenset(
    """
    ALL AND ANY AS ASC BETWEEN BY CASE CAST CHECK COLUMN CREATE CROSS DEFAULT DELETE DESC DISTINCT DROP ELSE END EXCEPT
    EXISTS FALSE FOR FOREIGN FROM FULL GRANT GROUP HAVING IN INNER INSERT INTERSECT INTO IS JOIN KEY LEFT LIKE LIMIT NOT
    NULL OFFSET ON OR ORDER OUTER OVER PARTITION PRIMARY RANK REFERENCES RIGHT ROW ROWS SELECT SET TABLE THEN TO TRUE
    UNION UNIQUE UPDATE USER USING VALUES WHEN WHERE WINDOW WITH
    """.split()  # noqa: SIM905 (a list of words reads better without 60 quotes)
)
