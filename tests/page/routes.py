"""Organizations in every state, and what an answer of the page shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

from sqlalchemy import event

from tests.page import seeding

ACME, BLUEBIRD = seeding.drifted(1, "Acme Analytics", findings=9), seeding.clean(2, "Bluebird Coffee")
COBALT = seeding.partial(3, "Cobalt Logistics", "The role `reader` may not use `marketing`; grant it CONNECT.")
DUNE = seeding.failed(4, "Dune Energy", "No data source could be reached.")
ALL = [ACME, BLUEBIRD, COBALT, DUNE, seeding.empty(5, "Ember Films")]


def said(answer: Any, status: int = 200) -> str:
    """The text of a page, without markup, in one line."""
    assert answer.status_code == status, answer.text[:2_000]
    body = re.sub(r"<(noscript|dialog|title)[^>]*>.*?</\1>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def listed(answer: Any) -> list[str]:
    """Names in the table of organizations, from the top."""
    said(answer)
    return [unescape(name) for name in re.findall(r'id="to-[^"]*"><bdi>(.*?)</bdi>', answer.text)]


@contextmanager
def statements(database: Any) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        sent.append(statement)

    event.listen(database, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database, "before_cursor_execute", note)
