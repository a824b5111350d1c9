"""A server whose every answer has been mutated: real psycopg, a stand-in for the wire; no crash, no hang, no leak.

``python tests/integration/test_mutated_answers.py 10000`` runs as many as it is told.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECRET, BOUND_S = "secret-of-the-tenant", 6.0


def test_a_few_hundred_mutated_answers_are_read_or_refused_in_time() -> None:
    done = subprocess.run([sys.executable, __file__, "300"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr[-3_000:]
    found = json.loads(done.stdout)
    assert found["runs"] == 300
    assert found["leaks"] == []
    assert found["unforeseen"] == []
    assert found["slowest_s"] < BOUND_S + 4
    assert found["refused"] > 30  # else nothing was mutated
    assert found["read"] > 10  # else everything was


STRANGE = (None, "", "f", "t", "0", "-1", "NaN", "public", "Orders", "ORDERS", "id", "x" * 5_000, "\ufffd\u202e", "[]")


def answers(seed: int) -> bytes:
    """Every other one is framed as it should be, with strange content; the rest is broken byte by byte."""
    wire = import_module("hostile_postgres")

    chance = random.Random(seed)
    columns = [("id", "bigint", None), ("amount", "numeric(12,2)", None), ("mood", "mood", "enum")]
    rows = [["public", "orders", "table", "t", name, type_, base, "t"] for name, type_, base in columns]
    if seed % 2:
        for _ in range(chance.randint(1, 4)):
            row = chance.choice(rows)
            row[chance.randrange(len(row))] = chance.choice(STRANGE)
            if chance.random() < 0.2:
                rows.append(list(row))
            if chance.random() < 0.1:
                row.append(chance.choice(STRANGE))
        names = [*wire.COLUMNS, "more", "still_more"][: len(rows[0])]
        return wire.row_description(names) + b"".join(wire.row(*row) for row in rows) + wire.done() + wire.READY
    whole = wire.row_description() + b"".join(wire.row(*row) for row in rows) + wire.done() + wire.READY
    return mutated(whole if seed % 10 else wire.error(f"permission denied {SECRET}") + wire.READY, chance)


def mutated(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        how = chance.randrange(5)
        if how == 0:
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif how == 1:
            data = data[:at] + data[at + chance.randint(1, 8) :]
        elif how == 2:
            data = data[:at] + chance.randbytes(chance.randint(1, 8)) + data[at:]
        elif how == 3:
            data = data[: max(at, 1)]
        else:
            data = data[:at] + data[chance.randrange(len(data)) :]
        if not data:
            return b"\0"
    return data


def run(number: int) -> dict[str, object]:
    wire = import_module("hostile_postgres")
    import psycopg

    from include.schema_sync.introspect.source import introspect_source
    from include.schema_sync.nouns.snapshot import GroupRequest
    from include.schema_sync.warehouses import dialect_for

    seeds = iter(range(number * 2))  # the connection is opened once more after it broke

    def answer(_sql: str) -> Iterator[bytes]:
        yield answers(next(seeds, 0))
        raise OSError("the server goes away")  # else every cut answer would be waited for

    def one(uri: str) -> tuple[float, str, bool]:
        started = time.monotonic()
        request = GroupRequest("s", None, "public", ("orders",), {"orders": ("id", "gone")})
        (read,) = introspect_source(
            lambda _: psycopg.connect(uri, connect_timeout=3), dialect_for("postgres"), [request], timeout_s=3,
            deadline_s=BOUND_S, confirm=False, redact=lambda text: text.replace(SECRET, "***"),
        )  # fmt: skip
        return time.monotonic() - started, repr(read.snapshot), read.snapshot.error is None

    outcomes: list[tuple[float, str, bool]] = []
    unforeseen: list[str] = []
    with wire.hostile_server(answer) as uri, ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(one, uri) for _ in range(number)]:
            try:
                outcomes.append(future.result())
            except Exception as error:  # noqa: BLE001 (each is a finding)
                unforeseen.append(repr(error)[:300])
    return {
        "runs": len(outcomes) + len(unforeseen),
        "unforeseen": sorted(set(unforeseen))[:20],
        "leaks": [text[:300] for _, text, _ in outcomes if SECRET in text][:5],
        "slowest_s": max(seconds for seconds, _, _ in outcomes),
        "why": Counter(text.partition("error=")[2][:60] for _, text, read in outcomes if not read).most_common(8),
        "read": sum(1 for *_, read in outcomes if read),
        "refused": sum(1 for *_, read in outcomes if not read),
    }


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    outcome = run(int(sys.argv[1]))
    sys.stdout.write(json.dumps(outcome, indent=2) + "\n")
    sys.exit(int(bool(outcome["leaks"] or outcome["unforeseen"])))
