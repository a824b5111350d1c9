"""Airflow's user interface over the demo's home, for as long as somebody looks at it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from ..errors import TerminalError
from .airflow_command import ROOT, Say, stop

_START_TIMEOUT_S = 180.0
_PASSWORDS = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"
_USER = "admin"


def interface_settings(address: str, home: Path) -> dict[str, str]:
    """What Airflow is told for its user interface, with a new password; messages of the run already link there.

    :param address: ``host:port``; port 0: a free one.
    :raises TerminalError: the address cannot be read.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()):
        raise TerminalError(f"{address!r} is no address. Write HOST:PORT, such as 127.0.0.1:8080.")
    home.mkdir(parents=True, exist_ok=True)
    passwords = home / "passwords.json"
    passwords.touch(mode=0o600)
    passwords.write_text(json.dumps({_USER: secrets.token_hex(8)}))
    with socket.socket() as listener:
        listener.bind((host, int(port)))
        port = str(listener.getsockname()[1])
    return {
        "AIRFLOW__API__HOST": host,
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": f"http://localhost:{port}",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{_USER}:admin",
        _PASSWORDS: str(passwords),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",  # its port may be another Airflow's
    }


def serve_interface(environment: Mapping[str, str], log: Path, say: Say) -> int:
    """Run ``airflow standalone`` until it ends or somebody interrupts; then nothing of it is left.

    :raises TerminalError: it did not start.
    """
    url = environment["AIRFLOW__API__BASE_URL"]
    say("Starting Airflow's user interface (half a minute) …")
    with log.open("w") as output, subprocess.Popen(
        [str(ROOT / "scripts" / "airflow"), "standalone"], env=dict(environment), stdin=subprocess.DEVNULL,
        stdout=output, stderr=output, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            _wait(url, process, log)
            password = json.loads(Path(environment[_PASSWORDS]).read_text())[_USER]
            print(f"\n  {url}/plugin/schema-sync    user {_USER}, password {password}")
            print("  Results: Browse → Schema Sync. Another run: Dags → schema_sync → Trigger.")
            print(f"  Ctrl-C stops everything. Log: {os.path.relpath(log)}", flush=True)
            return process.wait()
        finally:
            stop(process)


def _wait(url: str, process: subprocess.Popen[str], log: Path) -> None:
    direct = build_opener(ProxyHandler({}))
    ends = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < ends and process.poll() is None:
        try:
            with direct.open(f"{url}/api/v2/monitor/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.5)
    raise TerminalError(f"Airflow's user interface did not start. Its log says why: {log}")
