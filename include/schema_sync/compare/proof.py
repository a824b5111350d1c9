"""What the warehouse refused to compile → findings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ..nouns.discrepancy import Discrepancy, DiscrepancyType
from ..nouns.proof import NOBODY_KNOWS, Outcome, PartOutcome
from ..text import cut, without_full_stop
from ..types.compare import Family, type_family
from ..yml.definitions import Field, Relationship
from .discrepancies import discrepancy
from .subjects import Subject, Targets, label_of
from .tables import KnownTable

# Families that a join compares as people expect. Text that stands for an identifier or an enum is one of them.
_KINDS = {
    **dict.fromkeys((Family.INTEGER, Family.DECIMAL, Family.FLOAT, Family.MONEY), "number"),
    **dict.fromkeys((Family.STRING, Family.TEXTUAL, Family.ENUM, Family.UUID), "text"),
    **{family: str(family) for family in (Family.DATE, Family.TIME, Family.TIMESTAMP)},
}


def proof_differences(subject: Subject, targets: Targets) -> Iterator[Discrepancy]:
    """What of a definition does not compile although every name is there, and keys of different families."""
    outcomes = outcomes_of(subject)
    if outcomes is None:
        if subject.group.proof is not None:
            yield discrepancy(
                subject,
                DiscrepancyType.UNVERIFIABLE_EXPRESSION,
                message="Whether the queries of this dataset run is not known: its data source has more expressions "
                "than are compiled in one run. Their names and types were compared.",
                subject_text="not compiled",
            )
        return
    definition = subject.placement.definition
    items: list[Field | Relationship] = [*definition.fields, *definition.relationships]
    of_joins = _refused_joins(subject, outcomes)
    for item in items:
        user = f"{item.kind} `{item.name}`"
        outcome = outcomes.get(user)
        if outcome is None:
            if isinstance(item, Relationship):
                yield from _key_mismatches(subject, item, targets.of(item.target).table)
        elif outcome.outcome is Outcome.BROKEN:
            if isinstance(item, Relationship) or (user, outcome.words) not in of_joins:
                yield _broken(subject, item, outcome)
        elif outcome.outcome is Outcome.LACKING:
            yield discrepancy(
                subject,
                DiscrepancyType.UNVERIFIABLE_EXPRESSION,
                message=f"Whether {cut(user)} still runs is not known: this session lacks something that another may "
                f"have: {without_full_stop(cut(outcome.words))}.",
                declared=_declared(item),
                line=_line(item),
                subject_text=f"session {user}",
            )


def _refused_joins(subject: Subject, outcomes: Mapping[str, PartOutcome]) -> set[tuple[str, str]]:
    """(field, words) of who fails with nothing but a join that is refused: the relationship's finding names them."""
    refused = set()
    for relationship in subject.placement.definition.relationships:
        outcome = outcomes.get(f"{relationship.kind} `{relationship.name}`")
        if outcome is not None and outcome.outcome is Outcome.BROKEN:
            on_target = subject.needs.on_targets.get(relationship.target, ())
            refused |= {(need.by, outcome.words) for need in on_target}
    return refused


def outcomes_of(subject: Subject) -> dict[str, PartOutcome] | None:
    """{who did not simply compile: what was said}; None: nothing was compiled, of this definition or at all."""
    if subject.group.proof is None:
        return None
    outcomes = subject.group.proof.get((subject.placement.dataset.id, subject.placement.table), {})
    return None if NOBODY_KNOWS in outcomes else outcomes


def with_queries(found: Discrepancy, subject: Subject, table: KnownTable | None) -> Discrepancy:
    """A type that differs: do the queries that use the column still compile? Who does not is a user of the finding.

    :param table: that the finding is about; of a column of another dataset's table nothing is said.
    """
    outcomes = outcomes_of(subject) if found.type is DiscrepancyType.TYPE_MISMATCH else None
    if outcomes is None or table is None or table is not subject.table:
        return found
    resolve = table.names.resolve
    users = {
        need.by: label_of(need.item) for need in subject.needs.columns if resolve(need.column).name == found.column
    }
    refused = sorted(user for user in users if user in outcomes and outcomes[user].outcome is Outcome.BROKEN)
    if refused:  # they, and who is built on them, are named in all messages by one rule (``impact.py``)
        names = tuple(users[user] for user in refused)
        return replace(found, message=f"{found.message} Some of its queries no longer compile.", users=names)
    if outcomes.keys().isdisjoint(users):
        return replace(found, message=f"{found.message} Its queries still compile.")
    return found


def _broken(subject: Subject, item: Field | Relationship, outcome: PartOutcome) -> Discrepancy:
    of_join = isinstance(item, Relationship)
    column = item.name
    if isinstance(item, Relationship):
        column = item.source[0] if len(item.source) == 1 else ""
        if subject.table is None or subject.table.names.resolve(column).name is None:
            column = ""
    found = discrepancy(
        subject,
        DiscrepancyType.BROKEN_RELATIONSHIP if of_join else DiscrepancyType.BROKEN_EXPRESSION,
        message=f"The warehouse refuses to compile {cut(outcome.user)}: {without_full_stop(outcome.words)}.",
        table=subject.table,
        column=column or None,
        declared=_declared(item),
        line=_line(item),
        subject_text=outcome.user,
    )
    return replace(found, actual=outcome.words, users=(label_of(item),))


def _key_mismatches(subject: Subject, relationship: Relationship, target: KnownTable | None) -> Iterator[Discrepancy]:
    if target is None or subject.table is None or len(relationship.source) != len(relationship.target_columns):
        return
    for written, far in zip(relationship.source, relationship.target_columns, strict=True):
        own = subject.table.names.resolve(written).name
        other = target.names.resolve(far.rpartition(".")[2]).name
        if own is None or other is None:
            continue
        one, two = subject.table.columns[own], target.columns[other]
        kinds = {_KINDS.get(type_family(target.dialect.name, each.base_type or each.type)) for each in (one, two)}
        if None not in kinds and len(kinds) > 1:
            yield discrepancy(
                subject,
                DiscrepancyType.KEY_TYPE_MISMATCH,
                message=f"Relationship `{cut(relationship.name)}` compares `{cut(own)}` ({cut(one.type)}) with "
                f"`{cut(other)}` ({cut(two.type)}): it compiles, but may match less than it seems to, or fail on some "
                "row.",
                table=subject.table,
                column=own,
                declared=one.type,
                actual=two.type,
                line=relationship.source_line,
                subject_text=f"{relationship.target}.{other}",
            )


def _declared(item: Field | Relationship) -> str:
    if isinstance(item, Relationship):
        return f"{', '.join(item.source)} = {', '.join(item.target_columns)}"
    expression = item.name if item.expr is None else item.expr
    return expression if item.agg is None else f"{item.agg} of {expression}"


def _line(item: Field | Relationship) -> int:
    return item.source_line if isinstance(item, Relationship) else item.expr_line
