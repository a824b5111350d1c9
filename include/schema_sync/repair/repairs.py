"""Each repairable discrepancy → the steps that repair it, and steps → edits of the text. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from ..compare.likeness import same_spelling
from ..needs.needs import folded
from ..nouns.discrepancy import ChangeKind, Discrepancy, DiscrepancyType, Verdict
from ..sql.expressions import ColumnName
from ..text import visible
from ..types.compare import compare_types
from .before_and_after import Context, Reading
from .column_names import Item, Mention, Name, written_definitions
from .expression_edits import rename_column
from .yaml_edits import Edit, append_item, comment_out_item, give_entry, replace_scalar
from .yaml_places import ScalarPlace, SequencePlace, read_places


class _Rename(NamedTuple):
    mention: Mention
    old: ColumnName
    new: str


class _Remove(NamedTuple):
    item: Item
    column: str


# An edit (None: it cannot be done), or what becomes one together with other steps at the same place.
_Step: TypeAlias = Edit | _Rename | _Remove | None


class Repair(NamedTuple):
    """What makes one discrepancy go away.

    :ivar brings: what is needed instead, as :meth:`Reading.facts` tells it: (definition, target or "", column).
    """

    discrepancy: Discrepancy
    steps: list[_Step]
    brings: frozenset[tuple[int, str, str]] = frozenset()


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
        self._written = written_definitions(places, reading.definitions, context.dialect.name, reading.at)
        self._named: dict[str, list[tuple[Mention, Name]]] = defaultdict(list)
        mentions = [each for written in self._written for item in written.items for each in item.mentions]
        for mention in mentions:
            for name in mention.names or ():
                self._named[name.written.name].append((mention, name))
        self._doubtful = {
            each.column
            for each in own
            if each.type is DiscrepancyType.CASE_MISMATCH
            or (each.type is DiscrepancyType.MISSING_COLUMN and may_have_a_name(each))
        }

    def repair(self, discrepancy: Discrepancy) -> Repair | None:
        """The steps for one discrepancy; a missing column without a name that it may have now is commented out."""
        if discrepancy.type is DiscrepancyType.TYPE_MISMATCH:
            repair = self._retype(discrepancy)
        elif discrepancy.type is DiscrepancyType.UNDOCUMENTED_COLUMN:
            repair = self._document(discrepancy)
        elif may_have_a_name(discrepancy):
            repair = self._rename(discrepancy)
        else:
            repair = self._remove(discrepancy)
        return repair if repair is not None and self.edits([repair]) else None

    def edits(self, repairs: Iterable[Repair]) -> list[Edit] | None:
        """What all of these repairs change together; None when one of them cannot be done."""
        edits: list[Edit | None] = []
        renames: dict[ScalarPlace, list[_Rename]] = defaultdict(list)
        removed: dict[Item, list[str]] = defaultdict(list)
        for step in dict.fromkeys(step for repair in repairs for step in repair.steps):
            if isinstance(step, _Rename):
                renames[step.mention.place].append(step)
            elif isinstance(step, _Remove):
                removed[step.item].append(step.column)
            else:
                edits.append(step)
        edits += [self._renamed(place, each) for place, each in renames.items()]
        edits += [self._commented_out(item, columns) for item, columns in removed.items()]
        done = [edit for edit in edits if edit is not None]
        return done if len(done) == len(edits) else None

    def _renamed(self, place: ScalarPlace, renames: Sequence[_Rename]) -> Edit | None:
        parts: dict[Mention, str] = {}
        for mention, old, new in renames:
            before = parts.get(mention, mention.text)
            part = new if mention.implicit else rename_column(before, old, new, self.context.dialect)
            if part is None:
                return None
            parts[mention] = part
        value = place.text or ""
        for mention in sorted(parts, key=lambda each: each.start, reverse=True):
            value = value[: mention.start] + parts[mention] + value[mention.start + len(mention.text) :]
        return replace_scalar(self.text, place, value)

    def _commented_out(self, item: Item, columns: Sequence[str]) -> Edit | None:
        names = " and ".join(map(visible, columns))
        are = f"columns {names} are" if len(columns) > 1 else f"column {names} is"
        return comment_out_item(self.text, item.sequence, item.place, f"schema-sync: {are} not in the table")

    def _hits(self, discrepancy: Discrepancy) -> list[tuple[Mention, Name]]:
        """Where a missing column is named; nowhere when some place may or may not be meant."""
        hits = []
        for mention, name in self._named.get(discrepancy.column or "", ()):
            is_meant = self.reading.is_meant(mention.item.definition.number, name.target, discrepancy)
            if is_meant is None and discrepancy.line not in (mention.place.line, mention.item.place.line):
                return []
            if is_meant is not False:
                hits.append((mention, name))
        return hits

    def _rename(self, discrepancy: Discrepancy) -> Repair | None:
        column, stored = discrepancy.column or "", certain_name(discrepancy) or discrepancy.suggestion or ""
        new = self.context.spell(stored, column)
        hits = self._hits(discrepancy)
        here = {(mention.item.definition.number, name.target) for mention, name in hits}
        if discrepancy.type is DiscrepancyType.MISSING_COLUMN and any(
            (number, target) in here and need.column != column and self.context.is_column(need.column, stored)
            for number, target, need in self.reading.needs_named(stored)
        ):
            return None  # the definition names the new column already: then it means something else by it
        steps: list[_Step] = [
            give_entry(self.text, mention.item.place, "expr", new, after="name")
            if mention.implicit and not mention.item.named_by_column
            else _Rename(mention, name.written, new)
            for mention, name in hits
        ]
        return Repair(discrepancy, steps, frozenset((number, target or "", new) for number, target in here))

    def _remove(self, discrepancy: Discrepancy) -> Repair | None:
        items = dict.fromkeys(mention.item for mention, _ in self._hits(discrepancy))
        for item in items:
            if any(mention.names is None for mention in item.mentions) or self._doubtful.intersection(item.columns):
                return None
            starts = item.definition.referring.get(folded(item.name), ())
            if any(not item.place.start <= start < item.place.end for start in starts):
                return None  # another key of the definition holds its name: a default, say, or a list of shown fields
        return Repair(discrepancy, [_Remove(item, discrepancy.column or "") for item in items])

    def _retype(self, discrepancy: Discrepancy) -> Repair | None:
        actual = discrepancy.actual or ""
        if compare_types(self.context.dialect.name, actual, actual) not in (Verdict.MATCH, Verdict.COMPATIBLE):
            return None
        steps: list[_Step] = []
        for each in self._written:
            if not self.reading.is_meant(each.number, None, discrepancy):
                continue
            wanted = {
                (need.type_line, need.type, need.column)
                for need in self.reading.needs[each.number].columns
                if self.context.differs(need, discrepancy)
            }
            for item in each.items:
                place = item.place.scalar(item.type_key) if item.type_key else None
                if place is not None and any((place.line, place.text, name) in wanted for name in item.columns):
                    steps.append(replace_scalar(self.text, place, actual))
        return Repair(discrepancy, steps)

    def _document(self, discrepancy: Discrepancy) -> Repair | None:
        stored = discrepancy.column or ""
        spelled = self.context.spell(stored, stored)
        for each in self._written:
            if not self.reading.is_meant(each.number, None, discrepancy):
                continue
            if any(folded(item.name) == folded(stored) for item in each.items):
                return None
            for key, type_key in (("dimensions", "type"), ("columns", "data_type")):
                sequence = each.place.entries.get(key)
                if isinstance(sequence, SequencePlace):
                    has_expr = key == "dimensions" and spelled != stored
                    values = {"name": stored, "expr": spelled} if has_expr else {"name": spelled}
                    if discrepancy.actual:
                        values[type_key] = discrepancy.actual
                    brings = frozenset((each.number, "", name) for name in (stored, spelled))
                    return Repair(discrepancy, [append_item(self.text, sequence, values)], brings)
        return None
