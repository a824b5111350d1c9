"""A worker thread and the thread that waits for it: steps that take too long are cut."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
_Outcome = TypeVar("_Outcome")

_LOOK_EVERY_S = 0.1
_RECEIVED = slice(128, 136)  # tcpi_bytes_received in linux/tcp.h
OUT_OF_TIME = "its time for this run is up"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one answer (contract, section 14). :ivar rows: a column each. :ivar size: bytes, on the wire and of texts."""

    rows: int = 2_000_000
    size: int = 256 * 2**20

    def refusal(self, rows: int, size: int) -> str | None:
        if rows > self.rows:
            return f"its catalogue has more than {self.rows:,} columns there (SCHEMA_SYNC_MOST_COLUMNS)"
        if size > self.size:
            return f"its answer is larger than {self.size / 2**20:,.0f} MiB (SCHEMA_SYNC_MOST_MEBIBYTES)"
        return None


class LeftBehindError(Exception):
    """Nobody waits for the worker any more."""


class Watch(Generic[_Outcome]):
    """What the worker does now, seen from the thread that waits for it. Every method may be called from either."""

    def __init__(self, timeout_s: float, limits: Limits, wake_up_s: float = 0) -> None:
        """:param wake_up_s: how much longer steps may take until the first outcome: a warehouse may have to start."""
        self.done = threading.Event()
        self.bug: BaseException | None = None
        self.too_large = False
        self.limits = limits
        self._received_before = 0
        self.timeout_s = timeout_s
        self._wake_up_s = wake_up_s
        self._lock = threading.Lock()
        self._outcomes: dict[int, _Outcome] = {}
        self._connection: Any = None
        self._cut = False
        self._left_behind = False
        self.begin_step()

    def begin_step(self) -> None:
        """Connecting or a statement starts: its time runs from now."""
        with self._lock:
            if self._left_behind:
                raise LeftBehindError
            timeout_s = self.timeout_s + self._wake_up_s
            self.no_answer = f"no answer within {timeout_s:g} s, the connection was cut"
            self._step_ends = time.monotonic() + timeout_s + max(1.0, timeout_s / 10)  # the server's own comes first
            self._cut = self.too_large = False
            self._received_before = self._received()

    def hold(self, connection: Any) -> None:
        """Its socket is shut when a step takes too long. None before closing: its number may soon be another's."""
        with self._lock:
            self._connection = connection

    def was_cut(self) -> bool:
        with self._lock:
            return self._cut

    def keep(self, index: int, outcome: _Outcome) -> None:
        with self._lock:
            self._outcomes[index] = outcome
            self._wake_up_s = 0

    def supervise(self, deadline: float) -> str | None:
        """Wait until the work is done, and cut steps that take too long.

        :return: None when the work is done, else why nobody waits any longer.
        """
        while True:
            with self._lock:
                ends = min(self._step_ends, deadline)
            if self.done.wait(max(0.0, min(ends - time.monotonic(), _LOOK_EVERY_S))):
                return None
            self._refuse_large_answer()
            now = time.monotonic()
            if now >= deadline:
                return OUT_OF_TIME
            with self._lock:
                if now < self._step_ends:
                    continue  # the next step began meanwhile
                if self._cut or not self._shut():
                    return self.no_answer
                self._cut = True
                self._step_ends = now + 1.0  # to notice it

    def _refuse_large_answer(self) -> None:
        """Some drivers take a whole answer in before anybody sees a row of it: the kernel knows how much it was."""
        with self._lock:
            refusal = self.limits.refusal(0, self._received() - self._received_before)
            if refusal is not None and not self._cut and self._shut():
                self.no_answer, self.too_large, self._cut = refusal, True, True
                self._step_ends = time.monotonic() + 1.0

    def _received(self) -> int:
        """Bytes that the connection's socket has received, where the kernel tells (Linux)."""
        info = self._of_socket(lambda each: each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _RECEIVED.stop)) or b""
        return int.from_bytes(info[_RECEIVED], sys.byteorder) if len(info) == _RECEIVED.stop else 0

    def release(self) -> dict[int, _Outcome]:
        """Nobody waits from here on: what was read so far. A worker that still runs ends at its next step."""
        with self._lock:
            self._left_behind = True
            if not self.done.is_set():
                self._shut()
            return dict(self._outcomes)

    def _shut(self) -> bool:
        """Shut the socket under the driver, so that its waiting ends with an error; False if there is none."""

        def shut(duplicate: socket.socket) -> bool:
            duplicate.shutdown(socket.SHUT_RDWR)
            return True

        return self._of_socket(shut) is True

    def _of_socket(self, ask: Callable[[socket.socket], T]) -> T | None:
        """None where there is no connection or socket by now, another sort of socket, or another system."""
        try:
            with socket.fromfd(self._connection.fileno(), socket.AF_INET, socket.SOCK_STREAM) as duplicate:
                return ask(duplicate)
        except Exception:  # noqa: BLE001 (a driver without a socket by now says so in an error of its own)
            return None
