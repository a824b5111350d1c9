"""Two type texts → a verdict. The rules of the contract's section 7; pure, cached, never raises.

``text`` reads the brackets, ``warehouses`` knows the words, this file knows the rules. A rule that holds for one
engine only is a fact of that engine's vocabulary: nothing here asks for a warehouse's name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from ..nouns.discrepancy import Verdict
from ..warehouses import type_vocabulary, vocabulary_of
from ..warehouses.type_vocabulary import Family, Vocabulary, Word, Zone, squeeze
from .text import TypeText, read_type_text

__all__ = ["Family", "Verdict", "compare_types", "type_family"]


def compare_types(dialect: str, actual: str, declared: str) -> Verdict:
    """Judge what a YML says of a column's type against what the warehouse says.

    :param dialect: canonical name or alias, in any case; for any other name only general words are known.
    :param actual: type text as the warehouse's catalogue spells it.
    :param declared: type text of the YML, in any engine's vocabulary.
    :return: UNKNOWN when one of the two names no type that we know, or is too long or too deep to be read.
    Source: contract, section 7.
    """
    if not (isinstance(dialect, str) and isinstance(actual, str) and isinstance(declared, str)):
        return Verdict.UNKNOWN
    judge = _verdict if len(actual) + len(declared) > _LONGEST_CACHED else _cached_verdict
    return judge(dialect, actual, declared)


def type_family(dialect: str, text: str) -> Family:
    """The family of a type as the warehouse's catalogue spells it; UNKNOWN where it names none."""
    if not (isinstance(dialect, str) and isinstance(text, str)):
        return Family.UNKNOWN
    return _read(vocabulary_of(dialect), text, from_catalogue=True).family


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a type text means on one engine. None and empty mean: not stated.

    :ivar text: as written; None where nothing that could be a type is written.
    :ivar kind: which member of the family (``year``, ``point``, ``xml``).
    :ivar bits: width of a number.
    :ivar length: characters, bytes, digits, digits of a second, dimensions; ``_UNBOUNDED`` for ``max``.
    :ivar scale: digits after the point, as written; ``default_scale`` is what the engine takes otherwise.
    :ivar members: of an enum or set; the parameters of a geometry; the element of a vector.
    :ivar inner: element, key and value, or fields, each with its name ("" where it has none).
    """

    text: TypeText | None
    family: Family
    kind: str = ""
    bits: int | None = None
    length: int | None = None
    scale: int | None = None
    default_scale: int | None = None
    zone: Zone | None = None
    members: tuple[str, ...] = ()
    inner: tuple[tuple[str, ColumnType], ...] = ()

    @property
    def is_fractional(self) -> bool:
        return bool(self.default_scale if self.scale is None and self.length is None else self.scale)


_LONGEST_CACHED = 512
"""Characters of both texts; longer ones are rare, and a cache full of them would hold hundreds of megabytes."""

_UNBOUNDED = -1
_NOTHING = ColumnType(None, Family.UNKNOWN)

_NUMERIC = type_vocabulary.NUMERIC
_EXACT = frozenset({Family.INTEGER, Family.DECIMAL})
_TEMPORAL = frozenset({Family.DATE, Family.TIME, Family.TIMESTAMP})
_READS_AS_TEXT = frozenset({Family.UUID, Family.ENUM, Family.TEXTUAL})
_SCHEMALESS = frozenset({Family.JSON, Family.VARIANT})
_KEYED = frozenset({Family.OBJECT, Family.STRUCT, Family.MAP})
_CONTAINERS = _SCHEMALESS | _KEYED | {Family.ARRAY}
_NOT_SCALAR = _CONTAINERS | {Family.GEO, Family.VECTOR, Family.RANGE, Family.OTHER}

_WORST_FIRST = (Verdict.MISMATCH, Verdict.UNKNOWN, Verdict.COMPATIBLE)


def _verdict(dialect: str, actual: str, declared: str) -> Verdict:
    vocabulary = vocabulary_of(dialect)
    found = _read(vocabulary, actual, from_catalogue=True)
    stated = _read(vocabulary, declared, from_catalogue=False)
    if found.text and stated.text and found.family is Family.UNKNOWN and _differ(found.text, stated.text, "qualifier"):
        return Verdict.UNKNOWN  # two schemas' own types of one name
    return _compare(vocabulary, found, stated)


_cached_verdict = lru_cache(maxsize=32_768)(_verdict)


# --- Rules ------------------------------------------------------------------------------------------------------------


def _compare(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> Verdict:
    families = (actual.family, declared.family)
    if actual.text is None or declared.text is None:
        return Verdict.UNKNOWN
    if actual.kind == "rowversion" and declared.kind == "timestamp" and declared.length is None:
        return Verdict.COMPATIBLE  # the same word, which does not mean a time here: no drift, but worth a look
    if actual.text == declared.text:
        return Verdict.MATCH
    if Family.UNKNOWN in families:
        return Verdict.UNKNOWN
    if actual.kind == "sqlvariant" != declared.kind:
        return Verdict.COMPATIBLE  # a value of any type
    if declared.kind == "categorical":
        return _compatible_if(actual.family not in _NOT_SCALAR)
    if _NUMERIC.issuperset(families):
        return _compare_numbers(vocabulary, actual, declared)
    if _TEMPORAL.issuperset(families):
        return _compare_times(vocabulary, actual, declared)
    if actual.family is declared.family:
        return _compare_members(vocabulary, actual, declared)
    if _CONTAINERS.issuperset(families):
        return _compare_containers(actual, declared)
    return _compatible_if(
        (declared.family is Family.STRING and actual.family in _READS_AS_TEXT)
        or _is_counted_as_number(vocabulary, actual, declared)
        or _is_carried(vocabulary, actual, declared)
    )


def _compare_numbers(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> Verdict:
    if vocabulary.integer_precision and actual.family is Family.INTEGER:
        actual = replace(actual, family=Family.DECIMAL, bits=None, length=vocabulary.integer_precision, scale=0)
    if declared.kind == "number" and declared.length is None:
        return Verdict.MATCH
    if declared.family is Family.INTEGER:
        return _compare_with_integer(vocabulary, actual, declared)
    if actual.family is declared.family:
        if actual.scale is not None and declared.scale is not None and bool(actual.scale) != bool(declared.scale):
            return Verdict.MISMATCH
        return _match_unless(_differ(actual, declared, "bits", "length", "scale"))
    if actual.family is Family.INTEGER or declared.family is Family.FLOAT:
        return Verdict.COMPATIBLE
    if declared.scale == 0:
        return Verdict.MISMATCH  # a whole number over float or money
    exact = {Family.DECIMAL, Family.MONEY} == {actual.family, declared.family}
    return _match_unless(not (exact and vocabulary.money_is_decimal))


def _compare_with_integer(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> Verdict:
    if actual.family is Family.INTEGER:
        return _match_unless(_differ(actual, declared, "bits"))
    if actual.family is Family.DECIMAL and not actual.is_fractional:
        is_integer = actual.scale == 0 and actual.length == vocabulary.integer_precision
        return _match_unless(not is_integer)
    return Verdict.MISMATCH


def _compare_times(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> Verdict:
    if "year" in (actual.kind, declared.kind):
        return Verdict.MATCH if actual.kind == declared.kind else Verdict.MISMATCH
    if actual.family is not declared.family:
        # `time` is also a semantic layer's word for "some date or time", `datetime` a spreadsheet's.
        is_generic = declared.kind == "time" or (declared.kind == "datetime" and actual.family is Family.DATE)
        return _compatible_if(is_generic and declared.length is None)
    zones = (actual.zone, declared.zone)
    same_zone = actual.zone is declared.zone or not (vocabulary.has_local_zone or Zone.NAIVE in zones)
    return _match_unless(not same_zone or _differ(actual, declared, "length"))


def _compare_members(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> Verdict:
    """Both of one family that is neither a number nor a time."""
    match actual.family:
        case Family.STRING | Family.BINARY | Family.BIT:
            return _match_unless(_differ(actual, declared, "length"))
        case Family.INTERVAL | Family.ENUM | Family.TEXTUAL:
            return _match_unless(_differ(actual, declared, "kind", "length", "members"))
        case Family.GEO:
            pairs = zip(actual.members, declared.members, strict=False)
            return _match_unless(_differ(actual, declared, "kind") or any(one != other for one, other in pairs))
        case Family.VECTOR:
            differs = _differ(actual, declared, "length", "members")
            return Verdict.MISMATCH if differs else _match_unless(actual.kind != declared.kind)
        case Family.OTHER:
            return _compare_inner(vocabulary, actual, declared) if actual.kind == declared.kind else Verdict.MISMATCH
        case Family.ARRAY | Family.RANGE:
            own = _match_unless(_differ(actual, declared, "length") or actual.kind != declared.kind)
            return _worst((own, _compare_inner(vocabulary, actual, declared)))
        case Family.MAP | Family.STRUCT | Family.OBJECT:
            return _compare_inner(vocabulary, actual, declared) if actual.kind == declared.kind else Verdict.COMPATIBLE
        case _:
            return Verdict.MATCH


def _compare_inner(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> Verdict:
    """Fields by name, elements by place. A field too many is an addition, a field too few is drift."""
    if not (actual.inner and declared.inner):
        return Verdict.MATCH
    found, stated = dict(actual.inner), dict(declared.inner)
    if "" in found or "" in stated:
        if len(actual.inner) != len(declared.inner):
            return Verdict.MISMATCH
        pairs = zip(actual.inner, declared.inner, strict=True)
        return _worst(_compare(vocabulary, one, other) for (_, one), (_, other) in pairs)
    if not stated.keys() <= found.keys():
        return Verdict.MISMATCH
    own = _match_unless(list(found) != list(stated))
    return _worst((own, *(_compare(vocabulary, found[name], field) for name, field in stated.items())))


def _compare_containers(actual: ColumnType, declared: ColumnType) -> Verdict:
    if {actual.family, declared.family} == {Family.STRUCT, Family.MAP}:
        return Verdict.MISMATCH  # fields by name against values by key: neither's functions take the other
    if _KEYED.issuperset((actual.family, declared.family)):
        return _match_unless(declared.kind != "object" or bool(declared.inner))
    return _compatible_if(actual.family in _SCHEMALESS or declared.family in _SCHEMALESS)


def _is_counted_as_number(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> bool:
    """A year, or an engine's 0 and 1, read as a whole number; and a whole number read as a year."""
    if actual.kind == "year" or (actual.family is Family.BOOLEAN and vocabulary.boolean_is_number):
        return declared.family in _EXACT
    return declared.kind == "year" and actual.family in _EXACT and not actual.is_fractional


def _is_carried(vocabulary: Vocabulary, actual: ColumnType, declared: ColumnType) -> bool:
    """The engine has no type of the declared family and keeps it in one like the actual."""
    if actual.family is Family.ARRAY and any(element.family not in _NUMERIC for _, element in actual.inner):
        return False
    return declared.kind != "year" and any(
        carrier.actual is actual.family
        and carrier.declared is declared.family
        and (not carrier.kinds or actual.kind in carrier.kinds)
        and (not carrier.lengths or actual.length in carrier.lengths)
        for carrier in vocabulary.carriers
    )


def _differ(actual: object, declared: object, *aspects: str) -> bool:
    """True when both sides state one of the aspects and do not say the same."""
    for aspect in aspects:
        one, other = getattr(actual, aspect), getattr(declared, aspect)
        if one not in _NOT_STATED and other not in _NOT_STATED and one != other:
            return True
    return False


_NOT_STATED = (None, "", ())


def _match_unless(differs: bool) -> Verdict:
    return Verdict.COMPATIBLE if differs else Verdict.MATCH


def _compatible_if(holds: bool) -> Verdict:
    return Verdict.COMPATIBLE if holds else Verdict.MISMATCH


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.MATCH)


# --- What a text means ------------------------------------------------------------------------------------------------


def _read(vocabulary: Vocabulary, text: str, *, from_catalogue: bool) -> ColumnType:
    read = _read_afresh if len(text) > _LONGEST_CACHED else _read_once
    return read(vocabulary, text, from_catalogue)


def _read_afresh(vocabulary: Vocabulary, text: str, from_catalogue: bool) -> ColumnType:
    read = read_type_text(text)
    return _NOTHING if read is None else _meaning(vocabulary, read, from_catalogue)


_read_once = lru_cache(maxsize=8_192)(_read_afresh)


def _meaning(vocabulary: Vocabulary, text: TypeText, from_catalogue: bool) -> ColumnType:
    key = squeeze(text.word)
    if key in type_vocabulary.PLACEHOLDERS:
        return _NOTHING
    if key in type_vocabulary.WRAPPERS and len(text.arguments) == 1:
        return _meaning(vocabulary, text.arguments[0][1], from_catalogue)
    if text.word[0] != "_":
        return _with_parameters(vocabulary, text, from_catalogue)
    # PostgreSQL's own name of an array: its element's, with one _ in front.
    element = _with_parameters(vocabulary, replace(text, word=text.word[1:]), from_catalogue)
    if element.family is Family.UNKNOWN or text.word[1] == "_":
        return ColumnType(text, Family.UNKNOWN)
    return ColumnType(text, Family.ARRAY, inner=(("", element),))


def _word(vocabulary: Vocabulary, text: str, from_catalogue: bool) -> Word | None:
    words = vocabulary.catalogue if from_catalogue else vocabulary.declared
    if found := words.get(squeeze(text)):
        return found
    parts, units = text.split(" "), type_vocabulary.INTERVAL_UNITS
    if parts[0] == "interval" and units.keys() >= set(parts[1:]):
        return Word(Family.INTERVAL, kind=units[parts[1]])
    for attributes, families in type_vocabulary.ATTRIBUTES:
        found = words.get(squeeze(" ".join(part for part in parts if part not in attributes)))
        if found is not None and found.family in families:
            return found
    affinity = vocabulary.affinity if from_catalogue else ()
    return next((meaning for fragment, meaning in affinity if fragment in text), None)


def _with_parameters(vocabulary: Vocabulary, text: TypeText, from_catalogue: bool) -> ColumnType:
    word = _word(vocabulary, text.word, from_catalogue)
    if word is None:
        return ColumnType(text, Family.UNKNOWN)
    numbers = [_number(parameter) for parameter in text.parameters]
    bits = word.bits if vocabulary.sized_numbers else None
    length = numbers[0] if numbers and numbers[0] is not None else word.precision
    scale = None
    members: tuple[str, ...] = ()
    inner: tuple[tuple[str, ColumnType], ...] = ()
    match word.family:
        case Family.DECIMAL:
            scale = numbers[1] if len(numbers) > 1 else None
        case Family.FLOAT:
            # float(24) and less is single precision; float(7,4) is MySQL's display width.
            if word.kind == "float" and len(numbers) == 1 and length is not None and vocabulary.sized_numbers:
                bits = 32 if length <= 24 else 64
            length = None
        case Family.ENUM | Family.TEXTUAL | Family.GEO:
            length, members = None, text.parameters
        case Family.VECTOR:  # vector(3), vector(float, 3), vector(3, float16)
            length = next((number for number in numbers if number is not None), None)
            members = tuple(part for part, number in zip(text.parameters, numbers, strict=True) if number is None)
        case Family.RANGE if word.of:
            inner = (("", _meaning(vocabulary, TypeText(word.of), from_catalogue)),)
        case Family.ARRAY | Family.RANGE | Family.MAP | Family.STRUCT | Family.OBJECT | Family.OTHER:
            inner = tuple((name, _meaning(vocabulary, part, from_catalogue)) for name, part in text.arguments)
    if word.family is Family.ARRAY and vocabulary.flat_arrays:
        length = None
        while inner and inner[0][1].family is Family.ARRAY:
            inner = inner[0][1].inner
    return ColumnType(
        text, word.family, word.kind, bits, length, scale, word.scale, word.zone, members=members, inner=inner
    )


def _number(parameter: str) -> int | None:
    """``10`` and ``10 char`` → 10; ``max`` → unbounded; None for anything else."""
    head = parameter.split(" ", 1)[0]
    if head == "max":
        return _UNBOUNDED
    return int(head) if head.isascii() and head.isdigit() and len(head) <= 18 else None
