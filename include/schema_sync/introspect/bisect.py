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
    nothing = range(0)
    spans = [(range(start, min(start + most, len(parts))), nothing) for start in range(0, len(parts), most)]
    while spans:
        answers = ask([statement([parts[index] for index in span]) for span, _ in spans])
        smaller: list[tuple[range, range]] = []
        for (span, rest), answer in zip(spans, answers, strict=True):
            if answer is None:
                smaller += _halves(rest)
                continue
            if rest:
                smaller.append((rest, nothing))
            if len(span) == 1 or answer.failure in of_all:
                refused.update(dict.fromkeys(span, answer))
            elif ask.pipelined:
                smaller += [(range(index, index + 1), nothing) for index in span]
            else:
                smaller += _halves(span)
        spans = smaller
    return refused


def _halves(span: range) -> list[tuple[range, range]]:
    """Of a span that is refused as a whole: the half to ask, and that which is refused for certain where it runs."""
    middle = span.start + max(1, len(span) // 2)
    return [(range(span.start, middle), range(middle, span.stop))] if span else []
