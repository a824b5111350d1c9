"""PostgreSQL behind PgBouncer in transaction mode: nothing of a session may leak from one statement to the next."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from include.schema_sync.compare.organization import diff_organization
from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.introspect.organizations import SourceAccess, introspect_organizations
from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.dataset import Dataset, DataSource, Organization
from include.schema_sync.nouns.discrepancy import Severity
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from tests.emulators.conftest import free_port, installed, running

SCHEMAS, ROUNDS = 12, 3


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """Vault JSON that leads to the pooler."""
    import psycopg

    here = shutil.which("pgbouncer")
    binary = Path(here) if here else installed("pgbouncer", "usr", "sbin", "pgbouncer")
    home, port = tmp_path_factory.mktemp("pgbouncer"), free_port()
    with running_postgres() as uri:
        server = urlsplit(uri)
        with psycopg.connect(uri, autocommit=True) as connection:
            for number in range(SCHEMAS):
                connection.execute(f"CREATE SCHEMA s{number}")  # type: ignore[arg-type]
                connection.execute(f"CREATE TABLE s{number}.orders (id int, c{number} text)")  # type: ignore[arg-type]
        (home / "users.txt").write_text(f'"postgres" "{server.password}"\n')
        (home / "pgbouncer.ini").write_text(
            f"[databases]\npostgres = host=127.0.0.1 port={server.port} password={server.password}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = plain\n"
            f"auth_file = {home / 'users.txt'}\npool_mode = transaction\ndefault_pool_size = 2\nunix_socket_dir =\n"
        )
        command = [str(binary), str(home / "pgbouncer.ini")]
        if os.geteuid() == 0:  # it refuses to run as root
            home.chmod(0o755)
            for parent in [home, *home.parents]:
                if str(parent).startswith("/tmp/"):
                    parent.chmod(parent.stat().st_mode | 0o055)
            command = ["setpriv", "--reuid=nobody", "--clear-groups", *command]
        libraries = binary.parents[1] / "lib"
        paths = ":".join(str(path) for path in libraries.glob("*-linux-gnu")) if here is None else ""
        with running(command, port, home / "log", environment={"LD_LIBRARY_PATH": paths} if paths else None):
            place = {"host": "127.0.0.1", "port": port, "database": "postgres"}
            yield {**place, "username": "postgres", "password": server.password}


def test_many_groups_share_two_server_connections(pool: dict[str, object]) -> None:
    dialect, settings = dialect_for("postgres"), Settings.from_environment({})
    sign_in = dialect.driver.from_vault(pool)
    groups = [
        GroupRequest("s", None, f"s{number}", ("orders", "gone"), {"orders": (f"c{number}", "nope")})
        for number in range(SCHEMAS)
    ]
    for _ in range(ROUNDS):
        found = introspect_source(
            lambda database: dialect.driver.open(sign_in, database, settings), dialect, groups, timeout_s=30
        )
        assert [group.snapshot.error for group in found] == [None] * SCHEMAS
        assert [[column.name for table in group.snapshot.tables for column in table.columns] for group in found] == [
            ["id", f"c{number}"] for number in range(SCHEMAS)
        ]


def test_what_queries_consist_of_is_compiled_in_a_pipeline_behind_the_pooler(pool: dict[str, object]) -> None:
    dialect, settings = dialect_for("postgres"), Settings.from_environment({})
    sign_in = dialect.driver.from_vault(pool)
    organization = Organization("o", "Acme", (DataSource("s", "Shop", "postgres"),))
    fields = "".join(f"  - {{name: m{number}, expr: 'sum(id + {number})'}}\n" for number in range(30))
    datasets = [
        Dataset(f"d{number}", "orders", "o", "s", None, f"s{number}",
                f"name: orders\nmetrics:\n{fields}  - {{name: broken, expr: sum(c{number})}}\n")
        for number in range(SCHEMAS)
    ]  # fmt: skip
    access = SourceAccess(dialect, "postgres", lambda database: dialect.driver.open(sign_in, database, settings), str)
    for _ in range(ROUNDS):
        found = introspect_organizations([organization], {"o": datasets}, lambda _: access, settings)
        report = diff_organization(found.snapshots[0], datasets)
        assert report.unchecked == ()
        broken = [(each.schema, each.column) for each in report.discrepancies if each.severity is Severity.CRITICAL]
        assert sorted(broken) == sorted((f"s{number}", "broken") for number in range(SCHEMAS))
        assert all(group.compiled > 30 for group in found.results[0].outcomes)
