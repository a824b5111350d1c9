"""How single findings, problems and counts are put into words, escaped (pure).

Written for the analyst who reads them in Slack: what broke, who is hit, since when, what to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ...nouns.discrepancy import ChangeKind, Discrepancy, DiscrepancyType, Severity
from ...nouns.report import OrganizationReport, UncheckedSource
from ...text import counted
from ..incidents import OpenProblem
from .blocks import Listing, date, name, prose, units

PROBLEMS = ("problem", "problems")

_KINDS = DiscrepancyType
# For these, column, types and users do not tell all: the discrepancy's own sentence adds what the warehouse, or the
# reader of the file, said.
_NEEDS_ITS_MESSAGE = frozenset(
    {_KINDS.INACCESSIBLE_TABLE, _KINDS.BROKEN_VIEW, _KINDS.BROKEN_EXPRESSION, _KINDS.BROKEN_RELATIONSHIP,
     _KINDS.KEY_TYPE_MISMATCH, _KINDS.INVALID_YML, _KINDS.UNVERIFIABLE_EXPRESSION}
)  # fmt: skip
_OF_A_TABLE = frozenset({_KINDS.MISSING_TABLE, _KINDS.MISSING_SCHEMA, _KINDS.INACCESSIBLE_TABLE, _KINDS.BROKEN_VIEW})
_TYPE_LENGTH = 200
_MENTION_LENGTH = 500
_USERS_NAMED = _SOURCES_NAMED = 3


def in_order(found: Sequence[Discrepancy], first_seen: Mapping[str, str] | None = None) -> list[Discrepancy]:
    """As people are to read them, each dataset once: most severe first, then most hit, then newest (``first_seen``)."""
    dates = first_seen or {}
    ordered = sorted(found, key=lambda each: each.sort_key)
    ordered.sort(key=lambda each: dates.get(each.fingerprint, ""), reverse=True)
    ordered.sort(key=_weight)
    datasets: dict[object, int] = {}
    for each in ordered:
        datasets.setdefault(_dataset_of(each), len(datasets))
    return sorted(ordered, key=lambda each: datasets[_dataset_of(each)])


def finding_line(found: Discrepancy, *, fixed: bool = False, since: str = "") -> str:
    """One finding in a line, and a second one where that adds something; ``since`` is escaped, ``fixed`` by a patch."""
    parts = [f"{found.severity.sign} {_bold(found.dataset_name or found.table or found.schema)}"]
    parts.append(_happened(found) + _hit(found))
    if fixed:
        parts.append("the fix is ready")
    elif found.suggestion is not None and found.suggestion != found.actual:
        parts.append(f"did you mean {name(found.suggestion)}?")
    if since:
        parts.append(since)
    line = " · ".join(parts)
    return f"{line}\n{prose(found.message)}" if found.type in _NEEDS_ITS_MESSAGE and found.message else line


def problem_line(problem: OpenProblem, sign: str) -> str:
    """A problem of which only the memory is left, in one line; escaped."""
    column = f" {name(problem.column)}" if problem.column is not None else ""
    title = problem.type.heading
    where = _bold(problem.dataset_name or problem.place)
    return f"{sign} {where} · {title[0].lower()}{title[1:]}{column} · since {date(problem.first_seen)}"


def what_broke(found: Sequence[Discrepancy], *, new: bool) -> str:
    """``2 columns broke``, ``1 table broke``, ``5 problems``; with ``new`` problems are ``new``."""
    kinds = {each.type for each in found}
    number = len(found)
    if kinds == {_KINDS.MISSING_COLUMN}:
        return f"{counted(number, 'column', 'columns')} broke"
    if kinds and kinds <= _OF_A_TABLE:
        return f"{counted(number, 'table', 'tables')} broke"
    return counted(number, *(f"new {word}" for word in PROBLEMS)) if new else counted(number, *PROBLEMS)


def what_to_do(shown: Sequence[Discrepancy], fixes: Collection[str]) -> str:
    """Who does what next."""
    left = [found for found in shown if found.fingerprint not in fixes]
    closed = sum(1 for found in left if found.type is _KINDS.INACCESSIBLE_TABLE)
    ready, steps = len(shown) - len(left), []
    if ready:
        rest = f" for {ready} of these" + (", and corrects the rest" if len(left) > closed else "") if left else ""
        steps.append(f"whoever maintains the datasets applies the fix that is ready{rest}")
    elif len(left) > closed:
        steps.append("whoever maintains the datasets or tables corrects this")
    if closed:
        steps.append(f"whoever runs the warehouse grants the {'right' if closed == 1 else 'rights'} to read")
    return f"*Next:* {'; '.join(steps)}{'' if ready else '; the next check notices'}."


def unchecked_line(unchecked: Sequence[UncheckedSource]) -> str:
    """What an organization has to know of what was not checked. Why is the data team's: its summary says so."""
    named = ", ".join(name(source.data_source_name) for source in unchecked[:_SOURCES_NAMED])
    if more := len(unchecked) - _SOURCES_NAMED:
        named += f" and {more} more" if more > 0 else ""
    was = "was" if len(unchecked) == 1 else "were"
    return f"⚪ {named} {was} not checked this time: nothing new is known there. The data team looks into it."


def unchecked_listing(unchecked: Sequence[UncheckedSource]) -> Listing:
    return Listing([unchecked] if unchecked else (), unchecked_line, ("line", "lines"))


def first_of(shown: Sequence[Discrepancy]) -> str:
    """The first few, for a fallback text; escaped."""
    return "; ".join(
        f"{prose(found.dataset_name or found.table or found.schema, 64)}: {_happened(found, 64)}" for found in shown[:3]
    )


def datasets_line(report: OrganizationReport) -> str:
    """What was checked, what was not, and what nobody wants to hear of."""
    line = f"{counted(report.datasets_checked, 'dataset', 'datasets')} checked"
    line += f", {report.datasets_unchecked} not" if report.datasets_unchecked else ""
    line += f" · {report.count_ignored} silenced in the datasets" if report.count_ignored else ""
    left_out = report.left_out.all_findings
    return f"{line} · {left_out:,} more findings are counted only" if left_out else line


def called_by_name(mention: str) -> str:
    """A line that calls people, or nothing. Slack's own markup, so it is cut between two names only."""
    names = mention.split()
    while names and units(" ".join(names)) > _MENTION_LENGTH:
        names.pop()
    return " ".join(names)


def severity_counts(critical: int, warnings: int, infos: int) -> str:
    return f"{critical} critical, {counted(warnings, 'warning', 'warnings')}, {counted(infos, 'info', 'infos')}"


def _happened(found: Discrepancy, limit: int = _TYPE_LENGTH) -> str:
    change, column = found.changed, name(found.column, limit)
    if change is not None and found.type is _KINDS.MISSING_COLUMN:
        since = f" since {date(change.since)}"
        if change.kind is ChangeKind.RENAMED:
            return f"{column} was renamed to {name(change.to, limit)}{since}"
        if change.kind is ChangeKind.DROPPED:
            return f"{column} is gone{since}"
    texts = {key: name(getattr(found, key), limit) for key in ("schema", "table", "declared", "actual")}
    return found.type.happened.format(column=column, **texts)


def _hit(found: Discrepancy) -> str:
    """``: dimension coupon, metric coupon_rate and 4 charts fail``, as far as it is known."""
    named = [prose(user, 100) for user in found.users[:_USERS_NAMED]]
    if (more := len(found.users) - _USERS_NAMED) > 0:
        named.append(f"{more} more")
    read_by = 0 if found.impact is None else found.impact.charts
    charts = [counted(read_by, "chart", "charts")] if read_by else []
    if found.type is _KINDS.TYPE_MISMATCH:  # its users were refused by the warehouse, its charts were not compiled
        said = [_doing(named, "fail", "fails"), _doing(charts, "use it", "uses it", several=read_by > 1)]
    elif found.severity is Severity.CRITICAL:
        said = [_doing([*named, *charts], "fail", "fails", several=read_by > 1)]
    else:
        said = [_doing([*named, *charts], "use it", "uses it", several=read_by > 1)]
    return f": {', '.join(filter(None, said))}" if any(said) else ""


def _doing(who: Sequence[str], many: str, one: str, *, several: bool = False) -> str:
    """:param several: a single one of them stands for more than one."""
    if len(who) < 2:
        return "".join(f"{each} {many if several else one}" for each in who)
    return f"{', '.join(who[:-1])} and {who[-1]} {many}"


def _bold(text: str) -> str:
    return f"*{prose(text, 128).replace('*', '∗') or '…'}*"


def _weight(found: Discrepancy) -> tuple[int, int, int]:
    charts = 0 if found.impact is None else found.impact.charts + found.impact.dashboards
    return found.severity.rank, -charts, -len(found.users)


def _dataset_of(found: Discrepancy) -> object:
    return found.data_source_id, found.dataset_id, found.dataset_name or (found.database, found.schema, found.table)
