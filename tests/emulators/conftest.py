"""What ``scripts/install-emulators`` has put in ``.emulators/``; without it these tests skip."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("EMULATORS", ROOT / ".emulators"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.emulators)


def installed(*path: str) -> Path:
    """A file of an emulator.

    :raises Skipped: it is not installed.
    """
    file = FOLDER.joinpath(*path)
    if not file.exists():
        pytest.skip(f"{'/'.join(path)} is not installed. Run: scripts/install-emulators")
    return file


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str],
    port: int,
    log: Path,
    *,
    timeout_s: float = 120,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a server of ours until the block ends; it answers on its port by then."""
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **(environment or {})})
        try:
            ends = time.monotonic() + timeout_s
            while not _accepts(port):
                if server.poll() is not None or time.monotonic() > ends:
                    raise RuntimeError(f"{command[0]} does not start; its log:\n{log.read_text()[-3000:]}")
                time.sleep(0.2)
            yield
        finally:
            server.terminate()
            server.wait(timeout=20)


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
