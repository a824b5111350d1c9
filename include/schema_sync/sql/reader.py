"""An expression's syntax tree, by sqlglot → the columns in it. Imported only when an expression is read.

sqlglot's parser goes back and tries again; some texts would make it do so for minutes. It counts its steps and
gives up, so that how long an expression takes depends on nothing but its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError

from ..warehouses.names import can_be_asked, unquote
from .expressions import Shape
from .scopes import Path, in_scope, quoted, walk
from .template import Masked, UnreadableError
from .tokens import (
    GRAMMAR,
    TEXTS,
    TooComplexError,
    UnitPositions,
    name_keywords,
    unit_positions,
    within_bounds,
    without_sequences,
)
from .words import SEQUENCE_WORDS, is_pseudo_column, is_value, sql_of

# As far as engines go: MySQL's and Databricks' names may begin with a digit, BigQuery's tables hold hyphens.
_NAME = re.compile(r"\w[\w$#@-]*")

STEPS_PER_TOKEN = 20  # an ordinary expression takes two or three
SPARE_STEPS = 5_000


def read(masked: Masked, engine: str) -> tuple[list[tuple[Path, bool]], Shape]:
    """Find the columns of an expression.

    :return: each column as its parts, the name last: (as written, without quotes); and whether the first part stands in
        brackets, so that it is a value; and the shape of it all.
    :raises UnreadableError: not SQL, not one expression, or columns that nobody can tell the table of.
    :raises TooComplexError: beyond the bounds.
    :raises RecursionError: the caller's own stack leaves too little room.
    """
    dialect = _dialect(engine)
    # A text that begins with a word of commands (REPLACE, END, SET) is cut after it; behind a bracket it is not.
    text = f"({masked.text}"
    tokens = _tokens(dialect, text)[1:]
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens.pop()
    if any(token.token_type is TokenType.SEMICOLON for token in tokens):
        raise UnreadableError("it is several statements")
    if not tokens:
        return [], Shape()
    within_bounds(tokens)
    tokens = without_sequences(tokens)
    _refuse_glued(tokens, masked)
    tree = _parse(dialect, tokens, text, engine)
    source = _Source(text, masked, engine, unit_positions(tokens, engine))
    return list(_columns(tree, source)), _shape_of(tree)


def _shape_of(tree: exp.Expr) -> Shape:
    no_value = (exp.Alias, exp.Distinct, exp.Ordered, exp.Tuple, exp.Star, exp.Query)
    return Shape(
        not isinstance(tree, no_value),
        any(not _is_windowed(each) for each in tree.find_all(exp.AggFunc)),
        tree.find(exp.Query, exp.Table) is not None,
    )


def _is_windowed(aggregate: exp.Expr) -> bool:
    """An aggregate OVER a window, or one of a query within: the expression's own rows stay as many."""
    outer: Any = aggregate
    while isinstance(outer.parent, exp.Filter | exp.WithinGroup | exp.IgnoreNulls | exp.RespectNulls | exp.Order):
        outer = outer.parent
    window = outer.parent
    return (isinstance(window, exp.Window) and window.this is outer) or aggregate.find_ancestor(exp.Select) is not None


def parse_query(text: str, engine: str) -> exp.Query:
    """:raises UnreadableError: it is none. :raises TooComplexError, RecursionError: as :func:`read`."""
    dialect = _dialect(engine)
    tokens = _tokens(dialect, text.strip().rstrip(";"))
    within_bounds(tokens)
    tree = _parse_tokens(dialect, tokens, text, engine) if tokens else None
    if not isinstance(tree, exp.Query):
        raise UnreadableError("it is no query")
    return tree


def _tokens(dialect: Dialect, text: str) -> list[Token]:
    try:
        return dialect.tokenize(text)
    except SqlglotError:
        raise UnreadableError("a quote or a comment in it is not closed, or a sign in it is no SQL") from None


@lru_cache(maxsize=64)
def _dialect(engine: str) -> Dialect:
    dialect: Any = type(Dialect.get_or_raise(engine))()
    # This instance's own: nothing in the log about an odd path, or about counting elements from 0 or from 1.
    dialect.STRICT_JSON_PATH_SYNTAX = False
    dialect.INDEX_OFFSET = 0
    return cast("Dialect", dialect)


@lru_cache(maxsize=64)
def _bounded_parser(engine: str) -> type[Any]:
    base: Any = _dialect(engine).parser_class

    class BoundedParser(base):  # type: ignore[misc]
        """The dialect's parser, which stops after so many steps forward or back."""

        steps_left = 0

        def _advance(self, times: int = 1) -> None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise TooComplexError("its parts can be read in too many ways")
            super()._advance(times)

        def _warn_unsupported(self) -> None:
            raise UnreadableError("it is a command, not an expression")

    return BoundedParser


def _parse(dialect: Dialect, tokens: list[Token], text: str, engine: str) -> exp.Expr:
    named = name_keywords(tokens, engine)
    try:
        return _parse_tokens(dialect, named, text, engine)
    except TooComplexError:
        raise
    except UnreadableError:
        if all(one.token_type is other.token_type for one, other in zip(named, tokens, strict=True)):
            raise
    return _parse_tokens(dialect, tokens, text, engine)


def _parse_tokens(dialect: Dialect, tokens: list[Token], text: str, engine: str) -> exp.Expr:
    parser = _bounded_parser(engine)(dialect=dialect, error_level=ErrorLevel.IMMEDIATE)
    parser.steps_left = SPARE_STEPS + STEPS_PER_TOKEN * len(tokens)
    try:
        if tokens[0].token_type in (TokenType.SELECT, TokenType.WITH):
            trees = parser.parse(tokens, text)
        else:
            trees = parser.parse_into(exp.Expr, tokens, text)
    except (UnreadableError, RecursionError):
        raise
    except ParseError as error:
        raise UnreadableError(f"it is no SQL expression of {engine or 'any engine'}{_near(error)}") from None
    except Exception as error:  # noqa: BLE001  sqlglot's own slips (TypeError, AttributeError…) on text that is no SQL
        raise UnreadableError(f"the SQL parser fails on it ({type(error).__name__})") from None
    if len(trees) != 1 or trees[0] is None:
        raise UnreadableError("it is not one expression")
    return cast("exp.Expr", trees[0])


def _near(error: ParseError) -> str:
    found = str(error.errors[0].get("highlight") or "").strip() if error.errors else ""
    return f", from {found[:40]!r} on" if found else ""


def _refuse_glued(tokens: list[Token], masked: Masked) -> None:
    """A placeholder that is a part of a name, or of a number: nobody knows the whole."""
    for before, token in zip([None, *tokens], tokens, strict=False):
        text = token.text.lower()
        if masked.prefix not in text or token.token_type in TEXTS:
            continue
        glued = before is not None and before.end + 1 == token.start and before.text[-1:].isalnum()
        if glued or not (text.startswith(masked.prefix) and text[len(masked.prefix) :].isdigit()):
            raise UnreadableError("a placeholder is only a part of a name in it")


class _Source(NamedTuple):
    """What a tree was read from; and what is known about its units of time."""

    text: str
    masked: Masked
    engine: str
    units: UnitPositions


def _columns(tree: exp.Expr, source: _Source) -> Iterator[tuple[Path, bool]]:
    ctes = frozenset(str(cte.alias).casefold() for cte in tree.find_all(exp.CTE))
    if tree.find(exp.Select) is None:
        yield from (([(name, name)], False) for name in source.units.names if source.masked.prefix not in name)
    for node, around in walk(tree):
        if isinstance(node, exp.Command | exp.DDL | exp.DML) and not isinstance(node, exp.Query):
            raise UnreadableError("it is a command, not an expression")
        if isinstance(node, exp.Alias) and not isinstance(node.parent, exp.Select) and not _has_as(node, source.text):
            raise UnreadableError("it is two expressions without an operator between them")
        if isinstance(node, exp.Column):
            parts, of_value = _parts_of(node, source.text)
            if parts and parts[0][1] not in around.variables and not _is_no_column(node, parts, source):
                path = in_scope(_without_placeholders(parts, source.masked), around, tree, ctes)
                if path is not None:
                    yield path, of_value
        elif isinstance(node, exp.Lambda | exp.Dot):
            yield from (([_part(each, source.text)], False) for each in _unseen_columns(node, source.engine))


def _has_as(alias: exp.Alias, text: str) -> bool:
    start = _start_of(alias.args.get("alias"))
    return start is not None and text[:start].rstrip().lower().endswith("as")


def _start_of(node: Any) -> int | None:
    start = node.meta.get("start") if isinstance(node, exp.Expr) else None
    return start if isinstance(start, int) else None


def _parts_of(column: exp.Column, text: str) -> tuple[Path, bool]:
    """(the names of a column's path, outermost first; empty for ``t.*`` and for parameters. Whether it is a field of a
    value, ``(t).c``, with one name in the brackets)."""
    parts = [part for key in ("catalog", "db", "table", "this") if (part := column.args.get(key)) is not None]
    node: exp.Expr = column
    while isinstance(node.parent, exp.Paren):
        node = node.parent
    in_brackets = node is not column and column.args.get("table") is None
    fields: list[exp.Expr] = []
    while isinstance(node.parent, exp.Dot) and node.parent.this is node:
        node = node.parent
        if not isinstance(node.expression, exp.Identifier):
            break
        fields.append(node.expression)
    if not all(isinstance(part, exp.Identifier) for part in parts):
        return [], False
    path = [_part(part, text) for part in (*parts, *fields)]
    if not all(name and can_be_asked(name) and (written != name or _NAME.fullmatch(name)) for written, name in path):
        raise UnreadableError("it holds a name that no engine takes")
    return path, in_brackets and bool(fields)


def _part(identifier: exp.Expr, text: str) -> tuple[str, str]:
    """(as written, without quotes)."""
    name = str(identifier.this)
    start, end = identifier.meta.get("start"), identifier.meta.get("end")
    if isinstance(start, int) and isinstance(end, int):
        written = text[start : end + 1]
        if unquote(written)[0] == name:
            return written, name
    return quoted(identifier), name


def _is_no_column(column: exp.Column, parts: Path, source: _Source) -> bool:
    written, name = parts[-1]
    parent = column.parent
    if name.lower().startswith(source.masked.prefix):
        return True
    if isinstance(parent, exp.Collate) and parent.expression is column:
        return True
    own = sql_of(source.engine)
    call = parent.name.lower() if isinstance(parent, exp.Anonymous) and parent.expressions[0] is column else ""
    if call in own.sequence_functions:  # NEXTVAL(label_no)
        return True
    if written != name:  # quoted: no keyword
        return False
    if is_pseudo_column(name, source.engine):
        return True
    if len(parts) == 1 and parent is not None and name.lower() in GRAMMAR:
        raise UnreadableError(f"the word {name.upper()} stands where a name is expected in it")
    if len(parts) > 1:
        return own.sequences and name.lower() in SEQUENCE_WORDS
    return _start_of(column.this) in source.units.units or is_value(name, source.engine, alone=parent is None)


def _without_placeholders(parts: Path, masked: Masked) -> Path:
    """A column's path with the tables that placeholders stand for; the dataset's own table is left out."""
    *qualifier, name = parts
    while qualifier and qualifier[0][1].lower().startswith(masked.prefix):
        placeholder = qualifier[0][1].lower()
        if placeholder not in masked.tables:
            raise UnreadableError("a placeholder stands for a table in it")
        table = masked.tables[placeholder]
        qualifier = ([(part, part) for part in table.split(".")] if table else []) + qualifier[1:]
    if any(part.lower().startswith(masked.prefix) for _, part in qualifier):
        raise UnreadableError("a placeholder is only a part of a path in it")
    return [*qualifier, name]


def _unseen_columns(node: exp.Expr, engine: str) -> list[exp.Expr]:
    """Columns that the parser takes for something else."""
    own = sql_of(engine)
    if isinstance(node, exp.Lambda):
        # f(payload -> 'a') is read as a function without a name where it is a path into JSON.
        is_path = not own.lambdas or (own.json_arrows and isinstance(node.this, exp.Literal))
        return [each for each in node.expressions if isinstance(each, exp.Identifier)] if is_path else []
    # SQL Server's geo.STAsText(); elsewhere what stands before a function is its schema.
    method, column = node.expression, node.this
    is_method = isinstance(method, exp.Func) and method.name.lower() in own.column_methods
    return [column] if is_method and isinstance(column, exp.Identifier) else []
