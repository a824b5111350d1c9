"""A stand-in for a PostgreSQL server that answers whatever a test wants. Real wire, real psycopg on the other side.

Message formats: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Answer = Callable[[str], Iterable[bytes]]

READY = b"Z\x00\x00\x00\x05T"
_SSL_REQUEST, _GSS_REQUEST, _CANCEL = 80877103, 80877104, 80877102
COLUMNS = ("schema", "name", "kind", "readable", "attname", "type", "base_type", "column_readable")
_TEXT, _BOOL = 25, 16


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def row_description(names: Iterable[str] = COLUMNS) -> bytes:
    names = list(names)
    fields = b"".join(
        name.encode() + b"\0" + struct.pack("!IhIhih", 0, 0, _BOOL if "readable" in name else _TEXT, -1, -1, 0)
        for name in names
    )
    return message(b"T", struct.pack("!h", len(names)) + fields)


def row(*values: str | None) -> bytes:
    texts = [None if value is None else value.encode() for value in values]
    body = b"".join(struct.pack("!i", -1) if text is None else struct.pack("!i", len(text)) + text for text in texts)
    return message(b"D", struct.pack("!h", len(texts)) + body)


def error(text: str, state: str = "42501") -> bytes:
    return message(b"E", b"SERROR\0VERROR\0C" + state.encode() + b"\0M" + text.encode() + b"\0\0")


def done(tag: str = "SELECT 1") -> bytes:
    return message(b"C", tag.encode() + b"\0")


@contextmanager
def hostile_server(answer: Answer) -> Iterator[str]:
    """:param answer: (the columns query) → messages between Bind and ReadyForQuery. :return: the server's URI."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        open_now: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                open_now.append(client)
                threading.Thread(target=_converse, args=(client, answer), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"postgresql://reader:secret-of-the-tenant@127.0.0.1:{listener.getsockname()[1]}/shop"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for client in open_now:
                client.close()


def _converse(client: socket.socket, answer: Answer) -> None:
    stream = client.makefile("rb")
    try:
        if not _greet(client, stream):
            return
        sql = ""
        while head := stream.read(5):
            kind, body = head[:1], stream.read(struct.unpack("!I", head[1:])[0] - 4)
            if kind == b"P":
                sql = body.split(b"\0")[1].decode("utf-8", "replace")
            elif kind == b"Q":
                client.sendall(done("SET") + READY)
            elif kind == b"S":
                client.sendall(message(b"1", b"") + message(b"2", b""))
                for part in answer(sql) if "pg_namespace" in sql else [message(b"n", b""), done("SET")]:
                    client.sendall(part)
                client.sendall(READY)
            elif kind == b"X":
                return
    except (OSError, struct.error, IndexError):
        return  # the client has gone, or a mutated message ended the conversation
    finally:
        client.close()


def _greet(client: socket.socket, stream: object) -> bool:
    read: Callable[[int], bytes] = stream.read  # type: ignore[attr-defined]
    while True:
        length, code = struct.unpack("!II", read(8))
        if code == _CANCEL:
            return False
        if code in (_SSL_REQUEST, _GSS_REQUEST):
            client.sendall(b"N")
            continue
        read(length - 8)
        settings = {"server_version": "16.1", "client_encoding": "UTF8", "server_encoding": "UTF8"}
        status = b"".join(message(b"S", f"{key}\0{value}\0".encode()) for key, value in settings.items())
        client.sendall(
            message(b"R", struct.pack("!I", 0))
            + status
            + message(b"K", struct.pack("!II", 1, 1))
            + b"Z\x00\x00\x00\x05I"
        )
        return True
