"""How a patch spells a column that is called like a word of SQL: every engine here reads it as that column."""

from __future__ import annotations

from contextlib import closing

import pytest
from engines import ENGINES
from engines.base import Engine, Server

from include.schema_sync.nouns.dataset import Dataset
from include.schema_sync.repair.before_and_after import Context
from include.schema_sync.warehouses.sql_words import RESERVED_SOMEWHERE

pytestmark = pytest.mark.airflow

# Where an engine tells its own keywords.
KEYWORDS = {
    "postgres": "SELECT word FROM pg_get_keywords()",
    "duckdb": "SELECT keyword_name FROM duckdb_keywords()",
    "mariadb": "SELECT lower(word) FROM information_schema.keywords",
    "sqlite": None,
}
VALUES = {"current_date", "current_user", "localtime", "session_user", "user", "sysdate", "true", "null", "default"}


@pytest.mark.parametrize("engine", [pytest.param(ENGINES[name], id=name) for name in KEYWORDS], indirect=True)
def test_a_column_named_like_a_word_of_sql_is_spelled_so_that_it_is_read(engine: Engine, server: Server) -> None:
    place = server.new_place()
    words = RESERVED_SOMEWHERE | VALUES
    if (asked := KEYWORDS[engine.name]) is not None:
        with closing(server.connect(place.database)) as connection:
            cursor = connection.cursor()
            cursor.execute(asked)
            words |= {word for (word,) in cursor.fetchmany(5_000) if word.isidentifier()}
    dialect = engine.dialect
    context = Context(Dataset("d", "d", "o", "s", place.database, place.schema, ""), dialect, None)
    numbers = {word: number for number, word in enumerate(sorted(words))}
    server.run(
        place,
        f"CREATE TABLE words ({', '.join(f'{dialect.quote(word)} int' for word in numbers)})",
        f"INSERT INTO words VALUES ({', '.join(map(str, numbers.values()))})",
    )
    spelled = ", ".join(context.spell(word, "amount") for word in numbers)
    table = "words" if engine.name == "sqlite" else f"{place.schema}.words"
    with closing(server.connect(place.database)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT {spelled} FROM {table}")
        ((*values,),) = cursor.fetchmany(1)
    assert values == list(numbers.values())
