"""How an engine proves what its catalogue only claims. Nothing here touches a connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..nouns.proof import Outcome

if TYPE_CHECKING:
    from ..nouns.snapshot import GroupRequest
    from .engine import Query


@dataclass(frozen=True, slots=True)
class Compiler:
    """How an engine compiles a SELECT and executes nothing: no function, no sequence, no file, no row.

    :ivar relation: (request, table) → what a FROM clause calls it; names as :attr:`Dialect.probe` takes them.
    :ivar never_sent: signs that mean something else to this engine than an operator: a placeholder, a comment.
    :ivar meaning: (code, the engine's words) of a refusal → what it tells. Only what surely is the expression's fault
        is BROKEN.
    :ivar statement: a SELECT → the statement that tells whether it would run, rights included. An expression's SELECT
        is nothing but the protocol's Parse message where ``only_parse``.
    :ivar guarded: (connection) → a context in which nothing else can happen; it yields whether a statement may be sent.
    :ivar argument: (number from 1 on) → a value that is not known yet.
    :ivar before: (request) → a statement to run first, or None.
    :ivar queries: a query within an expression may be sent: resolving it opens nothing.
    :ivar backticks: they quote names.
    :ivar lacks: (code, text) → True where a view's refusal tells what this session lacks (an extension, access to
        files, EXECUTE), not what the warehouse does.
    :ivar view_columns: (request for views that answered) → their columns, as columns queries yield them, where the
        catalogue knows them only then; None: it always does.
    :ivar absent_tables: (request, names as ``relation`` takes them) → a statement that runs if no relation has any of
        these names, and is refused otherwise; None: the engine has none.
    """

    relation: Callable[[GroupRequest, str], str]
    never_sent: re.Pattern[str]
    meaning: Callable[[str | None, str], Outcome]
    statement: Callable[[str], str] = str
    only_parse: bool = False
    guarded: Callable[[Any], AbstractContextManager[Callable[[str], bool]]] = lambda _: nullcontext(lambda _: True)
    argument: Callable[[int], str] = lambda _: "NULL"
    before: Callable[[GroupRequest], str | None] = lambda _: None
    queries: bool = True
    backticks: bool = False
    lacks: Callable[[str | None, str], bool] = lambda _code, _text: False
    view_columns: Callable[[GroupRequest], Query] | None = None
    absent_tables: Callable[[GroupRequest, Sequence[str]], str] | None = None


def absent_columns(relation: str, columns: Sequence[str]) -> str:
    """A statement that runs if the relation is there with none of these columns, and is refused otherwise.

    Beside the relation stands a row that has them all: a name that both have is ambiguous, to every engine.

    :param columns: quoted, each once.
    """
    own = ", ".join(f"1 AS {column}" for column in columns)
    return (
        f"SELECT {', '.join(columns)} FROM {relation} AS schema_sync_probe "  # noqa: S608 (names are quoted)
        f"CROSS JOIN (SELECT {own}) AS schema_sync_absent WHERE 1 = 0"
    )


def all_of(selects: Sequence[str]) -> str:
    """One SELECT of one column that is refused when one of these is."""
    if len(selects) == 1:
        return selects[0]
    return " UNION ALL ".join(
        f"SELECT 1 AS one FROM ({each}) AS schema_sync_{number}"  # noqa: S608 (made of statements of ours)
        for number, each in enumerate(selects)
    )
