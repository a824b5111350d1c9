"""Databricks with Unity Catalog: a database is a catalog.

Names: https://docs.databricks.com/en/sql/language-manual/sql-ref-names.html, …/sql-ref-identifiers.html
Catalogue: https://docs.databricks.com/en/sql/language-manual/sql-ref-information-schema.html
IDENTIFIER: https://docs.databricks.com/en/sql/language-manual/sql-ref-names-identifier-clause.html
Errors: https://docs.databricks.com/en/error-messages/index.html, …/error-messages/sqlstates.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import TerminalError
from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from .autocommit import AutocommitConnection
from .engine import Dialect, Failure, Query, by_code, quote_with
from .names import NameCase, unquote
from .sign_in import Driver, SignIn, Uri, VaultJson
from .sql_words import SqlWords, word_set
from .type_vocabulary import (
    BIT_IS_BOOLEAN,
    FLOAT_32,
    JSON_IN_TEXT,
    UUID_AND_ENUM_IN_OTHERS,
    VECTOR_IN_ARRAY,
    Family,
    Zone,
    vocabulary,
    words,
)

# The catalog's own information_schema, because the one of ``system`` does not know catalogs without one and would
# call their schemas missing. IDENTIFIER takes the catalog's name as a parameter (Runtime 13.3, SQL warehouses).
#
# - Names of catalogs, schemas and tables are stored in lower case; those of columns keep theirs and ignore it.
# - All kinds of relations are in ``tables``: views, materialized views, streaming and foreign tables, clones.
# - ``full_data_type`` is the whole type (``struct<a:int>``, ``decimal(10,2)``); ``data_type`` only says STRUCT.
# - Only what the role has some right on is listed: what it may not see looks absent, and the probe tells. What it may
#   see without SELECT (BROWSE) is listed as readable: table_privileges names groups, not whether the role is in one.
# - One array as JSON text, because drivers differ in what else they can bind.
_COLUMNS_SQL = """\
WITH
asked AS (
  SELECT explode(from_json(:tables, 'ARRAY<STRING>')) AS name
),
listed AS (
  SELECT table_name AS name, table_type
  FROM IDENTIFIER(:tables_view)
  WHERE table_schema = :schema
),
found AS (
  SELECT name,
         CASE table_type WHEN 'MANAGED' THEN 'table' WHEN 'BASE TABLE' THEN 'table'
                         WHEN 'EXTERNAL' THEN 'external table' WHEN 'FOREIGN' THEN 'foreign table'
                         ELSE lower(replace(table_type, '_', ' ')) END AS kind
  FROM listed
  WHERE name IN (SELECT name FROM asked)
)
SELECT :schema AS schema_name, name, kind, readable, column_name, full_data_type,
       CAST(NULL AS STRING) AS base_type, readable AS column_readable
FROM (
  SELECT CAST(NULL AS STRING) AS name, CAST(NULL AS STRING) AS kind, CAST(NULL AS BOOLEAN) AS readable,
         CAST(NULL AS STRING) AS column_name, CAST(NULL AS STRING) AS full_data_type, 0 AS ordinal
  FROM IDENTIFIER(:schemata_view)
  WHERE schema_name = :schema
  UNION ALL
  SELECT found.name, found.kind, TRUE, columns.column_name, columns.full_data_type, columns.ordinal_position
  FROM found
  LEFT JOIN (
    SELECT table_name, column_name, full_data_type, ordinal_position
    FROM IDENTIFIER(:columns_view)
    WHERE table_schema = :schema
  ) AS columns ON columns.table_name = found.name
  UNION ALL
  (
    SELECT name, CAST(NULL AS STRING), CAST(NULL AS BOOLEAN), CAST(NULL AS STRING), CAST(NULL AS STRING), 0
    FROM listed
    WHERE (SELECT count(*) FROM found) < (SELECT count(*) FROM asked) AND name NOT IN (SELECT name FROM asked)
    LIMIT 50000
  )
) AS answers
ORDER BY name NULLS FIRST, ordinal
"""

# These catalogs have no information_schema, and SHOW or DESCRIBE would be a statement for each table.
_WITHOUT_CATALOGUE = frozenset({"hive_metastore", "spark_catalog"})
_WITHOUT_CATALOGUE_SQL = """\
SELECT raise_error(
  'The catalog hive_metastore has no information_schema, so it cannot be checked. Upgrade its schemas to '
  || 'Unity Catalog, or federate it as a foreign catalog, and name that catalog in the dataset.'
)
"""

# "[CONDITION.SUBCONDITION] text … SQLSTATE: 42P01"; the first of each is the server's, names come later.
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_]+)(?:\.[A-Z0-9_]+)*\]")
_SQLSTATE = re.compile(r"SQLSTATE: ?([0-9A-Z]{5})")
_FAILURES = by_code(
    # INCOMPATIBLE_…: a view whose table was changed under it: it is listed, and cannot be selected from.
    (
        Failure.MISSING_TABLE,
        "TABLE_OR_VIEW_NOT_FOUND DELTA_TABLE_NOT_FOUND INCOMPATIBLE_VIEW_SCHEMA_CHANGE 42P01 51024",
    ),
    (Failure.MISSING_COLUMN, "UNRESOLVED_COLUMN FIELD_NOT_FOUND 42703"),
    (Failure.MISSING_DATABASE, "SCHEMA_NOT_FOUND CATALOG_NOT_FOUND NO_SUCH_CATALOG_EXCEPTION"),
    (Failure.DENIED, "INSUFFICIENT_PERMISSIONS PERMISSION_DENIED INSUFFICIENT_PRIVILEGES 42501"),
)
_TERMINAL_CLASSES = frozenset({"07", "0A", "21", "22", "28", "42", "56", "P0"})
_DENIED = re.compile(r"PERMISSION_DENIED|User does not have (?:USE|SELECT|BROWSE|permission)|INSUFFICIENT_PERMISSIONS")
_REFUSED_LOGIN = re.compile(
    r"Invalid access token|Invalid Token|invalid_client|invalid_grant|User not authorized|Error 40[13]\b|"
    r"HTTP (?:Response code: )?40[134]\b|\b(?:401 Unauthorized|403 Forbidden)|: (?:Unauthorized|Forbidden)\b|"
    r"http_path should be provided|Token authentication isn't configured|RESOURCE_DOES_NOT_EXIST"
)
_OF_THE_CATALOGUE = re.compile(r"\binformation_schema`?(?:`?\.`?(?:tables|columns|schemata))?\b", re.IGNORECASE)

quote = quote_with("`")


def columns_query(request: GroupRequest) -> Query:
    """Every name is bound, the catalog's too."""
    catalog = None if request.database is None else unquote(request.database)[0]
    if catalog is not None and catalog.lower() in _WITHOUT_CATALOGUE:
        return Query(_WITHOUT_CATALOGUE_SQL, {})
    place = "" if catalog is None else f"{quote(catalog)}."
    return Query(
        _COLUMNS_SQL,
        {
            "schema": unquote(request.schema)[0].lower(),
            "tables": json.dumps(sorted({unquote(table)[0].lower() for table in request.tables})),
            **{f"{view}_view": f"{place}information_schema.{view}" for view in ("schemata", "tables", "columns")},
        },
    )


def classify(code: str | None, text: str) -> Failure:
    """A catalog whose information_schema cannot be found may be missing, or may have none (hive_metastore): that is
    unchecked, never missing."""
    condition, state = _CONDITION.search(text), _SQLSTATE.search(text)
    sqlstate = state[1] if state else code or ""
    failure = _FAILURES.get(condition[1] if condition else "") or _FAILURES.get(sqlstate)
    if failure is None:
        if _DENIED.search(text):
            return Failure.DENIED
        is_terminal = sqlstate[:2] in _TERMINAL_CLASSES or _REFUSED_LOGIN.search(text)
        return Failure.TERMINAL if is_terminal else Failure.TRANSIENT
    said = text[condition.end() if condition else 0 :][:400]
    if failure in (Failure.MISSING_TABLE, Failure.MISSING_DATABASE) and _OF_THE_CATALOGUE.search(said):
        return Failure.TERMINAL  # the view that was asked is what is not there, not a table of the customer's
    return failure


def probe(request: GroupRequest, table: str, columns: Sequence[str]) -> str:
    """As ``zero_row_select``, with what differs here: ``address.city`` is a field, and quotes never tell case apart."""
    parts = (request.database, request.schema, table)
    place = ".".join(quote(unquote(part)[0]) for part in parts if part is not None)
    selected = ", ".join(f"t.{_path(column)}" for column in columns) or "1"
    return f"SELECT {selected} FROM {place} AS t WHERE 1 = 0"  # noqa: S608 (names are quoted)


def _path(column: str) -> str:
    name, quoted = unquote(column)
    return quote(name) if quoted else ".".join(map(quote, name.split(".")))


# --- Sign-in: access token, or OAuth machine-to-machine ---


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    options = secret.options(server_hostname="host", catalog="default_catalog?", schema="default_schema?")
    warehouse = secret.get("http_path") or f"/sql/1.0/warehouses/{secret.one_of('warehouse_id', 'http_path')}"
    options["http_path"] = warehouse
    if secret.get("client_id") or secret.get("client_secret"):
        service = ServicePrincipal(secret["host"], secret["client_id"], secret["client_secret"])
        return _sign_in({**options, "credentials_provider": service})
    return _sign_in({**options, "access_token": secret.one_of("access_token", "api_key", "client_id")})


def _sign_in_from_uri(uri: Uri) -> SignIn:
    """``databricks://token:…@host?http_path=…&catalog=…``, or ``databricks://client_id:client_secret@host?…`` where the
    user is not the word ``token`` (or with ``client_id`` and ``client_secret`` as options)."""
    options = uri.arguments("catalog", "schema", "http_path", "client_id", "client_secret", "access_token")
    client_id, client_secret = options.pop("client_id", uri.user), options.pop("client_secret", uri.password)
    token = options.pop("access_token", uri.password if uri.user in ("", "token") else None)
    options.setdefault("catalog", uri.database)
    if not token:
        options["credentials_provider"] = ServicePrincipal(uri.host, client_id, client_secret)
    return _sign_in({**options, "server_hostname": uri.host, "access_token": token})


def _sign_in(options: Mapping[str, Any]) -> SignIn:
    kept = {key: value for key, value in options.items() if value}
    return SignIn(kept, kept.get("catalog"), kept.get("schema") or "default", kept["server_hostname"])


class ServicePrincipal:
    """OAuth machine-to-machine as the driver wants it: called once when it connects, it returns what gives headers.

    A token lives an hour, longer than any run. https://docs.databricks.com/dev-tools/auth/oauth-m2m
    """

    def __init__(self, host: str, client_id: str, client_secret: str) -> None:
        self.host, self.client_id, self._secret = host, client_id, client_secret

    def auth_type(self) -> str:
        return "oauth-m2m"

    def __call__(self, *_: object) -> Callable[[], dict[str, str]]:
        """:raises TerminalError: the service principal is refused."""
        import requests

        answer = requests.post(
            f"https://{self.host}/oidc/v1/token",
            data={"grant_type": "client_credentials", "scope": "all-apis"},
            auth=(self.client_id, self._secret),
            timeout=30,
        )
        if answer.status_code in (400, 401, 403):
            raise TerminalError(
                f"Databricks refuses the service principal {self.client_id} (HTTP {answer.status_code}). Check its "
                "client_id and client_secret, and that it was added to this workspace."
            )
        answer.raise_for_status()
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        return lambda: headers


class DatabricksConnection(AutocommitConnection):
    """The driver tells by ``open`` whether another connection is needed."""

    @property
    def closed(self) -> bool:
        return not self.raw.open


def limits(settings: Settings) -> dict[str, Any]:
    """The driver would try for 15 minutes. A stopped warehouse starts when it is connected to, and connecting waits."""
    patience_s = max(settings.statement_timeout_s, settings.wake_up_s)
    return {
        "_socket_timeout": patience_s,
        "_retry_stop_after_attempts_duration": patience_s,
        # Rows of a catalogue are small; downloading them from cloud storage would need a way through firewalls.
        "use_cloud_fetch": False,
        "enable_telemetry": False,
        "session_configuration": {"STATEMENT_TIMEOUT": str(settings.statement_timeout_s)},
    }


def _connect(options: dict[str, Any], _database: str | None, _settings: Settings) -> Any:
    from databricks import sql

    return DatabricksConnection(sql.connect(**options))


_DRIVER = Driver(
    "databricks-sql-connector",
    "databricks.sql",
    "host http_path|warehouse_id access_token|api_key|client_id client_secret? default_catalog? default_schema?",
    _sign_in_from_vault,
    _sign_in_from_uri,
    _connect,
    limits,
    wakes_up=True,
)

DATABRICKS = Dialect(
    name="databricks",
    label="Databricks",
    sqlglot="databricks",
    table_case=NameCase.INSENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    quote=quote,
    probe=probe,
    # https://docs.databricks.com/sql/language-manual/sql-ref-datatypes: TIMESTAMP is TIMESTAMP_LTZ.
    vocabulary=vocabulary(
        {**BIT_IS_BOOLEAN, **words(Family.TIMESTAMP, "timestamp", kind="timestamp", zone=Zone.LOCAL)},
        FLOAT_32,
        carriers=(*UUID_AND_ENUM_IN_OTHERS, JSON_IN_TEXT, VECTOR_IN_ARRAY),
    ),
    driver=_DRIVER,
    sql=SqlWords(
        values=word_set("current_catalog current_database current_schema current_timezone"),
        user_is_a_value=True,
        quotes="`",
        lambdas=True,
    ),
    # https://docs.databricks.com/en/ingestion/file-metadata-column.html
    pseudo_columns=frozenset({"_metadata"}),
)
