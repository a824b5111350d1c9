"""What a saved chart's query reads: tables and columns through aliases, CTEs, subqueries and stars."""

from __future__ import annotations

import pytest

from include.schema_sync.sql.queries import MAX_QUERY, read_query


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT amount FROM orders", {"amount": "orders"}),
        ("SELECT o.amount, c.name FROM sales.orders o JOIN c ON c.id = o.c_id",
         {"amount": "sales.orders", "c_id": "sales.orders", "name": "c", "id": "c"}),
        ("SELECT amount FROM orders, refunds", {"amount": "orders|refunds"}),
        ("WITH p AS (SELECT * FROM orders) SELECT sum(amount) FROM p", {"amount": "orders"}),
        ("WITH p AS (SELECT total AS amount FROM orders) SELECT amount FROM p", {"total": "orders"}),
        ("SELECT amount FROM (SELECT o.*, 1 AS x FROM orders o) q", {"amount": "orders"}),
        ("SELECT total AS amount FROM orders GROUP BY amount ORDER BY amount", {"total": "orders"}),
        ("SELECT sum(amount) AS amount FROM orders ORDER BY amount", {"amount": "orders"}),
        ("SELECT * FROM orders", {}),
        ("SELECT 1 FROM a WHERE id IN (SELECT x FROM b)", {"id": "a", "x": "a|b"}),
        ("SELECT 1 FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.x = a.y)", {"x": "b", "y": "a"}),
        ("WITH r AS (SELECT o.*, c.x FROM orders o JOIN c ON c.id = 1) SELECT y FROM r",
         {"y": "orders", "x": "c", "id": "c"}),
        ("SELECT q FROM (SELECT q FROM a UNION ALL SELECT q FROM b) u", {"q": "a|b"}),
        ("WITH u AS (SELECT * FROM a UNION ALL SELECT * FROM b) SELECT q FROM u", {"q": "a|b"}),
        ("SELECT a.v FROM a JOIN b USING (k)", {"v": "a", "k": "a|b"}),
        ("WITH RECURSIVE t AS (SELECT k FROM a UNION ALL SELECT k + 1 FROM t) SELECT k FROM t", {"k": "a"}),
    ],
)  # fmt: skip
def test_columns_are_followed_to_the_tables_that_they_are_of(text, columns):
    reading = read_query(text, "postgres")
    assert reading.problem is None
    found: dict[str, set[str]] = {}
    for each in reading.columns:
        found.setdefault(each.name, set()).update(".".join(path) for path in each.tables)
    assert {name: "|".join(sorted(tables)) for name, tables in found.items()} == columns


@pytest.mark.parametrize(
    "text",
    ["", "SELECT FROM WHERE", "DELETE FROM orders", "SELECT 1; DROP TABLE orders", "SELECT {{ x }} FROM", "'",
     "(" * 900,
     "SELECT 'x" + "x" * MAX_QUERY, "amount + 1", "SELECT * FROM (" * 60],
)  # fmt: skip
def test_what_is_no_one_query_has_a_problem_and_reads_nothing(text):
    reading = read_query(text, "postgres")
    assert reading.problem
    assert not reading.tables | reading.columns


def test_tables_of_ctes_are_not_tables_of_the_warehouse():
    reading = read_query("WITH p AS (SELECT a FROM s.orders) SELECT a FROM p", "postgres")
    assert reading.tables == {("s", "orders")}
