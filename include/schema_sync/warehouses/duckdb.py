"""DuckDB 1.1 and later, and MotherDuck.

Names: https://duckdb.org/docs/stable/sql/dialect/keywords_and_identifiers
Catalogue: https://duckdb.org/docs/stable/sql/meta/duckdb_table_functions
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..nouns.proof import Outcome
from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from . import type_vocabulary as types
from .autocommit import AutocommitConnection
from .engine import Dialect, Failure, Query, by_text, in_database, qualified_relation, quote_with, zero_row_select
from .names import NameCase, unquote
from .proofs import Compiler
from .sign_in import Driver, SignIn, Uri, VaultJson
from .sql_words import SqlWords, word_set
from .type_vocabulary import Family

# The duckdb_…() functions, because they list what can be queried with full types. They list every attached database
# (on MotherDuck all of the account), so database and schema are compared everywhere. DuckDB has no grants: whoever
# opens a file reads all of it, and a MotherDuck account is listed what it may read. The columns of a view are those
# that it had when it was made.
_COLUMNS_SQL = """\
WITH asked AS (
  SELECT DISTINCT lower(unnest($3::VARCHAR[])) AS key
),
place AS (
  SELECT database_name, schema_name
  FROM duckdb_schemas()
  WHERE lower(database_name) = lower(coalesce($1, current_database())) AND lower(schema_name) = lower($2)
),
relations AS MATERIALIZED (
  SELECT r.database_name, r.schema_name, r.name, r.kind, lower(r.name) IN (SELECT key FROM asked) AS is_asked
  FROM (
    SELECT database_name, schema_name, table_name AS name, 'table' AS kind FROM duckdb_tables()
    UNION ALL
    SELECT database_name, schema_name, view_name, 'view' FROM duckdb_views()
  ) r
  JOIN place USING (database_name, schema_name)
),
found AS (
  SELECT p.schema_name, r.name, r.kind, CASE WHEN r.name IS NOT NULL THEN true END AS readable,
         c.column_name, c.data_type, c.column_index
  FROM place p
  LEFT JOIN relations r ON r.is_asked
  LEFT JOIN duckdb_columns() c
    ON c.database_name = r.database_name AND c.schema_name = r.schema_name AND c.table_name = r.name
  UNION ALL
  (
    SELECT schema_name, name, NULL, NULL, NULL, NULL, NULL
    FROM relations
    WHERE NOT is_asked AND (SELECT count(*) FROM relations WHERE is_asked) < (SELECT count(*) FROM asked)
    LIMIT 50000
  )
)
SELECT schema_name, name, kind, readable, column_name, data_type, NULL AS base_type, readable AS column_readable
FROM found
ORDER BY name NULLS FIRST, column_index
"""

# Drivers give no codes; every text starts with the kind of error.
classify = by_text(
    Failure.TRANSIENT,
    (Failure.MISSING_DATABASE, r"Catalog Error: (?:Table|View) with name .* does not exist because schema "),
    (Failure.MISSING_DATABASE, r"(?:Catalog|Binder) Error: (?:Schema with name|Catalog) .* does not exist"),
    (Failure.MISSING_DATABASE, r".{0,200}no database/share named "),  # MotherDuck
    (Failure.MISSING_TABLE, r"Catalog Error: (?:Table|View) with name .* does not exist!"),
    (Failure.MISSING_COLUMN, r"Binder Error: Referenced column .* not found in FROM clause"),
    (Failure.MISSING_COLUMN, r"Binder Error: Could not find key .* in struct"),
    (Failure.MISSING_COLUMN, r"Binder Error: (?:Table|Values list) .* does not have a column named "),
    (Failure.TERMINAL, r"Permission Error: .*(?:disabled (?:by|through) configuration)"),  # see _NO_ACCESS
    (Failure.DENIED, r"Permission Error: "),
    (Failure.TERMINAL, r"IO Error: .*(?:Permission denied|is not a valid DuckDB database file)"),
    (Failure.TERMINAL, r"(?:Parser|Binder|Catalog|Not implemented|Invalid (?:Input|type)|Conversion) Error: "),
)


def columns_query(request: GroupRequest) -> Query:
    """Ask for the requested tables of one schema in one statement. Names are bound."""
    database = None if request.database is None else unquote(request.database)[0]
    tables = [unquote(table)[0] for table in request.tables]
    return Query(_COLUMNS_SQL, (database, unquote(request.schema)[0], tables))


# What a session was not given, and another may have: files and networks, an extension that is not loaded.
_LACKS = re.compile(
    r"(?:Permission|IO|HTTP|Missing Extension|Autoload) Error: |.{0,500}\b(?:exists in the|install and load|LOAD) ",
    re.DOTALL,
)


@contextmanager
def _guarded(connection: Any) -> Iterator[Callable[[str], bool]]:
    """Binding opens the files that a FROM names: none is sent, and none could be opened. One statement a call."""
    raw = connection.raw
    if raw.execute("SELECT current_setting('enable_external_access')").fetchone()[0]:
        raw.execute("SET enable_external_access = false")
    yield lambda statement: len(raw.extract_statements(statement)) == 1


# PREPARE binds, and runs nothing: https://duckdb.org/docs/stable/sql/query_syntax/prepared_statements
_quote = quote_with('"')
_COMPILER = Compiler(
    relation=qualified_relation(_quote, in_database),
    never_sent=re.compile(r"[?$#@]"),
    meaning=by_text(
        Outcome.UNPROVEN,
        (Outcome.LACKING, _LACKS.pattern),
        (Outcome.BROKEN, r"Binder Error: (?:No function matches|Cannot (?:compare|mix) values of type)"),
        (Outcome.BROKEN, r"Binder Error: (?:Cannot extract field|Could not find key|Unimplemented type)"),
        (Outcome.BROKEN, r"Binder Error: (?:Unnest can|UNNEST)"),
        (Outcome.BROKEN, r"Catalog Error: (?:\w+ )*(?:Function|Macro|Type) with name .* does not exist"),
    ),
    statement=lambda select: f"PREPARE schema_sync AS {select}",
    guarded=_guarded,
    queries=False,
    lacks=lambda _code, text: _LACKS.match(text) is not None,
    view_columns=columns_query,  # binding tells all of a view; its columns are known (from 1.5 on) only then
)


# --- Sign-in: files, and MotherDuck with a token ---

MOTHERDUCK = "md:"
# A database is named after its file, unless the name is one of DuckDB's own.
_RESERVED_NAMES = frozenset({"main", "temp", "system"})


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    place, token = secret.one_of("path", "default_database"), secret.get("token")
    if place.startswith(MOTHERDUCK) and not token:  # else that of this machine is taken
        raise secret.invalid("it has no `token` for MotherDuck")
    found = sign_in(f"{MOTHERDUCK}{place.removeprefix(MOTHERDUCK)}" if token else place, token)
    if token:  # https://motherduck.com/docs/key-tasks/authenticating-and-connecting-to-motherduck/: no local files
        found.options["config"]["motherduck_saas_mode"] = "true"
    return found


def _sign_in_from_uri(uri: Uri) -> SignIn:
    token = uri.options.get("token") or uri.options.get("motherduck_token") or uri.password or None
    if uri.scheme == "motherduck":
        return sign_in(f"{MOTHERDUCK}{uri.database or uri.host}", token)
    return sign_in(uri.file if uri.file.startswith(MOTHERDUCK) else str(uri.existing_file()), token)


# A view may read any file of this machine, or any address, while it is only bound, and errors quote what they found.
# No extension is loaded either. https://duckdb.org/docs/stable/operations_manual/securing_duckdb/overview
_NO_ACCESS = {"enable_external_access": False, "lock_configuration": True}


def sign_in(place: str, token: str | None) -> SignIn:
    # Read only: creates nothing, and neither waits for nor takes the lock of a writer. MotherDuck takes no such mode.
    options: dict[str, Any] = {"database": place}
    if not place.startswith(MOTHERDUCK):
        options.update(read_only=True, config=_NO_ACCESS)
    elif token:
        options["config"] = {"motherduck_token": token}
    return SignIn(options, own_database(place), "main", file=None if place.startswith(MOTHERDUCK) else Path(place))


def own_database(place: str) -> str | None:
    """The name of the database that a path, or ``md:name``, opens."""
    if place.startswith(MOTHERDUCK):
        return place.removeprefix(MOTHERDUCK).partition("?")[0] or None
    stem = Path(place).name.partition(".")[0]
    return f"{stem}_db" if stem in _RESERVED_NAMES else stem or None


class DuckDBConnection(AutocommitConnection):
    """DuckDB's own ``cursor()`` is one more connection, and its ``rollback()`` fails outside of a transaction.

    Here the connection keeps its latest result, one at a time, and is its own cursor.
    """

    def cursor(self) -> _DuckDBCursor:
        return _DuckDBCursor(self.raw)

    def rollback(self) -> None:
        self.raw.execute("SELECT 1").fetchall()  # fails when the connection is closed or its database broken


class _DuckDBCursor:
    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def execute(self, sql: str, parameters: Any = None) -> None:
        self._raw.execute(sql, parameters)

    def fetchmany(self, size: int) -> Any:
        return self._raw.fetchmany(size)

    def close(self) -> None:
        """Nothing is held that the next statement does not replace."""


def _connect(options: dict[str, Any], _database: str | None, _settings: Settings) -> Any:
    import duckdb

    return DuckDBConnection(duckdb.connect(**options))


_VAULT_KEYS = "path|default_database token?"
_DRIVER = Driver(
    "duckdb",
    "duckdb",
    _VAULT_KEYS,
    _sign_in_from_vault,
    _sign_in_from_uri,
    _connect,
    pin=lambda options, where: {**options, "database": where[0]},
)

DUCKDB = Dialect(
    name="duckdb",
    label="DuckDB",
    aliases=("motherduck",),
    sqlglot="duckdb",
    table_case=NameCase.INSENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    quote=_quote,
    probe=zero_row_select(_quote, in_database),
    # https://duckdb.org/docs/stable/sql/data_types/overview: JSON is an alias of VARCHAR.
    vocabulary=types.Vocabulary(
        *types.sides(
            types.kinds(Family.GEO, "point_2d, point_3d, point_4d, linestring_2d, polygon_2d, box_2d, box_2df"),
            types.FLOAT_32,
        ),
        carriers=(
            types.JSON_IN_TEXT,
            types.VECTOR_IN_ARRAY,
            types.Carrier(Family.STRING, Family.JSON),
            types.Carrier(Family.BOOLEAN, Family.INTEGER, kinds=frozenset({"tinyint"})),
        ),
    ),
    driver=_DRIVER,
    sql=SqlWords(
        values=word_set("current_catalog current_role current_schema current_database"),
        user_is_a_value=True,
        lambdas=True,
        json_arrows=True,
        units_are_texts=True,
        rows_are_values=True,  # https://duckdb.org/docs/stable/sql/data_types/struct (a row as a struct)
    ),
    proofs=_COMPILER,
    # https://duckdb.org/docs/stable/sql/statements/select#row-ids
    pseudo_columns=frozenset({"rowid"}),
)
