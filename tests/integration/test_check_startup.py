"""What a check of a small repository costs is mostly its start: what it imports, counted."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

# Each alone takes longer to import than a check of one file; drivers and the SQL parser come when they are needed.
HEAVY = {"airflow", "sqlalchemy", "pydantic", "rich", "typer", "sqlglot", "rapidfuzz", "slack_sdk", "psycopg", "duckdb",
         "argcomplete"}  # fmt: skip


def test_one_file_on_sqlite_imports_nothing_heavy(tmp_path, project_root):
    sqlite3.connect(tmp_path / "shop.db").execute("CREATE TABLE orders (id integer)").connection.close()
    (tmp_path / "orders.yml").write_text("name: orders\ndimensions: [{name: id, type: integer}]\n")
    environment = {**os.environ, "PYTHONPATH": str(project_root), "SCHEMA_SYNC_CHECK_CONNECTION": "sqlite:///shop.db"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "include.schema_sync", "check", "orders.yml"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert {name for name in imported if name.partition(".")[0] in HEAVY} == set()
    assert len(imported) < 275
    assert "include.schema_sync.repair.patches" not in imported  # nothing is to be repaired
