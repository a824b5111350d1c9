"""What a conversation says after each run: incident → parent message and reply (pure).

The parent always reads as things are now. The thread says what changed, and reminds of what does not: people are
notified of a reply, of an edited message they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from ...nouns.discrepancy import Discrepancy, Severity
from ...nouns.report import OrganizationReport
from ...nouns.run import RunFacts
from ...text import counted
from ..incidents import (
    IncidentChange,
    IncidentState,
    OpenProblem,
    continues,
    run_moment,
    time_between,
)
from .blocks import Item, Listing, header, name, prose, section
from .layout import Message, MessageKind, compose, run_context
from .organization import drift_alert
from .wording import (
    CONSEQUENCE,
    EMOJI,
    PROBLEMS,
    called_by_name,
    datasets_line,
    day,
    discrepancy_item,
    first_of,
    in_order,
    problem_line,
    report_counts,
    unchecked_listing,
)

# A week less what a daily run may be early against the one it is compared with.
REMIND_AFTER = timedelta(days=7) - timedelta(hours=12)
# A reminder names the worst; the first message lists them all.
_REMINDED = 10

_RESOLVED_NOUN = ("resolved problem", "resolved problems")
_IGNORED_NOUN = ("ignored problem", "ignored problems")


@dataclass(frozen=True, slots=True)
class Turn:
    """One run's part in a conversation.

    :ivar parent: how the conversation's first message reads after this run. Only a first post has replies.
    :ivar reply: what goes into the thread now (its ``replies`` are further pages), None for nothing.
    :ivar broadcast: the reply is shown in the channel as well.
    :ivar state: the incident's, with ``spoke`` as this turn leaves it.
    """

    parent: Message
    reply: Message | None
    reply_kind: MessageKind
    broadcast: bool
    state: IncidentState


def turn(
    previous: IncidentState | None,
    change: IncidentChange,
    report: OrganizationReport,
    *,
    min_severity: Severity,
    run: RunFacts,
    mention: str = "",
) -> Turn:
    """What is said after ``run``.

    :param previous: what the conversation's parent stands for; None: there is no conversation yet, or its message is
        gone. Then everything that is open is told in a first post, with pages in its thread, and there is no reply.
    :param mention: who is called by name for what is new, in Slack's own markup; never in an edited or resolved
        message.
    """
    if previous is not None and not continues(previous, run):
        previous = None
    now = run_moment(run)
    all_gone = not change.state.problems
    reply: Message | None = None
    if previous is None and not all_gone:
        parent = _first_post(change, report, min_severity=min_severity, run=run, mention=mention)
        return Turn(parent, None, MessageKind.SCHEMA_SYNC, False, replace(change.state, spoke=now))
    if all_gone:
        parent = _resolved(change, report, run)
        reply = _resolved_notice(change, report, run)
    else:
        parent = _open(change, report, run, paged=False)
        if change.new or change.resolved or change.ignored:
            reply = _news(change, report, run, mention if change.new else "")
        elif report.error is None and time_between(change.state.spoke, now) >= REMIND_AFTER:
            reply = _reminder(change, report, run)
    return Turn(
        parent=parent,
        reply=reply,
        reply_kind=MessageKind.SCHEMA_SYNC_RESOLVED if all_gone else MessageKind.SCHEMA_SYNC,
        broadcast=any(found.severity is Severity.CRITICAL for found in change.new),
        state=change.state if reply is None else replace(change.state, spoke=now),
    )


def _first_post(
    change: IncidentChange, report: OrganizationReport, *, min_severity: Severity, run: RunFacts, mention: str
) -> Message:
    alert = drift_alert(report, min_severity=min_severity, run=run, first_seen=_dates(change, report), mention=mention)
    if alert is None or change.ongoing or change.kept:  # an incident that has a past, and lost its message
        return _open(change, report, run, paged=True, mention=mention if change.new else "")
    return alert


def _dates(change: IncidentChange, report: OrganizationReport) -> dict[str, str]:
    """When each of the report's problems was seen first; what nobody tracks counts as the oldest."""
    return dict.fromkeys((found.fingerprint for found in report.discrepancies), "") | dict(change.first_seen)


def _open(
    change: IncidentChange, report: OrganizationReport, run: RunFacts, *, paged: bool, mention: str = ""
) -> Message:
    worst = change.state.problems[0].severity
    title = f"{EMOJI[worst]} Schema drift: {report.organization_name}"
    facts = [f"*{_what_changed(change)}*", *_as_checked(change, report, run)]
    if worst is Severity.CRITICAL:
        facts.append(CONSEQUENCE)
    facts += called_by_name(mention)
    return compose(
        text=f"{prose(title, 200)}: {_what_changed(change)}. {' '.join(_as_checked(change, report, run))}",
        title=f"Schema drift: {name(report.organization_name)}",
        head=(header(title), section("\n".join(facts))),
        listings=(
            _open_listing(change),
            _kept_listing(change.kept),
            unchecked_listing(report.unchecked),
        ),
        foot=(run_context(run),),
        paged=paged,
    )


def _resolved(change: IncidentChange, report: OrganizationReport, run: RunFacts) -> Message:
    title = f"✅ Schema drift resolved: {report.organization_name}"
    since = f"Open since {day(change.state.opened)}, nothing is open any more."
    facts = [f"*{_what_changed(change)}*", since, *_as_checked(change, report, run)]
    return compose(
        text=f"{prose(title, 200)}: {_what_changed(change)}. {since} {' '.join(_as_checked(change, report, run))}",
        title=f"Schema drift resolved: {name(report.organization_name)}",
        head=(header(title), section("\n".join(facts))),
        listings=(*_gone_listings(change), unchecked_listing(report.unchecked)),
        foot=(run_context(run),),
        paged=False,
    )


def _resolved_notice(change: IncidentChange, report: OrganizationReport, run: RunFacts) -> Message:
    text, title = _thread_title(["✅ Nothing is open any more"], report)
    return compose(
        text=f"{text}: {_what_changed(change)}. {datasets_line(report)}",
        title=f"Schema drift resolved: {name(report.organization_name)}",
        head=(section("\n".join([title, f"{_what_changed(change)}.", datasets_line(report)])),),
        listings=(*_gone_listings(change), unchecked_listing(report.unchecked)),
        foot=(run_context(run),),
    )


def _news(change: IncidentChange, report: OrganizationReport, run: RunFacts, mention: str) -> Message:
    """What is new and what is gone, for the thread; complete in itself, because the channel may see it as well."""
    new = in_order(change.new, change.first_seen)
    said = []
    if new:
        again = "Open again: " if change.reopened else ""
        words = ("problem", "problems") if change.reopened else ("new problem", "new problems")
        said.append(f"{EMOJI[new[0].severity]} {again}{counted(len(new), *words)}")
    if change.resolved:
        said.append(f"✅ {len(change.resolved)} resolved")
    if change.ignored:
        said.append(f"🔇 {len(change.ignored)} ignored")
    text, title = _thread_title(said, report)
    facts = [title]
    if left := len(change.ongoing) + len(change.kept):
        facts.append(f"{left} known before {'is' if left == 1 else 'are'} still open{_of_these_unchecked(change)}.")
    if new and new[0].severity is Severity.CRITICAL:
        facts.append(CONSEQUENCE)
    facts += called_by_name(mention)
    first = f" {first_of(new)}" if new else ""
    return compose(
        text=f"{text}.{first}",
        title=f"Schema drift: {name(report.organization_name)}",
        head=(section("\n".join(facts)),),
        listings=(
            Listing(len(new), lambda index: discrepancy_item(new[index]), PROBLEMS),
            *_gone_listings(change),
        ),
        foot=(run_context(run),),
    )


def _reminder(change: IncidentChange, report: OrganizationReport, run: RunFacts) -> Message:
    everything = _open_listing(change)
    number = everything.size + len(change.kept)
    since = day(min(problem.first_seen for problem in change.state.problems))
    text, title = _thread_title([f"⏳ Still open: {counted(number, *PROBLEMS)} since {since}"], report)
    facts = [title, f"Nothing has changed since the last message here{_of_these_unchecked(change)}."]
    listed = min(everything.size, _REMINDED)
    kept = change.kept[: _REMINDED - listed]
    if listed + len(kept) < number:
        facts.append(f"These are the worst {listed + len(kept)}; the first message of this thread has the list.")
    return compose(
        text=f"{text}. {facts[1]}",
        title=f"Schema drift: {name(report.organization_name)}",
        head=(section("\n".join(facts)),),
        listings=(Listing(listed, everything.item, PROBLEMS), _kept_listing(kept)),
        foot=(run_context(run),),
        paged=False,
    )


def _open_listing(change: IncidentChange) -> Listing:
    """Every open problem that this run's report has; each says how long it has been there."""
    shown = in_order([*change.new, *change.ongoing], change.first_seen)
    new = {id(found) for found in change.new}

    def item(index: int) -> Item:
        found: Discrepancy = shown[index]
        return discrepancy_item(
            found, "*new*" if id(found) in new else f"since {day(change.first_seen[found.fingerprint])}"
        )

    return Listing(len(shown), item, PROBLEMS)


def _gone_listings(change: IncidentChange) -> tuple[Listing, Listing]:
    ignored = "*Ignored*: the dataset's author does not want to be told"
    return (
        _memories(change.resolved, "✅", "*Resolved*", _RESOLVED_NOUN),
        _memories(change.ignored, "🔇", ignored, _IGNORED_NOUN),
    )


def _kept_listing(kept: Sequence[OpenProblem]) -> Listing:
    return _memories(kept, "⚪", "*Still open*: this check could not look at these", PROBLEMS)


def _memories(problems: Sequence[OpenProblem], sign: str, heading: str, noun: tuple[str, str]) -> Listing:
    return Listing(len(problems), lambda index: Item(problem_line(problems[index], sign), heading), noun)


def _what_changed(change: IncidentChange) -> str:
    """``2 new · 3 ongoing since 2026-01-12 · 1 resolved``."""
    parts = ["Open again"] if change.reopened and change.new else []
    if change.new:
        parts.append(f"{len(change.new)} new")
    if change.ongoing:
        since = min(change.first_seen[found.fingerprint] for found in change.ongoing)
        parts.append(f"{len(change.ongoing)} ongoing since {day(since)}")
    if change.kept:
        parts.append(f"{len(change.kept)} still open, not checked this time")
    if change.resolved:
        parts.append(f"{len(change.resolved)} resolved")
    if change.ignored:
        parts.append(f"{len(change.ignored)} ignored")
    return " · ".join(parts)


def _as_checked(change: IncidentChange, report: OrganizationReport, run: RunFacts) -> list[str]:
    """When and what was checked last, in sentences; a check that failed is none."""
    if report.error is not None:
        return [f"Last check: {prose(run.timestamp, 40)}, failed: {prose(report.error)}"]
    listed = len(change.new) + len(change.ongoing)
    rest = "; what is less severe than alerts ask for is only counted" if listed < len(report.discrepancies) else ""
    return [
        f"Last checked: {prose(run.timestamp, 40)}.",
        f"Found: {report_counts(report)}{rest}.",
        datasets_line(report),
    ]


def _of_these_unchecked(change: IncidentChange) -> str:
    return f" ({len(change.kept)} could not be checked this time)" if change.kept else ""


def _thread_title(said: Sequence[str], report: OrganizationReport) -> tuple[str, str]:
    """The first line of a reply, as plain text and as Slack's markup."""
    whose = f"Schema drift: {name(report.organization_name)}"
    return " · ".join([*said, whose]), " · ".join([*(f"*{words}*" for words in said), whose])
