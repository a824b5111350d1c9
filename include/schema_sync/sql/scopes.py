"""Whose column is it, when an expression has queries inside? Imported only when an expression is read.

A name with its table is that table's, under its own name rather than its alias. A name without one may be the inner
table's or the outer one's; only the catalogue could tell, so it is told apart only where nothing else is possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlglot import exp

from .template import UnreadableError

Path = list[tuple[str, str]]  # a column's path, the name last: (as written, without quotes)


class Scope(NamedTuple):
    """One query: what it reads from, and what it names itself (both letter-case folded)."""

    select: exp.Select
    sources: tuple[tuple[str, exp.Expr], ...]
    aliases: frozenset[str]


class Around(NamedTuple):
    """What stands around a part of an expression.

    :ivar scopes: the queries whose sources a column may be of, innermost first.
    :ivar variables: names that a comprehension gives to elements (DuckDB's ``[x + 1 for x in xs]``).
    """

    scopes: tuple[Scope, ...] = ()
    variables: frozenset[str] = frozenset()


def walk(tree: exp.Expr) -> Iterator[tuple[exp.Expr, Around]]:
    """Every part of an expression with what stands around it; without recursion, in one pass."""
    stack = [(tree, Around())]
    while stack:
        node, around = stack.pop()
        yield node, around
        inside = around
        if isinstance(node, exp.Select):
            inside = around._replace(scopes=(_scope(node), *around.scopes))
        elif isinstance(node, exp.UDTF) and around.scopes and not _tables(around.scopes[0]):
            inside = around._replace(scopes=around.scopes[1:])  # FROM UNNEST(items): items is not of this query
        elif isinstance(node, exp.Comprehension):
            named = {str(name.name) for key in ("expression", "position") if (name := node.args.get(key)) is not None}
            inside = around._replace(variables=around.variables | named)
        for child in node.iter_expressions():
            stack.append((child, around if child.arg_key == "iterator" else inside))


def in_scope(path: Path, around: Around, tree: exp.Expr, ctes: frozenset[str]) -> Path | None:
    """A column's path outside of all queries in the expression; None for what a query in it makes itself.

    :raises UnreadableError: a name without its table, where it may be the inner table's or the outer one's.
    """
    if not around.scopes:
        return path
    *qualifier, (_, name) = path
    if qualifier:
        return _of_source(path, around.scopes, ctes)
    folded = name.casefold()
    for scope in around.scopes:
        if folded in scope.aliases:
            return None
        if not scope.sources:
            continue
        if any(alias == folded for alias, source in scope.sources if not isinstance(source, exp.Table)):
            return None  # UNNEST(xs) AS x
        tables = _tables(scope)
        only = tables[0] if len(scope.sources) == len(tables) == 1 else None
        if only is not None and scope.select is tree and only.name.casefold() not in ctes:
            return [*_path_of(only), path[-1]]
        raise UnreadableError(
            f"a query in it names {name[:60]!r} without its table, so nobody can tell whose column that is"
        )
    return path


def _of_source(path: Path, scopes: Sequence[Scope], ctes: frozenset[str]) -> Path | None:
    first = path[0][1].casefold()
    for scope in scopes:
        for alias, source in scope.sources:
            if alias == first:
                if not isinstance(source, exp.Table) or (len(source.parts) == 1 and source.name.casefold() in ctes):
                    return None
                return [*_path_of(source), *path[1:]]
    return path


def _scope(select: exp.Select) -> Scope:
    aliases = frozenset(str(item.alias).casefold() for item in select.expressions if isinstance(item, exp.Alias))
    return Scope(select, tuple((_name_of(source), source) for source in _sources(select)), aliases)


def _tables(scope: Scope) -> list[exp.Table]:
    return [source for _, source in scope.sources if isinstance(source, exp.Table)]


def _sources(select: exp.Select) -> Iterator[exp.Expr]:
    clauses = [select.args.get("from_") or select.args.get("from"), *select.args.get("joins", ())]
    for clause in clauses:
        if clause is not None and clause.this is not None:
            yield clause.this
            yield from (join.this for join in clause.this.args.get("joins") or ())
    yield from select.args.get("laterals") or ()


def _name_of(source: exp.Expr) -> str:
    alias = source.args.get("alias")
    if isinstance(source, exp.Unnest | exp.Lateral) and isinstance(alias, exp.TableAlias):
        columns: list[exp.Expr] = alias.args.get("columns") or []
        if alias.this is None and len(columns) == 1:
            return str(columns[0].name).casefold()
    return str(source.alias_or_name).casefold()


def _path_of(table: exp.Table) -> Path:
    return [(quoted(part), str(part.name)) for part in table.parts]


def quoted(part: exp.Expr) -> str:
    name = str(part.name)
    return '"' + name.replace('"', '""') + '"' if part.args.get("quoted") else name
