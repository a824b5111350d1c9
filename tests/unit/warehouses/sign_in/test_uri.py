"""Connection URIs of the command line: what reaches the driver, and what is refused without repeating it."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote

import pytest

from include.schema_sync.check.connections import place_from_uri
from include.schema_sync.errors import TerminalError
from include.schema_sync.warehouses import DIALECTS, dialect_for
from tests.unit.warehouses.sign_in.conftest import (
    DRIVERS,
    SETTINGS,
    VAULT,
    Connected,
    Raw,
    pem,
)

# Connection URIs


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql+psycopg://r%40x:p%2Fw@db:6543/shop?sslmode=require&connect_timeout=3",
         {"host": "db", "port": 6543, "dbname": "shop", "user": "r@x", "password": "p/w", "sslmode": "require",
          "connect_timeout": "3"}),
        ("postgres:///shop?host=/run/pg", {"host": "/run/pg", "dbname": "shop", "user": None, "connect_timeout": 7}),
        ("redshift+redshift_connector://reader:p@h/shop?sslmode=disable&timeout=4",
         {"host": "h", "port": 5439, "database": "shop", "user": "reader", "ssl": False, "timeout": 4}),
        ("redshift://reader@/shop?iam=true&cluster_identifier=c&region=r&access_key_id=AK&secret_access_key=s",
         {"iam": True, "cluster_identifier": "c", "region": "r", "db_user": "reader", "access_key_id": "AK",
          "secret_access_key": "s", "password": None}),
        ("redshift:///shop?iam=true&workgroup=wg&region=r", {"is_serverless": True, "serverless_work_group": "wg"}),
        ("mysql+pymysql://u:p@h/shop?charset=latin1&connection_timeout=3&ssl_disabled=true",
         {"charset": "latin1", "connection_timeout": 3, "ssl_disabled": True, "port": 3306}),
        ("mariadb://u:p@h/shop?charset=utf8mb4", {"charset": "utf8mb4", "read_timeout": 55, "database": None}),
        ("snowflake://u:p@acc/SHOP/RAW?warehouse=w&schema=OTHER&login_timeout=30&role=R",
         {"account": "acc", "database": "SHOP", "schema": "RAW", "warehouse": "w", "role": "R", "login_timeout": 30,
          "password": "p"}),
        ("snowflake://u@acc/SHOP?schema=OTHER&token=pat",
         {"schema": "OTHER", "authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": "pat", "password": None}),
        ("snowflake://u@acc/SHOP?private_key_file=/k.p8&private_key_passphrase=pp",
         {"private_key_file": "/k.p8", "private_key_file_pwd": "pp", "password": None}),
        ("mssql+pymssql://u:p@h:14330/shop?login_timeout=3&encryption=require",
         {"server": "h", "port": "14330", "database": "shop", "login_timeout": 3, "encryption": "require"}),
        ("databricks+connector://token:t@h?http_path=/x&catalog=main&schema=s&enable_telemetry=true",
         {"server_hostname": "h", "http_path": "/x", "access_token": "t", "catalog": "main", "schema": "s",
          "enable_telemetry": True, "_socket_timeout": 200}),
        ("databricks://token:t@h/main?http_path=/x", {"catalog": "main"}),
        ("duckdb:////data/a%20b.duckdb", {"database": "/data/a b.duckdb", "read_only": True}),
        ("duckdb:///md:shop?motherduck_token=t", {"database": "md:shop", "config": {"motherduck_token": "t"}}),
        ("motherduck://:t@/shop", {"database": "md:shop", "config": {"motherduck_token": "t"}}),
        ("sqlite:////data/100%25.db", {"database": "file:///data/100%25.db?mode=ro"}),
    ],
)  # fmt: skip
def test_a_uri_reaches_its_driver(uri: str, expected: dict[str, Any], connected: Connected) -> None:
    engine = dialect_for(uri.partition(":")[0].partition("+")[0]).name
    given = connected(engine, uri=uri)
    assert {key: given.get(key) for key in expected} == expected


def test_a_key_pair_in_a_uri_reaches_the_driver(connected: Connected) -> None:
    text = quote(pem("pp"), safe="")
    given = connected("snowflake", uri=f"snowflake://u@acc/SHOP?private_key={text}&private_key_passphrase=pp")
    assert given["private_key"][:1] == b"0"
    assert "password" not in given
    with pytest.raises(TerminalError, match="private_key"):
        place_from_uri("snowflake://u@acc/SHOP?private_key=CANARY", None, SETTINGS)


def test_a_service_principal_in_a_uri_reaches_databricks(connected: Connected) -> None:
    for uri in (
        "databricks://app-1:s3cret@h?http_path=/x",
        "databricks://h?http_path=/x&client_id=app-1&client_secret=s3cret",
    ):
        given = connected("databricks", uri=uri)
        assert given["credentials_provider"].client_id == "app-1"
        assert "access_token" not in given


def test_an_option_that_the_driver_does_not_know_is_terminal(connected: Connected) -> None:
    with pytest.raises(TerminalError, match=r"knows no such option.*'sslmod"):
        connected("redshift", uri="redshift://u:p@h/shop?sslmod=disable")


def test_every_wait_has_an_end_and_a_warehouse_may_take_its_time_to_start(connected: Connected) -> None:
    """Snowflake's ``network_timeout`` is the timer of each statement too: below the server's own it cancels them."""
    given = connected("snowflake", VAULT["snowflake"])
    session = given["session_parameters"]
    assert session["STATEMENT_TIMEOUT_IN_SECONDS"] == 250
    assert given["network_timeout"] > session["STATEMENT_TIMEOUT_IN_SECONDS"]
    assert connected("databricks", VAULT["databricks"])["_retry_stop_after_attempts_duration"] == 200
    assert {name for name, dialect in DIALECTS.items() if dialect.driver.wakes_up} == {"snowflake", "databricks"}


def test_databricks_connection_says_when_it_is_closed(monkeypatch: pytest.MonkeyPatch, connected: Connected) -> None:
    connected("databricks", VAULT["databricks"])
    driver = dialect_for("databricks").driver
    monkeypatch.setattr(sys.modules["databricks.sql"], "connect", lambda **_: Raw())
    connection = driver.open(driver.from_vault(VAULT["databricks"]), None, SETTINGS)
    assert not connection.closed
    connection.close()
    assert connection.closed


@pytest.mark.parametrize("engine", ["postgres", "databricks"])
def test_a_missing_driver_is_terminal_and_says_what_to_install(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = dialect_for(engine).driver
    monkeypatch.setitem(sys.modules, DRIVERS[engine].partition(".")[0], None)
    with pytest.raises(TerminalError, match="Run: pip install ") as raised:
        driver.open(driver.from_vault(VAULT[engine]), None, SETTINGS)
    assert driver.package in str(raised.value)


@pytest.mark.parametrize(
    ("uri", "type_", "database", "schema"),
    [
        ("postgresql+psycopg://u:p@h:1/shop", "postgres", "shop", "public"),
        ("redshift://u:p@h/shop", "redshift", "shop", "public"),
        ("mariadb://u:p@h/shop", "mysql", "shop", "shop"),
        ("mssql+pymssql://u:p@h/shop", "sqlserver", "shop", "dbo"),
        ("snowflake://u:p@acc/SHOP/RAW?warehouse=w", "snowflake", "SHOP", "RAW"),
        ("bigquery://project/sales", "bigquery", "project", "sales"),
        ("databricks://token:t@h?http_path=/x&catalog=main", "databricks", "main", "default"),
        ("sqlite:////data/shop.db", "sqlite", "shop", "main"),
        ("duckdb:///main.duckdb", "duckdb", "main_db", "main"),
        ("motherduck://:token@/shop", "duckdb", "shop", "main"),
    ],
)
def test_a_uri_says_what_and_where(uri: str, type_: str, database: str, schema: str) -> None:
    place = place_from_uri(uri, None, SETTINGS)
    assert (place.access.dialect.name, place.access.own_database, place.schema) == (type_, database, schema)


@pytest.mark.parametrize(
    "uri",
    [
        "CANARY",
        "postgres://u:p@CANARY@h/db",
        "postgres://u/CANARY@h/db",
        "postgres://u:p@h:CANARY/db",
        "postgres://u:CANARY@[h/db",
        "bigquery://p/d?credentials_base64=CANARY",
        "nosuch://CANARY@h",
    ],
)
def test_a_uri_that_cannot_be_read_is_not_repeated(uri: str) -> None:
    with pytest.raises(TerminalError) as told:
        place_from_uri(uri, None, SETTINGS)
    assert "CANARY" not in str(told.value)
    assert told.value.__context__ is None or "CANARY" not in str(told.value.__context__)


def test_secrets_are_taken_out_in_every_spelling() -> None:
    redact = place_from_uri("postgres://bob:p%40ss%2Fword@h/db?sslpassword=hidden-one", None, SETTINGS).access.redact
    told = redact('bad p@ss/word, p%40ss%2Fword and hidden-one for user "bob" at bob:x, bobsled')
    assert told == 'bad ***, *** and *** for user "***" at ***:x, bobsled'
