"""What credentials of the vault reach: the organization's own files, and servers outside of the denied networks.

Rows of docs/security.md: "files of the worker", "the worker's network", "the worker's identity", "short secrets".
"""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest

from include.schema_sync.errors import TerminalError
from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for, tenants
from include.schema_sync.warehouses.sign_in import InvalidVaultJson, redactor

OWN, OTHER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
CANARY = "line-of-another-file"


def connect(engine: str, vault: dict[str, Any], organization: str = OWN, **env: str) -> Callable[[str | None], Any]:
    driver = dialect_for(engine).driver
    settings = Settings.from_environment({"SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS": "3", **env})
    return tenants.confined(driver, driver.from_vault(vault), organization, settings)


@pytest.fixture(autouse=True)
def not_guarded_afterwards() -> Iterator[None]:
    token = tenants._guard.set(None)
    yield
    tenants._guard.reset(token)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for organization in (OWN, OTHER):
        (tmp_path / organization).mkdir()
        with sqlite3.connect(tmp_path / organization / "shop.sqlite") as made:
            made.execute(f"CREATE TABLE orders_of_{organization[0]} (id integer)")
        with duckdb.connect(str(tmp_path / organization / "shop.duckdb")) as lake:
            lake.execute(f"CREATE TABLE orders_of_{organization[0]} (id integer)")
    (tmp_path / "airflow.db").write_bytes((tmp_path / OWN / "shop.sqlite").read_bytes())
    own = tmp_path / OWN
    (own / "link").symlink_to(tmp_path / OTHER / "shop.sqlite")
    (own / "folder").symlink_to(tmp_path / OTHER)
    (own / "circle").symlink_to(own / "circle")
    (own / "empty").touch()
    os.mkfifo(own / "fifo")
    return tmp_path


OUTSIDE = [
    "../{other}/shop.{engine}", "{root}/{other}/shop.{engine}", "{root}/airflow.db", "link", "folder/shop.{engine}",
    "circle", "empty", "fifo", "/dev/zero", "/dev/stdin", "/etc/passwd", "absent", "", ".", ":memory:", "a\0b",
    "file:{root}/airflow.db?mode=ro", "md:", "https://example.com/x.duckdb", "postgres:host=127.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
@pytest.mark.parametrize("path", OUTSIDE)
def test_no_file_is_opened_but_the_organizations_own(root: Path, engine: str, path: str):
    path = path.format(other=OTHER, root=root, engine=engine)
    with pytest.raises((TerminalError, InvalidVaultJson)) as refused:
        connect(engine, {"path": path}, SCHEMA_SYNC_FILE_ROOT=str(root))(None)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_the_organizations_own_file_is_read_by_its_name_or_its_path(root: Path, engine: str):
    for path in (f"shop.{engine}", str(root / OWN / f"shop.{engine}")):
        request = GroupRequest("s", None, "main", ("orders_of_1",))
        (read,) = introspect_source(
            connect(engine, {"path": path}, SCHEMA_SYNC_FILE_ROOT=str(root)),
            dialect_for(engine),
            [request],
            timeout_s=5,
        )
        assert [table.name for table in read.snapshot.tables] == ["orders_of_1"]


def test_without_a_file_root_no_file_is_read(root: Path):
    with pytest.raises(TerminalError, match="SCHEMA_SYNC_FILE_ROOT is not set"):
        connect("sqlite", {"path": str(root / OWN / "shop.sqlite")})(None)


def test_a_duckdb_view_over_a_file_of_the_worker_tells_nothing_of_its_content(root: Path, tmp_path: Path):
    secret = tmp_path / "secret.csv"
    secret.write_text(f"{CANARY},another\n1,2\n")
    with duckdb.connect(str(root / OWN / "shop.duckdb")) as lake:
        lake.execute(f"CREATE VIEW spy AS SELECT * FROM read_csv('{secret}')")
    secret.write_text(f"{CANARY}\nmore {CANARY},with,other,columns\n")
    needed = GroupRequest("s", None, "main", ("spy",), {"spy": ("nosuch",)})
    (read,) = introspect_source(
        connect("duckdb", {"path": "shop.duckdb"}, SCHEMA_SYNC_FILE_ROOT=str(root)), dialect_for("duckdb"), [needed],
        timeout_s=5,
    )  # fmt: skip
    said = f"{read.snapshot.error} {read.snapshot.probes}"
    assert f"more {CANARY}" not in said
    assert "with,other" not in said
    opened = connect("duckdb", {"path": "shop.duckdb"}, SCHEMA_SYNC_FILE_ROOT=str(root))(None)
    for statement in (
        f"SELECT * FROM read_text('{secret}')", f"ATTACH '{root / OTHER / 'shop.duckdb'}'", "LOAD httpfs",
        "INSTALL httpfs", "SET enable_external_access = true", f"COPY orders_of_1 TO '{tmp_path / 'out.csv'}'",
    ):  # fmt: skip
        with pytest.raises(duckdb.Error, match=r"disabled|locked"):
            opened.cursor().execute(statement)


@pytest.fixture
def listener() -> Iterator[tuple[int, list[Any]]]:
    """A port of this machine, and who came."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        came: list[Any] = []

        def accept() -> None:
            while True:
                try:
                    came.append(server.accept())
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)


LOOPBACK = ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "::1", "::ffff:127.0.0.1",
            "0.0.0.0", "::", "169.254.169.254", "fe80::1%lo", "64:ff9b::7f00:1", "2002:7f00:1::"]  # fmt: skip


def vault(engine: str, host: str, port: int) -> dict[str, Any]:
    return {
        "server" if engine == "sqlserver" else "host": host, "port": port, "database": "shop", "username": "reader",
        "password": "a-long-password",
    }  # fmt: skip


DRIVERS = {"postgres": "psycopg", "mysql": "mysql.connector", "redshift": "redshift_connector", "sqlserver": "pymssql"}
REFUSED = r"SCHEMA_SYNC_DENIED_NETWORKS.*SCHEMA_SYNC_ALLOWED_NETWORKS"
# Some drivers and machines know no addresses of version 6: then there is nothing to lead anywhere.
NO_SUCH_HOST = r"not known|[Aa]ddress family|resol|No address|Unknown"


@pytest.mark.parametrize("engine", DRIVERS)
@pytest.mark.parametrize("host", LOOPBACK)
def test_a_host_in_a_denied_network_is_refused_before_anything_is_sent(listener, engine, host):
    pytest.importorskip(DRIVERS[engine])
    port, came = listener
    with pytest.raises(Exception, match=REFUSED if ":" not in host else f"{REFUSED}|{NO_SUCH_HOST}") as refused:
        connect(engine, vault(engine, host, port))(None)
    assert came == []
    assert "a-long-password" not in str(refused.value)


def test_a_name_is_looked_up_once_and_what_was_checked_is_connected_to(monkeypatch, postgres_uri):
    """A name that leads to a fair address first and to this machine afterwards."""
    pytest.importorskip("psycopg")
    parts = urlsplit(postgres_uri)
    real, asked = socket.getaddrinfo if tenants._look_up is socket.getaddrinfo else tenants._look_up, []

    def rebinding(host: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", *args, **kwargs)

    monkeypatch.setattr(tenants, "_look_up", rebinding)
    secret = {**vault("postgres", "warehouse.example.com", parts.port or 0), "username": parts.username,
              "password": parts.password or "none-is-asked-for", "database": "postgres"}  # fmt: skip
    opened = connect("postgres", secret, SCHEMA_SYNC_ALLOWED_NETWORKS="127.0.0.1/32")(None)
    assert (opened.info.host, opened.info.hostaddr) == ("warehouse.example.com", "127.0.0.1")
    opened.close()
    assert asked == ["warehouse.example.com"]
    with pytest.raises(TerminalError, match=r"127\.0\.0\.2, where credentials of organizations may not lead"):
        connect("postgres", secret, SCHEMA_SYNC_ALLOWED_NETWORKS="127.0.0.1/32")(None)


@pytest.mark.parametrize("host", ["/var/run/postgresql", "db.example.com,127.0.0.1", "@abstract", " "])
def test_a_host_is_one_server(host):
    with pytest.raises((TerminalError, InvalidVaultJson)):
        connect("postgres", vault("postgres", host, 5432))(None)


KEY = '{"type": "service_account", "private_key": "k", "client_email": "e", "token_uri": "http://169.254.169.254/"}'


@pytest.mark.parametrize(
    ("engine", "secret"),
    [
        ("bigquery", {"project_id": "p"}),
        ("bigquery", {"project_id": "p", "key_file_path": "/etc/key.json"}),
        ("bigquery", {"project_id": "p", "service_account_key": '{"type": "external_account"}'}),
        ("bigquery", {"project_id": "p", "service_account_key": '{"type": "authorized_user"}'}),
        ("bigquery", {"project_id": "p", "service_account_key": None}),
        ("redshift", {"iam": True, "cluster_identifier": "c", "region": "eu-west-1", "database": "d", "username": "u"}),
        ("postgres", {"host": "h", "database": "d", "username": "u", "password": ""}),
        ("postgres", {"host": "h", "database": "d", "username": "u", "password": None}),
        ("snowflake", {"account_id": "169.254.169.254/#", "warehouse_id": "w", "username": "u", "password": "p",
                       "default_database": "d"}),
        ("duckdb", {"path": "md:shop"}),
    ],
)  # fmt: skip
def test_nothing_of_the_machines_own_identity_is_used(engine, secret):
    with pytest.raises(InvalidVaultJson):
        dialect_for(engine).driver.from_vault(secret)


def test_the_key_does_not_say_where_it_is_shown_and_postgres_offers_no_ticket_and_no_certificate():
    options = dialect_for("bigquery").driver.from_vault({"project_id": "p", "service_account_key": KEY}).options
    assert options["key"]["token_uri"] == "https://oauth2.googleapis.com/token"
    options = dialect_for("postgres").driver.from_vault(vault("postgres", "h", 1)).options
    assert (options["gssencmode"], options["sslcertmode"]) == ("disable", "disable")
    assert "gss" not in options["require_auth"]


def test_a_short_secret_is_no_word_to_be_searched_for():
    redact = redactor(["p", "short", "long-enough-secret"])
    assert redact("port 1 is short of long-enough-secret") == "port 1 is short of ***"
