"""Lets a warehouse compile what datasets' queries would run, after its tables are known. Executes nothing."""

from __future__ import annotations

from ..nouns.proof import Argument, Outcome, PartOutcome
from ..nouns.snapshot import GroupRequest
from ..warehouses.engine import Failure
from ..warehouses.proofs import Compiler
from .bisect import Ask, Refusal, refusals
from .compile import ReadyPart, Tables, statement_of


def prove(request: GroupRequest, tables: Tables, compiler: Compiler, ask: Ask) -> tuple[PartOutcome, ...]:
    """Compile every part of one group.

    :param request: its schema as statements spell it.
    :return: who did not simply compile; everybody else of the group's datasets did.
    """
    outcomes = [PartOutcome(*user, Outcome.UNPROVEN) for user in request.left_out]
    ready: list[ReadyPart] = []
    for part in request.parts:
        found = tables.ready(part)
        if found is None:  # what it lacks is told as missing, or not known
            outcomes.append(PartOutcome(part.dataset_id, part.tables[0].table, part.user, Outcome.UNPROVEN))
        else:
            ready.append(found)
    for number, refusal in sorted(refusals(ready, lambda some: statement_of(some, compiler), ask).items()):
        part = ready[number].part
        outcome = _meaning(ready[number], refusal, compiler)
        words = "" if outcome is Outcome.UNPROVEN else refusal.words
        outcomes.append(PartOutcome(part.dataset_id, part.tables[0].table, part.user, outcome, words))
    return tuple(outcomes)


def _meaning(ready: ReadyPart, refusal: Refusal, compiler: Compiler) -> Outcome:
    of_unknown = "unknown" in refusal.words and any(isinstance(piece, Argument) for piece in ready.value)
    if refusal.failure is Failure.TRANSIENT or of_unknown:  # an argument's type, which a query will know
        return Outcome.UNPROVEN
    return compiler.meaning(refusal.code, refusal.words)
