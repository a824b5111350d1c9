"""Every engine that the warehouse suite runs on, listed by hand. ``base.py`` tells what a row is."""

from __future__ import annotations

from engines import duckdb, mariadb, postgres, redshift, snowflake, sqlite
from engines.base import Engine

ENGINES: dict[str, Engine] = {
    "postgres": postgres.ENGINE,
    "redshift": redshift.ENGINE,
    "snowflake": snowflake.ENGINE,
    "mariadb": mariadb.ENGINE,
    "duckdb": duckdb.ENGINE,
    "sqlite": sqlite.ENGINE,
}

# Dialects that no engine can answer for here, each with the reason; golden tests hold their queries.
GOLDEN_ONLY: dict[str, str] = {
    "bigquery": "a service of Google's; its emulator knows few types and no COLUMN_FIELD_PATHS",
    "databricks": "a service; Spark without Unity Catalog has no information_schema",
    "sqlserver": "Microsoft's server comes as a container or an installer only, neither of which tests may start",
}
