"""Texts and items out of the tree of ``yml.document``; errors say what was found and what is expected. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from .document import Mapping, Node, Scalar, Sequence, invalid, quoted

# How alike (0 to 1) a key must be to be suggested where the item is refused anyhow.
_LIKELY_NAME = 0.7
# Comparing costs time, and a hostile text can have any number of keys of any length.
_KEYS_COMPARED, _LONGEST_KEY_COMPARED = 50, 40


def items_of(mapping: Mapping, key: str) -> list[Mapping]:
    """The mappings listed under a key; none when the key is absent or null."""
    node = mapping.entries.get(key)
    if node is None or (isinstance(node, Scalar) and node.text is None):
        return []
    if not isinstance(node, Sequence):
        raise invalid(f"`{key}` is {found(node)}; expected a list of mappings, each with `name`", node)
    items = []
    for item in node.items:
        if not isinstance(item, Mapping):
            raise invalid(f"an item of `{key}` is {found(item)}; expected a mapping with `name`", item)
        items.append(item)
    return items


def required_name(item: Mapping, section: str) -> str:
    """The name that every item has; a key that was probably meant to be ``name`` is told."""
    name = text_of(item, "name")
    if name is not None:
        return name
    if "name" not in item.entries:
        for key, meant in near_misses(item, ("name",), _LIKELY_NAME):
            raise invalid(
                f"an item of `{section}` has no name, but the key {quoted(key.text or '')}; did you mean `{meant}`?",
                key,
            )
    place = item.entries.get("name", item)
    raise invalid(f"an item of `{section}` has no name; expected `name: …` (the word null needs quotes)", place)


def text_of(mapping: Mapping, key: str) -> str | None:
    """Text as written, or None when it is absent, null or blank."""
    node = mapping.entries.get(key)
    return None if node is None else _text(node, key)


def texts_of(mapping: Mapping, key: str) -> list[str]:
    """The texts under a key that may hold one text or a list of them."""
    node = mapping.entries.get(key)
    nodes = node.items if isinstance(node, Sequence) else [] if node is None else [node]
    return [text for node in nodes if (text := _text(node, key)) is not None]


def near_misses(mapping: Mapping, known: Collection[str], likeness: float) -> list[tuple[Scalar, str]]:
    """Keys written in a mapping that are none of the known ones, but nearly: (the key, the one it resembles)."""
    found_keys = []
    for key in mapping.keys[:_KEYS_COMPARED]:
        if not isinstance(key, Scalar) or key.text is None or len(key.text) > _LONGEST_KEY_COMPARED:
            continue
        if key.text not in known:
            close = difflib.get_close_matches(key.text.lower(), known, 1, likeness)
            found_keys += [(key, meant) for meant in close]
    return found_keys


def found(node: Node) -> str:
    """What a node is, in words for an error."""
    if isinstance(node, Scalar):
        return "nothing" if node.text is None else f"the text {quoted(node.text)}"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def _text(node: Node, key: str) -> str | None:
    """The line break that ends a block scalar is no part of its text."""
    if isinstance(node, Scalar):
        return node.text.rstrip("\n") if node.text and not node.text.isspace() else None
    hint = "; a template such as {{…}} needs quotes" if isinstance(node, Mapping) else ""
    raise invalid(f"`{key}` is {found(node)}; expected text{hint}", node)
