"""Amazon Redshift, provisioned and serverless.

Names: https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
Leader node: https://docs.aws.amazon.com/redshift/latest/dg/c_sql-functions-leader-node.html
Late-binding views: https://docs.aws.amazon.com/redshift/latest/dg/PG_GET_LATE_BINDING_VIEW_COLS.html
External tables: https://docs.aws.amazon.com/redshift/latest/dg/r_SVV_EXTERNAL_COLUMNS.html
Column grants: https://docs.aws.amazon.com/redshift/latest/dg/r_PG_ATTRIBUTE_INFO.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from .engine import Dialect, Failure, Query, by_code, in_schema, quote_with, zero_row_select
from .names import ASCII_LOWER, NameCase, fold
from .postgres import TYPE_WORDS
from .sign_in import Driver, SignIn, Uri, VaultJson
from .sql_words import SqlWords, word_set
from .type_vocabulary import BIT_IS_BOOLEAN, JSON_IN_TEXT, UUID_AND_ENUM_IN_OTHERS, Family, vocabulary, words

_MAX_NAME_BYTES = 127

# The catalogue tables of PostgreSQL 8, because they list what the role may not read, and because whatever calls a
# function of the leader node (privileges, late-binding views) cannot also read a system view of the compute nodes
# (STV, SVL, most SVV). SVV_EXTERNAL_* are answered by the leader node: SQLAlchemy's dialect and dbt have united all
# three sources in one statement for years. Hence also: no window functions, no LISTAGG, no LIKE (a % in a statement
# with bound parameters), nothing that PostgreSQL 8.0 does not know.
#
# - A late-binding view has no attributes of its own. The function that knows its columns evaluates every such view
#   of the database, which can take long: it is called only when a requested relation is without attributes.
# - A materialized view is a view here, and so is its kind: what tells it apart is on the compute nodes.
# - External schemas are asked for only when the schema is one, as their catalogue (Glue, Hive, another database) may
#   be slow or refuse. It lists only what the role may use: whatever is there is called readable. The view names tables
#   of other databases too.
# - A role with grants on single columns has no privilege on the table: then nobody here can tell, and it is called
#   readable.
# - Names match in any case of ASCII letters, which is all that the engine folds.
_COLUMNS_SQL = """\
WITH namespace AS (
  SELECT n.oid, n.nspname, has_schema_privilege(n.oid, 'USAGE') AS usable
  FROM pg_namespace n
  WHERE lower(n.nspname::text) IN ({schemas})
  ORDER BY CASE WHEN n.nspname = %s THEN 0 ELSE 1 END, n.nspname
  LIMIT 1
),
relations AS (
  SELECT c.oid, c.relnamespace, c.relname, lower(c.relname::text) IN ({keys}) AS asked,
         CASE c.relkind WHEN 'r' THEN 'table' WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind,
         NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS bare
  FROM namespace n
  JOIN pg_class c ON c.relnamespace = n.oid
  WHERE c.relkind IN ('r', 'v', 'm')
),
tables AS (
  SELECT r.oid, r.relnamespace, r.relname, r.kind, r.bare,
         n.usable AND (
           has_table_privilege(r.oid, 'SELECT')
           OR EXISTS (SELECT 1 FROM pg_attribute_info i WHERE i.attrelid = r.oid AND i.attacl IS NOT NULL)
         ) AS readable
  FROM namespace n
  JOIN relations r ON r.relnamespace = n.oid
  WHERE r.asked
),
fields AS (
  SELECT t.oid, a.attnum AS number, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type
  FROM tables t
  JOIN pg_attribute a ON a.attrelid = t.oid
  WHERE a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT t.oid, v.col_num, v.col_name, v.col_type
  FROM pg_get_late_binding_view_cols() v(
    view_schema name, view_name name, col_name name, col_type varchar, col_num int
  )
  JOIN namespace n ON n.nspname = v.view_schema
  JOIN tables t ON t.relname = v.view_name
  WHERE t.bare AND EXISTS (SELECT 1 FROM tables WHERE bare)
),
external AS (
  SELECT e.tablename, e.columnname, e.columnnum, e.external_type
  FROM svv_external_columns e
  WHERE EXISTS (SELECT 1 FROM svv_external_schemas s JOIN namespace n ON n.nspname = s.schemaname)
    AND e.schemaname IN ({schemas})
    AND lower(e.tablename::text) IN ({keys})
    AND coalesce(nullif(e.redshift_database_name, ''), current_database()) = current_database()
)
SELECT found.nspname, found.relname, found.kind, found.readable, found.name, found.type,
       NULL AS base_type, true AS column_readable
FROM (
  SELECT n.nspname, t.relname, t.kind, t.readable, f.number, f.name, f.type
  FROM namespace n
  JOIN tables t ON t.relnamespace = n.oid
  LEFT JOIN fields f ON f.oid = t.oid
  UNION ALL
  SELECT n.nspname, e.tablename, 'external table', n.usable, e.columnnum, e.columnname, e.external_type
  FROM namespace n
  CROSS JOIN external e
  UNION ALL
  SELECT n.nspname, r.relname, NULL, NULL, NULL, NULL, NULL
  FROM namespace n
  JOIN relations r ON r.relnamespace = n.oid
  WHERE NOT r.asked
    AND (SELECT count(*) FROM tables) + (SELECT count(DISTINCT tablename) FROM external) < {asked}
  UNION ALL
  SELECT n.nspname, NULL, NULL, NULL, NULL, NULL, NULL
  FROM namespace n
  WHERE NOT EXISTS (SELECT 1 FROM relations WHERE asked) AND NOT EXISTS (SELECT 1 FROM external)
) found
ORDER BY found.relname, found.number
"""

# https://docs.aws.amazon.com/redshift/latest/dg/r_SET_CONFIG.html: true holds for this transaction only.
_SESSION_SQL = "SELECT set_config('statement_timeout', '{timeout_ms}', true)"

# The driver's error is the server's message as a dictionary, 'C' being its SQLSTATE.
_SQLSTATE = re.compile(r"'C': '([0-9A-Z]{5})'")
_BY_SQLSTATE = by_code(
    (Failure.MISSING_DATABASE, "3D000 3F000"),  # or the schema
    (Failure.MISSING_TABLE, "42P01"),
    (Failure.MISSING_COLUMN, "42703"),
    (Failure.DENIED, "42501"),
)
_TERMINAL_CLASSES = frozenset({"0A", "22", "28", "42"})
# What the driver and AWS say where no server has answered.
_REFUSED = re.compile(
    r"Server refuses SSL"
    r"|CERTIFICATE_VERIFY_FAILED"
    r"|password authentication failed"
    r"|requesting \w+ password authentication, but no password was provided"
    r"|Unable to locate credentials"
    r"|An error occurred \((?:AccessDenied|ClusterNotFound|ResourceNotFound|InvalidClientTokenId|SignatureDoesNotMatch"
    r"|UnrecognizedClient|UnauthorizedOperation)"
)


def columns_query(request: GroupRequest) -> Query:
    """Names are bound in the driver's own style (``format``): one placeholder each, in the order of the text."""
    meant = fold(request.schema, NameCase.LOWER, _MAX_NAME_BYTES)
    exact = fold(request.schema, NameCase.SENSITIVE, _MAX_NAME_BYTES)
    schemas = sorted({exact, exact.translate(ASCII_LOWER)})
    exact_tables = (fold(table, NameCase.SENSITIVE, _MAX_NAME_BYTES) for table in request.tables)
    keys = sorted({table.translate(ASCII_LOWER) for table in exact_tables})
    placeholders = {
        "schemas": ", ".join(["%s"] * len(schemas)),
        "keys": ", ".join(["%s"] * len(keys)) or "NULL",
        "asked": str(len(keys)),
    }
    return Query(_COLUMNS_SQL.format(**placeholders), (*schemas, meant, *keys, *schemas, *keys))


def classify(code: str | None, text: str) -> Failure:
    match = _SQLSTATE.search(text)
    state = match[1] if match else code
    if state == "42501" and "permission denied for schema" in text:
        return Failure.SCHEMA_DENIED
    if state in _BY_SQLSTATE:
        return _BY_SQLSTATE[state]
    if _REFUSED.search(text):
        return Failure.TERMINAL
    return Failure.TERMINAL if state is not None and state[:2] in _TERMINAL_CLASSES else Failure.TRANSIENT


def _quote(name: str) -> str:
    """A name between quotes. Redshift folds it all the same; where ``enable_case_sensitive_identifier`` is on, it is
    the name that people mean who write it without quotes."""
    return _quoted(name.translate(ASCII_LOWER))


_quoted = quote_with('"')


# --- Sign-in: Amazon's redshift_connector, with a password or with IAM ---


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    if secret.flag("iam"):
        options = _iam_options({key: secret.get(key) for key in _IAM_KEYS}, secret.get("username"))
        if "serverless_work_group" not in options and "cluster_identifier" not in options:
            raise secret.invalid("with `iam` it needs a `cluster_identifier` or a `workgroup`")
        # Without keys AWS's library would sign with this machine's identity.
        own = {key: key for key in ("region", "access_key_id", "secret_access_key")}
        options.update(secret.options(host="host?", **own))
    else:
        options = secret.options(host="host", user="username", password="password")  # noqa: S106 (names of keys)
    options["port"] = secret.number("port") or 5439
    options["database"] = secret.one_of("database", "default_database")
    options.update(_tls(secret.raw("ssl")))
    if timeout_ms := secret.number("connection_timeout"):
        options["timeout"] = max(1, ceil(timeout_ms / 1000))
    return SignIn(options, options["database"], secret.get("schema") or "public", options.get("host"))


_IAM_KEYS = ("cluster_identifier", "workgroup", "region", "access_key_id", "secret_access_key", "session_token")


def _iam_options(keys: Mapping[str, Any], db_user: str | None) -> dict[str, Any]:
    """The driver asks AWS for a short-lived password: of a cluster for a database user, of a workgroup for the
    identity itself. Without keys AWS's own chain is asked (environment, role of the machine)."""
    options = {"iam": True, **{key: value for key, value in keys.items() if value and key != "workgroup"}}
    if workgroup := keys.get("workgroup"):
        options.update(is_serverless=True, serverless_work_group=workgroup)
    elif db_user:
        options["db_user"] = db_user
    return options


def _tls(ssl: object) -> dict[str, Any]:
    """The product stores TLS options as node-postgres knows them; the driver encrypts unless it is told not to.

    It trusts Amazon's and the system's authorities and takes no certificates of ours. The least that it verifies is
    the authority. Source: amazon-redshift-python-driver, "Connection Parameters".
    """
    if isinstance(ssl, Mapping):
        return {"ssl": True, "sslmode": "verify-ca" if ssl.get("rejectUnauthorized") is False else "verify-full"}
    return {"ssl": False} if ssl is False else {}


def _sign_in_from_uri(uri: Uri) -> SignIn:
    options = uri.arguments()
    if options.get("iam"):
        keys = {key: options.pop(key, None) for key in _IAM_KEYS}
        options.update(_iam_options(keys, uri.user))
    else:
        options.update(user=uri.user, password=uri.password)
    if options.get("sslmode") == "disable":
        options.update(ssl=False, sslmode=None)
    options["database"] = uri.database or "dev"
    options.update({key: value for key, value in (("host", uri.host), ("port", uri.port or 5439)) if value})
    return SignIn(options, options["database"], "public", uri.host or None)


def limits(settings: Settings) -> dict[str, Any]:
    return {"timeout": settings.connect_timeout_s, "application_name": "schema-sync"}


def connected(opened: Any, settings: Settings) -> Any:
    """The driver has one timeout for everything. From here on it is a statement's, a little longer than the server's
    own, which comes with a better message."""
    opened._usock.settimeout(settings.statement_timeout_s + 5)
    return opened


def _connect(options: dict[str, Any], database: str | None, settings: Settings) -> Any:
    import redshift_connector

    return connected(redshift_connector.connect(**{**options, "database": database or options["database"]}), settings)


_VAULT_KEYS = (
    "host port? database|default_database username password schema? ssl? connection_timeout? iam? "
    "cluster_identifier|workgroup region access_key_id? secret_access_key? session_token?"
)
_DRIVER = Driver(
    "redshift-connector", "redshift_connector", _VAULT_KEYS, _sign_in_from_vault, _sign_in_from_uri, _connect, limits
)

REDSHIFT = Dialect(
    name="redshift",
    label="Redshift",
    sqlglot="redshift",
    table_case=NameCase.INSENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    denies_only_what_exists=True,
    quote=_quote,
    probe=zero_row_select(_quote, in_schema),
    # https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html; no bit strings. FLOAT is 64 bits wide
    # in a local table and 32 in a Spectrum (Hive) one: no width.
    vocabulary=vocabulary(
        {**TYPE_WORDS, **BIT_IS_BOOLEAN},
        words(Family.FLOAT, "float", kind="float"),
        carriers=(*UUID_AND_ENUM_IN_OTHERS, JSON_IN_TEXT),
    ),
    driver=_DRIVER,
    sql=SqlWords(
        values=word_set("sysdate current_catalog current_role current_schema current_user_id"),
        user_is_a_value=True,
        rows_are_values=True,
    ),
    reconnects_per_database=True,
    max_name_bytes=_MAX_NAME_BYTES,
    session_statements=(_SESSION_SQL,),
)
