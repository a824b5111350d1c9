"""Connections refused, lost, shared or slow: one group's trouble is no other's, and nothing partial is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.errors import TerminalError, TransientError
from include.schema_sync.introspect.session import Connect
from include.schema_sync.introspect.source import introspect_source
from include.schema_sync.nouns.snapshot import Column, GroupRequest
from include.schema_sync.warehouses.engine import Failure
from tests.integration.introspection.conftest import (
    POSTGRES,
    connects,
    names,
    outcome_of,
    request,
    run,
    unnumbered,
)

pytestmark = pytest.mark.postgres


@pytest.fixture
def closed_after() -> Iterator[Callable[[Connect], Connect]]:
    """Wraps a connect callable; afterwards every connection that it made must have been closed."""
    made: list[Any] = []

    def wrap(connect: Connect) -> Connect:
        def counted(database: str | None) -> Any:
            made.append(connect(database))
            return made[-1]

        return counted

    yield wrap
    assert made
    assert all(connection.closed for connection in made)


def test_groups_of_one_database_share_a_connection_and_outcomes_keep_their_order(
    create_database: Callable[[], str], closed_after: Callable[[Connect], Connect]
) -> None:
    first, second = create_database(), create_database()
    run(first, "CREATE TABLE here (id int)")
    run(second, "CREATE SCHEMA s", "CREATE TABLE there (id int)")
    other = str(conninfo_to_dict(second)["dbname"])
    opened: list[str | None] = []

    def connect(database: str | None) -> Any:
        opened.append(database)
        return connects(first)(database)

    groups = [
        request("public", "there", database=other),
        request("public", "here"),
        request("s", "x", database=other),
        request("pg_catalog", "pg_class"),
    ]
    outcomes = introspect_source(closed_after(connect), POSTGRES, groups, timeout_s=30)
    assert [outcome.request for outcome in outcomes] == groups
    assert [names(outcome.snapshot.tables) for outcome in outcomes] == [["there"], ["here"], [], ["pg_class"]]
    assert opened == [other, None]


def test_a_wrong_password_is_terminal_and_tells_the_next_step_without_secrets(fresh_database: str) -> None:
    outcome = outcome_of(
        connects(fresh_database, password="hunter2-wrong"),
        request("public", "orders"),
        redact=lambda text: text.replace("postgres", "***"),
    )
    assert outcome.failure is Failure.TERMINAL
    error = outcome.snapshot.error or ""
    assert 'password authentication failed for user "***"' in error
    assert "check this data source's credentials" in error
    assert "hunter2" not in error
    assert "\n" not in error
    assert outcome.snapshot.tables == ()


def test_nobody_listening_is_transient() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # taken, but nobody listens
        uri = f"postgresql://u:p@127.0.0.1:{closed.getsockname()[1]}/db"
        outcome = outcome_of(uri, request("public", "orders"))
    assert outcome.failure is Failure.TRANSIENT
    assert "refused" in (outcome.snapshot.error or "")


@pytest.mark.parametrize(
    ("raised", "failure"),
    [
        (TerminalError("create the connection data_source_1"), Failure.TERMINAL),
        (TransientError("the vault does not answer"), Failure.TRANSIENT),
        (ImportError("No module named 'psycopg'"), Failure.TERMINAL),
        (OSError("no route to host"), Failure.TRANSIENT),
        (Exception("x" * 5000 + "\x1b[31m\n"), Failure.TRANSIENT),
    ],
)
def test_errors_of_the_connect_callable_are_sorted_and_cut(raised: Exception, failure: Failure) -> None:
    def connect(database: str | None) -> Any:
        raise raised

    outcome = outcome_of(connect, request("public", "orders"))
    assert outcome.failure is failure
    error = outcome.snapshot.error or ""
    assert str(raised)[:20] in error
    assert len(error) < 700
    assert error.isprintable()


def test_a_mistake_of_ours_is_raised_and_not_called_an_outage(fresh_database: str) -> None:
    def broken(group: GroupRequest) -> Any:
        raise ZeroDivisionError("ours")

    with pytest.raises(ZeroDivisionError, match="ours"):
        introspect_source(
            connects(fresh_database), replace(POSTGRES, columns_query=broken), [request("s", "t")], timeout_s=30
        )


def test_one_groups_failed_query_leaves_the_next_its_connection(
    fresh_database: str, closed_after: Callable[[Connect], Connect]
) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")

    def query(group: GroupRequest) -> Any:
        built = POSTGRES.columns_query(group)
        return replace(built, sql="SELECT 1/0") if group.schema == "bad" else built

    opened: list[str | None] = []

    def connect(database: str | None) -> Any:
        opened.append(database)
        return connects(fresh_database)(database)

    dialect = replace(POSTGRES, columns_query=query)
    groups = [request("bad", "orders"), request("public", "orders")]
    bad, good = introspect_source(closed_after(connect), dialect, groups, timeout_s=30)
    assert bad.failure is Failure.TERMINAL
    assert "division by zero" in (bad.snapshot.error or "")
    assert names(good.snapshot.tables) == ["orders"]
    assert opened == [None]


def test_a_slow_statement_is_stopped_by_the_server_and_is_transient(fresh_database: str) -> None:
    dialect = replace(POSTGRES, columns_query=lambda group: replace(POSTGRES.columns_query(group), sql=SLEEP))
    (outcome,) = introspect_source(connects(fresh_database), dialect, [request("s", "t")], timeout_s=0.2)
    assert outcome.failure is Failure.TRANSIENT
    assert "statement timeout" in (outcome.snapshot.error or "")


SLEEP = "SELECT pg_sleep(60), %(schema)s"


def test_the_session_cannot_write_whatever_the_connection_allows(fresh_database: str) -> None:
    write = "CREATE TABLE written AS SELECT %(schema)s::text"
    dialect = replace(POSTGRES, columns_query=lambda group: replace(POSTGRES.columns_query(group), sql=write))
    connect = connects(fresh_database, autocommit=True)
    (outcome,) = introspect_source(connect, dialect, [request("s", "t")], timeout_s=30)
    assert "read-only transaction" in (outcome.snapshot.error or "")


# Servers that stop answering


class _Proxy:
    """Forwards to a server; when a client sends the marker for the first time, it goes silent or hangs up."""

    def __init__(self, uri: str, *, hang_up: bool) -> None:
        parameters = conninfo_to_dict(uri)
        self._server = (str(parameters["host"]), int(str(parameters["port"])))
        self._hang_up = hang_up
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self.connections = 0
        self.triggered = False
        self.uri = make_conninfo(uri, host="127.0.0.1", port=self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in self._sockets:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(self._server)
            self._sockets += [client, server]
            threading.Thread(target=self._forward, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, client, False), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        try:
            while data := source.recv(65536):
                if from_client and not self.triggered and b"pg_namespace" in data:
                    self.triggered = True
                    if self._hang_up:
                        source.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


@contextmanager
def _proxy(uri: str, *, hang_up: bool) -> Iterator[_Proxy]:
    with closing(_Proxy(uri, hang_up=hang_up)) as proxy:
        yield proxy


@pytest.mark.parametrize(("hang_up", "reason"), [(False, "no answer within 0.5 s"), (True, "closed the connection")])
def test_a_connection_lost_in_mid_query_fails_that_group_and_the_next_gets_a_new_one(
    fresh_database: str,
    closed_after: Callable[[Connect], Connect],
    caplog: pytest.LogCaptureFixture,
    hang_up: bool,
    reason: str,
) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    with _proxy(fresh_database, hang_up=hang_up) as proxy:
        cut, read = introspect_source(
            closed_after(connects(proxy.uri)),
            POSTGRES,
            [request("public", "orders"), request("public", "orders")],
            timeout_s=0.5,
        )
    assert cut.failure is Failure.TRANSIENT
    assert reason in (cut.snapshot.error or "")
    assert cut.snapshot.tables == ()
    assert names(read.snapshot.tables) == ["orders"]
    assert proxy.connections == 2
    assert "connecting again" in caplog.messages[0]


def test_a_server_that_accepts_and_never_answers_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/db"
        groups = [request("a", "t"), request("b", "t", database="other")]
        outcomes = introspect_source(connects(uri), POSTGRES, groups, timeout_s=0.2)
    assert [outcome.failure for outcome in outcomes] == [Failure.TRANSIENT, Failure.TRANSIENT]
    assert all("no answer within 0.2 s" in (outcome.snapshot.error or "") for outcome in outcomes)
    assert "2 of 2 groups have no answer" in caplog.messages[0]


def test_what_was_read_before_the_deadline_is_kept(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    never = threading.Event()

    def connect(database: str | None) -> Any:
        if database is not None:
            never.wait(60)
        return connects(fresh_database)(None)

    groups = [request("public", "orders"), request("public", "orders", database="slow")]
    read, late = introspect_source(connect, POSTGRES, groups, timeout_s=30, deadline_s=1.0)
    never.set()
    assert names(read.snapshot.tables) == ["orders"]
    assert late.failure is Failure.TERMINAL  # another try would take as long again
    assert "its time for this run is up" in (late.snapshot.error or "")


def test_tables_that_come_and_go_meanwhile_are_whole_or_absent(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE steady (a int, b text)")
    stop = threading.Event()

    def churn() -> None:
        with psycopg.connect(fresh_database, autocommit=True) as connection:
            while not stop.is_set():
                connection.execute("CREATE TABLE fleeting (a int, b text)")
                connection.execute("DROP TABLE fleeting")

    worker = threading.Thread(target=churn)
    worker.start()
    try:
        groups = [request("public", "steady", "fleeting")] * 200
        outcomes = introspect_source(connects(fresh_database), POSTGRES, groups, timeout_s=30)
    finally:
        stop.set()
        worker.join()
    whole = (Column("a", "integer"), Column("b", "text"))
    for outcome in outcomes:
        assert outcome.failure is None
        assert "steady" in names(outcome.snapshot.tables)
        assert all(table.readable and table.columns == whole for table in unnumbered(outcome.snapshot).tables)


# What it costs


def test_a_group_is_one_statement_whether_it_names_one_table_or_two_thousand(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    many = tuple(f"table_{number:04}" for number in range(2000))
    with running_postgres(settings={"log_statement": "all"}, log=log) as uri:
        with psycopg.connect(uri) as connection:
            for start in range(0, len(many), 500):
                creations = "; ".join(f"CREATE TABLE {name} (id int, name text)" for name in many[start : start + 500])
                connection.execute(creations)  # type: ignore[call-overload]
        outcomes = [
            outcome_of(make_conninfo(uri, application_name=label), request("public", *tables), timeout_s=60)
            for label, tables in (("one", many[:1]), ("many", many), ("absent", (*many, "nowhere")))
        ]
    assert [len(outcome.snapshot.tables) for outcome in outcomes] == [1, 2000, 2000]
    assert [outcome.statements for outcome in outcomes] == [1, 1, 1]
    text = log.read_text(errors="replace")
    assert text.count("WITH RECURSIVE") == 3
    assert text.count("set_config('statement_timeout'") == 3  # once per connection
