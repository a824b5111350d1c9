"""dbt's semantic models: a definition for each, in our words. Pure.

- ``entities`` are keys of the very table (``expr``, or the column of their name); a foreign one is also a way to the
  dataset of its name, if there is one.
- ``type`` of a dimension (``time``, ``categorical``) is a kind, of an entity a role: neither is a column's type.
- Metrics that stand beside the models speak of measures and other metrics, not of columns.

Source: https://docs.getdbt.com/docs/build/semantic-models and https://docs.getdbt.com/docs/build/metrics-overview
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator

from .definitions import DatasetDefinition, Field, FieldKind, Relationship
from .document import Mapping, Scalar, Sequence
from .fields import FIELD_SECTIONS, FieldSection, model_name, read_field
from .silence import read_silence
from .values import items_of, required_name, text_of, texts_of

SEMANTIC_SECTIONS = (
    FieldSection("entities", FieldKind.ENTITY, type_key=None),
    FieldSection("dimensions", FieldKind.DIMENSION, type_key=None),
    FieldSection("measures", FieldKind.MEASURE, type_key=None),
)

COLUMN_SECTION = next(section for section in FIELD_SECTIONS if section.key == "columns")


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


def read_derived(model: Mapping) -> Iterator[Field]:
    """The latest spec's ``derived_semantics``: expressions over the model's columns."""
    derived = model.entries.get("derived_semantics")
    if isinstance(derived, Mapping):
        for section in SEMANTIC_SECTIONS:
            yield from (read_field(each, section) for each in items_of(derived, section.key))


def built_as(model: Mapping, definition: DatasetDefinition) -> Iterator[DatasetDefinition]:
    """The relations that dbt builds of a model: none, one, or one for each of its versions, the latest first.

    Source: https://docs.getdbt.com/docs/build/custom-aliases and …/docs/mesh/govern/model-versions
    """
    versions = items_of(model, "versions")
    texts = [text_of(each, "v") or "" for each in versions]
    latest = text_of(model, "latest_version") or max(texts, key=_version_key, default="")
    for number, version in sorted(zip(texts, versions, strict=True), key=lambda each: each[0] != latest):
        name = f"{definition.table}_v{number.replace('.', '_')}"
        fields = tuple(_fields_of_version(version, definition, is_latest=number == latest))
        renamed = definition.name if number == latest else f"{definition.name}.v{number}"
        of_version = dataclasses.replace(definition, name=renamed, model=name, fields=fields)
        yield from _configured(version, _configured(model, [of_version]))
    if not versions:
        yield from _configured(model, [definition])


def _configured(item: Mapping, definitions: Iterable[DatasetDefinition]) -> Iterator[DatasetDefinition]:
    """What ``config`` makes of them; templates in it are not known here."""
    config = item.entries.get("config")
    if not isinstance(config, Mapping):
        yield from definitions
        return
    stated = {
        key: node.text
        for key in ("alias", "schema", "database", "materialized", "enabled")
        if isinstance(node := config.entries.get(key), Scalar) and node.text and "{{" not in node.text
    }
    if stated.get("materialized") == "ephemeral" or stated.get("enabled", "").lower() in ("false", "no", "off"):
        return
    for each in definitions:
        yield dataclasses.replace(
            each,
            model=stated.get("alias", each.model),
            database=each.database or stated.get("database"),
            custom_schema=stated.get("schema", each.custom_schema),
        )


def _version_key(text: str) -> tuple[float, str]:
    return (float(text), "") if re.fullmatch(r"\d+(\.\d+)?", text) else (-1.0, text)


def _fields_of_version(version: Mapping, definition: DatasetDefinition, *, is_latest: bool) -> Iterator[Field]:
    """Of the model's columns those that a version includes, and its own; everything else is the latest version's."""
    columns = version.entries.get("columns")
    items = [each for each in columns.items if isinstance(each, Mapping)] if isinstance(columns, Sequence) else []
    rules = next((each for each in items if "include" in each.entries), None)
    included = texts_of(rules, "include") if rules else ["all"]
    excluded = texts_of(rules, "exclude") if rules else []
    for each in definition.fields:
        if each.kind is not FieldKind.COLUMN:
            if is_latest:
                yield each
        elif each.name not in excluded and (included in (["all"], ["*"]) or each.name in included):
            yield each
    yield from (read_field(each, COLUMN_SECTION) for each in items if "include" not in each.entries)


def _join_paths(item: Mapping) -> Iterator[Relationship]:
    """A foreign entity is a way to the dataset of its name, if there is one; it needs nothing there."""
    for entity in items_of(item, "entities"):
        if text_of(entity, "type") == "foreign":
            name = required_name(entity, "entities")
            line = entity.entries["name"].line
            yield Relationship("entity", name, name, (), (), line, line, line)
