"""YAML that shares keys with datasets and is none: what it is, for people. Pure.

Told by keys that a dataset has no use for. Sources: each format's reference.
"""

from __future__ import annotations

from .document import Mapping, Node, Scalar, Sequence
from .values import text_of

# What dbt keeps beside its models, or alone in a document: it describes no table of its own.
_DBT = frozenset(
    """
    version metrics sources exposures seeds snapshots macros groups saved_queries unit_tests data_tests analyses
    """.split()  # noqa: SIM905 (a list of words reads better without quotes)
)
_DBT_METRIC = frozenset({"type_params", "input_metrics", "calculation_method", "numerator", "input_metric"})
_DBT_METRIC_TYPES = frozenset({"simple", "derived", "ratio", "cumulative", "conversion"})

# Keys that stand in it, all of them → what the document is.
_KINDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("openapi",), "an OpenAPI description"),
    (("swagger",), "an OpenAPI description"),
    (("asyncapi",), "an AsyncAPI description"),
    (("receivers", "exporters"), "an OpenTelemetry Collector configuration"),
    (("receivers", "service"), "an OpenTelemetry Collector configuration"),
    (("processors", "service"), "an OpenTelemetry Collector configuration"),
    (("file_format", "meter_provider"), "an OpenTelemetry configuration"),
    (("verified_queries",), "a Snowflake Cortex Analyst semantic model"),
    (("table_name", "uuid"), "a Superset dataset"),
    (("table_name", "database_uuid"), "a Superset dataset"),
    (("slice_name",), "a Superset chart"),
    (("dashboard_title",), "a Superset dashboard"),
    (("sqlalchemy_uri",), "a Superset database"),
    (("metrics_view",), "a Rill dashboard"),
    (("serdes/meta",), "a Metabase export"),
    (("panels", "schemaVersion"), "a Grafana dashboard"),
    (("panels", "templating"), "a Grafana dashboard"),
    (("apiVersion",), "a resource of Grafana, Kubernetes or the like"),
    (("scrape_configs",), "a Prometheus configuration"),
    (("cubes",), "a Cube data model"),
    (("explores",), "a LookML model"),
    (("contentType",), "a Lightdash chart or dashboard"),
    (("metricQuery",), "a Lightdash chart"),
    (("databaseChangeLog",), "a Liquibase change log"),
    (("dataContractSpecification",), "a data contract"),
    (("base_view",), "an Omni topic"),
)
_TYPES = {
    "metrics_view": "a Rill metrics view",
    "explore": "a Rill dashboard",
    "canvas": "a Rill dashboard",
    "component": "a Rill dashboard",
}


def foreign_kind(document: Node) -> str | None:
    """What a document is that belongs to another tool, or to a part of dbt that describes no table; else None."""
    if not isinstance(document, Mapping) or not document.entries:
        return None
    keys = document.entries.keys()
    for marks, kind in _KINDS:
        if all(mark in keys for mark in marks):
            return kind
    for key in ("type", "kind"):
        node = document.entries.get(key)
        if isinstance(node, Scalar) and node.text in _TYPES:
            return _TYPES[node.text]
    if any("base_table" in each.entries for each in _items(document, "tables")):
        return "a Snowflake Cortex Analyst semantic model"
    if "source" in keys and not {"name", "model", "models"} & keys and {"dimensions", "measures", "fields"} & keys:
        return "a Databricks metric view"
    is_dbt = all(isinstance(key, str) and key in _DBT for key in keys)
    if is_dbt and all(_is_of_dbt(each) for each in _items(document, "metrics")):
        return "dbt's metrics, sources or exposures alone"
    return None


def _is_of_dbt(metric: Mapping) -> bool:
    return not _DBT_METRIC.isdisjoint(metric.entries.keys()) or text_of(metric, "type") in _DBT_METRIC_TYPES


def _items(document: Mapping, key: str) -> list[Mapping]:
    node = document.entries.get(key)
    return [each for each in node.items if isinstance(each, Mapping)] if isinstance(node, Sequence) else []
