"""Snowflake.

Names: https://docs.snowflake.com/en/sql-reference/identifiers-syntax
Catalogue: https://docs.snowflake.com/en/sql-reference/info-schema (COLUMNS, TABLES, SCHEMATA)
Errors: https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-api#error, and the numbers that
the connector itself raises (``snowflake.connector.errorcode``, ``network``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..errors import TerminalError
from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from .engine import Dialect, Failure, Query, bound_list, by_code, in_database, quote_with, zero_row_select
from .names import NameCase, fold, unquote
from .sign_in import Driver, SignIn, Uri, VaultJson
from .sql_words import SqlWords
from .type_vocabulary import BIT_IS_BOOLEAN, FLOAT_64, UUID_AND_ENUM_IN_OTHERS, Family, vocabulary, words

# INFORMATION_SCHEMA, because it is up to date (ACCOUNT_USAGE is up to two hours late) and needs no grant of its own.
#
# - It lists only what the role has some privilege on: a table that the role may not use is absent here, so every
#   table that is listed is called readable, and the probe is what tells the rest.
# - Schemas are compared with literals, never with a function or a subquery: Snowflake builds these views while the
#   statement runs and refuses when a database has too much for it ("Information schema query returned too much
#   data"); a literal schema is what it can use to look at one schema only. So a schema is looked for as it is
#   written, folded, in capitals and in small letters, and in no other case.
# - TABLES tells the kind and the neighbours. COLUMNS decides what is there: not every kind of relation is in both.
# - DATETIME_PRECISION is left alone ("not applicable for Snowflake"), and the elements of structured types are in
#   views of their own, which nest: ARRAY, OBJECT and MAP are all that is said of those.
_COLUMNS_SQL = """\
WITH
candidates AS (
  SELECT s.schema_name,
         CASE s.schema_name WHEN %(folded_schema)s THEN 0 WHEN %(schema)s THEN 1 ELSE 2 END AS choice,
         COUNT(*) OVER () AS rivals
  FROM {catalogue}.SCHEMATA AS s
  WHERE s.schema_name IN ({schemas})
),
namespace AS (
  SELECT schema_name
  FROM candidates
  WHERE choice < 2 OR rivals = 1
  ORDER BY choice
  LIMIT 1
),
relations AS (
  SELECT t.table_schema, t.table_name, UPPER(t.table_name) IN ({keys}) AS asked,
         CASE WHEN t.is_dynamic = 'YES' THEN 'dynamic table'
              WHEN t.is_iceberg = 'YES' THEN 'iceberg table'
              WHEN t.table_type = 'BASE TABLE' THEN 'table'
              ELSE LOWER(t.table_type) END AS kind
  FROM {catalogue}.TABLES AS t
  WHERE t.table_schema IN ({schemas})
),
fields AS (
  SELECT c.table_schema, c.table_name, c.ordinal_position, c.column_name,
         COALESCE(
           CASE c.data_type
             WHEN 'NUMBER' THEN 'NUMBER(' || c.numeric_precision || ',' || c.numeric_scale || ')'
             WHEN 'TEXT' THEN 'VARCHAR(' || c.character_maximum_length || ')'
             WHEN 'BINARY' THEN 'BINARY(' || c.character_octet_length || ')'
           END,
           c.data_type
         ) AS type
  FROM {catalogue}.COLUMNS AS c
  WHERE c.table_schema IN ({schemas}) AND UPPER(c.table_name) IN ({keys})
),
asked AS (
  SELECT COALESCE(f.table_schema, r.table_schema) AS table_schema, COALESCE(f.table_name, r.table_name) AS table_name,
         COALESCE(r.kind, 'view') AS kind, f.ordinal_position, f.column_name, f.type
  FROM fields AS f
  FULL OUTER JOIN (SELECT table_schema, table_name, kind FROM relations WHERE asked) AS r
    ON r.table_schema = f.table_schema AND r.table_name = f.table_name
),
present AS (
  SELECT COUNT(DISTINCT UPPER(a.table_name)) AS tables
  FROM namespace AS n
  JOIN asked AS a ON a.table_schema = n.schema_name
)
SELECT found.schema_name, found.table_name, found.kind, found.readable, found.column_name, found.type,
       NULL AS base_type, TRUE AS column_readable
FROM (
  SELECT n.schema_name, a.table_name, a.kind, TRUE AS readable, a.ordinal_position, a.column_name, a.type
  FROM namespace AS n
  LEFT JOIN asked AS a ON a.table_schema = n.schema_name
  UNION ALL
  SELECT n.schema_name, r.table_name, NULL, NULL, NULL, NULL, NULL
  FROM namespace AS n
  JOIN relations AS r ON r.table_schema = n.schema_name
  CROSS JOIN present AS p
  WHERE NOT r.asked AND p.tables < %(tables_asked)s
) AS found
ORDER BY found.table_name, found.ordinal_position
"""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*")

# The connector's texts begin with the number; an SQLSTATE alone is too coarse (42000 is any error in a statement).
_NUMBER = re.compile(r"\s*(\d{6})\b")
_ABSENT = re.compile(r"(Database|Schema|\w[\w ]*?) '.*?' does not exist or not authorized", re.DOTALL)
_BY_NUMBER = by_code(
    (Failure.MISSING_COLUMN, "000904"),  # invalid identifier
    (Failure.DENIED, "003001"),  # insufficient privileges to operate on …
    # Canceled; aborted, as its warehouse was suspended or its transaction is gone; statement or warehouse timeout.
    (Failure.TRANSIENT, "000604 000625 000630"),
    # A session or token is over; the next connection gets another.
    (Failure.TRANSIENT, "390110 390111 390112 390113 390114 390115 390195 390318"),
    (Failure.TRANSIENT, "251011 251012"),  # timed out; the connector gave up what it would have tried again
    (Failure.TERMINAL, "290403 290404"),  # HTTP 403 and 404: there is no such account
    (Failure.TERMINAL, "000606 090105"),  # no active warehouse; no current database
)
# 39xxxx: the login is refused (password, key, role, network policy, locked user). 251xxx: the connection is
# incomplete or its key cannot be read.
_TERMINAL_NUMBERS = ("39", "251")
_TERMINAL_SQLSTATES = ("0A", "02", "22", "28", "42")
# Older connectors raise 250001 for everything that happens at connect; and the hook checks what it is given.
_REFUSED = re.compile(
    r"Incorrect username or password"
    r"|specified in the connect string does not exist or not authorized"
    r"|JWT token is invalid"
    r"|Multi-factor authentication|MFA authentication (?:failed|is required)"
    r"|User access disabled|user account has been temporarily locked"
    r"|is not allowed to access Snowflake"
    r"|Verify the account name is correct"
    r"|Invalid Snowflake (?:account|region) "
    r"|Could not deserialize key data|private_key"
)


def columns_query(request: GroupRequest) -> Query:
    """Names are bound in the connector's own style (pyformat); only the database is an identifier, quoted."""
    schema = fold(request.schema, NameCase.SENSITIVE)
    folded_schema = fold(request.schema, NameCase.UPPER)
    schemas, bound_schemas = bound_list("schema", sorted({schema, folded_schema, schema.upper(), schema.lower()}))
    names = {fold(table, NameCase.SENSITIVE) for table in request.tables}
    upper = {name.upper() for name in names}
    keys, bound_keys = bound_list("key", sorted(upper | {fold(name, NameCase.UPPER) for name in names}))
    parameters: dict[str, object] = {
        "schema": schema,
        "folded_schema": folded_schema,
        "tables_asked": len(upper),
        **bound_schemas,
        **bound_keys,
    }
    sql = _COLUMNS_SQL.format(catalogue=_catalogue(request.database), schemas=schemas, keys=keys)
    return Query(sql, parameters)


def classify(code: str | None, text: str) -> Failure:
    """Snowflake does not tell an object that is absent from one that the role may not use (002003). Either way every
    query of this role fails, so both confirm a missing table: the finding is true, though a grant may be the cure."""
    match = _NUMBER.match(text)
    number = match[1] if match else None
    if number in _BY_NUMBER:
        return _BY_NUMBER[number]
    if number == "002003" or (number is None and code in ("02000", "42S02")):
        absent = _ABSENT.search(text)
        if absent is None:
            return Failure.TERMINAL
        return Failure.MISSING_DATABASE if absent[1] in ("Database", "Schema") else Failure.MISSING_TABLE
    if _REFUSED.search(text) or (number is not None and number.startswith(_TERMINAL_NUMBERS)):
        return Failure.TERMINAL
    if code == "42501":
        return Failure.DENIED
    return Failure.TERMINAL if code is not None and code.startswith(_TERMINAL_SQLSTATES) else Failure.TRANSIENT


def _catalogue(database: str | None) -> str:
    """INFORMATION_SCHEMA of this database. A plain name is folded first, as it is wherever people write it."""
    if database is None:
        return "INFORMATION_SCHEMA"
    name, quoted = unquote(database)
    if not quoted and _PLAIN.fullmatch(name):
        name = fold(name, NameCase.UPPER)
    # The connector fills parameters in with the % operator.
    return f"{_quote(name).replace('%', '%%')}.INFORMATION_SCHEMA"


_quote = quote_with('"')


# --- Sign-in: password, key pair, or programmatic access token ---
# https://docs.snowflake.com/en/developer-guide/python-connector/python-connector-connect


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", secret["account_id"]):  # a part of the server's name
        raise secret.invalid("its `account_id` is no account identifier")
    place = {"account": "account_id", "warehouse": "warehouse_id", "database": "default_database"}
    options = secret.options(**place, schema="default_schema?", role="role?", user="username")
    if pem := secret.get("private_key"):
        options["private_key"] = _private_key(pem, secret.get("private_key_passphrase"), secret.invalid)
    elif token := secret.get("token"):
        options.update(token_options(token))
    else:
        options["password"] = secret.one_of("password", "private_key", "token")
    return SignIn(options, options["database"], options.get("schema") or "PUBLIC", options["account"])


def _uri_error(problem: str) -> TerminalError:
    return TerminalError(f"The connection URI cannot be used: {problem}.")


def _private_key(pem: str, passphrase: str | None, invalid: Callable[[str], Exception]) -> bytes:
    """A key as PEM → PKCS#8 as the connector wants it.

    :param invalid: a problem, told without a word of the key → the error to raise.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(
            pem.replace("\\n", "\n").strip().encode(), passphrase.encode() if passphrase else None
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: a passphrase too many, or too few
        key = None
    if key is None:
        raise invalid("its `private_key` is no PEM text of a private key, or its `private_key_passphrase` is wrong")
    return key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def token_options(token: str) -> dict[str, Any]:
    """How the connector is told of a programmatic access token."""
    return {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": token}


def _sign_in_from_uri(uri: Uri) -> SignIn:
    """``snowflake://user:password@account/database/schema?warehouse=…&role=…``; instead of a password
    ``private_key`` (PEM) or ``private_key_file`` with ``private_key_passphrase``, or ``token``.

    :raises TerminalError: the key cannot be read.
    """
    options = uri.arguments("account", "warehouse", "role", "schema", "token", "private_key", "private_key_passphrase")
    path = dict(zip(("database", "schema"), uri.path, strict=False))
    options.update({"account": uri.host, "user": uri.user, **path})
    passphrase = options.pop("private_key_passphrase", None)
    if pem := options.pop("private_key", None):
        options["private_key"] = _private_key(pem, passphrase, _uri_error)
    elif "private_key_file" in options:
        options["private_key_file_pwd"] = passphrase or options.get("private_key_file_pwd")
    elif token := options.pop("token", None):
        options = {**token_options(token), **options, "token": token}
    else:
        options["password"] = uri.password
    return SignIn(options, uri.database, options.get("schema") or "PUBLIC", uri.host or None)


def limits(settings: Settings) -> dict[str, Any]:
    """Otherwise the connector tries to log in for minutes, and repeats a lost request without end.

    Its ``network_timeout`` is the timer of each statement as well, so it is above the server's own. A warehouse that is
    suspended starts with the first statement, whose time the server may count from when it was sent.
    A session's parameters come with the login, without a round trip (https://docs.snowflake.com/en/sql-reference/parameters).
    """
    statement_s = settings.statement_timeout_s + settings.wake_up_s
    return {
        "login_timeout": settings.connect_timeout_s,
        "network_timeout": statement_s + 15,
        "session_parameters": {"QUERY_TAG": "schema-sync", "STATEMENT_TIMEOUT_IN_SECONDS": statement_s},
    }


def _connect(options: dict[str, Any], _database: str | None, _settings: Settings) -> Any:
    from snowflake import connector

    return connector.connect(**options)


_DRIVER = Driver(
    "snowflake-connector-python",
    "snowflake.connector",
    "account_id warehouse_id username password|private_key|token private_key_passphrase? role? "
    "default_database default_schema?",
    _sign_in_from_vault,
    _sign_in_from_uri,
    _connect,
    limits,
    wakes_up=True,
)

SNOWFLAKE = Dialect(
    name="snowflake",
    label="Snowflake",
    sqlglot="snowflake",
    table_case=NameCase.UPPER,
    column_case=NameCase.UPPER,
    columns_query=columns_query,
    classify=classify,
    quote=_quote,
    probe=zero_row_select(_quote, in_database),
    # https://docs.snowflake.com/en/sql-reference/intro-summary-data-types: all integers are NUMBER(38,0), all floats
    # are 64 bits wide.
    vocabulary=vocabulary(
        {
            **BIT_IS_BOOLEAN,
            **words(Family.FLOAT, "real, float4, float8, double, double precision", bits=64),
        },
        FLOAT_64,
        carriers=UUID_AND_ENUM_IN_OTHERS,
        integer_precision=38,
        has_local_zone=True,
    ),
    driver=_DRIVER,
    sql=SqlWords(values=frozenset({"sysdate"}), lambdas=True, sequences=True),
    # https://docs.snowflake.com/en/user-guide/querying-metadata and …/streams-intro
    pseudo_columns=frozenset({"metadata$*"}),
)
