"""Every way to sign in by the JSON of a vault, up to the driver's own connect function, with real parsing."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from include.schema_sync.errors import TerminalError
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.sign_in import InvalidVaultJson
from tests.unit.warehouses.sign_in.conftest import (
    VAULT,
    Connected,
    pem,
)

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
