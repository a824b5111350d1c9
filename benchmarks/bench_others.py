"""The check command beside Soda 3 and Soda 4 over the same tables.

Run from the repository's root, each Soda in an environment of its own:

    uv venv ../soda3 && uv pip install --python ../soda3 "soda-core-postgres==3.5.*" setuptools
    uv venv ../soda4 && uv pip install --python ../soda4 "soda-postgres==4.*"
    python -m benchmarks.bench_others ../soda3/bin/python ../soda4/bin/python [tables]

Each asks that every column is there and of its type, through its Python interface (Soda 4 has no command for many
contracts), twice in one process: the first time includes all that is imported, the second is the work alone. Far is a
relay that answers 20 ms later. Telemetry is off. Medians of rounds in turns. Bars for the work alone: 12 times less CPU
than Soda 3, 20 times less than Soda 4; far, a tenth of the time of either.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from benchmarks.bench_compile import far_from
from include.schema_sync.demo.postgres import running_postgres

COLUMNS = 30
TYPES = ("bigint", "text", "numeric", "date", "boolean", "uuid")
ROUNDS = 3
START = """
import contextlib, io, json, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
"""
OURS = """
from include.schema_sync.check.command import main
def check():
    assert main(["check", str(folder / "datasets")]) == 0
"""
SODA_3 = """
from soda.scan import Scan
def check():
    scan = Scan()
    scan.set_data_source_name("shop")
    scan.add_configuration_yaml_file(str(folder / "soda3.yml"))
    scan.add_sodacl_yaml_file(str(folder / "checks.yml"))
    assert scan.execute() == 0
"""
SODA_4 = """
from soda_core.common.yaml import ContractYamlSource, DataSourceYamlSource
from soda_core.contracts.contract_verification import ContractVerificationSession
def check():
    contracts = [ContractYamlSource.from_file_path(str(path)) for path in sorted((folder / "contracts").iterdir())]
    source = DataSourceYamlSource.from_file_path(str(folder / "soda4.yml"))
    result = ContractVerificationSession.execute(contracts, data_source_yaml_sources=[source])
    checks = [check for each in result.contract_verification_results for check in each.check_results]
    assert len(checks) == len(contracts) and result.is_ok, result.get_errors()
"""
TWICE = """
out = sys.stdout
with contextlib.redirect_stdout(io.StringIO()):
    check()
    first, started = time.process_time(), time.monotonic()
    check()
print(json.dumps([first, time.process_time() - first, time.monotonic() - started]), file=out)
"""


def main(soda_3: str, soda_4: str, tables: int = 200) -> None:
    with tempfile.TemporaryDirectory() as name, running_postgres() as uri, far_from(uri) as far:
        folder = Path(name)
        with psycopg.connect(uri, autocommit=True) as owner:
            fields = ", ".join(f"column_{number} {TYPES[number % len(TYPES)]}" for number in range(COLUMNS))
            for number in range(tables):
                owner.execute(f"CREATE TABLE table_{number} ({fields})")  # type: ignore[call-overload,unused-ignore]
        _write(folder, tables)
        tools = {
            "schema-sync check": (sys.executable, OURS),
            "  --no-compile": (sys.executable, OURS.replace('"check",', '"check", "--no-compile",')),
            "Soda 3": (soda_3, SODA_3),
            "Soda 4": (soda_4, SODA_4),
        }
        for place, at in (("near", uri), ("20 ms away", far)):
            _connections(folder, at)
            spent: dict[str, list[list[float]]] = {label: [] for label in tools}
            for _ in range(ROUNDS):
                for label, (python, code) in tools.items():
                    spent[label].append(_timed([python, "-c", START + code + TWICE, name], at, name))
            print(
                f"{tables} tables × {COLUMNS} columns, {place}: CPU with the start, CPU of the work, time of the work"
            )
            medians = {
                label: [statistics.median(each) for each in zip(*times, strict=True)] for label, times in spent.items()
            }
            for label, own in medians.items():
                ours = medians["schema-sync check"]
                figures = (f"{mine:6.2f} s ({mine / least:4.1f} ×)" for mine, least in zip(own, ours, strict=True))
                print(f"  {label:18}{''.join(figures)}")


def _timed(command: list[str], uri: str, home: str) -> list[float]:
    environment = {**os.environ, "SCHEMA_SYNC_CHECK_CONNECTION": uri, "OTEL_SDK_DISABLED": "true", "HOME": home}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {(done.stdout + done.stderr)[-2_000:]}")
    figures: list[float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _write(folder: Path, tables: int) -> None:
    (folder / "datasets").mkdir()
    (folder / "contracts").mkdir()
    (folder / ".soda").mkdir()
    (folder / ".soda" / "config.yml").write_text("send_anonymous_usage_stats: false\n")
    checks = []
    types = {f"column_{number}": TYPES[number % len(TYPES)] for number in range(COLUMNS)}
    for number in range(tables):
        fields = "".join(f"  - name: {name}\n    type: {type_}\n" for name, type_ in types.items())
        (folder / "datasets" / f"table_{number}.yml").write_text(f"name: table_{number}\ndimensions:\n{fields}")
        columns = "".join(f"  - name: {name}\n    data_type: {type_}\n" for name, type_ in types.items())
        contract = f"dataset: shop/postgres/public/table_{number}\ncolumns:\n{columns}checks:\n  - schema:\n"
        (folder / "contracts" / f"table_{number}.yml").write_text(contract)
        checks.append(
            f"checks for table_{number}:\n- schema:\n    fail:\n"
            f"      when required column missing: {json.dumps(list(types))}\n"
            f"      when wrong column type: {json.dumps(types)}\n"
        )
    (folder / "checks.yml").write_text("".join(checks))


def _connections(folder: Path, uri: str) -> None:
    at = urlsplit(uri)
    keys = {
        "host": at.hostname, "port": at.port, "user": at.username, "username": at.username,
        "password": unquote(at.password or ""), "database": at.path.strip("/"),
    }  # fmt: skip
    three = {"type": "postgres", "schema": "public", **{key: keys[key] for key in keys if key != "user"}}
    (folder / "soda3.yml").write_text(json.dumps({"data_source shop": three}))
    four = {key: keys[key] for key in keys if key != "username"}
    (folder / "soda4.yml").write_text(json.dumps({"type": "postgres", "name": "shop", "connection": four}))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
