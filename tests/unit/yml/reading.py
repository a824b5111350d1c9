"""Reads a text as a dataset's YML, for tests; and texts in every form in use."""

from __future__ import annotations

from include.schema_sync.yml.dataset import DatasetDefinition, parse_dataset_yml

SINGLE = """\
name: orders
description: >
  Orders as the shop takes them: one row each,
  name: not a key here.
data_source_name: shop
database: analytics
schema: public
dimensions:
  - name: order_id
    description: >-
      Folded over
      two lines.
    type: integer
    searchable: false
    options: [1, 2]
  - name: placed_on
    expr: >-
      date_trunc('day',
      placed_at)
    type: null
  - {name: status, expr: null, type: "varchar(20)", description: null}
measures:
  - name: rows
    expr: 1
    agg: count
  - name: everything
    expr: '*'
    agg: count
metrics:
  - name: revenue_since
    expr: sum(amount) filter (where placed_at > {start})
    args:
      - {name: start, type: date}
filters:
  - name: recent
    expr: placed_at > now() - {days}
    args: [days]
relationships:
  - name: customer
    source_col: customer_id
    ref_col: id
    type: left
    cardinality: many-to-one
clarifications:
  - Anything may stand here.
"""

LIST = """\
version: 0
models:
- name: customer
  model: ref('customers')
  data_source_name: null
  schema: ont
  entities:
  - {name: person, ref_: null, expr: personid, type: foreign}
  - {name: home, ref: "{{ ref('address') }}", primary_key: "a, b", foreign_key: id, type: primary}
  dimensions:
  - {name: on, type: boolean}
  measures: []
  metrics: null
  segments: []
- model: stores
  columns:
  - {name: store_id, data_type: bigint, tests: [unique]}
  - {name: city}
"""


def parse(text: str) -> list[DatasetDefinition]:
    return parse_dataset_yml(text, name="row")


def definition(text: str) -> DatasetDefinition:
    (only,) = parse(text)
    return only


DBT = """\
version: 2
models:
  - name: fct_orders
    schema: marts
    columns:
      - {name: order_id, data_type: bigint}
      - name: amount
semantic_models:
  - name: orders
    model: ref('fct_orders')
    defaults: {agg_time_dimension: ordered_at}
    primary_entity: order
    entities:
      - {name: order_id, type: primary}
      - {name: customer, type: foreign, expr: customer_key}
    dimensions:
      - name: ordered_at
        type: time
        type_params: {time_granularity: day}
      - {name: status, type: categorical, expr: upper(state)}
    measures:
      - {name: revenue, agg: sum, expr: amount, create_metric: true}
      - {name: amount, agg: max}
      - name: rows
        agg: count
        expr: 1
metrics:
  - {name: revenue, type: simple, type_params: {measure: revenue}}
  - {name: ratio, type: derived, type_params: {expr: revenue / rows}}
"""
