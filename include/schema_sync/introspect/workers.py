"""Tasks side by side, for no longer than there is time: what is finished by then is returned."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def side_by_side(tasks: Sequence[Callable[[], T]], workers: int, ends: float, name: str) -> list[T | Exception | None]:
    """Run every task, so many at once: in daemons, because a pool of ``concurrent.futures`` waits for the slowest.

    :param ends: on the monotonic clock; afterwards no task begins.
    :return: in the order of the tasks: what it returned or raised, None where it was not finished at the end.
    """
    waiting = deque(enumerate(tasks))
    done: list[T | Exception | None] = [None] * len(tasks)
    finished = threading.Semaphore(0)

    def work() -> None:
        while time.monotonic() < ends:
            try:
                index, task = waiting.popleft()
            except IndexError:
                return
            try:
                done[index] = task()
            except Exception as error:  # noqa: BLE001 (the caller says whose it is)
                done[index] = error
            finished.release()

    for number in range(min(workers, len(tasks))):
        threading.Thread(target=work, name=f"{name}-{number}", daemon=True).start()
    for _ in tasks:
        if not finished.acquire(timeout=max(0.0, ends - time.monotonic())):
            break
    return list(done)
