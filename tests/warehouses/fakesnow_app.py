"""fakesnow's server, its refusals in Snowflake's own words: ``uvicorn fakesnow_app:app``.

fakesnow passes DuckDB's texts on under numbers of its own choice. What an error means is told by Snowflake's numbers
and texts, so those are put in, as the vendor's messages have them: 000904, and 002003 for a table and for a schema.
"""

from __future__ import annotations

import json
import re
from typing import Any

from fakesnow.server import app as fakesnow

_NO_COLUMN = re.compile(r'Referenced column "(.*?)" not found', re.DOTALL)
_NO_SCHEMA = re.compile(r'because schema "(.*?)" does not exist', re.DOTALL)
_NO_TABLE = re.compile(r"(?:Table|View) with name (.*?) does not exist", re.DOTALL)


def in_snowflakes_words(answer: dict[str, Any]) -> dict[str, Any]:
    """The body of an answer; successful ones come back as they are."""
    text = str(answer.get("message"))
    if answer.get("success", True):
        return answer
    if match := _NO_COLUMN.search(text):
        code, state, told = "000904", "42000", f"error line 1 at position 7\ninvalid identifier '{match[1]}'"
    elif match := _NO_SCHEMA.search(text):
        code, state, told = "002003", "02000", f"Schema '{match[1]}' does not exist or not authorized."
    elif match := _NO_TABLE.search(text):
        code, state, told = "002003", "42S02", f"Object '{match[1]}' does not exist or not authorized."
    else:
        return answer
    return {
        **answer,
        "data": {"errorCode": code, "sqlState": state},
        "code": code,
        "message": f"SQL compilation error:\n{told}",
    }


async def app(scope: Any, receive: Any, send: Any) -> None:
    start: dict[str, Any] = {}
    body = b""

    async def rewritten(message: Any) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start":
            start = message
            return
        if message["type"] == "http.response.body":
            body += message.get("body", b"")
            if message.get("more_body"):
                return
            if start["status"] == 200 and b'"success":false' in body:
                body = json.dumps(in_snowflakes_words(json.loads(body))).encode()
                kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                start = {**start, "headers": [*kept, (b"content-length", str(len(body)).encode())]}
            await send(start)
            message = {**message, "body": body}
        await send(message)

    await fakesnow(scope, receive, rewritten)
