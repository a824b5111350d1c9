"""What a dataset's author asks not to be told, or not as loudly: ``schema_sync: {ignore: […], severity: {…}}``. Pure.

``ignore`` holds patterns of column names (``*``, ``?``, ``[…]``): findings about these columns are counted as ignored
and not told. ``severity`` says per discrepancy type how much it matters for this dataset. The severity of a missing
schema follows only when all datasets in it agree; that of an unreadable YML cannot be changed by that YML.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import lru_cache

from ..nouns.discrepancy import DiscrepancyType, Severity
from ..warehouses.names import NameCase, unquote
from .document import Mapping, Node, Scalar, Sequence, invalid, quoted
from .values import found, near_misses

KEY = "schema_sync"

# A pattern is matched against every column of a table, and a hostile text can hold any number of any length.
_MOST_PATTERNS, _LONGEST_PATTERN, _MOST_STARS = 200, 200, 10
_LIKELY = 0.6
_EXPECTED = "`ignore` (a list of column patterns) and `severity` (a mapping of discrepancy types)"


def read_silence(mapping: Mapping) -> Silence:
    """What stands under ``schema_sync`` in a dataset (or in the document, for all of its models).

    :raises InvalidDatasetYml: unknown keys, types or severities, and wrong shapes; near misses are named.
    """
    node = mapping.entries.get(KEY)
    if node is None or _is_nothing(node):
        _refuse_misspelt(mapping)
        return NOTHING_SILENCED
    if not isinstance(node, Mapping):
        raise invalid(f"`{KEY}` is {found(node)}; expected a mapping with {_EXPECTED}", node)
    _refuse_unknown(node, ("ignore", "severity"), f"key of `{KEY}`", _EXPECTED)
    return Silence(_patterns(node), _severities(node))


@dataclass(frozen=True, slots=True)
class Silence:
    """Hashable.

    :ivar ignore: glob patterns of column names.
    :ivar severity: (type, how much it matters here), each type once.
    """

    ignore: tuple[str, ...] = ()
    severity: tuple[tuple[DiscrepancyType, Severity], ...] = ()

    def ignores(self, column: str, case: NameCase) -> bool:
        """True when a pattern matches the column's name as a whole.

        :param column: the name, perhaps in an engine's quotes.
        :param case: the engine's rule; letter case counts only where the engine never folds or ignores it.
        """
        if not self.ignore:
            return False
        name, _ = unquote(column)
        folds = case is not NameCase.SENSITIVE
        return _matcher(self.ignore, folds).fullmatch(name.lower() if folds else name) is not None

    def severity_of(self, kind: DiscrepancyType) -> Severity | None:
        """How much a problem of this type matters here; None: as the type says."""
        return next((severity for each, severity in self.severity if each is kind), None)

    def within(self, outer: Silence) -> Silence:
        """This dataset's wishes together with those of the whole document; its own severities come first."""
        if outer == NOTHING_SILENCED:
            return self
        return Silence(
            tuple(dict.fromkeys((*self.ignore, *outer.ignore))),
            tuple(dict([*outer.severity, *self.severity]).items()),
        )


NOTHING_SILENCED = Silence()


@lru_cache(maxsize=256)
def _matcher(patterns: tuple[str, ...], folds: bool) -> re.Pattern[str]:
    return re.compile("|".join(fnmatch.translate(each.lower() if folds else each) for each in patterns))


def _patterns(node: Mapping) -> tuple[str, ...]:
    ignore = node.entries.get("ignore")
    if ignore is None or _is_nothing(ignore):
        return ()
    if not isinstance(ignore, Sequence):
        raise invalid(
            f"`ignore` is {found(ignore)}; expected a list of column patterns, such as ['_*', tmp_id]", ignore
        )
    if len(ignore.items) > _MOST_PATTERNS:
        raise invalid(f"`ignore` has {len(ignore.items)} patterns; expected at most {_MOST_PATTERNS}", ignore)
    patterns = []
    for item in ignore.items:
        if not isinstance(item, Scalar) or not (item.text or "").strip():
            raise invalid(
                f"an item of `ignore` is {found(item)}; expected a column pattern (the word null needs quotes)", item
            )
        text = (item.text or "").strip()
        if len(text) > _LONGEST_PATTERN or text.count("*") > _MOST_STARS:
            limit = f"at most {_LONGEST_PATTERN} characters and {_MOST_STARS} stars"
            raise invalid(f"the pattern {quoted(text)} is too long; expected {limit}", item)
        patterns.append(text)
    return tuple(dict.fromkeys(patterns))


def _severities(node: Mapping) -> tuple[tuple[DiscrepancyType, Severity], ...]:
    severity = node.entries.get("severity")
    if severity is None or _is_nothing(severity):
        return ()
    if not isinstance(severity, Mapping):
        wanted = "expected a mapping such as {missing_column: warning}"
        raise invalid(f"`severity` is {found(severity)}; {wanted}", severity)
    types, words = tuple(map(str, DiscrepancyType)), tuple(map(str, Severity))
    _refuse_unknown(severity, types, "discrepancy type", ", ".join(types))
    severities = []
    for kind, value in severity.entries.items():
        if kind not in types:
            continue
        if not isinstance(value, Scalar) or value.text not in words:
            raise invalid(f"the severity of `{kind}` is {found(value)}; expected {', '.join(words)}", value)
        severities.append((DiscrepancyType(kind), Severity(value.text)))
    return tuple(severities)


def _refuse_unknown(mapping: Mapping, known: tuple[str, ...], what: str, expected: str) -> None:
    """Unlike elsewhere: these keys are ours alone, and a misspelt one would silence nothing without a word."""
    for key in mapping.keys:
        text = key.text if isinstance(key, Scalar) else None
        if text in (*known, "<<"):
            continue
        meant = next((meant for miss, meant in near_misses(mapping, known, _LIKELY) if miss is key), None)
        hint = f"expected {expected}" if meant is None else f"did you mean `{meant}`?"
        raise invalid(f"{found(key) if text is None else quoted(text)} is no {what}; {hint}", key)


def _refuse_misspelt(mapping: Mapping) -> None:
    """``schema-sync: {ignore: …}`` can mean nothing else; left alone it would silence nothing, silently."""
    if not any(isinstance(value, Mapping) for value in mapping.entries.values()):
        return
    for key, meant in near_misses(mapping, (KEY,), 0.85):
        value = mapping.entries[key.text]
        if isinstance(value, Mapping) and ("ignore" in value.entries or "severity" in value.entries):
            raise invalid(f"the key {quoted(key.text or '')} is not known; did you mean `{meant}`?", key)


def _is_nothing(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text is None
