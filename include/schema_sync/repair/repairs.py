"""Each repairable discrepancy → the steps that repair it, and steps → edits of the text. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from ..compare.likeness import same_spelling
from ..nouns.discrepancy import ChangeKind, Discrepancy, DiscrepancyType, Verdict
from ..sql.expressions import ColumnName
from ..text import visible
from ..types.compare import compare_types
from ..warehouses.names import unquote
from .before_and_after import Context, Reading, differs
from .column_names import Item, Mention, Name, WrittenDefinition, written_definitions
from .expression_edits import rename_column
from .yaml_edits import (
    Edit,
    add_entry,
    append_item,
    comment_out_item,
    fill_null,
    replace_scalar,
)
from .yaml_places import MappingPlace, ScalarPlace, SequencePlace, read_places, scalars_under


@dataclass(frozen=True, slots=True)
class _Rename:
    mention: Mention
    old: ColumnName
    new: str


@dataclass(frozen=True, slots=True)
class _GiveExpr:
    """To a field whose name was its column."""

    item: Item
    new: str


@dataclass(frozen=True, slots=True)
class _Retype:
    place: ScalarPlace
    new: str


@dataclass(frozen=True, slots=True)
class _Remove:
    item: Item
    column: str


@dataclass(frozen=True, slots=True)
class _Append:
    sequence: SequencePlace
    values: tuple[tuple[str, str], ...]


_Step: TypeAlias = _Rename | _GiveExpr | _Retype | _Remove | _Append


@dataclass(frozen=True, slots=True)
class Repair:
    """What makes one discrepancy go away.

    :ivar brings: what is needed instead, as :meth:`Reading.facts` tells it: (definition, target or "", column).
    """

    discrepancy: Discrepancy
    steps: tuple[_Step, ...]
    brings: frozenset[tuple[int, str, str]] = field(default_factory=frozenset)


def is_dropped(discrepancy: Discrepancy) -> bool:
    return discrepancy.changed is not None and discrepancy.changed.kind is ChangeKind.DROPPED


def certain_name(discrepancy: Discrepancy) -> str | None:
    """What a column is called now, where that is certain: proven by its identity, or the same letters.

    None too where it was renamed and is of another sort now: what was built on it may not compile.
    """
    if discrepancy.type is DiscrepancyType.MISSING_COLUMN and discrepancy.actual is not None:
        return None
    if discrepancy.changed is not None and discrepancy.changed.kind is not ChangeKind.RETYPED:
        return discrepancy.changed.to if discrepancy.changed.kind is ChangeKind.RENAMED else None
    if discrepancy.suggestion is None or not same_spelling(discrepancy.column or "", discrepancy.suggestion):
        return None
    return discrepancy.suggestion


def may_have_a_name(discrepancy: Discrepancy) -> bool:
    """True when a missing column is, or may be, there under another name."""
    if is_dropped(discrepancy):
        return False
    return discrepancy.suggestion is not None or certain_name(discrepancy) is not None


class Sheet:
    """A dataset's text with what stands where.

    :raises InvalidDatasetYml: it cannot be read.
    """

    def __init__(self, context: Context, own: Sequence[Discrepancy]) -> None:
        self.context = context
        self.text = context.dataset.yml
        places = read_places(self.text)
        self.reading = reading = Reading(context, self.text, places)
        self.written = written_definitions(places, reading.definitions, context.dialect.name, reading.at)
        self._texts: dict[MappingPlace, dict[str, list[int]]] = {}
        self._named: dict[str, list[tuple[WrittenDefinition, Item, Mention, Name]]] = {}
        for hit in self._names():
            self._named.setdefault(hit[3].written.name, []).append(hit)
        self._doubtful = {
            each.column
            for each in own
            if each.type is DiscrepancyType.CASE_MISMATCH
            or (each.type is DiscrepancyType.MISSING_COLUMN and may_have_a_name(each))
        }
        self._numbers = {id(definition): number for number, definition in enumerate(reading.definitions)}

    def repair(self, discrepancy: Discrepancy) -> Repair | None:
        """The steps for one discrepancy; a missing column without a name that it may have now is commented out."""
        make: Callable[[Discrepancy], Repair | None]
        if discrepancy.type is DiscrepancyType.TYPE_MISMATCH:
            make = self._retype
        elif discrepancy.type is DiscrepancyType.UNDOCUMENTED_COLUMN:
            make = self._document
        elif may_have_a_name(discrepancy):
            make = self._rename
        else:
            make = self._remove
        repair = make(discrepancy)
        return repair if repair is not None and repair.steps and self.edits([repair]) else None

    def edits(self, repairs: Iterable[Repair]) -> list[Edit] | None:
        """What all of these repairs change together; None when one of them cannot be done."""
        steps = dict.fromkeys(step for repair in repairs for step in repair.steps)
        removed: dict[Item, list[str]] = {}
        renames: dict[ScalarPlace, list[_Rename]] = {}
        edits: list[Edit | None] = []
        for step in steps:
            if isinstance(step, _Remove):
                removed.setdefault(step.item, []).append(step.column)
            elif isinstance(step, _Rename):
                renames.setdefault(step.mention.place, []).append(step)
            elif isinstance(step, _GiveExpr):
                edits.append(self._give_expr(step.item.place, step.new))
            elif isinstance(step, _Retype):
                edits.append(replace_scalar(self.text, step.place, step.new))
            else:
                edits.append(append_item(self.text, step.sequence, step.values))
        edits += [self._renamed(place, each) for place, each in renames.items()]
        edits += [self._commented_out(item, columns) for item, columns in removed.items()]
        done = [edit for edit in edits if edit is not None]
        return done if len(done) == len(edits) else None

    def _give_expr(self, item: MappingPlace, new: str) -> Edit | None:
        if item.entries.get("expr") is None:
            return add_entry(self.text, item, "name", "expr", new)
        return fill_null(self.text, item, "expr", new)

    def _renamed(self, place: ScalarPlace, renames: Sequence[_Rename]) -> Edit | None:
        value = place.text or ""
        by_part: dict[Mention, list[_Rename]] = {}
        for rename in renames:
            by_part.setdefault(rename.mention, []).append(rename)
        for mention in sorted(by_part, key=lambda each: each.start, reverse=True):
            part: str | None = mention.text
            for rename in by_part[mention]:
                if part is not None:
                    part = (
                        rename.new
                        if mention.implicit
                        else rename_column(part, rename.old, rename.new, self.context.dialect)
                    )
            if part is None:
                return None
            value = value[: mention.start] + part + value[mention.start + len(mention.text) :]
        return replace_scalar(self.text, place, value)

    def _commented_out(self, item: Item, columns: Sequence[str]) -> Edit | None:
        names = " and ".join(visible(column) for column in dict.fromkeys(columns))
        are = "columns {} are" if len(set(columns)) > 1 else "column {} is"
        reason = f"schema-sync: {are.format(names)} not in the table"
        return comment_out_item(self.text, item.sequence, item.place, reason)

    def _hits(self, discrepancy: Discrepancy) -> list[tuple[WrittenDefinition, Item, Mention, Name]] | None:
        """Where a missing column is named; None when some place may or may not be meant."""
        hits = []
        for each, item, mention, name in self._named.get(discrepancy.column or "", ()):
            if name.target is None:
                is_meant: bool | None = self.context.is_about(each.definition, discrepancy)
            else:
                is_meant = self.reading.is_target(name.target, discrepancy)
                if is_meant is None and discrepancy.line in (mention.place.line, item.place.line):
                    is_meant = True
            if is_meant is None:
                return None
            if is_meant:
                hits.append((each, item, mention, name))
        return hits

    def _names(self) -> Iterator[tuple[WrittenDefinition, Item, Mention, Name]]:
        for each in self.written:
            for item in each.items:
                for mention in item.mentions:
                    for name in mention.names or ():
                        yield each, item, mention, name

    def _rename(self, discrepancy: Discrepancy) -> Repair | None:
        column, stored = discrepancy.column or "", certain_name(discrepancy) or discrepancy.suggestion or ""
        new = self.context.spell(stored, column)
        steps: list[_Step] = []
        brings = set()
        for each, item, mention, name in self._hits(discrepancy) or ():
            if self._is_needed(stored, each, name.target, discrepancy):
                return None
            brings.add((self._numbers[id(each.definition)], name.target or "", new))
            if mention.implicit and not item.named_by_column:
                steps.append(_GiveExpr(item, new))
            else:
                steps.append(_Rename(mention, name.written, new))
        return Repair(discrepancy, tuple(steps), frozenset(brings))

    def _is_needed(self, stored: str, written: WrittenDefinition, target: str | None, discrepancy: Discrepancy) -> bool:
        """True when the definition names the new column already: then it means something else by it."""
        if discrepancy.type is not DiscrepancyType.MISSING_COLUMN:
            return False
        here = (self._numbers[id(written.definition)], target)
        return any(
            (number, of) == here and need.column != discrepancy.column and self.context.is_column(need.column, stored)
            for number, of, need in self.reading.needs_named(stored)
        )

    def _remove(self, discrepancy: Discrepancy) -> Repair | None:
        steps: list[_Step] = []
        items: set[int] = set()
        hits = self._hits(discrepancy) or []
        for each, item, _, _ in hits:
            if id(item) in items:
                continue
            items.add(id(item))
            names = [name.written.name for mention in item.mentions for name in mention.names or ()]
            if any(mention.names is None for mention in item.mentions) or self._doubtful.intersection(names):
                return None
            if self._is_named_elsewhere(each.place, item):
                return None
            steps.append(_Remove(item, discrepancy.column or ""))
        return Repair(discrepancy, tuple(steps))

    def _is_named_elsewhere(self, definition: MappingPlace, item: Item) -> bool:
        """True when another key of the definition holds the item's name: a default, say, or a list of shown fields."""
        if definition not in self._texts:
            texts: dict[str, list[int]] = {}
            for key, scalar in scalars_under(definition):
                if key not in _NO_REFERENCE:
                    texts.setdefault(_folded(scalar.text or ""), []).append(scalar.start)
            self._texts[definition] = texts
        places = self._texts[definition].get(_folded(item.name or ""), ())
        return any(not item.place.start <= start < item.place.end for start in places)

    def _retype(self, discrepancy: Discrepancy) -> Repair | None:
        actual = discrepancy.actual or ""
        steps: list[_Step] = []
        if compare_types(self.context.dialect.name, actual, actual) not in (Verdict.MATCH, Verdict.COMPATIBLE):
            return None
        for each in self.written:
            if not self.context.is_about(each.definition, discrepancy):
                continue
            needs = self.reading.needs[self._numbers[id(each.definition)]]
            wanted = {
                (need.type_line, need.type, need.column)
                for need in needs.columns
                if differs(self.context, need, discrepancy)
            }
            for item in each.items:
                place = item.place.scalar(item.type_key) if item.type_key else None
                names = [name.written.name for mention in item.mentions for name in mention.names or ()]
                if place is not None and any((place.line, place.text, name) in wanted for name in names):
                    steps.append(_Retype(place, actual))
        return Repair(discrepancy, tuple(steps))

    def _document(self, discrepancy: Discrepancy) -> Repair | None:
        stored = discrepancy.column or ""
        for each in self.written:
            if not self.context.is_about(each.definition, discrepancy):
                continue
            if any(_folded(item.name or "") == _folded(stored) for item in each.items):
                return None
            for key, type_key in (("dimensions", "type"), ("columns", "data_type")):
                sequence = each.place.entries.get(key)
                if isinstance(sequence, SequencePlace):
                    spelled = self.context.spell(stored, stored)
                    expr = (("expr", spelled),) if spelled != stored and key == "dimensions" else ()
                    type_ = ((type_key, discrepancy.actual),) if discrepancy.actual else ()
                    values = (("name", stored if expr or spelled == stored else spelled), *expr, *type_)
                    number = self._numbers[id(each.definition)]
                    brings = frozenset((number, "", name) for name in (stored, spelled))
                    return Repair(discrepancy, (_Append(sequence, values),), brings)
        return None


# Keys under which an item's name is no reference to the item.
_NO_REFERENCE = frozenset(
    """
    name description label title comment display_name synonyms expr source_col ref_col primary_key foreign_key ref ref_
    model
    """.split()  # noqa: SIM905 (a list of words reads better without quotes)
)


def _folded(name: str) -> str:
    return unquote(name)[0].casefold()
