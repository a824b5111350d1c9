"""Every way to sign in, up to the driver's own connect function: vault JSON and connection URIs, with real parsing."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any
from urllib.parse import quote

import pytest

from include.schema_sync.check.connections import place_from_uri
from include.schema_sync.errors import TerminalError
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import DIALECTS, dialect_for
from include.schema_sync.warehouses.sign_in import InvalidVaultJson

SETTINGS = Settings.from_environment(
    {
        "SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS": "7",
        "SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS": "50",
        "SCHEMA_SYNC_WAKE_UP_SECONDS": "200",
    }
)

# Every key that has no `?`, one of those between `|`.
VAULT: dict[str, dict[str, Any]] = {
    "postgres": {"host": "db", "database": "shop", "username": "reader", "password": "p@ss"},
    "redshift": {"host": "c.eu-west-1.redshift.amazonaws.com", "database": "shop", "username": "reader",
                 "password": "p@ss"},
    "snowflake": {"account_id": "org-acc", "warehouse_id": "wh", "default_database": "SHOP", "username": "reader",
                  "password": "p@ss"},
    "bigquery": {"project_id": "shop-prod", "service_account_key": {"type": "service_account"}},
    "databricks": {"host": "x.cloud.databricks.com", "warehouse_id": "abc", "access_token": "dapi-1"},
    "mysql": {"host": "db", "database": "shop", "username": "reader", "password": "p@ss"},
    "sqlserver": {"server": "db", "database": "shop", "username": "reader", "password": "p@ss"},
    "duckdb": {"path": "/data/shop.duckdb"},
    "sqlite": {"path": "/data/shop.db"},
}  # fmt: skip

# Where each driver's own connect function is, and how a call is checked as the driver itself would.
DRIVERS = {
    "postgres": "psycopg.connect",
    "redshift": "redshift_connector.connect",
    "snowflake": "snowflake.connector.connect",
    "databricks": "databricks.sql.connect",
    "mysql": "mysql.connector.connect",
    "sqlserver": "pymssql.connect",
    "duckdb": "duckdb.connect",
    "sqlite": "sqlite3.connect",
}

Connected = Callable[..., dict[str, Any]]


class Raw:
    """What the stubs return."""

    def __init__(self) -> None:
        self.open = True
        self._usock = self
        self.read_timeout: float | None = None
        self.timeout = 0

    def settimeout(self, seconds: float) -> None:
        self.read_timeout = seconds

    def close(self) -> None:
        self.open = False


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> Connected:
    """Sign in and connect with the driver's connect function stubbed → the arguments that reached it.

    With ``uri`` or with vault JSON; ``driver`` names another connect function than the engine's usual one.
    """

    def run(
        engine: str, secret: Mapping[str, Any] | None = None, *, uri: str | None = None, driver: str | None = None
    ) -> dict[str, Any]:
        calls: list[dict[str, Any]] = []
        path = driver or DRIVERS[engine]
        module, _, function = path.rpartition(".")
        real = _real(module, function, monkeypatch)

        def connect(*arguments: Any, **options: Any) -> Raw:
            if real is not None:
                _as_the_driver_would(engine, real, arguments, options)
            calls.append({**options, **({"arguments": arguments} if arguments else {}), **_pems(options)})
            return Raw()

        monkeypatch.setattr(sys.modules[module], function, connect)
        if uri is not None:
            place_from_uri(uri, None, SETTINGS).access.connect(None)
        else:
            owner = dialect_for(engine).driver
            owner.open(owner.from_vault(secret or {}), None, SETTINGS)
        (call,) = calls
        return call

    return run


def _real(module: str, function: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    try:
        found = find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # ValueError: made here, for an earlier call of the same test
        found = False
    if found:
        __import__(module)
        return getattr(sys.modules[module], function)
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        name = ".".join(parts[:number])
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        if number > 1:
            monkeypatch.setattr(sys.modules[".".join(parts[: number - 1])], parts[number - 1], sys.modules[name],
                                raising=False)  # fmt: skip
    monkeypatch.setattr(sys.modules[module], function, None, raising=False)
    monkeypatch.setattr(sys.modules[module], "Error", ValueError, raising=False)
    return None


def _as_the_driver_would(engine: str, real: Any, arguments: Any, options: Any) -> None:
    """Refuse an option that the driver does not know."""
    if engine == "postgres":
        from psycopg.conninfo import make_conninfo

        make_conninfo(**options)
    elif engine == "mysql":
        from mysql.connector.constants import DEFAULT_CONFIGURATION

        assert options.keys() <= DEFAULT_CONFIGURATION.keys()
    elif engine == "snowflake":
        from snowflake.connector.connection import DEFAULT_CONFIGURATION as KNOWN

        assert options.keys() <= KNOWN.keys()
        wrong = {key: value for key, value in options.items() if not isinstance(value, KNOWN[key][1])}
        assert not wrong
    elif engine not in ("duckdb", "sqlite"):
        inspect.signature(real).bind(*arguments, **options)


def _pems(options: Mapping[str, Any]) -> dict[str, str]:
    """What certificates' files hold while connecting; nobody else may read them."""
    texts = {}
    for key, value in options.items():
        if isinstance(value, str) and value.endswith(".pem"):
            assert os.stat(value).st_mode & 0o077 == 0
            with open(value) as file:
                texts[key] = f"file with {file.read()}"
    return texts


@lru_cache
def pem(passphrase: str | None = None) -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


# Vault JSON


@pytest.mark.parametrize(
    ("engine", "keys", "expected"),
    [
        ("postgres", {}, {"host": "db", "port": 5432, "dbname": "shop", "user": "reader", "password": "p@ss",
                          "connect_timeout": 7, "application_name": "schema-sync"}),
        ("postgres", {"database": None, "default_database": "other", "port": "6543", "connection_timeout": 2500},
         {"dbname": "other", "port": 6543, "connect_timeout": 3}),
        ("postgres", {"ssl": True}, {"sslmode": "require"}),
        ("postgres", {"ssl": False}, {"sslmode": None}),
        ("postgres", {"ssl": {"rejectUnauthorized": False}}, {"sslmode": "require"}),
        ("postgres", {"ssl": {"rejectUnauthorized": True}}, {"sslmode": "verify-full", "sslrootcert": "system"}),
        ("postgres", {"ssl": {"ca": "CA", "cert": "CERT", "key": "KEY"}},
         {"sslmode": "verify-full", "sslrootcert": "file with CA", "sslcert": "file with CERT",
          "sslkey": "file with KEY"}),
        ("redshift", {"connection_timeout": 2500},
         {"host": "c.eu-west-1.redshift.amazonaws.com", "port": 5439, "database": "shop", "user": "reader",
          "password": "p@ss", "timeout": 3, "ssl": None}),
        ("redshift", {"ssl": False}, {"ssl": False}),
        ("redshift", {"ssl": {"rejectUnauthorized": False}}, {"ssl": True, "sslmode": "verify-ca"}),
        ("redshift", {"ssl": {"rejectUnauthorized": True}}, {"ssl": True, "sslmode": "verify-full"}),
        ("redshift", {"host": None, "password": None, "iam": True, "cluster_identifier": "shop", "region": "eu-west-1",
                      "access_key_id": "AKIA1", "secret_access_key": "s3cret"},
         {"iam": True, "cluster_identifier": "shop", "region": "eu-west-1", "access_key_id": "AKIA1",
          "secret_access_key": "s3cret", "db_user": "reader", "database": "shop", "user": None, "password": None}),
        ("redshift", {"host": None, "password": None, "username": None, "iam": True, "workgroup": "wg",
                      "region": "eu-west-1", "access_key_id": "AKIA1", "secret_access_key": "s3cret"},
         {"iam": True, "is_serverless": True, "serverless_work_group": "wg", "region": "eu-west-1", "db_user": None}),
        ("snowflake", {"role": "ANALYST", "default_schema": "RAW"},
         {"account": "org-acc", "warehouse": "wh", "database": "SHOP", "user": "reader", "password": "p@ss",
          "role": "ANALYST", "schema": "RAW", "login_timeout": 7}),
        ("snowflake", {"password": None, "token": "pat-1"},
         {"authenticator": "PROGRAMMATIC_ACCESS_TOKEN", "token": "pat-1", "user": "reader", "password": None}),
        ("databricks", {"default_catalog": "main", "default_schema": "sales"},
         {"server_hostname": "x.cloud.databricks.com", "http_path": "/sql/1.0/warehouses/abc",
          "access_token": "dapi-1", "catalog": "main", "schema": "sales", "enable_telemetry": False}),
        ("databricks", {"http_path": "/p", "access_token": None, "api_key": "key"},
         {"http_path": "/p", "access_token": "key", "catalog": None}),
        ("mysql", {"charset": "latin1"}, {"host": "db", "port": 3306, "user": "reader", "password": "p@ss",
                                          "charset": "latin1", "connection_timeout": 7, "read_timeout": 55}),
        ("mysql", {"ssl": {"ca": "CA"}}, {"ssl_ca": "file with CA", "ssl_verify_cert": True,
                                          "ssl_verify_identity": True, "charset": "utf8mb4", "database": None}),
        ("mysql", {"ssl": {"rejectUnauthorized": False}}, {"ssl_ca": None, "ssl_verify_cert": None}),
        ("sqlserver", {}, {"server": "db", "port": "1433", "user": "reader", "password": "p@ss", "database": "shop",
                           "login_timeout": 7, "timeout": 50, "autocommit": True, "encryption": None}),
        ("sqlserver", {"port": 14330, "instance": "SQLEXPRESS"}, {"server": "db", "port": "14330"}),
        ("sqlserver", {"instance": "SQLEXPRESS"}, {"server": "db\\SQLEXPRESS"}),
        ("sqlserver", {"domain": "CORP"}, {"user": "CORP\\reader"}),
        ("sqlserver", {"encrypt": True, "trust_server_certificate": True}, {"encryption": "require"}),
        ("sqlserver", {"encrypt": False}, {"encryption": "request"}),
        ("duckdb", {}, {"database": "/data/shop.duckdb", "read_only": True}),
        ("duckdb", {"path": None, "default_database": "md:shop", "token": "tok-1"},
         {"database": "md:shop", "config": {"motherduck_token": "tok-1", "motherduck_saas_mode": "true"},
          "read_only": None}),
        ("sqlite", {}, {"database": "file:///data/shop.db?mode=ro", "uri": True, "timeout": 7}),
    ],
)  # fmt: skip
def test_vault_json_reaches_its_driver(
    engine: str, keys: dict[str, Any], expected: dict[str, Any], connected: Connected
) -> None:
    found = connected(engine, {"type": engine, **VAULT[engine], **keys})
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
@pytest.mark.parametrize("newlines", ["\n", "\\n"])
def test_snowflakes_key_pair_reaches_the_driver_as_it_wants_it(
    passphrase: str | None, newlines: str, connected: Connected
) -> None:
    from cryptography.hazmat.primitives import serialization

    text = pem(passphrase)
    secret = {**VAULT["snowflake"], "private_key": text.replace("\n", newlines), "private_key_passphrase": passphrase}
    del secret["password"]
    given = connected("snowflake", secret)
    again = serialization.load_der_private_key(given["private_key"], None)
    assert again.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ) == serialization.load_pem_private_key(text.encode(), passphrase.encode() if passphrase else None).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    assert "password" not in given


@pytest.mark.parametrize("passphrase", [None, "wrong"])
def test_a_key_that_cannot_be_opened_says_so_and_not_what_is_in_it(passphrase: str | None) -> None:
    secret = {**VAULT["snowflake"], "private_key": pem("open sesame"), "private_key_passphrase": passphrase}
    with pytest.raises(InvalidVaultJson, match=r"private_key_passphrase` is wrong") as raised:
        dialect_for("snowflake").driver.from_vault(secret)
    assert "BEGIN" not in str(raised.value)


def test_databricks_asks_for_a_token_with_the_service_principal(connected: Connected, token_endpoint: Any) -> None:
    secret = {"host": "x.cloud.databricks.com", "http_path": "/p", "client_id": "app-1", "client_secret": "s3cret"}
    provider = connected("databricks", secret)["credentials_provider"]
    assert (provider.host, provider.client_id, provider.auth_type()) == ("x.cloud.databricks.com", "app-1", "oauth-m2m")
    asked = token_endpoint({"access_token": "tok-1"}, status=200)
    assert provider()() == {"Authorization": "Bearer tok-1"}
    ((url, options),) = asked
    assert url == "https://x.cloud.databricks.com/oidc/v1/token"
    assert options["auth"] == ("app-1", "s3cret")
    assert options["data"] == {"grant_type": "client_credentials", "scope": "all-apis"}
    token_endpoint({"error": "invalid_client"}, status=401)
    with pytest.raises(TerminalError, match=r"refuses the service principal app-1 \(HTTP 401\)"):
        provider()


@pytest.fixture
def token_endpoint(monkeypatch: pytest.MonkeyPatch) -> Any:
    requests = pytest.importorskip("requests")

    def answering(body: dict[str, str], *, status: int) -> list[tuple[str, dict[str, Any]]]:
        asked: list[tuple[str, dict[str, Any]]] = []

        def post(url: str, **options: Any) -> Any:
            asked.append((url, options))
            response = requests.Response()
            response.status_code = status
            response._content = repr(body).replace("'", '"').encode()
            return response

        monkeypatch.setattr(requests, "post", post)
        return asked

    return answering


@pytest.mark.parametrize("how", ["vault", "uri"])
def test_an_entra_service_principal_takes_microsofts_driver(how: str, connected: Connected) -> None:
    secret = {
        "server": "x.database.windows.net", "database": "shop", "tenant_id": "t-1", "client_id": "app-1",
        "client_secret": "s}3;cret",
    }  # fmt: skip
    uri = f"mssql://app-1:{quote('s}3;cret', safe='')}@x.database.windows.net/shop?tenant_id=t-1"
    given = connected("sqlserver", secret, uri=uri if how == "uri" else None, driver="mssql_python.connect")
    (text,) = given["arguments"]
    assert text == (
        "Server={x.database.windows.net,1433};Database={shop};Authentication={ActiveDirectoryServicePrincipal};"
        "UID={app-1};PWD={s}}3;cret};Encrypt={yes};TrustServerCertificate={no};"
    )
    assert (given["autocommit"], given["timeout"]) == (True, 7)


def test_statements_for_odbc_bind_each_value_once() -> None:
    import sqlglot

    from include.schema_sync.nouns.snapshot import GroupRequest
    from include.schema_sync.warehouses.sqlserver.connection import declared

    query = dialect_for("sqlserver").columns_query(GroupRequest("s", "50%", "dbo", ("it's", "orders")))
    assert isinstance(query.parameters, dict)
    sql, values = declared(query.sql, query.parameters)
    assert values == ["50%", "dbo", "<t>it's</t><t>orders</t>"]
    assert sql.count("?") == 3
    assert "%(" not in sql
    assert "[50%].sys.schemas" in sql
    assert len(sqlglot.parse(sql, read="tsql")) == 3
    assert declared("SELECT 1", {}) == ("SELECT 1", [])


@pytest.mark.parametrize("engine", VAULT)
def test_a_missing_key_is_named_with_the_keys_that_are_known(engine: str) -> None:
    driver = dialect_for(engine).driver
    for key in VAULT[engine]:
        with pytest.raises(InvalidVaultJson, match=f"it has no .*`{key}`.*Known keys .*{key}"):
            driver.from_vault({name: value for name, value in VAULT[engine].items() if name != key})


@pytest.mark.parametrize("engine", VAULT)
def test_keys_that_are_needed_are_those_without_a_mark(engine: str) -> None:
    driver = dialect_for(engine).driver
    groups = [group.split("|") for group in driver.vault_keys.split() if "?" not in group]
    optional = {"region", "cluster_identifier"}  # of Redshift, needed with `iam` only
    assert all(set(group) & (VAULT[engine].keys() | optional) for group in groups)


@pytest.mark.parametrize(
    ("engine", "wrong", "meant"),
    [
        ("snowflake", "rol", "role"), ("postgres", "defaultDatabase", "default_database"),
        ("databricks", "default_catalogue", "default_catalog"), ("bigquery", "default_datasets", "default_dataset"),
    ],
)  # fmt: skip
def test_a_key_that_is_spelled_wrongly_is_not_passed_over(engine: str, wrong: str, meant: str) -> None:
    with pytest.raises(InvalidVaultJson, match=f"`{wrong}`, which is not known; `{meant}` seems to be meant"):
        dialect_for(engine).driver.from_vault({**VAULT[engine], wrong: "x"})


def test_a_key_that_nobody_knows_and_that_looks_like_none_is_left_alone(connected: Connected) -> None:
    assert connected("postgres", {**VAULT["postgres"], "color": "blue", "name": "Shop"})["dbname"] == "shop"


@pytest.mark.parametrize(
    ("engine", "keys", "problem"),
    [
        ("redshift", {"iam": True, "region": "x"}, "needs a `cluster_identifier` or a `workgroup`"),
        ("redshift", {"iam": True, "workgroup": "x"}, "it has no `region`"),
        ("postgres", {"port": "CANARY"}, "`port` is not a whole number"),
        ("bigquery", {"service_account_key": "CANARY"}, "is not the JSON text of a service account"),
        ("databricks", {"client_id": "app-1"}, "it has no `client_secret`"),
        ("sqlserver", {"client_id": "app-1"}, "it has no `tenant_id`"),
    ],
)
def test_what_does_not_go_together_is_told_without_values(engine: str, keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidVaultJson, match=problem) as raised:
        dialect_for(engine).driver.from_vault({**VAULT[engine], **keys})
    assert "CANARY" not in str(raised.value)
    assert "Known keys" in str(raised.value)
    assert raised.value.__context__ is None or "CANARY" not in str(raised.value.__context__)


def test_a_secret_that_is_no_object_is_told() -> None:
    with pytest.raises(InvalidVaultJson, match="not a JSON object"):
        dialect_for("postgres").driver.from_vault(["host"])  # type: ignore[arg-type]


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
    assert (place.type, place.access.own_database, place.schema) == (type_, database, schema)


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
