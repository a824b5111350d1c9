"""Snowflake's real connector against a stand-in whose first statement takes a while, as on a suspended warehouse."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from include.schema_sync.introspect.source import GroupOutcome, introspect_source
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.settings import Settings
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Failure

pytest.importorskip("snowflake.connector", reason="snowflake-connector-python is not installed")

SLOW_S = 4.0
COLUMNS = ("schema_name", "table_name", "kind", "readable", "column_name", "type", "base_type", "column_readable")
_NO_SIZES = {
    "length": None,
    "byteLength": None,
    "precision": None,
    "scale": None,
    "database": "",
    "schema": "",
    "table": "",
}
ROW = ["PUBLIC", "ORDERS", "table", "1", "ID", "NUMBER(38,0)", None, "1"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statements: list[str] = []
        self.aborted = threading.Event()
        self.logins: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw or b"{}")
        path = self.path.partition("?")[0]
        if path == "/session/v1/login-request":
            self.server.logins.append(body["data"])
            self._answer({"token": "t", "masterToken": "m", "validityInSeconds": 3600, "masterValidityInSeconds": 3600,
                          "parameters": [], "sessionId": 1, "sessionInfo": {}})  # fmt: skip
        elif path == "/queries/v1/abort-request":
            self.server.aborted.set()
            self._answer({})
        elif path == "/queries/v1/query-request":
            self.server.statements.append(body["sqlText"])
            if len(self.server.statements) == 1 and self.server.aborted.wait(SLOW_S):
                text = "SQL execution canceled"
                self._answer({"sqlState": "57014"}, success=False, code="000604", message=text)
                return
            rowtype = [
                {"name": name, "type": "boolean" if "readable" in name else "text", "nullable": True, **_NO_SIZES}
                for name in COLUMNS
            ]
            self._answer({"queryId": "q", "queryResultFormat": "json", "rowtype": rowtype, "rowset": [ROW],
                          "total": 1, "returned": 1, "parameters": [], "statementTypeId": 4096})  # fmt: skip
        else:
            self._answer({})

    def _answer(self, data: dict[str, Any], *, success: bool = True, **more: Any) -> None:
        text = json.dumps({"data": data, "success": success, "code": None, "message": None, **more}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def _read(server: _Server, *, statement_s: int, wake_up_s: int) -> GroupOutcome:
    variables = {"CONNECT": 1, "STATEMENT": statement_s}
    settings = Settings.from_environment(
        {
            **{f"SCHEMA_SYNC_{name}_TIMEOUT_SECONDS": str(value) for name, value in variables.items()},
            "SCHEMA_SYNC_WAKE_UP_SECONDS": str(wake_up_s),
        }
    )
    dialect = dialect_for("snowflake")
    secret = {"account_id": "acc", "warehouse_id": "wh", "default_database": "SHOP", "username": "u", "token": "pat"}
    sign_in = dialect.driver.from_vault(secret)
    here = {"host": "127.0.0.1", "port": server.server_port, "protocol": "http"}
    reached = replace(sign_in, options={**sign_in.options, **here})
    (group,) = introspect_source(
        lambda database: dialect.driver.open(reached, database, settings),
        dialect,
        [GroupRequest("s", "SHOP", "PUBLIC", ("ORDERS",))],
        timeout_s=statement_s,
        wake_up_s=wake_up_s,
    )
    return group


def test_a_statement_slower_than_connecting_may_be_is_not_cancelled(server: _Server) -> None:
    """The connector's ``network_timeout`` is the timer of each statement too."""
    group = _read(server, statement_s=10, wake_up_s=0)
    assert (group.failure, group.snapshot.error) == (None, None)
    assert [table.name for table in group.snapshot.tables] == ["ORDERS"]
    assert not server.aborted.is_set()


def test_the_first_answer_of_a_suspended_warehouse_is_waited_for(server: _Server) -> None:
    group = _read(server, statement_s=1, wake_up_s=10)
    assert group.snapshot.error is None
    ((login),) = server.logins
    assert (login["AUTHENTICATOR"], login["TOKEN"]) == ("PROGRAMMATIC_ACCESS_TOKEN", "pat")
    assert login["SESSION_PARAMETERS"]["STATEMENT_TIMEOUT_IN_SECONDS"] == 11


def test_without_that_patience_the_answer_comes_too_late(server: _Server) -> None:
    started = time.monotonic()
    group = _read(server, statement_s=1, wake_up_s=0)
    assert group.failure is Failure.TRANSIENT
    assert time.monotonic() - started < SLOW_S
