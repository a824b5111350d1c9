"""A whole query, as saved charts hold them, → the tables and columns that it reads. It is read, never run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .expressions import sqlglot_dialect
from .template import UnreadableError

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

MAX_QUERY = 20_000  # characters
_MOST_NESTED = 20

Path = tuple[str, ...]  # a table as written, with its quotes: database, schema, name; from the right


class ReadColumn(NamedTuple):
    """:ivar name: as written, with its quotes. :ivar tables: those that it may be of, without a word which."""

    name: str
    tables: frozenset[Path]


@dataclass(frozen=True, slots=True)
class QueryReading:
    """:ivar problem: why it cannot be read, for people; then there is nothing else."""

    tables: frozenset[Path] = frozenset()
    columns: frozenset[ReadColumn] = frozenset()
    problem: str | None = None


def read_query(text: str, dialect: str) -> QueryReading:
    """Find what a query reads. Names that it makes itself (CTEs, aliases) are followed to where they come from; ``*``
    is no column: it does not fail when one is missing. Never raises, whatever the text.
    """
    from sqlglot.errors import SqlglotError

    from .reader import parse_query

    if len(text) > MAX_QUERY:
        return QueryReading(problem=f"it is longer than {MAX_QUERY:,} characters")
    try:
        return _reading(parse_query(text, sqlglot_dialect(dialect)))
    except (UnreadableError, SqlglotError) as error:
        return QueryReading(problem=str(error)[:200])
    except RecursionError:
        return QueryReading(problem="it is nested too deeply")


def _reading(tree: exp.Query) -> QueryReading:
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    tables: set[Path] = set()
    columns: set[ReadColumn] = set()
    for scope in traverse_scope(tree):
        if not isinstance(scope.expression, exp.Select):
            continue
        tables |= {_path(source) for _, source in scope.selected_sources.values() if isinstance(source, exp.Table)}
        aliases = {each.alias for each in scope.expression.selects if isinstance(each, exp.Alias)}
        for node in scope.walk():
            if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier):
                # Behind the list, a name that the list gives to something is that: the column is gone.
                if node.table or node.name not in aliases or _is_selected(node, scope.expression):
                    columns.add(ReadColumn(node.this.sql(), _origins(scope, node.table, node.name)))
            elif isinstance(node, exp.Join):
                columns |= {
                    ReadColumn(name.sql(), _origins(scope, source, name.name))
                    for name in node.args.get("using") or ()
                    for source in scope.selected_sources
                }
    return QueryReading(frozenset(tables), frozenset(each for each in columns if each.tables))


def _is_selected(column: exp.Column, select: exp.Select) -> bool:
    node: exp.Expr = column
    while node.parent is not None and node.parent is not select:
        node = node.parent
    return node.arg_key == "expressions"


def _origins(scope: Scope, qualifier: str, column: str) -> frozenset[Path]:
    """The physical tables that a name may be a column of; none where the query makes the column itself."""
    sources = dict(scope.selected_sources)
    for _ in range(_MOST_NESTED):  # a subquery also sees what is around it
        if not scope.is_subquery or scope.parent is None:
            break
        scope = scope.parent
        sources = {**scope.selected_sources, **sources}
    word = qualifier.casefold()
    chosen = [source for alias, (_, source) in sources.items() if not word or alias.casefold() == word]
    return frozenset(path for source in chosen for path in _tables_behind(source, column, _MOST_NESTED))


def _tables_behind(source: exp.Expr | Scope, column: str, depth: int) -> Iterator[Path]:
    from sqlglot import exp
    from sqlglot.optimizer.scope import Scope

    if isinstance(source, exp.Table):
        yield _path(source)
    if not isinstance(source, Scope) or depth == 0:
        return
    selects = source.expression.selects if isinstance(source.expression, exp.Select) else ()
    if any(each.alias_or_name.casefold() == column.casefold() for each in selects):
        return  # its own expression is read where it stands
    stars = {each.table.casefold() if isinstance(each, exp.Column) else "" for each in selects if each.is_star}
    inner = [each for name, (_, each) in source.selected_sources.items() if stars & {"", name.casefold()}]
    # Before sqlglot 30.2x, which hosted services pin, they are called union_scopes.
    sides: Any = getattr(source, "set_operation_scopes", None) or getattr(source, "union_scopes", ())
    for each in (*sides, *inner):
        yield from _tables_behind(each, column, depth - 1)


def _path(table: exp.Table) -> Path:
    return tuple(part.sql() for part in table.parts)
