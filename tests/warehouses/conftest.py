"""One private server per engine row, and the counting connection that the suite looks through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from engines import ENGINES
from engines.base import Engine, Server


@pytest.fixture(scope="session", params=list(ENGINES.values()), ids=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> Engine:
    row: Engine = request.param
    return row


@pytest.fixture(scope="session")
def server(engine: Engine) -> Iterator[Server]:
    reason = engine.missing()
    if reason is not None:
        pytest.skip(f"{engine.name}: {reason}")
    with engine.running() as running:
        yield running


@dataclass
class Watch:
    """What was asked of a server over every connection of one test.

    :ivar statements: executed texts, in order.
    :ivar before: called with (real connection, statement) before each of them.
    :ivar rows: what each portion of rows becomes before the caller sees it.
    """

    statements: list[str] = field(default_factory=list)
    before: Callable[[Any, str], None] = lambda _connection, _statement: None
    rows: Callable[[Sequence[Any]], Sequence[Any]] = lambda rows: rows

    def over(self, connect: Callable[[str | None], Any]) -> Callable[[str | None], Any]:
        """The same connect, its connections wrapped: everything else about them stays real."""
        return lambda database: _Connection(connect(database), self)


class _Connection:
    def __init__(self, real: Any, watch: Watch) -> None:
        self.__dict__.update(real=real, watch=watch)

    def cursor(self) -> Any:
        return _Cursor(self.real.cursor(), self.real, self.watch)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["real"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.real, name, value)


class _Cursor:
    def __init__(self, real: Any, connection: Any, watch: Watch) -> None:
        self.real, self.connection, self.watch = real, connection, watch

    def execute(self, sql: str, *parameters: Any) -> Any:
        self.watch.statements.append(sql)
        self.watch.before(self.connection, sql)
        return self.real.execute(sql, *parameters)

    def fetchmany(self, size: int) -> Sequence[Any]:
        return self.watch.rows(self.real.fetchmany(size))

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if name != "stream" or not callable(found):
            return found

        def stream(sql: str, *parameters: Any, **options: Any) -> Iterator[Any]:
            self.watch.statements.append(sql)
            self.watch.before(self.connection, sql)
            return iter(self.watch.rows(list(found(sql, *parameters, **options))))

        return stream


@pytest.fixture
def watch() -> Watch:
    return Watch()
