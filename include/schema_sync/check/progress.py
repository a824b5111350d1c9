"""What a person at a terminal sees of a check that takes long: one line on standard error, gone when it is done."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SHOWN_AFTER_S = 1.0  # a check of a small repository is over by then: nothing flickers
_CLEAR = "\r\x1b[K"


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """:return: to be told what is done now, ``comparing 12 files``. Nothing is shown where nobody looks."""
    if quiet or not sys.stderr.isatty():
        yield lambda _doing: None
        return
    doing = [""]
    done = threading.Event()
    started = time.monotonic()

    def show() -> None:
        pause = _SHOWN_AFTER_S
        while not done.wait(pause):
            sys.stderr.write(f"{_CLEAR}schema-sync: {doing[0]} … {time.monotonic() - started:.0f} s")
            sys.stderr.flush()
            pause = 0.5

    thread = threading.Thread(target=show, name="progress", daemon=True)
    thread.start()
    try:
        yield lambda text: doing.__setitem__(0, text)
    finally:
        done.set()
        thread.join()
        sys.stderr.write(_CLEAR)
        sys.stderr.flush()
