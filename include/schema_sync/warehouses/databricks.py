"""Databricks with Unity Catalog: a database is a catalog.

Names: https://docs.databricks.com/en/sql/language-manual/sql-ref-names.html, …/sql-ref-identifiers.html
Catalogue: https://docs.databricks.com/en/sql/language-manual/sql-ref-information-schema.html
IDENTIFIER: https://docs.databricks.com/en/sql/language-manual/sql-ref-names-identifier-clause.html
Errors: https://docs.databricks.com/en/error-messages/index.html, …/error-messages/sqlstates.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from ..nouns.snapshot import GroupRequest
from .engine import Dialect, Failure, Query, quote_with
from .names import NameCase, unquote
from .sql_words import SqlWords, word_set
from .type_vocabulary import (
    BIT_IS_BOOLEAN,
    ENUM_IN_TEXT,
    FLOAT_32,
    JSON_IN_TEXT,
    UUID_IN_16_BYTES,
    UUID_IN_TEXT,
    VECTOR_IN_ARRAY,
    Family,
    Vocabulary,
    Word,
    Zone,
    sides,
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
_CONDITIONS = {
    "TABLE_OR_VIEW_NOT_FOUND": Failure.MISSING_TABLE,
    "DELTA_TABLE_NOT_FOUND": Failure.MISSING_TABLE,
    "UNRESOLVED_COLUMN": Failure.MISSING_COLUMN,
    "FIELD_NOT_FOUND": Failure.MISSING_COLUMN,
    "SCHEMA_NOT_FOUND": Failure.MISSING_DATABASE,
    "CATALOG_NOT_FOUND": Failure.MISSING_DATABASE,
    "NO_SUCH_CATALOG_EXCEPTION": Failure.MISSING_DATABASE,
    "INSUFFICIENT_PERMISSIONS": Failure.DENIED,
    "PERMISSION_DENIED": Failure.DENIED,
    "INSUFFICIENT_PRIVILEGES": Failure.DENIED,
}
_SQLSTATES = {"42P01": Failure.MISSING_TABLE, "42703": Failure.MISSING_COLUMN, "42501": Failure.DENIED}
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
    """Ask for the requested tables of one schema in one statement. Every name is bound, the catalog's too."""
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
    """Tell what an error means by its condition, else by its SQLSTATE, both of which stand in the text.

    A catalog whose information_schema cannot be found may be missing, or may have none (hive_metastore): that is
    unchecked, never missing.
    """
    condition, state = _CONDITION.search(text), _SQLSTATE.search(text)
    failure = _CONDITIONS.get(condition[1]) if condition else None
    if failure is None:
        sqlstate = state[1] if state else code or ""
        failure = _SQLSTATES.get(sqlstate)
        if failure is None and sqlstate[:2] in _TERMINAL_CLASSES:
            failure = Failure.DENIED if _DENIED.search(text) else Failure.TERMINAL
    if failure in (Failure.MISSING_TABLE, Failure.MISSING_DATABASE) and _is_of_the_catalogue(text, condition):
        return Failure.TERMINAL
    if failure is not None:
        return failure
    if _DENIED.search(text):
        return Failure.DENIED
    return Failure.TERMINAL if _REFUSED_LOGIN.search(text) else Failure.TRANSIENT


def probe(request: GroupRequest, table: str, columns: Sequence[str]) -> str:
    """As ``zero_row_select``, with what differs here: ``address.city`` is a field, and quotes never tell case apart."""
    parts = (request.database, request.schema, table)
    place = ".".join(quote(unquote(part)[0]) for part in parts if part is not None)
    selected = ", ".join(f"t.{_path(column)}" for column in columns) or "1"
    return f"SELECT {selected} FROM {place} AS t WHERE 1 = 0"  # noqa: S608 (names are quoted)


def _path(column: str) -> str:
    name, quoted = unquote(column)
    return quote(name) if quoted else ".".join(map(quote, name.split(".")))


def _is_of_the_catalogue(text: str, condition: re.Match[str] | None) -> bool:
    """The view that was asked is what is not there, not a table of the customer's."""
    said = text[condition.end() :] if condition else text
    return _OF_THE_CATALOGUE.search(said[:400]) is not None


DATABRICKS = Dialect(
    name="databricks",
    label="Databricks",
    aliases=(),
    sqlglot="databricks",
    table_case=NameCase.INSENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    quote=quote,
    probe=probe,
    # https://docs.databricks.com/sql/language-manual/sql-ref-datatypes: TIMESTAMP is TIMESTAMP_LTZ.
    vocabulary=Vocabulary(
        *sides(
            {
                **BIT_IS_BOOLEAN,
                **words(Word(Family.TIMESTAMP, kind="timestamp", zone=Zone.LOCAL), "timestamp"),
            },
            FLOAT_32,
        ),
        carriers=(UUID_IN_TEXT, UUID_IN_16_BYTES, JSON_IN_TEXT, ENUM_IN_TEXT, VECTOR_IN_ARRAY),
    ),
    sql=SqlWords(
        values=word_set("current_catalog current_database current_schema current_timezone"),
        user_is_a_value=True,
        quotes="`",
        lambdas=True,
    ),
    # https://docs.databricks.com/en/ingestion/file-metadata-column.html
    pseudo_columns=frozenset({"_metadata"}),
)
