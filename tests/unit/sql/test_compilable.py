"""Which expressions may be sent, and that none ends elsewhere than it seems to."""

from __future__ import annotations

import pytest

from include.schema_sync.nouns.proof import Argument
from include.schema_sync.sql.compilable import Value, value_of
from include.schema_sync.warehouses import DIALECTS
from include.schema_sync.warehouses.proofs import Compiler

COMPILERS = {name: dialect.proofs for name, dialect in DIALECTS.items() if dialect.proofs is not None}


def value(expression: str, dialect: str = "postgres", args: tuple[str, ...] = ()) -> Value | None:
    compiler = COMPILERS[dialect]
    assert isinstance(compiler, Compiler)
    return value_of(expression, dialect, compiler, args)


def test_exactly_these_engines_compile() -> None:
    assert set(COMPILERS) == {"postgres", "mysql", "duckdb", "sqlite"}


@pytest.mark.parametrize(
    ("expression", "aggregates"),
    [
        ("date_trunc('month', booked_on)", False),
        ("code ILIKE '%(suite) -- no comment%'", False),
        ("payload->>'a''b'", False),
        ("SUM(amount) / NULLIF(COUNT(*), 0)", True),
        ("SUM(amount) OVER (PARTITION BY id)", False),
        ("SUM(SUM(amount)) OVER ()", True),
        ("COUNT(*) FILTER (WHERE amount > 5)", True),
        ("CASE WHEN score > 80 THEN 'hot' END", False),
    ],
)
def test_an_expression_is_sent_as_it_is_written(expression: str, *, aggregates: bool) -> None:
    assert value(expression) == Value(("(", expression, ")"), aggregates)


def test_arguments_are_values_and_nothing_else_in_braces_is() -> None:
    sent = value("started >= {day} AND fare > { floor }", args=("day", "floor"))
    assert sent is not None
    assert sent.sql == ("(", "started >= ", Argument("day"), " AND fare > ", Argument("floor"), "", ")")
    for expression in (
        "a > {other}",
        "note = '{day}'",
        "{{ day }} > a",
        "${TABLE}.a > 1",
        "a = %(day)s",
        '"{day}" > 1',
    ):
        assert value(expression, args=("day",)) is None, expression


NEVER = (
    "1; DROP TABLE ledger", "1) FROM ledger; DROP TABLE ledger; --", "1=1); DELETE FROM ledger; --", "a -- b",
    "a /* b */", "a'", "(a", "a)", "$$a$$ || b", "$x$a$x$", "a > $1", "'a\\' OR b' ", 'x"', "SELECT 1", "DISTINCT a",
    "a AS b", "a, b", "DELETE FROM x", "COPY x TO 'y'", "nul\0",
)  # fmt: skip


@pytest.mark.parametrize("expression", NEVER)
@pytest.mark.parametrize("dialect", COMPILERS)
def test_what_may_end_elsewhere_than_it_seems_is_not_sent(expression: str, dialect: str) -> None:
    assert value(expression, dialect) is None


@pytest.mark.parametrize(
    ("expression", "dialect"),
    [
        ("(SELECT max(a) FROM '/etc/passwd')", "duckdb"),
        ("(SELECT max(a) FROM read_csv('/etc/passwd'))", "duckdb"),
        ("a > ?", "mysql"),
        ("@x := 1", "mysql"),
        ("a # b", "mysql"),
        ("a > :b", "sqlite"),
        ("[a'b] || c'", "sqlite"),
        ("`a` || 'b'", "postgres"),
    ],
)
def test_what_an_engine_reads_in_its_own_way_is_not_sent_to_it(expression: str, dialect: str) -> None:
    assert value(expression, dialect) is None
