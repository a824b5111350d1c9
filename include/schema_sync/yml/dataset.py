"""Dataset YML → what a dataset says of its table. Reads meaning into the tree of ``yml.document``.

Forms (contract, section 6), told apart by their keys and free to be mixed in one document:

- *single*: one mapping with ``dimensions``, ``measures``, ``metrics``, ``filters``, ``relationships`` or ``entities``
  (the older word for relationships);
- *list*: ``models: [ …single… ]``;
- dbt's ``columns: [{name, data_type}]``, in either, and its ``semantic_models`` (``yml.dbt``).

``schema_sync: {ignore: […], severity: {…}}`` may stand in each of them, or in the document for all of its models.
Keys that are not named here are allowed and not looked at.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

from ..errors import NoDatasetHere
from ..nouns.dataset import Dataset
from .dbt import built_as, read_derived, read_semantic_model
from .definitions import DatasetDefinition as DatasetDefinition
from .definitions import Field as Field
from .definitions import FieldKind as FieldKind
from .definitions import Relationship as Relationship
from .document import Mapping, Node, Scalar, Sequence, invalid, quoted, read_documents
from .fields import SECTIONS, model_path, read_fields, read_relationships
from .other_tools import foreign_kind
from .silence import NOTHING_SILENCED, Silence, read_silence
from .values import found, items_of, near_misses, text_of


def parse_dataset_yml(text: str, *, name: str) -> list[DatasetDefinition]:
    """Read a dataset's YML.

    :param name: name of the dataset's row, for a definition without a name of its own.
    :return: in the order of the text; none when all that it describes are models that dbt builds nothing of.
    :raises InvalidDatasetYml: whatever is wrong with the text; the message begins with line and column and says
        what was found and what was expected.
    :raises NoDatasetHere: nothing is wrong with it, it is no dataset.
    """
    return definitions_of(read_documents(text), name)


ReadDataset = Callable[[Dataset], list[DatasetDefinition]]


def read_dataset(dataset: Dataset) -> list[DatasetDefinition]:
    """:func:`parse_dataset_yml` of a dataset's row."""
    return parse_dataset_yml(dataset.yml, name=dataset.name)


def definitions_of(documents: list[Node], name: str) -> list[DatasetDefinition]:
    """As :func:`parse_dataset_yml`, of a text that was read."""
    if not documents:
        raise invalid("the document is empty: expected `name` with `dimensions`/`measures`, or `models`")
    kinds = [foreign_kind(document) for document in documents]
    if all(kinds):
        raise NoDatasetHere(f"this is {kinds[0]}", _EXPECTED)
    definitions: list[DatasetDefinition] = []
    empty = None
    for document in (document for document, kind in zip(documents, kinds, strict=True) if kind is None):
        try:
            definitions += _definitions(document, name)
        except NoDatasetHere as error:
            empty = error
    if empty and not definitions:
        raise empty
    return definitions


_NAME_KEYS = ("name", "model")
_MODEL_LISTS = ("models", "semantic_models")
_EXPECTED = "`name` with `dimensions`/`measures`, or `models`, or `semantic_models`"

# How alike (0 to 1) a key must be to be suggested where the document is refused anyhow, and to be refused.
_LIKELY, _SURELY = 0.6, 0.8
_SURE_LENGTH = 2  # and how much shorter or longer; `time_dimensions` is a word of its own


def _definitions(document: Node, fallback_name: str) -> Iterator[DatasetDefinition]:
    if not isinstance(document, Mapping):
        raise invalid(f"the document is {found(document)}; expected a mapping: {_EXPECTED}", document)
    lists = [key for key in _MODEL_LISTS if key in document.entries]
    if not lists:
        yield from built_as(document, _definition(document, fallback_name, NOTHING_SILENCED))
        return
    _refuse_misspelt_lists(document)
    outer = read_silence(document)
    models = items_of(document, "models")
    semantic = items_of(document, "semantic_models")
    if not models and not semantic:
        one = " and ".join(f"`{key}`" for key in lists)
        at = document.entries[lists[0]]
        empty = f"{one} {'is' if len(lists) == 1 else 'are'} empty"
        raise NoDatasetHere(empty, "at least one model", line=at.line, column=at.column)
    places: dict[str, DatasetDefinition] = {}
    for item in models:
        for definition in built_as(item, _definition(item, fallback_name, outer)):
            places.setdefault(definition.name, definition)
            yield definition
    for item in semantic:
        _refuse_unknown(item)
        yield _placed_like(read_semantic_model(item, fallback_name), places, outer)
    if items_of(document, "dimensions") or items_of(document, "measures"):
        yield _definition(document, fallback_name, NOTHING_SILENCED)


def _placed_like(
    semantic: DatasetDefinition, models: dict[str, DatasetDefinition], outer: Silence
) -> DatasetDefinition:
    """A semantic model is about the table of the model beside it, wherever that one says it lives."""
    beside = models.get(semantic.table)
    return dataclasses.replace(
        semantic,
        model=(beside.model if beside else None) or semantic.model,
        database=semantic.database or (beside.database if beside else None),
        schema=semantic.schema or (beside.schema if beside else None),
        silence=semantic.silence.within(outer),
        custom_schema=beside.custom_schema if beside else None,
    )


def _definition(model: Mapping, fallback_name: str, outer: Silence) -> DatasetDefinition:
    _refuse_unknown(model)
    database, schema, table = model_path(text_of(model, "model"))
    return DatasetDefinition(
        name=text_of(model, "name") or fallback_name,
        model=table,
        data_source_name=text_of(model, "data_source_name"),
        database=database or text_of(model, "database"),
        schema=schema or text_of(model, "schema"),
        fields=(*read_fields(model), *read_derived(model)),
        relationships=read_relationships(model),
        line=model.line,
        silence=read_silence(model).within(outer),
    )


def _refuse_unknown(model: Mapping) -> None:
    """Refuse a mapping without anything to check: it would otherwise count as checked and clean.

    A definition that is named, or has other sections, may lack a section, unless a misspelt key holds it.
    """
    if any(section in model.entries for section in SECTIONS) or any(key in model.entries for key in _NAME_KEYS):
        _refuse_misspelt_sections(model)
        return
    for key, meant in near_misses(model, (*_NAME_KEYS, *_MODEL_LISTS, *SECTIONS), _LIKELY):
        raise _misspelt(key, meant)
    raise invalid(f"found a mapping without any known key; expected {_EXPECTED}", model)


def _refuse_misspelt_sections(model: Mapping) -> None:
    """A list of named mappings under nearly a section's name can mean nothing else, if that section is not there."""
    suspects = [
        key for key, node in model.entries.items() if isinstance(key, str) and key not in SECTIONS and _is_section(node)
    ]
    if not suspects:
        return
    meant_by = [(key, meant) for key, meant in near_misses(model, (*SECTIONS, *_MODEL_LISTS), _SURELY)]
    meant_by += [(key, "entities") for key in model.keys if isinstance(key, Scalar) and key.text == "entity"]
    for key, meant in meant_by:
        near = abs(len(key.text or "") - len(meant)) <= _SURE_LENGTH
        if key.text in suspects and near and meant not in model.entries:
            raise _misspelt(key, meant)


def _refuse_misspelt_lists(document: Mapping) -> None:
    for key, meant in near_misses(document, _MODEL_LISTS, 0.9):
        if meant not in document.entries and _is_section(document.entries[key.text]):
            raise _misspelt(key, meant)


def _misspelt(key: Scalar, meant: str) -> Exception:
    return invalid(f"the key {quoted(key.text or '')} is not known; did you mean `{meant}`?", key)


def _is_section(node: Node) -> bool:
    """True for a list that begins like one of fields."""
    if not isinstance(node, Sequence) or not node.items:
        return False
    first = node.items[0]
    return isinstance(first, Mapping) and "name" in first.entries
