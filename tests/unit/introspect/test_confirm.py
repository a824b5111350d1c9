"""How a warehouse is asked about what its catalogue does not list: what is asked, in which order, and when it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from include.schema_sync.introspect.bisect import Refusal
from include.schema_sync.introspect.confirm import Asking, confirm_missing
from include.schema_sync.nouns.snapshot import Column, GroupRequest, GroupSnapshot, Probe, ProbeAnswer, Table
from include.schema_sync.warehouses import dialect_for
from include.schema_sync.warehouses.engine import Dialect, Failure, in_database, quote_with, zero_row_select
from include.schema_sync.warehouses.names import NameCase, can_be_asked

FAST = dialect_for("postgres")
POSTGRES = replace(FAST, proofs=None)  # without statements that answer for many
UPPER = replace(POSTGRES, table_case=NameCase.UPPER, column_case=NameCase.UPPER)
ORDERS = Table("orders", "table", True, (Column("id", "bigint"), Column("Mixed", "text")))


class Warehouse:
    """Answers probes by the names in them: what is refused, and what was asked."""

    def __init__(self, *refused: tuple[str, Failure]) -> None:
        self.asked: list[str] = []
        self._refused = refused

    pipelined = False

    def __call__(self, statements: Sequence[str]) -> list[Refusal | None]:
        return [self._answer(sql) for sql in statements]

    def _answer(self, sql: str) -> Refusal | None:
        self.asked.append(sql.removeprefix("SELECT ").removesuffix(" AS schema_sync_probe WHERE 1 = 0"))
        return next((Refusal(failure, f"no: {part}") for part, failure in self._refused if part in sql), None)


def confirmed(
    warehouse: Warehouse,
    columns: dict[str, tuple[str, ...]],
    *,
    tables: Sequence[Table] = (ORDERS,),
    exists: bool = True,
    dialect: Dialect = POSTGRES,
    schema: str = "public",
    stored_schema: str = "public",
) -> GroupSnapshot:
    spelled = dialect.spelling_of(schema, stored_schema, dialect.table_case) if exists else schema
    request = GroupRequest("s", None, spelled, tuple(columns), columns)
    snapshot = GroupSnapshot("s", None, schema, exists, tuple(tables))
    return confirm_missing(snapshot, Asking(request, dialect, warehouse, can_be_asked))


@pytest.mark.parametrize("columns", [("id",), ("ID", "mixed", "Mixed", "ctid", "nul\0")])
def test_nothing_is_asked_when_nothing_can_be_missing(columns: tuple[str, ...]) -> None:
    warehouse = Warehouse()
    assert confirmed(warehouse, {"orders": columns}).probes == ()
    assert warehouse.asked == []


HIDDEN = replace(ORDERS, readable=False)


def test_columns_of_an_unreadable_table_are_not_asked_because_its_finding_is_another_one() -> None:
    warehouse = Warehouse()
    assert (
        confirmed(warehouse, {"orders": ("gone",), "b": ()}, tables=(HIDDEN, Table("b", "table", True, ()))).probes
        == ()
    )
    assert warehouse.asked == []


@pytest.mark.parametrize("failure", [Failure.SCHEMA_DENIED, Failure.DENIED])
def test_where_no_table_may_be_read_one_of_them_tells_whether_it_is_the_schema(failure: Failure) -> None:
    warehouse = Warehouse(("", failure))
    probes = confirmed(warehouse, {"a": (), "orders": ()}, tables=(replace(HIDDEN, name="a"), HIDDEN)).probes
    assert warehouse.asked == ['1 FROM "public"."a"']
    closed = (Probe("a", None, ProbeAnswer.SCHEMA_DENIED), Probe("orders", None, ProbeAnswer.SCHEMA_DENIED))
    assert probes == (closed if failure is Failure.SCHEMA_DENIED else ())


def test_a_catalogue_that_lists_everything_is_believed_where_the_schema_is_closed() -> None:
    warehouse = Warehouse(("", Failure.SCHEMA_DENIED))
    assert confirmed(warehouse, {"gone": ()}).probes == ()
    hides = replace(POSTGRES, lists_everything=False)
    assert confirmed(warehouse, {"gone": ()}, dialect=hides).probes == (Probe("gone", None, ProbeAnswer.SCHEMA_DENIED),)


def test_one_statement_answers_for_everything_that_is_gone() -> None:
    warehouse = Warehouse()
    columns: dict[str, tuple[str, ...]] = {"orders": tuple(f"c{number}" for number in range(900))}
    assert confirmed(warehouse, {**columns, "gone": (), "Lost": ("x",)}, dialect=FAST).probes == ()
    assert [sql.count("to_regclass") for sql in warehouse.asked] == [1, 0]
    assert """E'"public"."gone"', E'"public"."lost"', E'"public"."Lost"'""" in warehouse.asked[0]
    assert 'CROSS JOIN (SELECT 1 AS "c0", 1 AS "c1"' in warehouse.asked[1]


def test_where_not_everything_is_gone_names_are_asked_apart() -> None:
    warehouse = Warehouse(("to_regclass", Failure.TERMINAL), ("CROSS JOIN", Failure.TERMINAL),
                          ('"gone"', Failure.MISSING_TABLE), ('"x"', Failure.MISSING_COLUMN))  # fmt: skip
    probes = confirmed(warehouse, {"orders": ("x", "y"), "gone": (), "there": ()}, dialect=FAST).probes
    assert probes == (Probe("there", None, ProbeAnswer.RUNS), Probe("orders", "y", ProbeAnswer.RUNS))


def test_columns_that_run_together_need_one_statement() -> None:
    warehouse = Warehouse()
    probes = confirmed(warehouse, {"orders": ("a", "B b", "id")}).probes
    assert warehouse.asked == ['"a", "b b" FROM "public"."orders"']
    assert probes == (Probe("orders", "a", ProbeAnswer.RUNS), Probe("orders", "B b", ProbeAnswer.RUNS))


def test_columns_are_asked_singly_where_they_cannot_be_answered_together() -> None:
    warehouse = Warehouse(('"gone"', Failure.MISSING_COLUMN), ('"secret"', Failure.DENIED), ('"odd"', Failure.TERMINAL))
    probes = confirmed(warehouse, {"orders": ("a", "gone", "odd", "secret")}).probes
    asked = ('"a", "gone", "odd", "secret"', '"a", "gone"', '"odd", "secret"', '"a"', '"odd"', '"gone"', '"secret"')
    assert warehouse.asked == [f'{names} FROM "public"."orders"' for names in asked]
    assert probes == (
        Probe("orders", "a", ProbeAnswer.RUNS),
        Probe("orders", "odd", ProbeAnswer.UNKNOWN, 'no: "odd"'),
        Probe("orders", "secret", ProbeAnswer.DENIED),
    )


@pytest.mark.parametrize("failure", [Failure.TRANSIENT, Failure.MISSING_TABLE])
def test_an_answer_that_holds_for_all_columns_is_not_asked_for_again(failure: Failure) -> None:
    warehouse = Warehouse(("", failure))
    probes = confirmed(warehouse, {"orders": ("a", "b")}).probes
    assert len(warehouse.asked) == 1
    assert len(probes) == (2 if failure is Failure.TRANSIENT else 0)


def test_a_name_that_may_be_meant_letter_for_letter_is_asked_so_before_it_is_missing() -> None:
    warehouse = Warehouse(('"ORDERS"', Failure.MISSING_TABLE), ('"AMOUNT"', Failure.MISSING_COLUMN))
    probes = confirmed(warehouse, {"orders": ("amount",)}, tables=(), dialect=UPPER).probes
    assert warehouse.asked == [
        '"AMOUNT" FROM "public"."ORDERS"',
        '"AMOUNT" FROM "public"."orders"',
        '1 FROM "public"."orders"',
        '"AMOUNT" FROM "public"."orders"',
        '"amount" FROM "public"."orders"',
    ]
    assert probes == (Probe("orders", None, ProbeAnswer.RUNS), Probe("orders", "amount", ProbeAnswer.RUNS))


def test_known_tables_and_schemas_are_asked_by_their_stored_names() -> None:
    warehouse = Warehouse()
    stored = replace(ORDERS, name="Orders")
    probes = confirmed(warehouse, {"ORDERS": ("a",), "Orders": ("b",)}, tables=(stored,), stored_schema="Public").probes
    assert warehouse.asked == ['"a", "b" FROM "Public"."Orders"']
    assert [probe.table for probe in probes] == ["Orders", "Orders"]


def test_a_missing_table_costs_one_statement_whatever_it_should_have() -> None:
    warehouse = Warehouse(("", Failure.MISSING_TABLE))
    assert confirmed(warehouse, {"gone": ("a", "b", "c")}).probes == ()
    assert warehouse.asked == ['"a", "b", "c" FROM "public"."gone"']


def test_a_denied_table_is_denied_as_a_whole_and_its_columns_are_not_asked() -> None:
    warehouse = Warehouse(("", Failure.DENIED))
    assert confirmed(warehouse, {"hidden": ("a", "b", "c")}).probes == (Probe("hidden", None, ProbeAnswer.DENIED),)
    assert warehouse.asked == ['"a", "b", "c" FROM "public"."hidden"', '1 FROM "public"."hidden"']


def test_a_table_that_gives_no_answer_is_asked_once() -> None:
    warehouse = Warehouse(("", Failure.TRANSIENT))
    assert confirmed(warehouse, {"slow": ("a", "b")}).probes == (
        Probe("slow", None, ProbeAnswer.UNKNOWN, "no: "),
    )  # fmt: skip
    assert len(warehouse.asked) == 1


def test_a_missing_schema_stays_missing_after_a_few_of_its_tables() -> None:
    warehouse = Warehouse(("", Failure.MISSING_TABLE))
    found = confirmed(warehouse, {f"t{number}": () for number in range(100)}, tables=(), exists=False)
    assert (found.exists, found.probes, found.error) == (False, (), None)
    assert len(warehouse.asked) == 5


def test_an_engine_that_names_the_missing_schema_is_asked_once_a_spelling() -> None:
    warehouse = Warehouse(("", Failure.MISSING_DATABASE))
    columns: dict[str, tuple[str, ...]] = {"a": (), "b": ()}
    found = confirmed(warehouse, columns, tables=(), exists=False, dialect=UPPER, schema="sales")
    assert not found.exists
    assert [sql.split(" FROM ")[1].split(".")[0] for sql in warehouse.asked] == [
        '"SALES"',
        '"SALES"',
        '"sales"',
        '"sales"',
    ]


def test_a_schema_of_which_one_table_runs_is_there_and_the_others_are_asked_too() -> None:
    warehouse = Warehouse(('"a"', Failure.MISSING_TABLE), ('"c"', Failure.DENIED))
    found = confirmed(warehouse, {"a": (), "b": (), "c": ()}, tables=(), exists=False)
    assert found.exists
    assert found.probes == (Probe("b", None, ProbeAnswer.RUNS), Probe("c", None, ProbeAnswer.DENIED))


def test_a_schema_that_gives_no_answer_makes_the_group_unchecked() -> None:
    found = confirmed(Warehouse(("", Failure.TRANSIENT)), {"a": (), "b": ()}, tables=(), exists=False)
    assert (found.exists, found.error) == (True, "no: ")


@pytest.mark.parametrize(
    ("case", "name", "spellings"),
    [
        (NameCase.LOWER, "Amount", ('"amount"', '"Amount"')),
        (NameCase.LOWER, "amount", ('"amount"',)),
        (NameCase.UPPER, "amount", ('"AMOUNT"', '"amount"')),
        (NameCase.LOWER, "ÄPFEL", ('"Äpfel"', '"ÄPFEL"')),
        (NameCase.LOWER, 'a"b', ('"a""b"',)),
        (NameCase.LOWER, "`Mixed`", ("`Mixed`",)),  # the probe quotes it as its engine does
        (NameCase.LOWER, "x" * 100, ('"' + "x" * 63 + '"',)),
        (NameCase.INSENSITIVE, "Amount", ('"Amount"',)),
        (NameCase.SENSITIVE, "address.city", ("address.city",)),  # the probe knows what a dot means to its engine
    ],
)
def test_names_are_spelled_as_the_engine_and_our_index_resolve_them(
    case: NameCase, name: str, spellings: tuple[str, ...]
) -> None:
    assert POSTGRES.spellings(name, case) == spellings


@pytest.mark.parametrize("quote", [quote_with('"'), quote_with("`"), quote_with("[", "]")])
def test_spelled_names_go_through_the_probe_unchanged(quote: object) -> None:
    assert callable(quote)
    probe = zero_row_select(quote, in_database)
    dialect = replace(POSTGRES, quote=quote, probe=probe)
    for name in ("amount", "Order Id", 'a"b', "a`b", "a]b", "select", "ä"):
        for spelled in dialect.spellings(name, NameCase.LOWER):
            sql = probe(GroupRequest("s", "db", "public", ()), spelled, [spelled, spelled])
            assert sql == f"SELECT {spelled}, {spelled} FROM db.public.{spelled} AS schema_sync_probe WHERE 1 = 0"
