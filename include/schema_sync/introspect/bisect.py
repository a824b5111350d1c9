"""Many questions, few statements: which of them does a warehouse refuse? Pure.

What is asked together is answered together; only where it is refused the parts are asked apart: all at once where the
driver can send many statements in one round trip, else by halves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeVar

from ..warehouses.engine import Failure

T = TypeVar("T")

MOST_PARTS = 150


class Refusal(Exception):  # noqa: N818 (more often told than raised)
    """Why a statement did not run, as a text for people, in one line and without secrets; and what that means.

    :ivar words: the engine's own sentence alone; ``code`` the driver's, if it has one.
    """

    def __init__(self, failure: Failure, text: str, words: str = "", code: str | None = None) -> None:
        super().__init__(text)
        self.failure = failure
        self.words = words or text
        self.code = code


class Ask(Protocol):
    """Runs statements, each by itself → for each None (it ran) or the refusal. Never raises for what a server answers.

    :ivar pipelined: many statements cost one round trip.
    """

    @property
    def pipelined(self) -> bool: ...

    def __call__(self, statements: Sequence[str], /) -> list[Refusal | None]: ...


def refusals(
    parts: Sequence[T],
    statement: Callable[[Sequence[T]], str],
    ask: Ask,
    *,
    most: int = MOST_PARTS,
    of_all: Collection[Failure] = (Failure.TRANSIENT,),
) -> dict[int, Refusal]:
    """Find every part that is refused. None is called so because of others: its statement alone was.

    :param statement: parts → one statement that is refused when one of them is.
    :param most: parts in one statement. A bad one of 600 is found within 20 statements.
    :param of_all: what is true of every part when it is answered to some together: nothing smaller is asked.
    :return: {index of a part: why}.
    """
    refused: dict[int, Refusal] = {}
    open_spans = [range(start, min(start + most, len(parts))) for start in range(0, len(parts), most)]
    while open_spans:
        answers = ask([statement([parts[index] for index in span]) for span in open_spans])
        smaller: list[range] = []
        for span, answer in zip(open_spans, answers, strict=True):
            if answer is None:
                continue
            if len(span) == 1 or answer.failure in of_all:
                refused.update(dict.fromkeys(span, answer))
            elif ask.pipelined:
                smaller += [range(index, index + 1) for index in span]
            else:
                _halve(span, lambda some: ask([statement([parts[index] for index in some])])[0], of_all, refused)
        open_spans = smaller
    return refused


def _halve(
    span: range, answer: Callable[[range], Refusal | None], of_all: Collection[Failure], refused: dict[int, Refusal]
) -> None:
    """Search a span that is refused as a whole; where its first half runs, its second is refused without asking."""
    middle = span.start + len(span) // 2
    first_runs = False
    for half in (range(span.start, middle), range(middle, span.stop)):
        known = first_runs and len(half) > 1
        refusal = None if known else answer(half)
        if known or (refusal is not None and len(half) > 1 and refusal.failure not in of_all):
            _halve(half, answer, of_all, refused)
        elif refusal is not None:
            refused.update(dict.fromkeys(half, refusal))
        first_runs = refusal is None
