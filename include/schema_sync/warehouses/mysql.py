"""MySQL 8.0 and later, MariaDB 10.6 and later, and services that are one (RDS, Aurora, Cloud SQL, Azure).

Names: https://dev.mysql.com/doc/refman/8.4/en/identifier-case-sensitivity.html
    and https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
Catalogue: https://dev.mysql.com/doc/refman/8.4/en/information-schema-columns-table.html
    and https://mariadb.com/kb/en/information-schema-columns-table/
Errors: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html
    and https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ssl import get_default_verify_paths
from typing import Any

from ..nouns.proof import Outcome
from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from .engine import Dialect, Failure, Query, bound_list, by_code, qualified_relation, quote_with, zero_row_select
from .names import NameCase, unquote
from .proofs import Compiler
from .sign_in import Driver, Pem, SignIn, Uri, VaultJson
from .sql_words import SqlWords, word_set
from .type_vocabulary import ENUM_IN_TEXT, FLOAT_32, Carrier, Family, Zone, vocabulary, words

# information_schema, because it is the only catalogue that both MySQL and MariaDB have.
#
# - It hides every table on which the role has no privilege at all: those look missing until the probe is denied.
#   PRIVILEGES of a column are the role's own, whether they come from the server, the schema, the table or a role.
# - COLUMN_TYPE, because DATA_TYPE leaves out length, precision, sign and members.
# - Names are compared with constants on each catalogue table by itself: MariaDB then lists the schema's folder and
#   opens the requested tables only, MySQL uses the index on the schema. In utf8mb4_bin, because the catalogue's own
#   collation takes é for e on some servers and not on others.
# - Where the server ignores the case of tables (lower_case_table_names 1 or 2: Windows, macOS, Azure), a table is
#   returned as it was asked for: NameCase.SENSITIVE is right on all other servers.
# - Only a view whose table was dropped has no columns; any other relation without them may not be read.
# - A MariaDB SEQUENCE is listed as a table.
# - What a table is, and whether any of its columns may be read, is spread over its columns by window functions: a join
#   of two catalogue tables has no index on MariaDB and takes four times as long for 500 tables.
_COLUMNS_SQL = """\
SELECT found.place,
       CASE WHEN @@lower_case_table_names = 0 OR found.kind IS NULL THEN found.name
            ELSE ELT(FIELD(CONVERT(LOWER(found.name) USING utf8mb4) COLLATE utf8mb4_bin, {keys}), {spellings})
       END AS name,
       found.kind,
       CASE WHEN found.kind IS NULL THEN NULL
            WHEN found.columns_listed = 0 THEN found.kind = 'view'
            ELSE found.readable END AS readable,
       found.column_name, found.column_type, NULL AS base_type, found.column_readable
FROM (
  SELECT s.SCHEMA_NAME AS place, NULL AS name, NULL AS kind, 0 AS columns_listed, NULL AS readable, NULL AS position,
         NULL AS column_name, NULL AS column_type, NULL AS column_readable
  FROM information_schema.SCHEMATA s
  WHERE s.SCHEMA_NAME = %(schema)s
  UNION ALL
  SELECT r.place, r.name, r.kind, r.columns_listed, r.readable, r.position,
         r.column_name, r.column_type, r.column_readable
  FROM (
    SELECT u.place, u.name, u.position, u.column_name, u.column_type, u.column_readable,
           MAX(u.kind) OVER (PARTITION BY u.name) AS kind,
           COUNT(u.column_name) OVER (PARTITION BY u.name) AS columns_listed,
           MAX(u.column_readable) OVER (PARTITION BY u.name) AS readable
    FROM (
      SELECT t.TABLE_SCHEMA AS place, CONVERT(t.TABLE_NAME USING utf8mb4) COLLATE utf8mb4_bin AS name,
             CASE t.TABLE_TYPE WHEN 'BASE TABLE' THEN 'table' WHEN 'SYSTEM VERSIONED' THEN 'table'
                               WHEN 'SYSTEM VIEW' THEN 'view' ELSE LOWER(t.TABLE_TYPE) END AS kind,
             NULL AS position, NULL AS column_name, NULL AS column_type, NULL AS column_readable
      FROM information_schema.TABLES t
      WHERE t.TABLE_SCHEMA = %(schema)s AND {table_key} IN ({keys}) AND t.TABLE_TYPE <> 'SEQUENCE'
      UNION ALL
      SELECT c.TABLE_SCHEMA, CONVERT(c.TABLE_NAME USING utf8mb4) COLLATE utf8mb4_bin, NULL,
             c.ORDINAL_POSITION, c.COLUMN_NAME, CAST(c.COLUMN_TYPE AS CHAR), FIND_IN_SET('select', c.PRIVILEGES) > 0
      FROM information_schema.COLUMNS c
      WHERE c.TABLE_SCHEMA = %(schema)s AND {column_key} IN ({keys})
    ) u
  ) r
  WHERE r.kind IS NOT NULL AND (r.column_name IS NOT NULL OR r.columns_listed = 0)
  UNION ALL
  SELECT n.place, n.name, NULL, 0, NULL, NULL, NULL, NULL, NULL
  FROM (
    SELECT t.TABLE_SCHEMA AS place, CONVERT(t.TABLE_NAME USING utf8mb4) COLLATE utf8mb4_bin AS name
    FROM information_schema.TABLES t
    WHERE t.TABLE_SCHEMA = %(schema)s AND NOT {table_key} IN ({keys})
      AND (
        SELECT COUNT(DISTINCT {other_key}) FROM information_schema.TABLES o
        WHERE o.TABLE_SCHEMA = %(schema)s AND {other_key} IN ({keys})
      ) < %(tables_asked)s
    LIMIT 50000
  ) n
) found
ORDER BY found.name, found.position
"""

# One statement for both: MySQL runs what is in /*!…*/ and skips /*M!…*/, MariaDB does the opposite for these numbers
# (https://mariadb.com/kb/en/comment-syntax/). MySQL counts milliseconds and stops reading statements only, MariaDB
# counts seconds. Values are bound by the driver as literals, whose escapes depend on sql_mode. autocommit, because an
# open transaction keeps a metadata lock on every probed table, behind which the customer's ALTER TABLE would wait.
_SESSION_SQL = """\
SET SESSION sql_mode = '', autocommit = 1, lock_wait_timeout = {timeout_ms} DIV 1000 + 1\
 /*!50708 , max_execution_time = {timeout_ms} */ /*M!100101 , max_statement_time = {timeout_ms} / 1000 */\
"""

# Words by which other engines call their default schema. A MySQL connection has none: there a schema is a database.
_NO_SCHEMA = frozenset({"", "public", "dbo", "main", "default", "def"})

_FAILURES = by_code(
    (Failure.MISSING_DATABASE, "1049"),
    # 1356: a view whose table or column was dropped; only then the catalogue lists none of its columns.
    (Failure.MISSING_TABLE, "1051 1109 1146 1356 42S02"),
    (Failure.MISSING_COLUMN, "1054 42S22"),
    # 1449: a view whose definer is gone. It is there, and cannot be read.
    (Failure.DENIED, "1044 1142 1143 1227 1370 1449"),
    # The login is refused, locked, expired; or TLS or authentication that the client cannot do.
    (Failure.TERMINAL, "28000 1045 1130 1251 1396 1524 1698 1820 1862 3118 3159 4151 2026 2049 2054 2058 2059 2061"),
    # A statement that this server cannot run.
    (
        Failure.TERMINAL,
        "3D000 1052 1056 1060 1064 1103 1110 1111 1140 1149 1193 1222 1231 1235 1241 1242 1247 1248 1267",
    ),
    (Failure.TERMINAL, "1270 1271 1300 1305 1318 1327 1335 1582 1583 1630 1792 3593 4015 4016 4074 4078 4079 4161"),
)
_NUMBER = re.compile(r"\s*\(?(\d{4})\b")


def columns_query(request: GroupRequest) -> Query:
    spelling_of: dict[str, str] = {}
    for table in request.tables:
        bare, _ = unquote(table)
        spelling_of.setdefault(bare.lower(), bare)
    keys, bound_keys = bound_list("key", spelling_of)
    spellings, bound_spellings = bound_list("spelling", spelling_of.values())
    schema = _place(request)
    sql = _COLUMNS_SQL.format(
        keys=keys,
        spellings=spellings,
        **{f"{name}_key": _key_of(f"{name[0]}.TABLE_NAME") for name in ("table", "column", "other")},
    )
    return Query(
        sql,
        {
            # Names hold characters of the basic plane only; with others the comparison itself fails on some servers.
            "schema": schema if max(schema, default="") <= "\uffff" else "",
            "tables_asked": len(spelling_of),
            **bound_keys,
            **bound_spellings,
        },
    )


def classify(code: str | None, text: str) -> Failure:
    return _FAILURES.get(_number(code, text), Failure.TRANSIENT)


def _number(code: str | None, text: str) -> str:
    """An error's number, which drivers write at the start of the text, else the code: a number or SQLSTATE."""
    match = _NUMBER.match(text)
    return match[1] if match else code or ""


def _place(request: GroupRequest) -> str:
    """The MySQL database of a request: its ``schema``, as the server itself calls databases.

    Only where the schema is another engine's word for "none in particular" it is the ``database``; a MySQL database of
    such a name is found by naming it in both.
    """
    schema, _ = unquote(request.schema)
    return unquote(request.database)[0] if request.database and schema.lower() in _NO_SCHEMA else schema


def _in_place(request: GroupRequest) -> tuple[str, ...]:
    return (_quote(_place(request)),)


def _prepare(select: str) -> str:
    """PREPARE resolves a statement and plans nothing of it: no function in a view runs.

    Source: https://dev.mysql.com/doc/refman/8.4/en/prepare.html
    """
    return "PREPARE schema_sync FROM '" + select.replace("\\", "\\\\").replace("'", "''") + "'"


def _key_of(column: str) -> str:
    return f"CONVERT(LOWER({column}) USING utf8mb4) COLLATE utf8mb4_bin"


# PREPARE resolves tables, functions and types, and neither optimizes nor runs: EXPLAIN and LIMIT 0 run functions of
# derived tables. A function without a database's name is one of the current database.
_BROKEN = word_set("1305 1318 1582 1583 1267 1270 1271 4078 4079")


def _meaning(code: str | None, words: str) -> Outcome:
    number = _number(code, words)
    return Outcome.LACKING if number == "1370" else Outcome.BROKEN if number in _BROKEN else Outcome.UNPROVEN


_quote = quote_with("`")
_COMPILER = Compiler(
    relation=qualified_relation(_quote, _in_place),
    never_sent=re.compile(r"[#?@]|:="),
    meaning=_meaning,
    statement=_prepare,
    before=lambda request: f"USE {_quote(_place(request))}",
    backticks=True,
)


# --- Sign-in: Oracle's mysql-connector-python, because it is a plain wheel ---


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    options = secret.options(host="host", user="username", password="password", charset="charset?")  # noqa: S106 (names of keys)
    options.update(_tls(secret.raw("ssl")), port=secret.number("port") or 3306)
    options["use_pure"] = True  # names are looked up in Python, where ``tenants`` checks them
    return SignIn(options, secret["database"], secret["database"], options["host"])


def _tls(ssl: object) -> dict[str, Any]:
    """The product stores TLS options as Node's drivers know them; the connector wants files.

    Without any option the connector encrypts where the server can, and verifies nothing.
    Source: MySQL Connector/Python, "Connector/Python Connection Arguments".
    """
    if not isinstance(ssl, Mapping):
        return {}
    options: dict[str, Any] = {f"ssl_{key}": Pem(ssl[key]) for key in ("ca", "cert", "key") if ssl.get(key)}
    if ssl.get("rejectUnauthorized") is not False:
        options.setdefault("ssl_ca", get_default_verify_paths().cafile)
        options.update(ssl_verify_cert=True, ssl_verify_identity=True)
    return options


def _sign_in_from_uri(uri: Uri) -> SignIn:
    options = uri.arguments("charset", "collation")
    options.update(host=uri.host, port=uri.port or 3306, user=uri.user, password=uri.password)
    return SignIn(options, uri.database, uri.database, uri.host or None)


def limits(settings: Settings) -> dict[str, Any]:
    """The driver's own are to wait for ever. A statement's is a little longer than the server's, which comes with a
    better message."""
    statement_s = settings.statement_timeout_s + 5
    return {
        "connection_timeout": settings.connect_timeout_s,
        "read_timeout": statement_s,
        "write_timeout": statement_s,
        "charset": "utf8mb4",
    }


def _connect(options: dict[str, Any], _database: str | None, _settings: Settings) -> Any:
    from mysql import connector

    # No database is opened: names are qualified, and one that is gone must not take the others with it.
    return connector.connect(**options)


_VAULT_KEYS = "host port? database username password ssl? charset?"
_DRIVER = Driver(
    "mysql-connector-python", "mysql.connector", _VAULT_KEYS, _sign_in_from_vault, _sign_in_from_uri, _connect, limits
)

MYSQL = Dialect(
    name="mysql",
    label="MySQL",
    aliases=("mariadb",),
    sqlglot="mysql",
    table_case=NameCase.SENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    quote=_quote,
    probe=zero_row_select(_quote, _in_place),
    # https://dev.mysql.com/doc/refman/8.4/en/data-types.html, https://mariadb.com/kb/en/data-types/: JSON is LONGTEXT
    # on MariaDB, REAL is DOUBLE, TIMESTAMP is stored in UTC, booleans are TINYINT(1) or BIT(1).
    vocabulary=vocabulary(
        {
            **words(Family.FLOAT, "real", bits=64),
            **words(Family.INTEGER, "serial", bits=64),
            **words(Family.TIMESTAMP, "timestamp", kind="timestamp", zone=Zone.LOCAL),
        },
        FLOAT_32,
        carriers=(
            Carrier(Family.BOOLEAN, Family.INTEGER, kinds=frozenset({"tinyint"}), lengths=frozenset({1})),
            Carrier(Family.BOOLEAN, Family.BIT, lengths=frozenset({1, None})),
            Carrier(Family.JSON, Family.STRING, kinds=frozenset({"longtext"})),
            Carrier(Family.UUID, Family.STRING, lengths=frozenset({32, 36})),
            ENUM_IN_TEXT,
            Carrier(Family.UUID, Family.BINARY, lengths=frozenset({16})),
        ),
    ),
    proofs=_COMPILER,
    driver=_DRIVER,
    sql=SqlWords(
        values=word_set("utc_date utc_time utc_timestamp current_role"),
        quotes="`",
        sequence_functions=word_set("nextval lastval setval"),  # https://mariadb.com/kb/en/sequence-functions/
    ),
    session_statements=(_SESSION_SQL, "SET SESSION TRANSACTION READ ONLY"),
)
