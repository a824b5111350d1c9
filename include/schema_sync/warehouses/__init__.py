"""Every warehouse that Schema Sync knows: one file each, listed here by hand. ``README.md`` tells how to add one."""

from __future__ import annotations

from ..errors import TerminalError
from .bigquery import BIGQUERY
from .databricks import DATABRICKS
from .duckdb import DUCKDB
from .engine import Dialect
from .mysql import MYSQL
from .postgres import POSTGRES
from .redshift import REDSHIFT
from .snowflake import SNOWFLAKE
from .sql_words import STANDARD, SqlWords
from .sqlite import SQLITE
from .sqlserver import SQLSERVER
from .type_vocabulary import GENERAL, Vocabulary

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect
    for dialect in (POSTGRES, REDSHIFT, SNOWFLAKE, BIGQUERY, DATABRICKS, MYSQL, SQLSERVER, DUCKDB, SQLITE)
}

_BY_WORD = {word: dialect for dialect in DIALECTS.values() for word in (dialect.name, *dialect.aliases)}


def dialect_for(type_text: str) -> Dialect:
    """Find the dialect of a ``data_sources.type``, by name or alias in any letter case.

    :raises TerminalError: a type that is not known; the message lists those that are.
    """
    dialect = _BY_WORD.get(type_text.strip().lower())
    if dialect is None:
        known = ", ".join(sorted(_BY_WORD))
        raise TerminalError(
            f"Data source type {type_text!r} is not known. Known types: {known}. "
            "Correct the type of this data source, or add a dialect as include/schema_sync/warehouses/README.md says."
        )
    return dialect


def sql_words_of(type_text: str) -> SqlWords:
    """What is particular about its SQL; the standard's for a type of data source that is not known."""
    dialect = _BY_WORD.get(type_text.strip().lower())
    return STANDARD if dialect is None else dialect.sql


def vocabulary_of(type_text: str) -> Vocabulary:
    """What the words of types mean; general words only for a type of data source that is not known."""
    dialect = _BY_WORD.get(type_text.strip().lower())
    return GENERAL if dialect is None else dialect.vocabulary
