"""What every dialect must hold, whichever warehouse it is for: a new one is tested here by being listed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlglot

from include.schema_sync.errors import TerminalError
from include.schema_sync.expressions import referenced_columns
from include.schema_sync.nouns.snapshot import GroupRequest
from include.schema_sync.warehouses import DIALECTS, dialect_for
from include.schema_sync.warehouses.engine import Dialect, Failure, Query
from include.schema_sync.warehouses.names import NameCase

HOSTILE = ('"; DROP TABLE users; --', "it's", "100%", "%(schema)s", "{timeout_ms}", "\\", "<!channel>", "😀", "a\nb")

every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())


@pytest.mark.parametrize("word", ["postgres", "PostgreSQL", " POSTGRES ", "supabase"])
def test_a_type_is_found_by_name_or_alias_in_any_case(word: str) -> None:
    assert dialect_for(word).name == "postgres"


@pytest.mark.parametrize("word", ["oracle", "", "postgres2"])
def test_an_unknown_type_is_terminal_and_lists_the_known_ones(word: str) -> None:
    with pytest.raises(TerminalError) as raised:
        dialect_for(word)
    for dialect in DIALECTS.values():
        for known in (dialect.name, *dialect.aliases):
            assert known in str(raised.value)


def test_every_dialect_is_listed_under_its_name_and_no_word_means_two() -> None:
    words = [word for dialect in DIALECTS.values() for word in (dialect.name, *dialect.aliases)]
    assert words
    assert all(name == dialect.name for name, dialect in DIALECTS.items())
    assert len(words) == len(set(words))
    assert all(word == word.lower().strip() for word in words)


def test_every_file_of_a_warehouse_is_listed(project_root: Path) -> None:
    folder = project_root / "include" / "schema_sync" / "warehouses"
    of_no_engine = {
        "__init__",
        "autocommit",
        "engine",
        "names",
        "proofs",
        "sign_in",
        "sql_words",
        "tenants",
        "type_vocabulary",
    }
    files = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    assert files - of_no_engine == set(DIALECTS)


def test_nobody_else_branches_on_an_engines_name(project_root: Path) -> None:
    """A comparison, a match or a table that knows an engine by its name is a fact that belongs into its file."""
    names = {word for dialect in DIALECTS.values() for word in (dialect.name, dialect.sqlglot, *dialect.aliases)}
    own_rooms = ("include/schema_sync/warehouses/", "plugins/schema_sync_airflow/warehouse_hooks/")
    files = [path for folder in ("include", "plugins", "dags") for path in (project_root / folder).rglob("*.py")]
    found = [
        f"{place}:{line}"
        for path in files
        if not (place := path.relative_to(project_root).as_posix()).startswith(own_rooms)
        for line in _branches_on(names, ast.parse(path.read_text()))
    ]
    assert len(files) > 100
    assert found == []


@pytest.mark.parametrize(
    "branch",
    [
        'engine == "tsql"',
        'engine in ("mysql", "mariadb")',
        'LIMITS = {"snowflake": 1}',
        'word.startswith("redshift")',
        'match engine:\n  case "duckdb": pass',
        'NAMES = frozenset({"sqlite"})',
    ],
)
def test_a_branch_on_a_name_is_noticed(branch: str) -> None:
    names = {word for dialect in DIALECTS.values() for word in (dialect.name, dialect.sqlglot, *dialect.aliases)}
    assert list(_branches_on(names, ast.parse(branch)))


def _branches_on(names: set[str], tree: ast.AST) -> Iterator[int]:
    branches: list[ast.AST] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            branches += [*sides, *(element for side in sides for element in getattr(side, "elts", ()))]
        elif isinstance(node, ast.Set):
            branches += node.elts
        elif isinstance(node, ast.Dict):
            branches += [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            branches.append(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("startswith", "endswith"):
            branches += node.args
    yield from (each.lineno for each in branches if isinstance(each, ast.Constant) and each.value in names)


@every_dialect
def test_names_are_bound_and_never_formatted_into_sql(dialect: Dialect) -> None:
    """A database that the engine cannot bind is an identifier, quoted by the dialect; ``%`` doubled for the driver."""
    for hostile in HOSTILE:
        query = dialect.columns_query(GroupRequest("s", hostile, hostile, HOSTILE))
        sql = query.sql
        for identifier in (dialect.quote(hostile), dialect.quote(hostile).replace("%", "%%")):
            sql = sql.replace(identifier, "")
        assert hostile not in _without_placeholders(sql, query)


@every_dialect
def test_every_parameter_is_used_and_there_is_no_placeholder_without_one(dialect: Dialect) -> None:
    query = dialect.columns_query(GroupRequest("s", None, "public", ("orders", "customers")))
    if isinstance(query.parameters, dict):
        for name in query.parameters:
            assert any(placeholder in query.sql for placeholder in (f"%({name})s", f":{name}"))
        rest = _without_placeholders(query.sql, query)
        assert "%(" not in rest
        assert not re.search(r"(?<!:):[a-z]\w+", rest)


def _without_placeholders(sql: str, query: Query) -> str:
    for name in query.parameters if isinstance(query.parameters, dict) else ():
        sql = re.sub(rf"%\({name}\)s|:{name}\b", "NULL", sql)
    return sql


@every_dialect
def test_the_query_is_one_statement_that_its_engine_can_read(dialect: Dialect) -> None:
    query = dialect.columns_query(GroupRequest("s", None, "public", ("orders",)))
    sql = query.sql % dict.fromkeys(query.parameters, "NULL") if isinstance(query.parameters, dict) else query.sql
    assert len(sqlglot.parse(sql, read=dialect.sqlglot)) == 1


@every_dialect
def test_session_statements_take_a_timeout_and_nothing_else(dialect: Dialect) -> None:
    for statement in dialect.session_statements:
        assert "{" not in statement.format(timeout_ms=1500)


@every_dialect
def test_an_error_that_nobody_knows_is_transient_so_that_it_is_tried_again(dialect: Dialect) -> None:
    assert dialect.classify(None, "something nobody has seen before") is Failure.TRANSIENT


@every_dialect
def test_pseudo_columns_are_written_as_the_engine_stores_them(dialect: Dialect) -> None:
    if dialect.column_case is NameCase.LOWER:
        assert all(name == name.lower() for name in dialect.pseudo_columns)


@every_dialect
def test_the_reader_of_expressions_and_the_probe_know_the_same_pseudo_columns(dialect: Dialect) -> None:
    for listed in dialect.pseudo_columns:
        name = listed.replace("*", "filename")
        assert dialect.is_pseudo_column(name.upper())
        for written in (name, name.upper()):
            assert referenced_columns(written, dialect.name).columns == frozenset()
    assert not dialect.is_pseudo_column("amount")


@pytest.mark.parametrize(
    ("engine", "name"),
    [("snowflake", "METADATA$FILENAME"), ("bigquery", "_CHANGE_TYPE"), ("sqlserver", "$node_id"), ("sqlite", "oid")],
)
def test_what_only_one_of_two_lists_knew_is_known_everywhere(engine: str, name: str) -> None:
    assert dialect_for(engine).is_pseudo_column(name)
    assert not referenced_columns(f"COALESCE({name}, amount)", engine).columns - {"amount"}
