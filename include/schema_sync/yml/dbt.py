"""dbt's semantic models: a definition for each, in our words. Pure.

- ``entities`` are keys of the very table (``expr``, or the column of their name); a foreign one is also a way to the
  dataset of its name, if there is one.
- ``type`` of a dimension (``time``, ``categorical``) is a kind, of an entity a role: neither is a column's type.
- Metrics that stand beside the models speak of measures and other metrics, not of columns.

Source: https://docs.getdbt.com/docs/build/semantic-models and https://docs.getdbt.com/docs/build/metrics-overview
"""

from __future__ import annotations

from collections.abc import Iterator

from .definitions import DatasetDefinition, FieldKind, Relationship
from .document import Mapping
from .fields import FieldSection, model_name, read_field
from .silence import read_silence
from .values import items_of, required_name, text_of

SEMANTIC_SECTIONS = (
    FieldSection("entities", FieldKind.ENTITY, type_key=None),
    FieldSection("dimensions", FieldKind.DIMENSION, type_key=None),
    FieldSection("measures", FieldKind.MEASURE, type_key=None),
)

# What else stands in dbt's files, beside models or alone in a document: it describes no table of its own.
_ELSEWHERE = frozenset(
    """
    version metrics sources exposures seeds snapshots macros groups saved_queries unit_tests data_tests analyses
    """.split()  # noqa: SIM905 (a list of words reads better without quotes)
)


def read_semantic_model(item: Mapping, fallback_name: str) -> DatasetDefinition:
    """One item of ``semantic_models``; where its table lives may be said in the ``models`` beside it."""
    return DatasetDefinition(
        name=text_of(item, "name") or fallback_name,
        model=model_name(text_of(item, "model")),
        data_source_name=text_of(item, "data_source_name"),
        database=text_of(item, "database"),
        schema=text_of(item, "schema"),
        fields=tuple(
            read_field(each, section) for section in SEMANTIC_SECTIONS for each in items_of(item, section.key)
        ),
        relationships=tuple(_join_paths(item)),
        line=item.line,
        silence=read_silence(item),
    )


def describes_no_table(document: Mapping) -> bool:
    """True for a document that holds only what dbt keeps beside its models, such as metrics over measures."""
    if not document.entries or not all(isinstance(key, str) and key in _ELSEWHERE for key in document.entries):
        return False
    return all("type_params" in metric.entries for metric in items_of(document, "metrics"))


def _join_paths(item: Mapping) -> Iterator[Relationship]:
    """A foreign entity is a way to the dataset of its name, if there is one; it needs nothing there."""
    for entity in items_of(item, "entities"):
        if text_of(entity, "type") == "foreign":
            name = required_name(entity, "entities")
            line = entity.entries["name"].line
            yield Relationship("entity", name, name, (), (), line, line, line)
