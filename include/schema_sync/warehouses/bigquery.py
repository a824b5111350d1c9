"""BigQuery: a database is a project, a schema is a dataset.

Names: https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical (identifiers, case sensitivity),
https://cloud.google.com/bigquery/docs/datasets#dataset-naming, https://cloud.google.com/resource-manager/docs/creating-managing-projects
Catalogue: https://cloud.google.com/bigquery/docs/information-schema-tables, …-columns, …-column-field-paths
Wildcard tables: https://cloud.google.com/bigquery/docs/querying-wildcard-tables
Errors: https://cloud.google.com/bigquery/docs/error-messages
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from ..errors import TerminalError
from ..nouns.snapshot import GroupRequest
from ..settings import Settings
from .autocommit import AutocommitConnection
from .engine import Dialect, Failure, Query, by_text
from .names import NameCase, unquote
from .sign_in import Driver, SignIn, Uri, VaultJson
from .sql_words import SqlWords, word_set
from .type_vocabulary import (
    BIT_IS_BOOLEAN,
    FLOAT_64,
    UUID_AND_ENUM_IN_OTHERS,
    VECTOR_IN_ARRAY,
    Family,
    Zone,
    vocabulary,
    words,
)

# The dataset's own INFORMATION_SCHEMA, because the one of a region lists one region only and needs rights on the
# project. A dataset that is not there is an error (404), so the first row says that it is.
#
# - Table names are case-sensitive, unless the dataset was made with ``is_case_insensitive``, which none of its
#   views tells. LOWER finds the other spellings, beyond ASCII too.
# - ``events_*`` is a wildcard table: its columns are those of the newest table that matches (vendor's page above). It
#   reads tables only, neither views nor external ones.
# - COLUMN_FIELD_PATHS has a row for each field however deep (``address.city``), but no order; COLUMNS has the order.
#   Pseudo columns such as _PARTITIONTIME have no position there.
# - Rights are checked when a table is queried; tables.list on the dataset shows all of its tables. So nothing here is
#   known to be unreadable, and a role without tables.list is refused as a whole (403).
_COLUMNS_SQL = """\
WITH
asked AS (
  SELECT DISTINCT name, LOWER(name) AS key FROM UNNEST(%(tables)s) AS name
),
listed AS (
  SELECT table_name, LOWER(table_name) AS key, table_type, creation_time FROM {dataset}.INFORMATION_SCHEMA.TABLES
),
found AS (
  SELECT table_name AS name, table_name AS source,
         CASE table_type WHEN 'BASE TABLE' THEN 'table' WHEN 'EXTERNAL' THEN 'external table'
                         ELSE LOWER(REPLACE(table_type, '_', ' ')) END AS kind
  FROM listed
  WHERE key IN (SELECT key FROM asked)
  UNION ALL
  SELECT asked.name, MAX_BY(listed.table_name, listed.creation_time), 'wildcard table'
  FROM asked
  JOIN listed ON STARTS_WITH(listed.table_name, SUBSTR(asked.name, 1, LENGTH(asked.name) - 1))
  WHERE ENDS_WITH(asked.name, '*') AND listed.table_type = 'BASE TABLE'
  GROUP BY asked.name
),
absent AS (
  SELECT key FROM asked WHERE key NOT IN (SELECT LOWER(name) FROM found)
)
SELECT %(schema)s AS schema_name, name, kind, readable, field_path, data_type,
       CAST(NULL AS STRING) AS base_type, readable AS column_readable
FROM (
  SELECT CAST(NULL AS STRING) AS name, CAST(NULL AS STRING) AS kind, CAST(NULL AS BOOL) AS readable,
         CAST(NULL AS STRING) AS field_path, CAST(NULL AS STRING) AS data_type, 0 AS ordinal
  UNION ALL
  SELECT found.name, found.kind, TRUE, COALESCE(paths.field_path, columns.column_name),
         COALESCE(paths.data_type, columns.data_type), columns.ordinal_position
  FROM found
  LEFT JOIN (
    SELECT table_name, column_name, data_type, ordinal_position
    FROM {dataset}.INFORMATION_SCHEMA.COLUMNS
    WHERE ordinal_position IS NOT NULL
  ) AS columns ON columns.table_name = found.source
  LEFT JOIN {dataset}.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS AS paths
    ON paths.table_name = columns.table_name AND paths.column_name = columns.column_name
  UNION ALL
  (
    SELECT table_name, CAST(NULL AS STRING), CAST(NULL AS BOOL), CAST(NULL AS STRING), CAST(NULL AS STRING), 0
    FROM listed
    WHERE EXISTS (SELECT 1 FROM absent) AND key NOT IN (SELECT key FROM asked)
    LIMIT 50000
  )
)
ORDER BY name, ordinal, field_path
"""

# No project or dataset can have such a name: nothing to format into an identifier, and no row means no such schema.
_NO_SUCH_PLACE_SQL = """\
SELECT %(schema)s, name, 'table', TRUE, '', '', '', TRUE
FROM UNNEST(%(tables)s) AS name
WHERE FALSE
"""

# Old projects are named after a domain: example.com:shop.
_PROJECT = re.compile(r"(?:[A-Za-z0-9.-]+:)?[A-Za-z0-9-]+")
_DATASET = re.compile(r"[A-Za-z0-9_]+")
_ESCAPED = re.compile(r"[\\`\x00-\x1f\x7f-\x9f\u2028\u2029]")

# What the client library raises reads "404 Not found: …", with "POST https://…/projects/<project>/queries?…: " before
# the server's text in some versions. A name comes after the words that are looked for, never before.
_STATUS = re.compile(r"\s*(\d{3}) ")
_OF_THE_CALL = re.compile(r"/projects/([^/?\s]+)/[^\s]*: Not found: Project ([^\s,;]+)")
_missing = by_text(
    None,
    (Failure.MISSING_COLUMN, r"[^`\"']*?(?:Unrecognized name: |Name .+? not found inside )"),
    (Failure.MISSING_COLUMN, r"[^`\"']*?Field name .+? does not exist in "),
    (Failure.MISSING_COLUMN, r"[^`\"']*?Cannot access field .+? on a value with type "),
    (Failure.MISSING_TABLE, r"[^`\"']*?(?:Not found: Table |\S+ does not match any table)"),
    (Failure.MISSING_DATABASE, r"[^`\"']*?(?:Not found: (?:Dataset|Project) |Invalid (?:project|dataset) ID )"),
)
_DENIED = re.compile(r"Access Denied: (?!Project )")
_BUSY = re.compile(
    r"rateLimitExceeded|quotaExceeded|Exceeded rate limits|Quota exceeded|exceeded quota|backendError|jobRateLimit"
)
_REFUSED_LOGIN = re.compile(
    r"invalid_grant|invalid_client|invalid_scope|unauthorized_client|default credentials were not found|"
    r"Could not automatically determine credentials|Could not deserialize key|Unable to load PEM|Invalid key JSON|"
    r"MalformedError|No key could be detected|not in the expected format|No such file or directory"
)


def columns_query(request: GroupRequest) -> Query:
    """The project and the dataset cannot be bound; they have few characters to choose from, so what has others is not
    formatted into the SQL at all."""
    dataset, _ = unquote(request.schema)
    project = None if request.database is None else unquote(request.database)[0]
    parameters: dict[str, object] = {
        "schema": dataset,
        # An empty array has no type for the driver to tell; no table has an empty name.
        "tables": sorted({unquote(table)[0] for table in request.tables}) or [""],
    }
    if not _DATASET.fullmatch(dataset) or not (project is None or _PROJECT.fullmatch(project)):
        return Query(_NO_SUCH_PLACE_SQL, parameters)
    place = ".".join(quote(part) for part in (project, dataset) if part is not None)
    return Query(_COLUMNS_SQL.format(dataset=place), parameters)


def classify(code: str | None, text: str) -> Failure:
    """Access is denied too where "perhaps it does not exist": nobody can tell, so nothing is called missing."""
    match = _STATUS.match(text)
    status = match[1] if match else code
    if status == "401" or _REFUSED_LOGIN.search(text):
        return Failure.TERMINAL
    if status == "403":
        if _BUSY.search(text):
            return Failure.TRANSIENT
        return Failure.DENIED if _DENIED.search(text) else Failure.TERMINAL
    if status in ("400", "404"):
        if missing := _missing(None, text):
            # The project that runs and pays for the job is not there: that says nothing about the group's.
            call = _OF_THE_CALL.search(text)
            return Failure.TERMINAL if call and call[1] == call[2].rstrip(".") else missing
        return Failure.TRANSIENT if _BUSY.search(text) else Failure.TERMINAL
    return Failure.TRANSIENT


def quote(name: str) -> str:
    """A quoted identifier has a string literal's escapes, and no doubling."""
    return "`" + _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", name) + "`"


def probe(request: GroupRequest, table: str, columns: Sequence[str]) -> str:
    """As ``zero_row_select``, with what differs here; ``WHERE FALSE`` is folded before a byte is read and billed.

    Fields get aliases, because two results of one name are an error. ``address.city`` is a path: no column has a
    dot in its name. Quoting changes nothing about letter case here.
    """
    place = ".".join(quote(unquote(part)[0]) for part in (request.database, request.schema, table) if part is not None)
    selected = ", ".join(f"t.{_path(column)} AS c{number}" for number, column in enumerate(columns)) or "1"
    return f"SELECT {selected} FROM {place} AS t WHERE FALSE"  # noqa: S608 (names are quoted)


def _path(column: str) -> str:
    return ".".join(map(quote, unquote(column)[0].split(".")))


# --- Sign-in: Google's client and its DB-API, with statements that run where their dataset is ---


def service_account_key(key: Any) -> dict[str, Any]:
    """A key, or its JSON text, as a dict; empty where it is neither."""
    with suppress(ValueError, TypeError):
        return dict(json.loads(key) if isinstance(key, str | bytes) else key)
    return {}


def _sign_in_from_vault(secret: VaultJson) -> SignIn:
    """A service account's key, and nothing of this machine's: neither its own credentials nor a file on it."""
    options: dict[str, Any] = {"project": secret["project_id"], "location": secret.get("location")}
    secret["service_account_key"]
    key = service_account_key(secret.raw("service_account_key"))
    if key.get("type", "service_account") != "service_account" or not key:
        raise secret.invalid("its `service_account_key` is not the JSON text of a service account's key")
    # Where the key is shown is not for the key to say.
    options["key"] = {**key, "token_uri": "https://oauth2.googleapis.com/token"}
    return SignIn(options, options["project"], secret.get("default_dataset"))


def _sign_in_from_uri(uri: Uri) -> SignIn:
    """``bigquery://project/dataset?location=…``; the key as ``credentials_path`` or ``credentials_base64``."""
    options: dict[str, Any] = {"project": uri.host or None, "location": uri.options.get("location")}
    if text := uri.options.get("credentials_base64"):
        with suppress(ValueError):
            options["key"] = service_account_key(base64.b64decode(text))
        if not options.get("key"):
            raise TerminalError("The connection URI's credentials_base64 is not the encoded JSON of a key.")
    elif path := uri.options.get("credentials_path"):
        options["key_file"] = path
    return SignIn(options, uri.host or None, uri.database)


def _connect(options: dict[str, Any], _database: str | None, settings: Settings) -> Any:
    from google.cloud import bigquery

    def client(location: str | None) -> Any:
        arguments = {"project": options["project"], "location": location}
        if key := options.get("key"):
            return bigquery.Client.from_service_account_info(key, **arguments)
        if path := options.get("key_file"):
            return bigquery.Client.from_service_account_json(path, **arguments)
        return bigquery.Client(**arguments)

    return LocatedConnection(client, options["location"], settings)


_NOT_FOUND_HERE = re.compile(
    r"Not found: (?:Dataset|Table) (?P<project>\S+):(?P<dataset>[A-Za-z0-9_]+)[.\s].*?"
    r"not found in location (?P<here>\S+)"
)


class LocatedConnection(AutocommitConnection):
    """Runs a statement where its dataset is, and never waits without an end.

    BigQuery looks in one location only, the connection's or the one that it guesses, and says of a dataset in another
    location the same as of one that is not there. So a dataset that is not found is looked up without a location.

    :param client: location or None → Google's client.
    :param location: where statements run first; None: where BigQuery guesses.
    """

    def __init__(self, client: Callable[[str | None], Any], location: str | None, settings: Settings) -> None:
        from google.cloud.bigquery import DEFAULT_RETRY

        self._client, self._settings = client, settings
        self._retry = DEFAULT_RETRY.with_timeout(settings.statement_timeout_s)  # the client would try for ten minutes
        self._connections: dict[str | None, Any] = {}
        super().__init__(self._at(location))

    def cursor(self) -> Any:
        return _Cursor(self)

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()

    def cursor_elsewhere(self, error: Exception) -> Any:
        """A cursor where the dataset is that this error could not find; None when it is in no other location."""
        match = _NOT_FOUND_HERE.search(str(error))
        location = self._location_of(match["project"], match["dataset"]) if match else None
        if match is None or location is None or location.lower() == match["here"].rstrip(".").lower():
            return None
        return self._at(location).cursor()

    def _at(self, location: str | None) -> Any:
        from google.cloud.bigquery import dbapi

        if location not in self._connections:
            # Rows of a catalogue are few: the Storage API would need one more right, and one more connection.
            self._connections[location] = dbapi.Connection(self._bounded(location), prefer_bqstorage_client=False)
        return self._connections[location]

    def _location_of(self, project: str, dataset: str) -> str | None:
        from google.api_core.exceptions import NotFound

        limits = {"retry": self._retry, "timeout": self._settings.connect_timeout_s}
        try:
            return str(self._bounded(None).get_dataset(f"{project}.{dataset}", **limits).location)
        except NotFound:
            return None

    def _bounded(self, location: str | None) -> Any:
        from google.cloud.bigquery import QueryJobConfig

        client, timeout_s = self._client(location), self._settings.statement_timeout_s
        client.default_query_job_config = QueryJobConfig(job_timeout_ms=timeout_s * 1000, use_legacy_sql=False)
        limits = {"wait_timeout": timeout_s, "retry": self._retry, "job_retry": self._retry}
        client.query_and_wait = partial(client.query_and_wait, **limits)  # the DB-API has no way to pass them on
        return client


class _Cursor:
    def __init__(self, connection: LocatedConnection) -> None:
        self._connection = connection
        self._raw = connection.raw.cursor()

    def execute(self, sql: str, *parameters: Any) -> None:
        try:
            self._raw.execute(sql, *parameters)
        except Exception as error:
            elsewhere = self._connection.cursor_elsewhere(error)
            if elsewhere is None:
                raise
            self._raw = elsewhere
            self._raw.execute(sql, *parameters)

    def fetchmany(self, size: int) -> Any:
        return self._raw.fetchmany(size)

    def close(self) -> None:
        self._raw.close()


_DRIVER = Driver(
    "google-cloud-bigquery",
    "google.cloud.bigquery",
    "project_id service_account_key default_dataset? location?",
    _sign_in_from_vault,
    _sign_in_from_uri,
    _connect,
)

BIGQUERY = Dialect(
    name="bigquery",
    label="BigQuery",
    sqlglot="bigquery",
    table_case=NameCase.SENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    quote=quote,
    probe=probe,
    # https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types; schema files still say INTEGER, FLOAT,
    # RECORD. TIMESTAMP is a point in time, DATETIME is not.
    vocabulary=vocabulary(
        {
            **BIT_IS_BOOLEAN,
            **words(Family.INTEGER, "int64, int, integer, smallint, bigint, tinyint, byteint", bits=64),
            **words(Family.DECIMAL, "numeric, decimal", bits=128, scale=9),
            **words(Family.DECIMAL, "bignumeric, bigdecimal", bits=256, scale=38),
            **words(Family.TIMESTAMP, "timestamp", kind="timestamp", zone=Zone.OFFSET),
        },
        FLOAT_64,
        carriers=(*UUID_AND_ENUM_IN_OTHERS, VECTOR_IN_ARRAY),
    ),
    driver=_DRIVER,
    sql=SqlWords(
        values=frozenset({"current_datetime"}),
        quotes="`",
        dotted_quotes=True,
        # https://cloud.google.com/bigquery/docs/reference/standard-sql/query-syntax#range_variables
        rows_are_values=True,
        units_last=word_set("date_trunc date_diff"),
        typed_constructors=frozenset({"range"}),
    ),
    pseudo_columns=frozenset(
        {"_partitiontime", "_partitiondate", "_table_suffix", "_file_name", "_change_type", "_change_timestamp"}
    ),
)
