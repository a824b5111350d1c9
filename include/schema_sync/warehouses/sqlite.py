"""SQLite 3.37 and later: one file, opened for reading.

A file is a database without schemas (``main`` is its name in SQL), so whatever database and schema a dataset names,
the file is meant: neither can be missing.

Names: https://www.sqlite.org/lang_keywords.html
Catalogue: https://www.sqlite.org/schematab.html and https://www.sqlite.org/pragma.html#pragma_table_xinfo
Types: https://www.sqlite.org/datatype3.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import TerminalError
from ..nouns.proof import Outcome
from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from .engine import Dialect, Failure, Query, by_text, qualified_relation, quote_with, zero_row_select
from .names import NameCase, unquote
from .proofs import Compiler
from .sign_in import Driver, SignIn, Uri, VaultJson
from .sql_words import SqlWords
from .type_vocabulary import BIT_IS_BOOLEAN, JSON_IN_TEXT, UUID_AND_ENUM_IN_OTHERS, Carrier, Family, Word, vocabulary

# - pragma_table_xinfo, because pragma_table_info leaves out generated columns. Its hidden = 1 are the inner columns of
#   virtual tables, which nobody documents.
# - It fails as a whole on a view that cannot be read any more (its table was dropped). pragma_table_list says so
#   beforehand: such a view has no columns there.
# - lower() knows ASCII only, as SQLite does when it compares names. There are no grants.
_COLUMNS_SQL = """\
WITH asked AS MATERIALIZED (
  SELECT DISTINCT lower(value) AS name_key FROM json_each(?)
),
relations AS MATERIALIZED (
  SELECT name, lower(name) IN (SELECT name_key FROM asked) AS is_asked
  FROM sqlite_master
  WHERE type IN ('table', 'view')
)
SELECT 'main' AS place, name, kind, readable, column_name, column_type, NULL AS base_type, readable AS column_readable
FROM (
  SELECT r.name AS name,
         CASE l.type WHEN 'virtual' THEN 'virtual table' WHEN 'shadow' THEN 'table' ELSE l.type END AS kind,
         CASE WHEN r.name IS NOT NULL THEN 1 END AS readable,
         x.cid AS position, x.name AS column_name, x.type AS column_type
  FROM (SELECT 1) one
  LEFT JOIN relations r ON r.is_asked
  LEFT JOIN pragma_table_list(r.name) l ON l.schema = 'main'
  LEFT JOIN pragma_table_xinfo(CASE WHEN l.ncol > 0 THEN r.name END) x ON x.hidden <> 1
  UNION ALL
  SELECT name, NULL, NULL, NULL, NULL, NULL
  FROM (
    SELECT name
    FROM relations
    WHERE NOT is_asked AND (SELECT count(*) FROM relations WHERE is_asked) < (SELECT count(*) FROM asked)
    LIMIT 50000
  )
)
ORDER BY name, position
"""

# The driver's errors are told apart by their text; names in it stand behind these words.
classify = by_text(
    Failure.TRANSIENT,
    (Failure.MISSING_TABLE, r"no such table: "),
    (Failure.MISSING_COLUMN, r"no such column: "),
    (Failure.DENIED, r"not authorized|access to .* is prohibited"),
    (Failure.TERMINAL, r"file is not a database|file is encrypted|unsupported |malformed database schema"),
    (Failure.TERMINAL, r"near .*: syntax error|no such (?:function|module|collation)|unrecognized token|misuse of "),
    (Failure.TERMINAL, r"wrong number of arguments|ambiguous column|row value|sub-select |a GROUP BY|DISTINCT "),
    (Failure.TERMINAL, r"aggregate functions|too many |Expression tree|parser stack"),
)


def columns_query(request: GroupRequest) -> Query:
    return Query(_COLUMNS_SQL, (json.dumps([unquote(table)[0] for table in request.tables]),))


def _view_columns(request: GroupRequest) -> Query:
    """As :func:`columns_query`, for views that can be read. One that cannot makes pragma_table_list stop before others:
    what it says of their columns is not believed."""
    found = columns_query(request)
    return Query(found.sql.replace("CASE WHEN l.ncol > 0 THEN r.name END", "r.name"), found.parameters)


# Functions that SQLite has only as an extension, as an option of its build, or since a late version: another session
# may have them.
_OF_EXTENSIONS = (
    r"no such function: (?:st_|spatialite|load_extension|regexp|sqrt|pow|power|exp|ln|log|log10|log2|mod|ceil|ceiling|"
    r"floor|trunc|pi|radians|degrees|a?(?:sin|cos|tan)h?|atan2|median|percentile|stddev|variance|uuid|sha1|sha3|md5|"
    r"levenshtein|soundex|vec_|fts|icu_|unaccent|crypto_|concat|string_agg|octet_length|timediff|jsonb|unhex|unistr|"
    r"if\b|iif|format|unixepoch)"
)


@contextmanager
def _guarded(connection: Any) -> Iterator[Callable[[str], bool]]:
    """While it compiles, SQLite itself refuses whatever is not reading.

    Source: https://www.sqlite.org/c3ref/set_authorizer.html
    """
    import sqlite3

    allowed = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}

    def authorize(action: int, _one: object, function: object, *_: object) -> int:
        harmless = action in allowed and str(function).lower() != "load_extension"
        return int(sqlite3.SQLITE_OK if harmless else sqlite3.SQLITE_DENY)

    connection.set_authorizer(authorize)
    try:
        yield lambda _statement: True  # the driver takes one statement only
    finally:
        connection.set_authorizer(None)


def _in_main(_request: GroupRequest) -> tuple[str, ...]:
    return ("main",)


# Backticks, because "no_such_column" is a string literal to SQLite: https://www.sqlite.org/quirks.html#dblquote
_quote = quote_with("`")

# EXPLAIN makes the program of a statement and does not run it: https://www.sqlite.org/lang_explain.html
_COMPILER = Compiler(
    relation=qualified_relation(_quote, _in_main),
    never_sent=re.compile(r"[?@$#\[]|:(?=\w)"),
    meaning=by_text(
        Outcome.UNPROVEN,
        (Outcome.LACKING, _OF_EXTENSIONS),
        (Outcome.LACKING, "no such module|no such collation|not authorized"),
        (Outcome.BROKEN, "no such function: |wrong number of arguments to function "),
    ),
    statement=lambda select: f"EXPLAIN {select}",
    guarded=_guarded,
    backticks=True,
    lacks=lambda _code, text: text.startswith(("no such module", "not authorized")),
    view_columns=_view_columns,
)

_TIMES = (Family.DATE, Family.TIME, Family.TIMESTAMP)

# https://www.sqlite.org/datatype3.html: five storage classes; dates are text, Julian days or Unix time (2.2);
# a declared type is any text, read by affinity (3.1).
_VOCABULARY = vocabulary(
    BIT_IS_BOOLEAN,
    carriers=(
        *(Carrier(declared, actual) for declared in _TIMES for actual in (Family.STRING, Family.INTEGER, Family.FLOAT)),
        *(Carrier(declared, Family.DECIMAL, lengths=frozenset({None})) for declared in (*_TIMES, Family.BOOLEAN)),
        Carrier(Family.BOOLEAN, Family.INTEGER),
        *UUID_AND_ENUM_IN_OTHERS,
        JSON_IN_TEXT,
        Carrier(Family.JSON, Family.BINARY),
    ),
    affinity=(
        ("int", Word(Family.INTEGER)),
        *((fragment, Word(Family.STRING)) for fragment in ("char", "clob", "text")),
        ("blob", Word(Family.BINARY)),
        *((fragment, Word(Family.FLOAT)) for fragment in ("real", "floa", "doub")),
    ),
    boolean_is_number=True,
    sized_numbers=False,
)


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    return sign_in(Path(secret.one_of("path", "database", "default_database")))


def _sign_in_from_uri(uri: Uri) -> SignIn:
    return sign_in(uri.existing_file())


def sign_in(path: Path) -> SignIn:
    return SignIn({"database": str(path)}, path.stem or None, "main", file=path)


def _connect(options: dict[str, Any], _database: str | None, _settings: Settings) -> Any:
    import sqlite3

    path = Path(options["database"])
    if path.is_file() and path.stat().st_size == 0:  # SQLite takes it for a database without tables
        raise TerminalError("the SQLite file is empty. A copy that failed? Copy the database again")
    # Read only, so that a file that is not there is an error, not made.
    return sqlite3.connect(**{**options, "database": f"{path.absolute().as_uri()}?mode=ro", "uri": True})


_DRIVER = Driver(
    "(nothing: the driver is Python's own)",
    "sqlite3",
    "path|database|default_database",
    _sign_in_from_vault,
    _sign_in_from_uri,
    _connect,
    lambda settings: {"timeout": settings.connect_timeout_s},
    pin=lambda options, where: {**options, "database": where[0]},
)

SQLITE = Dialect(
    name="sqlite",
    label="SQLite",
    aliases=("sqlite3",),
    sqlglot="sqlite",
    table_case=NameCase.INSENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    quote=_quote,
    probe=zero_row_select(_quote, _in_main),
    vocabulary=_VOCABULARY,
    driver=_DRIVER,
    sql=SqlWords(quotes='"`[', units_are_texts=True),
    proofs=_COMPILER,
    # The file is opened read-only already; this holds for databases that somebody attaches in a hook of their own.
    session_statements=("PRAGMA query_only = ON",),
    # https://www.sqlite.org/rowidtable.html
    pseudo_columns=frozenset({"rowid", "_rowid_", "oid"}),
)
