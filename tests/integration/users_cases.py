"""Forty small organizations and one thing that breaks in each: the table that ``test_users.py`` tries on real engines.

``{dataset: YML}``, ``{table: columns}`` and the statement that breaks it. A table's columns are what was there before.
"""

from __future__ import annotations

from typing import NamedTuple


class Case(NamedTuple):
    ymls: dict[str, str]
    tables: dict[str, str]
    drift: str


_ORDERS = "order_id integer, customer_id integer, amount integer, tax integer, status varchar, placed_at timestamp"
_CUSTOMERS = "customer_id integer, name varchar, country varchar, region_id integer"
_ITEMS = "item_id integer, order_id integer, price integer, qty integer"

_SHOP = """\
name: orders
dimensions: [{name: status}, {name: state, expr: upper(status)}, {name: placed_at}]
measures: [{name: amount, agg: sum}, {name: net, expr: amount - tax, agg: sum}, {name: rows, expr: '1', agg: sum}]
metrics:
  - {name: revenue, expr: sum(amount)}
  - {name: aov, expr: revenue / count(*)}
  - {name: aov_index, expr: aov * 100 / 7}
  - {name: taxes, expr: sum(tax)}
  - {name: above, expr: 'sum(case when amount > {floor} then 1 end)', args: [{name: floor, type: integer}]}
  - {name: orders_count, expr: count(*)}
filters: [{name: large, expr: amount > 100}, {name: open, expr: state = 'OPEN'}]
relationships:
  - {name: customers, source_col: customer_id, ref_col: customer_id}
"""
_CLIENTS = """\
name: customers
dimensions: [{name: name}, {name: country}, {name: place, expr: "country || '-' || name"}]
metrics:
  - {name: headcount, expr: count(*)}
  - {name: ltv, expr: sum(orders.amount) / count(distinct customers.customer_id)}
  - {name: spent, expr: orders.revenue}
filters: [{name: buyers, expr: orders.order_id is not null}]
relationships: [{name: orders, source_col: customer_id, ref_col: customer_id}]
"""
_TWO = ({"orders": _SHOP, "customers": _CLIENTS}, {"orders": _ORDERS, "customers": _CUSTOMERS})
_ONE = ({"orders": _SHOP.partition("relationships")[0]}, {"orders": _ORDERS})

_ROLES = """\
name: orders
dimensions: [{name: buyer_name, expr: buyer.name}, {name: seller_name, expr: seller.name}]
metrics: [{name: buyers, expr: count(distinct buyer.country)}, {name: local, expr: max(seller.place)}]
relationships:
  - {name: buyer, ref_: customers, source_col: customer_id, ref_col: customer_id}
  - {name: seller, ref_: shops, source_col: order_id, ref_col: shop_id}
"""
_SHOPS = "name: shops\ndimensions: [{name: name}, {name: place, expr: city || name}]"
_ROLED = (
    {"orders": _ROLES, "customers": "name: customers\ndimensions: [{name: name}, {name: country}]", "shops": _SHOPS},
    {"orders": _ORDERS, "customers": _CUSTOMERS, "shops": "shop_id integer, name varchar, city varchar"},
)
_COMPOSITE = (
    {
        "lines": "name: lines\nmeasures: [{name: qty}]\nmetrics: [{name: worth, expr: sum(qty * prices.price)}]\n"
        "relationships: [{name: prices, source_col: 'sku, day', ref_col: 'sku, valid_on'}]",
        "prices": "name: prices\nmeasures: [{name: price}]\nmetrics: [{name: sold, expr: sum(lines.qty)}]\n"
        "relationships: [{name: lines, source_col: 'sku, valid_on', ref_col: 'sku, day'}]",
    },
    {"lines": "sku integer, day date, qty integer", "prices": "sku integer, valid_on date, price integer"},
)
_KEY_EXPRESSION = (
    {
        "visits": "name: visits\ndimensions: [{name: page}]\nfilters: [{name: known, expr: people.mail is not null}]\n"
        "relationships: [{name: people, source_col: lower(mail), ref_col: lower(mail)}]",
        "people": "name: people\ndimensions: [{name: mail}, {name: born}]",
    },
    {"visits": "page varchar, mail varchar", "people": "mail varchar, born date"},
)
_HOPS = (
    {
        "items": "name: items\nmeasures: [{name: total, expr: price * qty, agg: sum}]\n"
        "metrics: [{name: per_order, expr: sum(total) / max(orders.amount)}, {name: share, expr: per_order / 2},"
        " {name: named, expr: max(orders.code)}]\n"
        "relationships: [{name: orders, source_col: order_id, ref_col: order_id}]",
        "orders": "name: orders\ndimensions: [{name: code, expr: state || order_id},"
        " {name: state, expr: upper(status)}]\nmeasures: [{name: amount}]",
    },
    {"items": _ITEMS, "orders": _ORDERS},
)
_SAME_TABLE = (
    {
        "sales": "name: sales\nmodel: orders\nmeasures: [{name: amount}]\nmetrics: [{name: total, expr: sum(amount)}]",
        "audit": "name: audit\nmodel: orders\ndimensions: [{name: status}]\n"
        "metrics: [{name: doubtful, expr: 'sum(case when status is null then amount end)'}]",
    },
    {"orders": _ORDERS},
)
_LIST = (
    {
        "shop": "models:\n  - name: orders\n    measures: [{name: amount}]\n"
        "    metrics: [{name: per_country, expr: sum(amount) / count(distinct customers.country)}]\n"
        "    relationships: [{name: customers, source_col: customer_id, ref_col: customer_id}]\n"
        "  - name: customers\n    dimensions: [{name: country}, {name: land, expr: country}]\n"
        "    metrics: [{name: lands, expr: count(distinct land)}]\n"
    },
    {"orders": _ORDERS, "customers": _CUSTOMERS},
)
_SHADOWS = (
    {
        "orders": "name: orders\ndimensions: [{name: status, expr: coalesce(status)}, {name: label, expr: status}]\n"
        "measures: [{name: tax, expr: amount / 5}, {name: duty, expr: tax * 2}]\n"
        "metrics: [{name: duties, expr: sum(duty)}, {name: labels, expr: count(label)},"
        " {name: tax_sum, expr: sum(orders.tax)}]"
    },
    {"orders": "order_id integer, amount integer, status varchar"},
)
_QUOTED = (
    {
        "orders": "name: orders\ndimensions: [{name: '\"Order State\"'}, {name: open, expr: '\"Order State\" = 1'}]\n"
        "metrics: [{name: opened, expr: count(open)}, {name: all_of_them, expr: count(*)}]"
    },
    {"orders": 'order_id integer, "Order State" integer'},
)
_ENTITIES = (
    {
        "orders": "name: orders\nmeasures: [{name: amount}]\n"
        "metrics: [{name: reach, expr: sum(amount) / count(distinct customers.country)}]\n"
        "entities: [{name: customers, type: foreign, expr: customer_id, foreign_key: customer_id}]",
        "customers": "name: customers\ndimensions: [{name: country}]",
    },
    {"orders": _ORDERS, "customers": _CUSTOMERS},
)
_WINDOWS = (
    {
        "orders": "name: orders\ndimensions: [{name: day, expr: 'cast(placed_at as date)'}]\n"
        "measures: [{name: running, expr: sum(amount) over (partition by customer_id order by placed_at)}]\n"
        "metrics: [{name: days, expr: count(distinct day)}, {name: days_twice, expr: days * 2},"
        " {name: largest, expr: 'max(amount) filter (where status = ''x'')'}]\n"
        "filters: [{name: recent, expr: day > date '2026-01-01'}]"
    },
    {"orders": _ORDERS},
)


def _drop(what: tuple[dict[str, str], dict[str, str]], table: str, column: str) -> Case:
    return Case(*what, f"ALTER TABLE {table} DROP COLUMN {column}")


CASES = {
    "measure, metrics through it, filter": _drop(_ONE, "orders", "amount"),
    "a column of two expressions": _drop(_ONE, "orders", "tax"),
    "dimension through dimension into filter": _drop(_ONE, "orders", "status"),
    "a column that nobody else uses": _drop(_ONE, "orders", "placed_at"),
    "a column that nobody uses": _drop(_ONE, "orders", "customer_id"),
    "renamed": Case(*_ONE, "ALTER TABLE orders RENAME COLUMN amount TO amount_usd"),
    "the whole table": Case(*_ONE, "DROP TABLE orders"),
    "the whole table under another name": Case(*_ONE, "ALTER TABLE orders RENAME TO orders_old"),
    "another dataset's metrics": _drop(_TWO, "orders", "amount"),
    "another dataset's metric through a metric": _drop(_TWO, "orders", "tax"),
    "own key of a join": _drop(_TWO, "customers", "customer_id"),
    "key of both directions": _drop(_TWO, "orders", "customer_id"),
    "joined filter": _drop(_TWO, "orders", "order_id"),
    "a joined table": Case(*_TWO, "DROP TABLE customers"),
    "a joining table": Case(*_TWO, "DROP TABLE orders"),
    "a dimension of the other side alone": _drop(_TWO, "customers", "country"),
    "one role of two": _drop(_ROLED, "customers", "name"),
    "the other role's expression": _drop(_ROLED, "shops", "city"),
    "one role's key": _drop(_ROLED, "shops", "shop_id"),
    "the own side of one role": _drop(_ROLED, "orders", "order_id"),
    "the table of one role": Case(*_ROLED, "DROP TABLE shops"),
    "part of a composite key": _drop(_COMPOSITE, "lines", "day"),
    "the other part, other side": _drop(_COMPOSITE, "prices", "sku"),
    "a value across a composite key": _drop(_COMPOSITE, "prices", "price"),
    "an expression as key, own side": _drop(_KEY_EXPRESSION, "visits", "mail"),
    "an expression as key, other side": _drop(_KEY_EXPRESSION, "people", "mail"),
    "beside an expression as key": _drop(_KEY_EXPRESSION, "people", "born"),
    "a measure's expression, two metrics up": _drop(_HOPS, "items", "qty"),
    "another dataset's alias of an alias": _drop(_HOPS, "orders", "status"),
    "a column over a join, one metric up": _drop(_HOPS, "orders", "amount"),
    "two datasets of one table": _drop(_SAME_TABLE, "orders", "amount"),
    "one of two datasets of one table": _drop(_SAME_TABLE, "orders", "status"),
    "a table with two datasets": Case(*_SAME_TABLE, "DROP TABLE orders"),
    "models of one file": _drop(_LIST, "customers", "country"),
    "a table of one file's models": Case(*_LIST, "DROP TABLE customers"),
    "a field named as its column": _drop(_SHADOWS, "orders", "status"),
    "a field that no column is named as": _drop(_SHADOWS, "orders", "amount"),
    "a quoted name": _drop(_QUOTED, "orders", '"Order State"'),
    "entities": _drop(_ENTITIES, "orders", "customer_id"),
    "entities, far side": _drop(_ENTITIES, "customers", "country"),
    "window and cast": _drop(_WINDOWS, "orders", "placed_at"),
    "inside of a clause": _drop(_WINDOWS, "orders", "status"),
}
