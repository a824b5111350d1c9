"""PostgreSQL 12 and later, and services that are one (Supabase, RDS, Aurora, Cloud SQL, Neon).

Names: https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
Error codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
Catalogues: https://www.postgresql.org/docs/current/catalogs.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from ..nouns.proof import Outcome
from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from .engine import Dialect, Failure, Query, in_schema, qualified_relation, quote_with, zero_row_select
from .names import NameCase, fold
from .proofs import Compiler
from .sign_in import Driver, Pem, SignIn, Uri, VaultJson
from .sql_words import SqlWords, word_set
from .type_vocabulary import Carrier, Family, kinds, vocabulary, words

_MAX_NAME_BYTES = 63  # NAMEDATALEN - 1

# pg_catalog, because information_schema hides materialized views and everything the role may not read.
#
# - ``key`` is a name without its letter case. Only ASCII and the letters that were asked for are lowered: lower()
#   alone depends on the database's locale.
# - A table dropped while the statement runs has no privileges any more (NULL): it was there when we asked, and
#   the next run tells, so it is not called unreadable.
# - Types from OID 12000 on are not the engine's own. What they stand for is worked out once for each type and
#   only if a column has one: a subquery without outer references runs at most once.
# - Exact names are found by index. The schema's other relations are read only when a requested table is not among
#   them (a condition without outer references is tested before the scan): it may be there in another letter case,
#   or, as a neighbour, under another name.
# - LATERAL makes PostgreSQL visit the columns of the requested tables only, by index and in order, whatever it
#   guesses of their number.
# - A table's number is its OID and the transaction that made its first system column: an OID alone comes again when a
#   dump is restored into a new server. Views have no system columns, so no number.
# - RECURSIVE is for domains over domains and arrays of them.
_COLUMNS_SQL = """\
WITH RECURSIVE
candidates AS (
  SELECT n.oid, n.nspname,
         CASE n.nspname WHEN %(folded_schema)s THEN 0 WHEN %(schema)s THEN 1 ELSE 2 END AS choice,
         count(*) OVER () AS rivals
  FROM pg_catalog.pg_namespace n
  WHERE lower(translate(n.nspname::text, %(other_upper)s, %(other_lower)s) COLLATE "C") = %(schema_key)s
),
namespace AS MATERIALIZED (
  SELECT oid, nspname, coalesce(has_schema_privilege(oid, 'USAGE'), true) AS usable
  FROM candidates
  WHERE choice < 2 OR rivals = 1
  ORDER BY choice
  LIMIT 1
),
exact AS MATERIALIZED (
  SELECT c.oid, c.relname, c.relkind,
         lower(translate(c.relname::text, %(other_upper)s, %(other_lower)s) COLLATE "C") AS key
  FROM namespace n
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = ANY (%(tables)s::name[])
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
),
others AS MATERIALIZED (
  SELECT o.*, o.key IN (SELECT unnest(%(table_keys)s::text[])) AS asked
  FROM (
    SELECT c.oid, c.relname, c.relkind, c.relispartition,
           lower(translate(c.relname::text, %(other_upper)s, %(other_lower)s) COLLATE "C") AS key
    FROM namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
    WHERE (SELECT count(DISTINCT key) FROM exact) < %(tables_asked)s
      AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND c.oid NOT IN (SELECT oid FROM exact)
  ) o
),
relations AS MATERIALIZED (
  SELECT r.oid, r.relname, r.key, n.usable,
         CASE r.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'
                        WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' END AS kind,
         n.usable AND coalesce(has_table_privilege(r.oid, 'SELECT'), true) AS whole,
         (SELECT (r.oid::bigint & 2147483647) << 32 | b.xmin::text::bigint FROM pg_catalog.pg_attribute b
          WHERE b.attrelid = r.oid AND b.attnum = -1) AS table_number
  FROM namespace n, (
    SELECT oid, relname, relkind, key FROM exact
    UNION ALL
    SELECT oid, relname, relkind, key FROM others WHERE asked
  ) r
  ORDER BY r.relname
),
steps AS (
  SELECT DISTINCT a.atttypid AS root, a.atttypid AS type, -1 AS typmod, '' AS brackets, false AS through_domain
  FROM relations r
  CROSS JOIN LATERAL (
    SELECT DISTINCT atttypid
    FROM pg_catalog.pg_attribute
    WHERE attrelid = r.oid AND attnum > 0 AND NOT attisdropped AND atttypid >= 12000
  ) a
  UNION ALL
  SELECT s.root,
         CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.typelem END,
         CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE s.typmod END,
         CASE t.typtype WHEN 'd' THEN s.brackets ELSE s.brackets || '[]' END,
         s.through_domain OR t.typtype = 'd'
  FROM steps s
  JOIN pg_catalog.pg_type t ON t.oid = s.type
  WHERE t.typtype = 'd' OR (t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0)
),
base_types AS (
  SELECT s.root,
         CASE WHEN t.typtype = 'e' THEN 'enum'
              WHEN t.typtype = 'c' THEN 'composite'
              WHEN t.typtype = 'r' AND t.oid >= 12000 THEN 'range'
              WHEN t.typtype = 'm' AND t.oid >= 12000 THEN 'multirange'
              WHEN s.through_domain THEN format_type(s.type, s.typmod)
         END || s.brackets AS base_type
  FROM steps s
  JOIN pg_catalog.pg_type t ON t.oid = s.type
  WHERE NOT (t.typtype = 'd' OR (t.typtype = 'b' AND t.typcategory = 'A' AND t.typelem <> 0))
)
SELECT found.schema, found.name, found.kind, found.readable,
       found.attname, found.type, found.base_type, found.column_readable, found.table_number, found.attnum
FROM (
  SELECT n.nspname AS schema, r.relname AS name, r.kind, r.table_number,
         CASE WHEN r.whole THEN true
              ELSE r.usable AND coalesce(has_any_column_privilege(r.oid, 'SELECT'), true) END AS readable,
         a.attnum, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
         CASE WHEN a.atttypid >= 12000 THEN
           (SELECT jsonb_object_agg(b.root, b.base_type) FROM base_types b WHERE b.base_type IS NOT NULL)
           ->> a.atttypid::text
         END AS base_type,
         CASE WHEN r.whole THEN true
              ELSE r.usable AND coalesce(has_column_privilege(r.oid, a.attnum, 'SELECT'), true) END AS column_readable
  FROM namespace n
  LEFT JOIN relations r ON true
  LEFT JOIN LATERAL (
    SELECT attnum, attname, atttypid, atttypmod
    FROM pg_catalog.pg_attribute
    WHERE attrelid = r.oid AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
  ) a ON true
  UNION ALL
  (
    SELECT n.nspname, o.relname, NULL, NULL, NULL::boolean, NULL, NULL, NULL, NULL, NULL
    FROM namespace n, others o
    WHERE (SELECT count(DISTINCT key) FROM relations) < %(tables_asked)s
      AND NOT o.asked AND NOT o.relispartition
    LIMIT 50000
  )
) found
ORDER BY found.name, found.attnum
"""

# One round trip, and local to the transaction: behind a transaction pooler nothing leaks to the next client.
# A database in SQL_ASCII has names of any bytes, and refuses to call some of them UTF8: the session decodes them.
# No JIT: it costs more than the query. Memory enough to sort 60 000 columns without a temporary file. A lock that a
# migration holds must not eat the time of all the other tables.
_SESSION_SQL = """\
SELECT set_config('transaction_read_only', 'on', true),
       set_config('statement_timeout', '{timeout_ms}', true),
       set_config('lock_timeout', ({timeout_ms} / 4 + 1)::text, true),
       set_config('client_encoding',
                  CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true),
       set_config('jit', 'off', true),
       set_config('work_mem', '32MB', true)\
"""

# libpq's errors at connect carry no SQLSTATE, only the server's text. A name in it may hold anything but FATAL.
_MISSING_DATABASE = re.compile(r'FATAL:\s+(?:database "(?:(?!FATAL:).)*" does not exist|no such database: )', re.DOTALL)
_REFUSED_LOGIN = re.compile(
    r"FATAL:\s+(?:"
    r"[\w -]{1,40} authentication failed for user "
    r"|no pg_hba\.conf entry "
    r"|pg_hba\.conf rejects "
    r'|role "(?:(?!FATAL:).)*" (?:does not exist|is not permitted to log in)'
    r"|permission denied for database "
    r"|Tenant or user not found"  # Supabase's pooler
    r")"
    r"|fe_sendauth: no password supplied"
    r"|server does not support SSL, but SSL was required",
    re.DOTALL,
)
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
_TERMINAL_CLASSES = frozenset({"0A", "22", "28", "42", "54"})
_MEANS = {
    "3D000": Failure.MISSING_DATABASE,  # invalid_catalog_name
    "3F000": Failure.MISSING_DATABASE,  # invalid_schema_name; a SELECT says 42P01 of a missing schema too
    "42P01": Failure.MISSING_TABLE,  # undefined_table
    "42703": Failure.MISSING_COLUMN,  # undefined_column
    "42501": Failure.DENIED,  # insufficient_privilege
    "55000": Failure.TERMINAL,  # object_not_in_prerequisite_state: a materialized view that was never populated
    "42809": Failure.MISSING_TABLE,  # wrong_object_type: an index or a composite type, which nothing selects from
    "22P05": Failure.MISSING_TABLE,  # untranslatable_character: the database's encoding cannot hold the name
}


def columns_query(request: GroupRequest) -> Query:
    other_upper, other_lower = _other_letters((request.schema, *request.tables))
    without_case = str.maketrans(ascii_uppercase + other_upper, ascii_lowercase + other_lower)
    exact_schema = fold(request.schema, NameCase.SENSITIVE, _MAX_NAME_BYTES)
    exact = {fold(table, NameCase.SENSITIVE, _MAX_NAME_BYTES) for table in request.tables}
    folded = {fold(table, NameCase.LOWER, _MAX_NAME_BYTES) for table in request.tables}
    table_keys = sorted({name.translate(without_case) for name in exact})
    return Query(
        _COLUMNS_SQL,
        {
            "schema": exact_schema,
            "folded_schema": fold(request.schema, NameCase.LOWER, _MAX_NAME_BYTES),
            "schema_key": exact_schema.translate(without_case),
            "tables": sorted(exact | folded),
            "table_keys": table_keys,
            "tables_asked": len(table_keys),
            "other_upper": other_upper,
            "other_lower": other_lower,
        },
    )


def classify(code: str | None, text: str) -> Failure:
    if code is not None and _SQLSTATE.fullmatch(code):
        if code == "42501" and text.startswith("permission denied for schema"):
            return Failure.SCHEMA_DENIED
        return _MEANS.get(code, Failure.TERMINAL if code[:2] in _TERMINAL_CLASSES else Failure.TRANSIENT)
    if _MISSING_DATABASE.search(text):
        return Failure.MISSING_DATABASE
    return Failure.TERMINAL if _REFUSED_LOGIN.search(text) else Failure.TRANSIENT


def _other_letters(names: Iterable[str]) -> tuple[str, str]:
    """The letters beyond ASCII in these names, in every case they have, and the same letters in one case."""
    pairs: dict[str, str] = {}
    for letter in sorted({letter for name in names if not name.isascii() for letter in name if not letter.isascii()}):
        lowered = letter.casefold()
        if len(lowered) == 1:
            variants = (letter, letter.lower(), letter.upper(), letter.title())
            pairs.update({variant: lowered for variant in variants if len(variant) == 1 and variant != lowered})
    return "".join(pairs), "".join(pairs.values())


def absent_tables(_request: GroupRequest, names: Sequence[str]) -> str:
    """to_regclass finds what a query would, sequences and indexes too; a division by zero is the refusal.

    Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-CATALOG
    """
    listed = ", ".join("E'" + name.replace("\\", "\\\\").replace("'", "''") + "'" for name in names)
    return f"SELECT 1 / (CASE WHEN count(to_regclass(name)) = 0 THEN 1 ELSE 0 END) FROM unnest(ARRAY[{listed}]) AS name"  # noqa: S608 (literals are quoted)


# Of these alone it is certain that the expression is at fault. Not here: 42703 and 42P01 (told as missing), 42803 and
# 42P20 (how a query groups is the query's), 42601 (brackets of ours), 42P18 (an argument of unknown type).
_BROKEN = frozenset({
    "42883",  # undefined_function, operators too
    "42804",  # datatype_mismatch
    "42846",  # cannot_coerce
    "42704",  # undefined_object: a type
    "22P02", "22007", "22008", "22003",  # a literal that is none of its type: an enum's label that was renamed
})  # fmt: skip


def _meaning(code: str | None, words: str) -> Outcome:
    if code == "42703" and " not found in data type " in words:  # a field of a composite type
        return Outcome.BROKEN
    return Outcome.LACKING if code == "42501" else Outcome.BROKEN if code in _BROKEN else Outcome.UNPROVEN


# Parse analysis resolves names, functions and operators and runs none of them: planning (EXPLAIN) and executing fold
# immutable functions. The extended protocol takes one statement.
# https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
_quote = quote_with('"')
_COMPILER = Compiler(
    relation=qualified_relation(_quote, in_schema),
    never_sent=re.compile(r"U&", re.IGNORECASE),
    meaning=_meaning,
    only_parse=True,
    argument=lambda number: f"${number}",
    absent_tables=absent_tables,
)

# https://www.postgresql.org/docs/current/datatype.html; "char", name and reg* are in "Object identifier types".
TYPE_WORDS = {
    **kinds(Family.GEO, "line, lseg, box, path, circle, box2d, box3d, raster, topogeometry"),
    **kinds(Family.TEXTUAL, "regclass, regtype, regproc, regprocedure, regoper, regoperator, regrole, regnamespace"),
    **kinds(
        Family.TEXTUAL, "regconfig, regdictionary, regcollation, isbn, isbn13, issn, issn13, ismn, ismn13, ean13, upc"
    ),
    **words(Family.FLOAT, "float", kind="float", bits=64),
    **words(Family.STRING, "name, sql_identifier, character_data, cstring"),
}


# --- Sign-in: psycopg 3 ---


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    options = secret.options(host="host", dbname="database|default_database", user="username", password="password")  # noqa: S106 (names of keys)
    options.update(_tls(secret.raw("ssl")), port=secret.number("port") or 5432)
    # The password is what signs in: no Kerberos ticket and no client certificate of this machine.
    options.update(gssencmode="disable", require_auth="password,md5,scram-sha-256,none")
    options.setdefault("sslcertmode", "allow" if "sslcert" in options else "disable")
    if timeout_ms := secret.number("connection_timeout"):
        options["connect_timeout"] = max(1, ceil(timeout_ms / 1000))
    return SignIn(options, options["dbname"], secret.get("schema") or "public", options["host"])


def _tls(ssl: object) -> dict[str, Any]:
    """The product stores TLS options as node-postgres knows them; libpq wants a mode and files.

    Source: libpq, "SSL Mode Descriptions".
    """
    if not isinstance(ssl, Mapping):
        return {"sslmode": "require"} if ssl is True else {}
    files = (("ca", "sslrootcert"), ("cert", "sslcert"), ("key", "sslkey"))
    options = {option: Pem(ssl[key]) for key, option in files if ssl.get(key)}
    if ssl.get("rejectUnauthorized") is False:
        return {"sslmode": "require", **options}
    return {"sslmode": "verify-full", "sslrootcert": "system", **options}


def _sign_in_from_uri(uri: Uri) -> SignIn:
    own = {"host": uri.host, "port": uri.port, "dbname": uri.database, "user": uri.user, "password": uri.password}
    options: dict[str, Any] = {**uri.options, **{key: value for key, value in own.items() if value}}
    return SignIn(options, options.get("dbname"), "public", options.get("host"))


def limits(settings: Settings) -> dict[str, Any]:
    return {"connect_timeout": settings.connect_timeout_s, "application_name": "schema-sync"}


def _connect(options: dict[str, Any], database: str | None, _settings: Settings) -> Any:
    import psycopg

    return psycopg.connect(**{**options, "dbname": database or options.get("dbname")})


def _pin(options: dict[str, Any], addresses: Sequence[str]) -> dict[str, Any]:
    """``hostaddr``: libpq looks nothing up, and still verifies the certificate of the name."""
    host = ",".join([options["host"]] * len(addresses))
    return {**options, "host": host, "hostaddr": ",".join(addresses)}


_VAULT_KEYS = "host port? database|default_database username password schema? ssl? connection_timeout?"
_DRIVER = Driver(
    "'psycopg[binary]'", "psycopg", _VAULT_KEYS, _sign_in_from_vault, _sign_in_from_uri, _connect, limits, pin=_pin
)

POSTGRES = Dialect(
    name="postgres",
    label="PostgreSQL",
    aliases=("postgresql", "supabase"),
    sqlglot="postgres",
    table_case=NameCase.LOWER,
    column_case=NameCase.LOWER,
    columns_query=columns_query,
    classify=classify,
    quote=_quote,
    probe=zero_row_select(_quote, in_schema),
    vocabulary=vocabulary(
        TYPE_WORDS,
        # pgvector casts these to real[] implicitly.
        carriers=(Carrier(Family.ARRAY, Family.VECTOR, kinds=frozenset({"", "halfvec"})),),
        flat_arrays=True,
    ),
    driver=_DRIVER,
    sql=SqlWords(
        values=word_set("current_catalog current_role current_schema system_user"),
        user_is_a_value=True,
        units_are_texts=True,
        rows_are_values=True,  # https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-USAGE
    ),
    proofs=_COMPILER,
    denies_only_what_exists=True,
    lists_everything=True,
    reconnects_per_database=True,
    max_name_bytes=_MAX_NAME_BYTES,
    session_statements=(_SESSION_SQL,),
    # https://www.postgresql.org/docs/current/ddl-system-columns.html
    pseudo_columns=frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}),
)
