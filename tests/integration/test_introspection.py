"""Introspection against a real PostgreSQL: what is there, what may be read, and every way it can fail."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from include.schema_sync.demo.postgres import running_postgres
from include.schema_sync.errors import MissingSchemaError, TerminalError, TransientError
from include.schema_sync.introspect.session import Connect
from include.schema_sync.introspect.source import GroupOutcome, introspect_source
from include.schema_sync.nouns.snapshot import Column, GroupRequest, GroupSnapshot, Table
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Failure
from include.schema_sync.warehouses.names import NameIndex

pytestmark = pytest.mark.postgres

POSTGRES = dialect_for("postgres")
_roles = itertools.count(1)

BUILT_IN_TYPES = (
    "bigint", "bit(3)", "bit varying(5)", "boolean", "box", "bytea", "character(7)", "character varying(80)",
    "character varying", "cidr", "circle", "date", "daterange", "double precision", "inet", "int4multirange",
    "int4range", "integer", "interval", "interval day to second(3)", "json", "jsonb", "line", "lseg", "macaddr",
    "macaddr8", "money", "name", "numeric", "numeric(12,2)", "numeric(38,0)", "oid", "path", "pg_lsn", "point",
    "polygon", "real", "smallint", "text", "text[]", "numeric(12,2)[]", "time without time zone",
    "time(3) with time zone", "timestamp without time zone", "timestamp(3) with time zone", "tsquery", "tsrange",
    "tsvector", "uuid", "xml",
)  # fmt: skip

HOSTILE_NAMES = (
    '"; DROP TABLE x; --', "<!channel>", "😀 émoji", "two\nlines", "100% {x} %(schema)s", "it's", "\\", "a.b", "`x",
)  # fmt: skip


def connects(uri: str, **options: Any) -> Connect:
    """As the operator's connect: the same server, another database when one is named."""

    def connect(database: str | None) -> Any:
        named = {} if database is None else {"dbname": database}
        return psycopg.connect(uri, **{"connect_timeout": 10, **named, **options})

    return connect


def request(schema: str, *tables: str, database: str | None = None) -> GroupRequest:
    return GroupRequest("source", database, schema, tables)


def outcome_of(connect: Connect | str, group: GroupRequest, **options: Any) -> GroupOutcome:
    ready = connects(connect) if isinstance(connect, str) else connect
    (outcome,) = introspect_source(ready, POSTGRES, [group], **{"timeout_s": 30, **options}).groups
    return outcome


def snapshot_of(uri: str, schema: str, *tables: str) -> GroupSnapshot:
    outcome = outcome_of(uri, request(schema, *tables))
    assert outcome.snapshot.error is None
    return unnumbered(outcome.snapshot)


def unnumbered(snapshot: GroupSnapshot) -> GroupSnapshot:
    """Without the engine's own numbers, which no two servers share."""
    return replace(
        snapshot,
        tables=tuple(
            replace(table, identity=None, columns=tuple(each._replace(identity=None) for each in table.columns))
            for table in snapshot.tables
        ),
    )


def names(tables: Sequence[Table]) -> list[str]:
    return [table.name for table in tables]


def run(uri: str, *statements: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


@pytest.fixture
def reader(fresh_database: str) -> Iterator[tuple[str, str]]:
    """A role without any right in the fresh database: (its name, URI for it)."""
    name = f"reader_{next(_roles)}"
    run(fresh_database, f"CREATE ROLE {name} LOGIN PASSWORD 'reader-secret'")
    yield name, make_conninfo(fresh_database, user=name, password="reader-secret")
    run(fresh_database, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


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


# What is there


def test_every_kind_of_relation_is_seen_because_each_can_be_queried(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TABLE plain (a int)",
        "CREATE VIEW seen AS SELECT a FROM plain",
        "CREATE MATERIALIZED VIEW stored AS SELECT a FROM plain",
        "CREATE TABLE parted (a int) PARTITION BY LIST (a)",
        "CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1)",
        "CREATE FOREIGN DATA WRAPPER wrapper",
        "CREATE SERVER far FOREIGN DATA WRAPPER wrapper",
        "CREATE FOREIGN TABLE foreign_one (a int) SERVER far",
        "CREATE SEQUENCE not_a_table",
        "CREATE TYPE not_a_table_either AS (a int)",
        "CREATE INDEX nor_this ON plain (a)",
    )
    asked = ("plain", "seen", "stored", "parted", "part_1", "foreign_one", "not_a_table", "not_a_table_either")
    snapshot = snapshot_of(fresh_database, "public", *asked, "nor_this")
    assert [(table.name, table.kind) for table in snapshot.tables] == [
        ("foreign_one", "foreign table"),
        ("part_1", "table"),
        ("parted", "partitioned table"),
        ("plain", "table"),
        ("seen", "view"),
        ("stored", "materialized view"),
    ]
    assert all(table.readable and table.columns == (Column("a", "integer"),) for table in snapshot.tables)


def test_only_the_tables_asked_for_come_back(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)", "CREATE TABLE others (id int)")
    snapshot = snapshot_of(fresh_database, "public", "orders")
    assert names(snapshot.tables) == ["orders"]
    assert snapshot.neighbours == ()


def test_columns_come_in_table_order_without_the_dropped_ones(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TABLE orders (z int, gone int, a text NOT NULL)",
        "ALTER TABLE orders DROP COLUMN gone",
        "ALTER TABLE orders ADD COLUMN m date",
    )
    (table,) = snapshot_of(fresh_database, "public", "orders").tables
    assert table.columns == (Column("z", "integer"), Column("a", "text"), Column("m", "date"))


def test_columns_and_tables_have_numbers_that_survive_a_rename_and_nothing_else(fresh_database: str) -> None:
    def numbers() -> tuple[int | None, list[tuple[str, int | None]]]:
        (table,) = outcome_of(fresh_database, request("public", "orders")).snapshot.tables
        return table.identity, [(column.name, column.identity) for column in table.columns]

    run(fresh_database, "CREATE TABLE orders (a int, b int, c int)")
    table, columns = numbers()
    assert (table is not None, columns) == (True, [("a", 1), ("b", 2), ("c", 3)])
    run(fresh_database, "ALTER TABLE orders DROP b", "ALTER TABLE orders ADD d int", "ALTER TABLE orders RENAME c TO e")
    run(fresh_database, "ALTER TABLE orders ALTER e TYPE text", "VACUUM FULL orders", "ANALYZE orders")
    assert numbers() == (table, [("a", 1), ("e", 3), ("d", 4)])
    run(fresh_database, "DROP TABLE orders", "CREATE TABLE orders (a int)", "CREATE VIEW seen AS SELECT * FROM orders")
    assert numbers()[0] != table
    (view,) = outcome_of(fresh_database, request("public", "seen")).snapshot.tables
    assert view.identity is None


def test_a_table_without_columns_is_there(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE empty ()")
    assert snapshot_of(fresh_database, "public", "empty").tables == (Table("empty", "table", True, ()),)


def test_built_in_types_are_spelled_as_the_server_spells_them(fresh_database: str) -> None:
    assert len(BUILT_IN_TYPES) >= 40
    columns = ", ".join(f"c{number} {type_}" for number, type_ in enumerate(BUILT_IN_TYPES))
    run(fresh_database, f"CREATE TABLE wide ({columns})")
    (table,) = snapshot_of(fresh_database, "public", "wide").tables
    assert table.columns == tuple(Column(f"c{number}", type_) for number, type_ in enumerate(BUILT_IN_TYPES))


def test_types_of_users_tell_what_they_stand_for(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TYPE point3 AS (x float8, y float8, z float8)",
        "CREATE TYPE floatrange AS RANGE (subtype = float8)",
        "CREATE DOMAIN amount AS numeric(10,2) CHECK (VALUE >= 0)",
        "CREATE DOMAIN price AS amount NOT NULL",
        "CREATE DOMAIN tags AS varchar(20)[]",
        "CREATE DOMAIN feeling AS mood",
        "CREATE DOMAIN feelings AS mood[]",
        "CREATE DOMAIN spot AS point3",
        "CREATE DOMAIN span AS int4range",
        "CREATE TABLE others (id int)",
        """CREATE TABLE things (
             a mood, b mood[], c point3, d point3[], e floatrange, f floatmultirange, g floatrange[],
             h amount, i price, j price[], k tags, l feeling, m feelings, n spot, o span, p int4range, q others[]
           )""",
    )
    (table,) = snapshot_of(fresh_database, "public", "things").tables
    assert {column.name: (column.type, column.base_type) for column in table.columns} == {
        "a": ("mood", "enum"),
        "b": ("mood[]", "enum[]"),
        "c": ("point3", "composite"),
        "d": ("point3[]", "composite[]"),
        "e": ("floatrange", "range"),
        "f": ("floatmultirange", "multirange"),
        "g": ("floatrange[]", "range[]"),
        "h": ("amount", "numeric(10,2)"),
        "i": ("price", "numeric(10,2)"),
        "j": ("price[]", "numeric(10,2)[]"),
        "k": ("tags", "character varying(20)[]"),
        "l": ("feeling", "enum"),
        "m": ("feelings", "enum[]"),
        "n": ("spot", "composite"),
        "o": ("span", "int4range"),
        "p": ("int4range", None),
        "q": ("others[]", "composite[]"),
    }


def test_domains_that_come_with_the_server_are_domains_too(fresh_database: str) -> None:
    (table,) = snapshot_of(fresh_database, "information_schema", "tables").tables
    assert table.columns[0] == Column("table_catalog", "information_schema.sql_identifier", "name")


# Names


def test_tables_are_found_in_any_letter_case_so_that_the_diff_can_tell(fresh_database: str) -> None:
    run(
        fresh_database,
        'CREATE TABLE "Orders" (id int)',
        'CREATE TABLE "ORDERS" (id int)',
        'CREATE TABLE "äpfel" (id int)',
        "CREATE TABLE customers (id int)",
    )
    snapshot = snapshot_of(fresh_database, "public", "orders", "ÄPFEL", "CUSTOMERS")
    assert names(snapshot.tables) == ["ORDERS", "Orders", "customers", "äpfel"]
    index = NameIndex(names(snapshot.tables), POSTGRES.table_case, POSTGRES.max_name_bytes)
    assert index.resolve("CUSTOMERS") == ("customers", False, ())
    assert index.resolve("ÄPFEL") == ("äpfel", True, ())
    assert index.resolve("orders") == (None, True, ("ORDERS", "Orders"))


def test_a_folded_name_wins_over_the_exact_one_as_in_sql(fresh_database: str) -> None:
    run(fresh_database, 'CREATE TABLE "Orders" (a int)', "CREATE TABLE orders (b int)")
    assert names(snapshot_of(fresh_database, "public", "Orders").tables) == ["Orders", "orders"]


@pytest.mark.parametrize(
    ("schemas", "wanted", "exists"),
    [
        (["sales"], "sales", True),
        (["sales"], "SALES", True),
        (["Sales"], "Sales", True),
        (["Sales"], "sales", True),
        (["Sales"], '"Sales"', True),
        (["Sales", "SALES"], "sales", False),  # nobody can tell which
        (["Sales", "SALES"], "SALES", True),
        (["sales"], "sale", False),
        (["sälES"], "SÄLES", True),
        (["s" * 63], "s" * 100, True),
    ],
)
def test_a_schema_resolves_like_a_table(fresh_database: str, schemas: list[str], wanted: str, exists: bool) -> None:
    run(fresh_database, *(f'CREATE SCHEMA "{schema}"' for schema in schemas))
    snapshot = snapshot_of(fresh_database, wanted, "nothing")
    assert (snapshot.exists, snapshot.schema, snapshot.tables) == (exists, wanted, ())


def test_the_folded_schema_wins_over_the_exact_one(fresh_database: str) -> None:
    run(fresh_database, 'CREATE SCHEMA "Sales"', "CREATE SCHEMA sales", "CREATE TABLE sales.orders (id int)")
    assert names(snapshot_of(fresh_database, "Sales", "orders").tables) == ["orders"]


@pytest.mark.parametrize("name", [*HOSTILE_NAMES, "x" * 200])
def test_hostile_names_are_only_names(fresh_database: str, name: str) -> None:
    quoted = sql.Identifier(name)
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(quoted))
        connection.execute(sql.SQL("CREATE TABLE {}.{} ({} int)").format(quoted, quoted, quoted))
    snapshot = snapshot_of(fresh_database, name, name, "absent " + name)
    assert snapshot.exists
    (table,) = snapshot.tables
    assert (table.name, table.columns[0].name) == (name[:63], name[:63])
    assert not snapshot_of(fresh_database, "absent " + name[:30], name).exists


@pytest.mark.parametrize("name", ["nul\0", "lone \ud800 surrogate"])
def test_names_that_cannot_be_asked_for_are_absent_and_disturb_nothing(fresh_database: str, name: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    groups = [request(name, "orders"), request("public", "orders", database=name), request("public", "orders", name)]
    in_schema, in_database, beside = introspect_source(connects(fresh_database), POSTGRES, groups, timeout_s=30).groups
    for outcome in (in_schema, in_database):
        assert (outcome.snapshot.exists, outcome.snapshot.error, outcome.statements) == (False, None, 0)
    assert names(beside.snapshot.tables) == ["orders"]


def test_a_database_without_an_encoding_gives_names_as_text(postgres_uri: str) -> None:
    options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    run(postgres_uri, "DROP DATABASE IF EXISTS bare_ascii", f"CREATE DATABASE bare_ascii {options}")
    uri = make_conninfo(postgres_uri, dbname="bare_ascii")
    run(uri, "CREATE TABLE orders (id int)")
    assert snapshot_of(uri, "public", "orders").tables == (Table("orders", "table", True, (Column("id", "integer"),)),)


# Neighbours: rename hints


def test_an_absent_table_brings_the_names_that_look_like_it(fresh_database: str) -> None:
    run(
        fresh_database,
        "CREATE TABLE orders_v2 (id int)",
        "CREATE TABLE customers (id int)",
        "CREATE TABLE zzz (id int)",
        "CREATE SEQUENCE orders_seq",
    )
    snapshot = snapshot_of(fresh_database, "public", "orders", "customers")
    assert names(snapshot.tables) == ["customers"]
    assert snapshot.neighbours == ("orders_v2",)


# What may be read


def test_a_table_that_the_role_may_not_read_is_there_but_unreadable(
    fresh_database: str, reader: tuple[str, str]
) -> None:
    role, uri = reader
    run(
        fresh_database,
        "CREATE TABLE hidden (id int)",
        "CREATE TABLE shown (id int)",
        "CREATE TABLE partly (id int, secret text, name text)",
        f"GRANT SELECT ON shown TO {role}",
        f"GRANT SELECT (id, name) ON partly TO {role}",
    )
    hidden, partly, shown = snapshot_of(uri, "public", "hidden", "partly", "shown").tables
    assert (hidden.readable, hidden.columns) == (False, (Column("id", "integer", readable=False),))
    assert (shown.readable, shown.columns) == (True, (Column("id", "integer"),))
    assert partly.readable
    assert [(column.name, column.readable) for column in partly.columns] == [
        ("id", True),
        ("secret", False),
        ("name", True),
    ]


def test_without_usage_of_the_schema_a_grant_on_the_table_does_not_help(
    fresh_database: str, reader: tuple[str, str]
) -> None:
    role, uri = reader
    run(
        fresh_database,
        "CREATE SCHEMA closed",
        "CREATE TABLE closed.orders (id int)",
        f"GRANT SELECT ON closed.orders TO {role}",
    )
    snapshot = snapshot_of(uri, "closed", "orders")
    assert snapshot.exists
    assert snapshot.tables == (Table("orders", "table", False, (Column("id", "integer", readable=False),)),)


# What is not there, and what cannot be known


def test_a_schema_that_is_not_there_is_no_failure(fresh_database: str) -> None:
    outcome = outcome_of(fresh_database, request("nowhere", "orders"))
    assert (outcome.snapshot.exists, outcome.snapshot.error, outcome.failure) == (False, None, None)


def test_a_schema_without_the_tables_is_there_and_empty(fresh_database: str) -> None:
    outcome = outcome_of(fresh_database, request("public", "orders"))
    assert (outcome.snapshot.exists, outcome.snapshot.tables, outcome.failure) == (True, (), None)


def test_a_database_that_is_not_there_is_no_failure_and_leaves_the_others_alone(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    groups = [request("public", "orders", database="nowhere"), request("public", "orders")]
    missing, own = introspect_source(connects(fresh_database), POSTGRES, groups, timeout_s=30).groups
    assert (missing.snapshot.exists, missing.snapshot.database, missing.failure) == (False, "nowhere", None)
    assert names(own.snapshot.tables) == ["orders"]


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
    outcomes = introspect_source(closed_after(connect), POSTGRES, groups, timeout_s=30).groups
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


def test_a_connect_callable_may_say_itself_that_the_database_is_not_there() -> None:
    def connect(database: str | None) -> Any:
        raise MissingSchemaError("no such catalogue")

    outcome = outcome_of(connect, request("public", "orders"))
    assert (outcome.snapshot.exists, outcome.failure) == (False, None)


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
    bad, good = introspect_source(closed_after(connect), dialect, groups, timeout_s=30).groups
    assert bad.failure is Failure.TERMINAL
    assert "division by zero" in (bad.snapshot.error or "")
    assert names(good.snapshot.tables) == ["orders"]
    assert opened == [None]


def test_a_slow_statement_is_stopped_by_the_server_and_is_transient(fresh_database: str) -> None:
    dialect = replace(POSTGRES, columns_query=lambda group: replace(POSTGRES.columns_query(group), sql=SLEEP))
    (outcome,) = introspect_source(connects(fresh_database), dialect, [request("s", "t")], timeout_s=0.2).groups
    assert outcome.failure is Failure.TRANSIENT
    assert "statement timeout" in (outcome.snapshot.error or "")


SLEEP = "SELECT pg_sleep(60), %(schema)s"


def test_the_session_cannot_write_whatever_the_connection_allows(fresh_database: str) -> None:
    write = "CREATE TABLE written AS SELECT %(schema)s::text"
    dialect = replace(POSTGRES, columns_query=lambda group: replace(POSTGRES.columns_query(group), sql=write))
    connect = connects(fresh_database, autocommit=True)
    (outcome,) = introspect_source(connect, dialect, [request("s", "t")], timeout_s=30).groups
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
    fresh_database: str, closed_after: Callable[[Connect], Connect], hang_up: bool, reason: str
) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    told: list[str] = []
    with _proxy(fresh_database, hang_up=hang_up) as proxy:
        cut, read = introspect_source(
            closed_after(connects(proxy.uri)),
            POSTGRES,
            [request("public", "orders"), request("public", "orders")],
            timeout_s=0.5,
            log=told.append,
        ).groups
    assert cut.failure is Failure.TRANSIENT
    assert reason in (cut.snapshot.error or "")
    assert cut.snapshot.tables == ()
    assert names(read.snapshot.tables) == ["orders"]
    assert proxy.connections == 2
    assert "connecting again" in told[0]


def test_a_server_that_accepts_and_never_answers_is_left_behind() -> None:
    told: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uri = f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/db"
        groups = [request("a", "t"), request("b", "t", database="other")]
        outcomes = introspect_source(connects(uri), POSTGRES, groups, timeout_s=0.2, log=told.append).groups
    assert [outcome.failure for outcome in outcomes] == [Failure.TRANSIENT, Failure.TRANSIENT]
    assert all("no answer within 0.2 s" in (outcome.snapshot.error or "") for outcome in outcomes)
    assert "2 of 2 groups have no answer" in told[0]


def test_what_was_read_before_the_deadline_is_kept(fresh_database: str) -> None:
    run(fresh_database, "CREATE TABLE orders (id int)")
    never = threading.Event()

    def connect(database: str | None) -> Any:
        if database is not None:
            never.wait(60)
        return connects(fresh_database)(None)

    groups = [request("public", "orders"), request("public", "orders", database="slow")]
    read, late = introspect_source(connect, POSTGRES, groups, timeout_s=30, deadline_s=1.0).groups
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
        outcomes = introspect_source(connects(fresh_database), POSTGRES, groups, timeout_s=30).groups
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
