"""How BigQuery, Databricks and SQL Server are connected to, as far as that can be seen without them."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from include.schema_sync.check.connections import place_from_uri
from include.schema_sync.errors import TerminalError
from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Failure

pytestmark = pytest.mark.airflow

SETTINGS = Settings.from_environment(
    {"SCHEMA_SYNC_CONNECT_TIMEOUT_SECONDS": "2", "SCHEMA_SYNC_STATEMENT_TIMEOUT_SECONDS": "5"}
)
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\n"
SERVICE_ACCOUNT = {
    "type": "service_account", "project_id": "shop-prod", "private_key_id": "0123456789", "private_key": PRIVATE_KEY,
    "client_email": "reader@shop-prod.iam.gserviceaccount.com",
}  # fmt: skip


def _hook(engine: str) -> Any:
    from schema_sync_airflow.warehouse_hooks import warehouse_hook

    return warehouse_hook(engine)


def _connection(conn_type: str, *, extra: Mapping[str, Any], **fields: Any) -> Any:
    from airflow.sdk import Connection

    return Connection(conn_id="x", conn_type=conn_type, extra=json.dumps(dict(extra)), **fields)


def test_the_project_of_a_key_is_the_own_database_where_none_is_named() -> None:
    def own(extra: dict[str, Any]) -> Any:
        return _hook("bigquery").own_database(_connection("y", extra=extra))

    assert own({"keyfile_dict": json.dumps(SERVICE_ACCOUNT)}) == "shop-prod"
    assert own({"keyfile_dict": SERVICE_ACCOUNT, "project": "other"}) == "other"
    assert own({"keyfile_dict": "not json"}) is None
    assert own({}) is None


def test_what_is_secret_in_a_service_account_is_masked_and_its_project_is_not() -> None:
    from schema_sync_airflow.connections import redactor

    redact = redactor(_connection("y", extra={"keyfile_dict": json.dumps(SERVICE_ACCOUNT), "project": "shop-prod"}))
    assert redact(f"cannot sign with {PRIVATE_KEY} in shop-prod") == "cannot sign with *** in shop-prod"


@pytest.mark.parametrize(
    ("engine", "module", "package"),
    [
        ("bigquery", "airflow.providers.google.cloud.hooks.bigquery", "apache-airflow-providers-google"),
        ("databricks", "airflow.providers.databricks.hooks.databricks_sql", "apache-airflow-providers-databricks"),
        ("sqlserver", "airflow.providers.microsoft.mssql.hooks.mssql", "apache-airflow-providers-microsoft-mssql"),
    ],
)
def test_a_missing_provider_is_terminal_and_says_what_to_install(
    engine: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from schema_sync_airflow.connections import _connect

    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(TerminalError, match=f"Run: pip install {package}$"):
        _connect(_hook(engine), _connection(engine, extra={}), SETTINGS)(None)


# SQL Server: the real driver


@pytest.fixture
def pymssql() -> Any:
    pytest.importorskip("airflow.providers.microsoft.mssql", reason="the provider microsoft-mssql is not installed")
    return pytest.importorskip("pymssql", reason="pymssql is not installed")


def test_a_server_that_does_not_listen_is_transient_and_told_in_words(pymssql: Any) -> None:
    hook, connection = _hook("sqlserver"), _connection("mssql", host="127.0.0.1", port=1, extra={})
    (group,) = introspect_source(
        lambda database: hook.open(connection, database, SETTINGS),
        dialect_for("sqlserver"), [GroupRequest("s", "shop", "dbo", ("orders",))], timeout_s=20,
    )  # fmt: skip
    assert group.failure is Failure.TRANSIENT
    assert group.snapshot.error is not None
    assert "Unable to connect" in group.snapshot.error
    assert "DB-Lib" not in group.snapshot.error
    assert "b'" not in group.snapshot.error


def test_pymssql_fills_in_every_name_as_a_quoted_text(pymssql: Any) -> None:
    hostile = ("it's", "100% {x} %(schema)s", "two\nlines", "]]>", "émoji 😀")
    query = dialect_for("sqlserver").columns_query(GroupRequest("s", "50%", "d'bo", hostile))
    sent = pymssql._mssql.substitute_params(query.sql, query.parameters).decode()
    assert sent.count("N'<t>100% {x} %(schema)s</t><t>]]&gt;</t><t>it''s</t><t>two&#10;lines</t><t>émoji 😀</t>'") == 1
    assert "= N'd''bo'" in sent
    assert "FROM [50%].sys.schemas" in sent
    assert "%(tables)s" not in sent


@pytest.mark.parametrize(
    ("arguments", "errno", "text"),
    [
        ((208, b"Invalid object name 'x'.DB-Lib error message 20018, severity 16:\nGeneral"), 208,
         "Invalid object name 'x'. (208)"),
        (((18456, b"Login failed for user 'x'.DB-Lib error message 20018, severity 14:\n"),), 18456,
         "Login failed for user 'x'. (18456)"),
        (("Connection is closed.",), None, "Connection is closed."),
        ((), None, "the driver gave no reason"),
    ],
)  # fmt: skip
def test_pymssqls_errors_are_taken_apart(pymssql: Any, arguments: Any, errno: int | None, text: str) -> None:
    from include.schema_sync.warehouses.sqlserver.connection import SqlServerError, sql_server_errors

    with pytest.raises(SqlServerError) as raised, sql_server_errors():
        raise pymssql.OperationalError(*arguments)
    assert (raised.value.errno, str(raised.value)) == (errno, text)


# Databricks: the provider's hook, without a server


def test_databricks_gets_limits_on_every_wait_and_the_given_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    sql = pytest.importorskip("databricks.sql", reason="databricks-sql-connector is not installed")
    pytest.importorskip("airflow.providers.databricks", reason="the provider databricks is not installed")
    calls: list[tuple[Any, ...]] = []

    class Raw:
        open = True
        autocommit = True

        def rollback(self) -> None:
            raise sql.NotSupportedError("Transactions are not supported on Databricks")

        def close(self) -> None:
            self.open = False

    def connect(*arguments: Any, **options: Any) -> Raw:
        calls.append((arguments, options))
        return Raw()

    monkeypatch.setattr(sql, "connect", connect)
    connection = _hook("databricks").open(
        _connection(
            "databricks", host="x.cloud.databricks.com", password="dapi-secret",
            extra={"http_path": "/sql/1.0/warehouses/abc", "catalog": "main"},
        ),
        None,
        SETTINGS,
    )  # fmt: skip
    ((arguments, options),) = calls
    assert arguments == ("x.cloud.databricks.com", "/sql/1.0/warehouses/abc", "dapi-secret")
    assert options["session_configuration"] == {"STATEMENT_TIMEOUT": "5"}
    assert (options["_socket_timeout"], options["_retry_stop_after_attempts_duration"]) == (300, 300)
    assert options["catalog"] == "main"
    assert options["enable_telemetry"] is False
    connection.rollback()
    assert not connection.closed
    connection.close()
    assert connection.closed


# BigQuery: the real client and its DB-API, against a stand-in that knows locations


class _BigQuery(BaseHTTPRequestHandler):
    """One project: dataset `sales` in EU, `gone` nowhere, `secret` that nobody may see."""

    locations: list[str | None]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/token":
            self._answer(200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})
            return
        asked = json.loads(body)
        location = asked.get("location")
        self.locations.append(location)
        dataset = next(name for name in ("sales", "gone", "secret") if f"`{name}`" in asked["query"])
        if (dataset, location) != ("sales", "EU"):
            here = location or "US"
            self._answer(404, _error(404, f"Not found: Dataset shop-prod:{dataset} was not found in location {here}"))
            return
        names = ("schema_name", "name", "kind", "readable", "field_path", "data_type", "base_type", "column_readable")
        types = ("STRING", "STRING", "STRING", "BOOLEAN", "STRING", "STRING", "STRING", "BOOLEAN")
        values = ("sales", "orders", "table", "true", "address.city", "STRING", None, "true")
        self._answer(
            200,
            {
                "jobComplete": True, "totalRows": "1", "cacheHit": False,
                "jobReference": {"projectId": "shop-prod", "jobId": "1", "location": "EU"},
                "schema": {"fields": [{"name": n, "type": t} for n, t in zip(names, types, strict=True)]},
                "rows": [{"f": [{"v": value} for value in values]}],
            },
        )  # fmt: skip

    def do_GET(self) -> None:
        dataset = self.path.partition("?")[0].rpartition("/")[2]
        if dataset == "sales":
            reference = {"projectId": "shop-prod", "datasetId": "sales"}
            self._answer(200, {"datasetReference": reference, "location": "EU"})
        elif dataset == "secret":
            self._answer(403, _error(403, "Access Denied: Dataset shop-prod:secret: Permission denied"))
        else:
            self._answer(404, _error(404, f"Not found: Dataset shop-prod:{dataset}"))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None: ...


def _error(code: int, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "errors": [{"reason": "x", "message": message}]}}


@contextmanager
def _stand_in() -> Iterator[tuple[str, list[str | None]]]:
    locations: list[str | None] = []
    handler = type("Handler", (_BigQuery,), {"locations": locations})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", locations
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _bigquery(how: str, location: str | None, address: str, folder: Path) -> Callable[[str | None], Any]:
    if how == "airflow":
        extra = {"project": "shop-prod", "is_anonymous": True, **({"location": location} if location else {})}
        connection = _connection("google_cloud_platform", extra=extra)
        return lambda database: _hook("bigquery").open(connection, database, SETTINGS)
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

    made = generate_private_key(65537, 2048)
    text = made.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()).decode()
    key = {**SERVICE_ACCOUNT, "private_key": text, "token_uri": f"{address}/token"}
    if how == "uri":
        (folder / "key.json").write_text(json.dumps(key))
        where = f"&location={location}" if location else ""
        uri = f"bigquery://shop-prod/sales?credentials_path={folder / 'key.json'}{where}"
        return place_from_uri(uri, None, SETTINGS).access.connect
    driver = dialect_for("bigquery").driver
    secret = {"project_id": "shop-prod", "service_account_key": json.dumps(key), "location": location}
    sign_in = driver.from_vault(secret)
    return lambda database: driver.open(sign_in, database, SETTINGS)


@pytest.mark.parametrize("how", ["airflow", "uri", "vault"])
@pytest.mark.parametrize(
    ("dataset", "location", "asked", "expected"),
    [
        ("sales", "EU", ["EU"], (True, None)),
        ("sales", "US", ["US", "EU"], (True, None)),  # the same answer as for a missing one, yet not missing
        ("sales", None, [None, "EU"], (True, None)),
        ("gone", "US", ["US"], (False, None)),
        ("secret", "US", ["US"], (True, Failure.TERMINAL)),  # nobody can tell: unchecked
    ],
)
def test_a_dataset_in_another_location_is_not_called_missing(
    how: str,
    dataset: str,
    location: str | None,
    asked: list[str | None],
    expected: tuple[bool, Failure | None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    pytest.importorskip("airflow.providers.google", reason="the provider google is not installed")
    with _stand_in() as (address, locations):
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", address)
        (group,) = introspect_source(
            _bigquery(how, location, address, tmp_path),
            dialect_for("bigquery"), [GroupRequest("s", "shop-prod", dataset, ("orders",))],
            timeout_s=60,
        )  # fmt: skip
    assert locations == asked
    assert (group.snapshot.exists, group.failure) == expected
    if expected == (True, None):
        (table,) = group.snapshot.tables
        assert [(column.name, column.type, column.readable) for column in table.columns] == [
            ("address.city", "STRING", True)
        ]
