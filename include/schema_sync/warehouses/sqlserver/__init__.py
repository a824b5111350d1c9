"""SQL Server 2016 and later, Azure SQL Database, Azure SQL Managed Instance.

Names: https://learn.microsoft.com/sql/relational-databases/databases/database-identifiers
Catalogue: https://learn.microsoft.com/sql/relational-databases/system-catalog-views/object-catalog-views-transact-sql,
https://learn.microsoft.com/sql/relational-databases/security/metadata-visibility-configuration
Rights: https://learn.microsoft.com/sql/t-sql/functions/has-perms-by-name-transact-sql
Errors: https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors
"""

from __future__ import annotations

import re

from ...nouns.snapshot import GroupRequest
from .. import type_vocabulary as types
from ..engine import Dialect, Failure, Query, by_code, quote_with, zero_row_select
from ..names import NameCase, unquote
from ..sql_words import SqlWords, word_set
from ..type_vocabulary import Carrier, Family
from .connection import DRIVER

# sys.*, because INFORMATION_SCHEMA has no alias types, synonyms or lengths in one place, and COLUMNS lacks precision.
#
# - Names are compared without letter case whatever the database's collation: the caller tells which one is meant. An
#   explicit collation also keeps two databases of different collations from a conflict (error 468).
# - The table names are XML: 2 100 parameters are the limit, OPENJSON needs compatibility level 130 in the database that
#   the connection happens to be in, and both STRING_SPLIT and a LIKE list would read names as syntax.
# - A synonym stands for its table when that is in the same database. One into another database or server is left out,
#   and the probe finds that it can be queried.
# - HAS_PERMS_BY_NAME is worked out once for each table (an aggregate forces that), and for each column only where it
#   may differ: without the right on the table, or with rights on columns. It says NULL where it cannot tell, such as
#   for a name longer than 128 characters with its quotes: then the table is not called unreadable.
# - What the role has no right on at all is not listed ("metadata visibility"): it looks absent, and the probe tells.
# - max_length counts bytes: two for each character of nchar and nvarchar. -1 is max.
# - Rows are ordered by object, not by name: in a case-insensitive order two names could mix.
# - Tables alone have a number: ALTER VIEW gives its columns new ones, and a synonym can be pointed elsewhere. That of a
#   dropped column is never used again (sys.tables.max_column_id_used).
# - Bare NULLs, because a typed one would bring the connection's collation into the UNION.
_COLUMNS_SQL = """\
WITH
candidates AS (
  SELECT s.schema_id, s.name,
         CASE WHEN s.name COLLATE Latin1_General_100_BIN2 = %(schema)s THEN 0 ELSE 1 END AS choice,
         COUNT(*) OVER () AS rivals
  FROM {catalog}sys.schemas AS s
  WHERE s.name COLLATE Latin1_General_100_CI_AS = %(schema)s
),
namespace AS (
  SELECT schema_id, name FROM candidates WHERE choice = 0 OR rivals = 1
),
asked AS (
  SELECT DISTINCT item.node.value('.', 'nvarchar(4000)') COLLATE Latin1_General_100_CI_AS AS name
  FROM (SELECT CAST(%(tables)s AS xml) AS list) AS names
  CROSS APPLY names.list.nodes('/t') AS item(node)
),
listed AS (
  SELECT o.object_id, o.name, o.type, a.name AS asked
  FROM namespace AS n
  JOIN {catalog}sys.objects AS o ON o.schema_id = n.schema_id AND o.type IN ('U', 'V', 'ET', 'SN')
  LEFT JOIN asked AS a ON a.name = o.name COLLATE Latin1_General_100_CI_AS
),
found AS (
  SELECT l.object_id, l.name, l.object_id AS source,
         CASE WHEN l.type = 'V' THEN 'view' WHEN l.type = 'ET' OR t.is_external = 1 THEN 'external table'
              ELSE 'table' END AS kind
  FROM listed AS l
  LEFT JOIN {catalog}sys.tables AS t ON t.object_id = l.object_id
  WHERE l.asked IS NOT NULL AND l.type <> 'SN'
  UNION ALL
  SELECT l.object_id, l.name, target.object_id, 'synonym'
  FROM listed AS l
  JOIN {catalog}sys.synonyms AS y ON y.object_id = l.object_id
  JOIN {catalog}sys.schemas AS s
    ON s.name = COALESCE(PARSENAME(y.base_object_name, 2), 'dbo') COLLATE Latin1_General_100_CI_AS
  JOIN {catalog}sys.objects AS target
    ON target.schema_id = s.schema_id AND target.type IN ('U', 'V', 'ET')
   AND target.name = PARSENAME(y.base_object_name, 1) COLLATE Latin1_General_100_CI_AS
  WHERE l.asked IS NOT NULL AND PARSENAME(y.base_object_name, 4) IS NULL
    AND COALESCE(PARSENAME(y.base_object_name, 3), COALESCE(%(database)s, DB_NAME()))
        = COALESCE(%(database)s, DB_NAME()) COLLATE Latin1_General_100_CI_AS
),
rights AS (
  SELECT f.object_id, f.name, f.source, f.kind, securable.name AS securable,
         MAX(HAS_PERMS_BY_NAME(securable.name, 'OBJECT', 'SELECT')) AS whole,
         MAX(CASE WHEN p.major_id IS NULL THEN 0 ELSE 1 END) AS by_column
  FROM found AS f
  CROSS JOIN namespace AS n
  LEFT JOIN {catalog}sys.database_permissions AS p ON p.class = 1 AND p.major_id = f.source AND p.minor_id > 0
  CROSS APPLY (
    SELECT COALESCE(QUOTENAME(%(database)s) + '.', '') + QUOTENAME(n.name) + '.' + QUOTENAME(f.name) AS name
  ) AS securable
  GROUP BY f.object_id, f.name, f.source, f.kind, securable.name
),
columns AS (
  SELECT r.object_id, r.name AS table_name, r.kind, c.column_id, c.name,
         CASE WHEN t.is_user_defined = 1 THEN ts.name + '.' + t.name
              ELSE t.name + CASE WHEN t.name = 'sysname' THEN '' ELSE form.parameters END END AS type,
         CASE WHEN t.is_user_defined = 1 OR t.name = 'sysname' THEN b.name + form.parameters END AS base_type,
         CASE WHEN r.whole = 0 OR r.by_column = 1
              THEN COALESCE(HAS_PERMS_BY_NAME(r.securable, 'OBJECT', 'SELECT', c.name, 'COLUMN'), 1)
              ELSE 1 END AS readable,
         r.whole
  FROM rights AS r
  LEFT JOIN {catalog}sys.columns AS c ON c.object_id = r.source
  LEFT JOIN {catalog}sys.types AS t ON t.user_type_id = c.user_type_id
  LEFT JOIN {catalog}sys.schemas AS ts ON ts.schema_id = t.schema_id
  LEFT JOIN {catalog}sys.types AS b ON b.user_type_id = c.system_type_id
  CROSS APPLY (
    SELECT CASE
      WHEN b.name IN ('char', 'varchar', 'binary', 'varbinary', 'nchar', 'nvarchar') AND c.max_length = -1 THEN '(max)'
      WHEN b.name IN ('nchar', 'nvarchar') THEN '(' + CAST(c.max_length / 2 AS varchar(10)) + ')'
      WHEN b.name IN ('char', 'varchar', 'binary', 'varbinary') THEN '(' + CAST(c.max_length AS varchar(10)) + ')'
      WHEN b.name IN ('decimal', 'numeric')
        THEN '(' + CAST(c.precision AS varchar(10)) + ',' + CAST(c.scale AS varchar(10)) + ')'
      WHEN b.name IN ('time', 'datetime2', 'datetimeoffset') THEN '(' + CAST(c.scale AS varchar(10)) + ')'
      ELSE '' END AS parameters
  ) AS form
)
SELECT n.name, answer.name, answer.kind, CAST(answer.readable AS bit),
       answer.column_name, answer.type, answer.base_type, CAST(answer.column_readable AS bit),
       CASE WHEN answer.kind = 'table' AND answer.object_id > 0 THEN answer.object_id END, answer.column_id
FROM namespace AS n
CROSS JOIN (
  SELECT NULL AS object_id, NULL AS name, NULL AS kind, NULL AS readable,
         NULL AS column_id, NULL AS column_name, NULL AS type, NULL AS base_type, NULL AS column_readable
  UNION ALL
  SELECT object_id, table_name, kind,
         CASE WHEN COALESCE(whole, 1) = 1 OR MAX(readable) OVER (PARTITION BY object_id) = 1 THEN 1 ELSE 0 END,
         column_id, name, type, base_type, readable
  FROM columns
  UNION ALL
  SELECT object_id, name, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM (
    SELECT TOP (50000) l.object_id, l.name
    FROM listed AS l
    WHERE l.asked IS NULL AND (SELECT COUNT(DISTINCT asked) FROM listed) < (SELECT COUNT(*) FROM asked)
  ) AS neighbours
) AS answer
ORDER BY answer.object_id, answer.column_id
"""

# The driver puts values in place of %(…)s on this side of the wire and knows no escape for it: a database of such a
# name cannot be asked.
_UNASKABLE_SQL = "THROW 50000, N'The driver cannot be given a database whose name holds a placeholder.', 1"
_PLACEHOLDER = re.compile(r"%\([^)]*\)[sd]")
# https://www.w3.org/TR/xml/#charsets
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# Read committed, because an uncommitted DROP may be rolled back: a table that goes and comes would be called missing.
# Instead, waiting for somebody's DDL ends after a while (error 1222), and the group is unchecked.
_SESSION_SQL = "SET LOCK_TIMEOUT {timeout_ms}"

# pymssql's errors read (208, b"Invalid object name 'x'.DB-Lib error message …") where nobody has taken them apart.
_NUMBER = re.compile(r"\(+(\d{2,6}), b?['\"]")
_OF_THE_CATALOGUE = re.compile(r"Invalid object name '(?:.*\.)?sys\.\w+'", re.DOTALL)
_FAILURES = by_code(
    (Failure.MISSING_DATABASE, "911"),
    # 4413, 4502: a view whose table or columns were changed or dropped: it is listed, and cannot be selected from.
    (Failure.MISSING_TABLE, "208 4413 4502"),
    (Failure.MISSING_COLUMN, "207 4104"),
    (Failure.DENIED, "229 230 262 297 300 916 15562"),
    # Logins: refused, locked, expired, not allowed from here. 4060 means that the database is not there *or* that the
    # login may not enter it: nobody can tell, so it is not called missing.
    (Failure.TERMINAL, "4060 4062 18450 18451 18452 18456 18458 18470 18486 18487 18488"),
    (Failure.TERMINAL, "40515 40532 40607 40615 40914 47073"),  # Azure: other database, firewall
    # Statements that this server does not take: syntax, unknown function, collation, data type.
    (Failure.TERMINAL, "102 105 156 170 174 195 245 319 321 402 468 1018 1934 2812 4121 8114 9402 9420 15151 50000"),
)

quote = quote_with("[", "]")


def columns_query(request: GroupRequest) -> Query:
    """Ask for the requested tables of one schema in one statement; only the database is an identifier in it."""
    from xml.sax.saxutils import escape  # brings Python's HTTP and TLS along, which nobody else needs at the start

    database = None if request.database is None else unquote(request.database)[0]
    tables = sorted({unquote(table)[0] for table in request.tables})
    parameters: dict[str, object] = {
        "database": database,
        "schema": unquote(request.schema)[0],
        "tables": "".join(f"<t>{escape(name, _XML_ESCAPES)}</t>" for name in tables if not _NOT_IN_XML.search(name)),
    }
    if database is not None and _PLACEHOLDER.search(database):
        return Query(_UNASKABLE_SQL, {})
    return Query(_COLUMNS_SQL.format(catalog="" if database is None else f"{quote(database)}."), parameters)


def classify(code: str | None, text: str) -> Failure:
    """Tell what an error means by its number, which may only stand in the text."""
    match = _NUMBER.match(text.lstrip())
    number = code or (match[1] if match else "")
    if number == "208" and _OF_THE_CATALOGUE.search(text):
        return Failure.MISSING_DATABASE  # [shop].sys.objects is not there because the database is not
    return _FAILURES.get(number, Failure.TRANSIENT)


def _place(request: GroupRequest) -> tuple[str, ...]:
    """T-SQL reserves words that others do not (``backup``, ``plan``), so the database is quoted as the rest is."""
    database = () if request.database is None else (quote(unquote(request.database)[0]),)
    return (*database, request.schema)


probe = zero_row_select(quote, _place)
_XML_ESCAPES = {"\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}  # whatever a reader of XML makes of white space

SQLSERVER = Dialect(
    name="sqlserver",
    label="SQL Server",
    aliases=("mssql",),
    sqlglot="tsql",
    table_case=NameCase.INSENSITIVE,
    column_case=NameCase.INSENSITIVE,
    columns_query=columns_query,
    classify=classify,
    denies_only_what_exists=True,  # 208 is what a missing object is answered with, 229 one that is there
    quote=quote,
    probe=probe,
    # https://learn.microsoft.com/sql/t-sql/data-types/data-types-transact-sql: `timestamp` is rowversion.
    vocabulary=types.Vocabulary(
        *types.sides(
            {**types.BIT_IS_BOOLEAN, **types.words(Family.OTHER, "sql_variant, variant", kind="sqlvariant")},
            {**types.FLOAT_64, **types.words(Family.BINARY, "timestamp", kind="rowversion")},
        ),
        carriers=(Carrier(Family.JSON, Family.STRING, kinds=frozenset({"varchar", "nvarchar"})), types.ENUM_IN_TEXT),
        money_is_decimal=True,
        boolean_is_number=True,
    ),
    driver=DRIVER,
    sql=SqlWords(
        values=frozenset({"system_user"}),
        user_is_a_value=True,
        quotes='"[',
        # Methods of xml, geometry, geography and hierarchyid.
        column_methods=word_set(
            "value query exist nodes modify stastext starea stdistance stlength stintersects stcontains stwithin "
            "stbuffer stcentroid stenvelope stequals tostring getancestor getdescendant getlevel isdescendantof"
        ),
    ),
    session_statements=(_SESSION_SQL,),
    # https://learn.microsoft.com/sql/relational-databases/graphs/sql-graph-architecture
    pseudo_columns=frozenset({"$rowguid", "$identity", "$node_id", "$edge_id", "$from_id", "$to_id"}),
)
