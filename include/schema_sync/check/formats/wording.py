"""What every format says of a finding: the same words, before the format's own escaping."""

from __future__ import annotations

from collections.abc import Sequence

from ...nouns.discrepancy import Discrepancy, Severity
from ...nouns.report import SuggestedPatch
from ...text import counted, visible
from ..files import Note
from ..run import CheckResult

_MOST_NAMED = 5


def message(found: Discrepancy) -> str:
    hint = f" Did you mean `{found.suggestion}`?" if found.suggestion else ""
    return visible(f"{found.message}{hint}", 2_000)


def by_reason(notes: Sequence[Note]) -> dict[str, list[str]]:
    """{reason: the files that it holds for}: a wrong password is told once."""
    reasons: dict[str, list[str]] = {}
    for note in notes:
        reasons.setdefault(note.text, []).append(note.path)
    return reasons


def patch_title(patch: SuggestedPatch) -> str:
    title = "Probable patch (look at each rename first)" if patch.probable else "Suggested patch"
    return f"{title}, compiled by the warehouse" if patch.compiled else title


def place(found: Discrepancy) -> str:
    return visible(".".join(part for part in (found.database, found.schema, found.table, found.column) if part), 500)


def hit(found: Discrepancy) -> str:
    """Who fails with it: ``metric revenue, metric aov and 3 more``; empty where it is one, whom the message names."""
    return visible(_listed(found.users), 1_000) if len(found.users) > 1 else ""


def totals(result: CheckResult) -> str:
    """``1 critical, 2 warning, 0 info, 3 known, 1 NOT CHECKED``."""
    counts = [f"{result.count(severity)} {severity}" for severity in Severity]
    counts += [f"{result.ignored} ignored"] if result.ignored else []
    counts += [f"{result.known} known"] if result.known else []
    counts += [f"{len(result.unchecked)} NOT CHECKED"] if result.unchecked else []
    return ", ".join(counts)


def files_against(result: CheckResult) -> str:
    return f"{counted(len(result.files), 'file', 'files')} against {result.warehouse}"


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
