"""Findings that are known and stay: told by their fingerprints, so that neither wording nor moved lines matter."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import TerminalError
from .files import Note, write_file
from .run import CheckResult

DEFAULT_FILE = "schema-sync-baseline.json"
_VERSION = 1


def without_known(result: CheckResult, file: str) -> CheckResult:
    """Take out what the baseline knows, and name what it knows in vain.

    An entry is stale when its file was checked, or is gone, and the finding is no longer there. Of a file that was not
    looked at, or could not be checked, nothing is said.

    :raises TerminalError: the baseline is not there or cannot be read.
    """
    known = _read(file)
    found = {finding.discrepancy.fingerprint for finding in result.findings}
    return replace(
        result,
        findings=tuple(each for each in result.findings if each.discrepancy.fingerprint not in known),
        known=len(found & known.keys()),
        stale=tuple(
            Note(entry["file"], f"{entry['type']}: {entry['message']}")
            for fingerprint, entry in known.items()
            if fingerprint not in found and _was_checked(entry["file"], result)
        ),
    )


def write_baseline(file: str, result: CheckResult) -> str:
    """Write what was found; entries of files that were not checked this time stay. What could not be checked has no
    fingerprint, and so is in no baseline.

    :return: what was done, for a person.
    :raises TerminalError: the file cannot be written, or is there and is no baseline.
    """
    before = _read(file) if Path(file).exists() else {}
    entries = {key: entry for key, entry in before.items() if not _was_checked(entry["file"], result)}
    for finding in result.findings:
        found = finding.discrepancy
        entries[found.fingerprint] = {"file": finding.key, "type": str(found.type), "message": found.message}
    ordered = sorted(entries.items(), key=lambda item: (item[1]["file"], item[1]["type"], item[0]))
    text = json.dumps({"version": _VERSION, "findings": dict(ordered)}, indent=1, ensure_ascii=False)
    write_file("baseline", file, f"{text}\n".encode())
    return f"{len(entries)} known findings are in {file}. Check with --baseline {file} from now on."


def _was_checked(key: str, result: CheckResult) -> bool:
    return key in result.checked_keys or not (result.root / key).exists()


def _read(file: str) -> Mapping[str, Mapping[str, str]]:
    try:
        value = json.loads(Path(file).read_text(encoding="utf-8"))
        if value["version"] == _VERSION:
            return {
                fingerprint: {key: str(entry[key]) for key in ("file", "type", "message")}
                for fingerprint, entry in value["findings"].items()
            }
    except OSError as error:
        raise TerminalError(
            f"The baseline {file} cannot be read: {error.strerror}. Make one with --write-baseline --baseline {file}."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # said below, as of another version
    raise TerminalError(
        f"{file} is no baseline of this version. Remove it, then make one: --write-baseline --baseline {file}."
    )
