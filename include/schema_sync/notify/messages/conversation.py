"""What a conversation says after each run: incident → parent message and reply (pure).

The parent always reads as things are now. The thread says what changed, and reminds of what does not: people are
notified of a reply, of an edited message they are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from ...compare.history import words
from ...nouns.discrepancy import Discrepancy, Severity
from ...nouns.report import OrganizationReport, TableChanges
from ...nouns.run import RunFacts
from ...nouns.snapshot import ColumnChange
from ...text import counted
from ..incidents import IncidentChange, IncidentState, OpenProblem, advance, continues, run_moment, time_between
from .blocks import Block, Listing, date, header, name, prose, section
from .layout import MAX_LINES, Message, MessageKind, compose, details
from .wording import (
    PROBLEMS,
    called_by_name,
    datasets_line,
    finding_line,
    first_of,
    in_order,
    problem_line,
    unchecked_listing,
    what_broke,
    what_to_do,
)

# A week less what a daily run may be early against the one it is compared with.
REMIND_AFTER = timedelta(days=7) - timedelta(hours=12)
_CHANGES = 6  # told of one table, with types of 100 characters: a line must fit; the page has all
# A reminder names the worst; the first message lists them all.
_REMINDED = 8


@dataclass(frozen=True, slots=True)
class Turn:
    """One run's part in a conversation.

    :ivar parent: how the conversation's first message reads after this run. Only a first post has replies.
    :ivar reply: what goes into the thread now (its ``replies`` are further pages), None for nothing.
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
    run: RunFacts,
    mention: str = "",
    acknowledged: str = "",
) -> Turn:
    """What is said after ``run``.

    :param previous: what the conversation's parent stands for; None: there is no conversation yet, or its message is
        gone. Then everything that is open is told in a first post, with pages in its thread, and there is no reply.
    :param mention: who is called for what is new, in Slack's markup; never in an edited or resolved message.
    :param acknowledged: who wants to hear less, and until when, in Slack's markup; for the first message.
    """
    if previous is not None and not continues(previous, run):
        previous = None
    now = run_moment(run)
    all_gone = not change.state.problems
    said = _Said(change, report, run, called_by_name(mention) if change.new else "")
    reply: Message | None = None
    if previous is None and not all_gone:
        return Turn(said.open(paged=True), None, MessageKind.SCHEMA_SYNC, False, replace(change.state, spoke=now))
    if all_gone:
        parent, reply = said.resolved(is_reply=False), said.resolved(is_reply=True)
    else:
        parent = replace(said, mention=acknowledged).open(paged=False)
        if change.new or change.resolved or change.ignored:
            reply = said.news()
        elif report.error is None and time_between(change.state.spoke, now) >= REMIND_AFTER:
            reply = said.reminder()
    return Turn(
        parent=parent,
        reply=reply,
        reply_kind=MessageKind.SCHEMA_SYNC_RESOLVED if all_gone else MessageKind.SCHEMA_SYNC,
        broadcast=any(found.severity is Severity.CRITICAL for found in change.new),
        state=change.state if reply is None else replace(change.state, spoke=now),
    )


def drift_alert(report: OrganizationReport, *, min_severity: Severity, run: RunFacts) -> Message | None:
    """What an organization reads that never heard of its problems; None: none is at or above ``min_severity``.

    Unchecked data sources alone make no drift alert: they are an :func:`error_notice`.
    """
    change = advance(None, report, min_severity=min_severity, run=run)
    return None if change is None else turn(None, change, report, run).parent


def error_notice(report: OrganizationReport, run: RunFacts) -> Message:
    """Tell an organization that its check failed, as a whole or in part. Why, the data team's summary says.

    It is no drift report, calls nothing clean, and reads right in a channel and in an incident's thread.
    """
    if report.error is None:
        title = f"⚠️ Schema check incomplete: {report.organization_name}"
        happened = f"{counted(len(report.unchecked), 'data source was', 'data sources were')} not checked."
    else:
        title = f"⚠️ Schema check failed: {report.organization_name}"
        happened = "Nothing was checked this time."
    facts = [
        f"{happened} This is *not* a drift report: whether the datasets still match their warehouse is not known.",
        "There is nothing that you need to do: the data team looks into it, and the next check tries again.",
    ]
    small_print = f"{date(run.timestamp, time=True)} · {datasets_line(report)} · what was found before stays open"
    return compose(
        text=f"{prose(title, 200)}. {happened} This is not a drift report.",
        title=f"Not checked: {name(report.organization_name)}",
        head=(header(title), section("\n".join(facts))),
        listings=(unchecked_listing(report.unchecked),),
        foot=details(run, report.organization_id, "See what is known", small_print),
    )


@dataclass(frozen=True, slots=True)
class _Said:
    """The messages of one turn."""

    change: IncidentChange
    report: OrganizationReport
    run: RunFacts
    mention: str

    def open(self, *, paged: bool) -> Message:
        change, shown = self.change, self._shown([*self.change.new, *self.change.ongoing])
        worst = change.state.problems[0].severity.sign
        older = len(change.ongoing) + len(change.kept)
        if change.new:
            again = " again" if change.reopened else ""
            words = [f"{what_broke(change.new, new=bool(older))}{again} in {self.report.organization_name}"]
            if older:
                words.append(f"{counted(older, 'older problem', 'older problems')} open")
        else:
            words = [f"{counted(older, *PROBLEMS)} open in {self.report.organization_name}"]
        if gone := len(change.resolved) + len(change.ignored):
            words.append(f"{gone} fixed or silenced" if change.ignored else f"{gone} fixed")
        title = f"{worst} {' · '.join(words)}"
        listings = (
            self._findings(shown),
            _memories(change.kept, "⚪", "*Still open*, not checked this time"),
            unchecked_listing(self.report.unchecked),
            self._also_changed(shown),
        )
        text = f"{prose(title, 200)}. {first_of(shown)}"
        return self._compose(text, self._head(title, shown), listings, shown, paged=paged)

    def resolved(self, *, is_reply: bool) -> Message:
        title = f"✅ Nothing is open any more in {self.report.organization_name}"
        since = f"Open since {date(self.change.state.opened)}, over since {date(self.run.timestamp)}."
        head = (section(f"*{prose(title, 200)}*"),) if is_reply else (header(title), section(since))
        listings = *self._gone(), unchecked_listing(self.report.unchecked)
        text = f"{prose(title, 200)}. {datasets_line(self.report)}."
        return self._compose(text, head, listings, (), paged=is_reply)

    def news(self) -> Message:
        """What is new and what is gone, for the thread; complete in itself, because the channel may see it as well."""
        change, new = self.change, self._shown(self.change.new)
        words = []
        if new:
            again = " again" if change.reopened else ""
            words.append(f"{new[0].severity.sign} {what_broke(new, new=not change.reopened)}{again}")
        if change.resolved:
            words.append(f"✅ {len(change.resolved)} fixed")
        if change.ignored:
            words.append(f"🔇 {len(change.ignored)} silenced")
        title = f"{' · '.join(words)} in {prose(self.report.organization_name, 128)}"
        if left := len(change.ongoing) + len(change.kept):
            title += f" · {counted(left, 'older problem', 'older problems')} open"
        listings = self._findings(new, alone=True), *self._gone(), self._also_changed(new)
        return self._compose(f"{title}. {first_of(new)}", self._head(title, new, is_reply=True), listings, new)

    def reminder(self) -> Message:
        change, shown = self.change, self._shown(self.change.ongoing)
        number = len(shown) + len(change.kept)
        since = date(min(problem.first_seen for problem in change.state.problems))
        title = (
            f"⏳ Still open in {prose(self.report.organization_name, 128)}: {counted(number, *PROBLEMS)} since {since}"
        )
        worst = shown[:_REMINDED]
        kept = change.kept[: _REMINDED - len(worst)]
        listings = self._findings(worst), _memories(kept, "⚪", "*Still open*, not checked this time")
        text = f"⏳ Still open: {counted(number, *PROBLEMS)}. {first_of(shown)}"
        return self._compose(text, self._head(title, shown, is_reply=True), listings, shown, paged=False)

    def _compose(
        self,
        text: str,
        head: Sequence[Block],
        listings: Sequence[Listing],
        shown: Sequence[Discrepancy],
        *,
        paged: bool = True,
    ) -> Message:
        subject = "Schema drift" if self.change.state.problems else "Schema drift resolved"
        title, foot = f"{subject}: {name(self.report.organization_name)}", self._foot(shown)
        return compose(
            text=text, title=title, head=head, listings=listings, foot=foot, paged=paged, max_lines=MAX_LINES
        )

    def _head(self, title: str, shown: Sequence[Discrepancy], *, is_reply: bool = False) -> tuple[Block, ...]:
        facts = [f"*{title}*"] if is_reply else []
        if self.report.error is not None:
            facts.append("The last check failed: nothing new is known. The data team looks into it.")
        elif shown:
            facts.append(what_to_do(shown, self._fixes))
        facts += [self.mention] if self.mention else []
        return (*(() if is_reply else (header(title),)), *([section("\n".join(facts))] if facts else []))

    def _foot(self, shown: Sequence[Discrepancy]) -> tuple[Block, ...]:
        number = len(self.change.state.problems)
        fix = any(found.fingerprint in self._fixes for found in shown)
        label = f"See {'all ' if number > 1 else ''}{number}" if number else "See the details"
        label += " and the fix" if fix and number else ""
        parts = [f"first seen {date(self.change.state.opened)}"] if number else []
        parts += [f"checked {date(self.run.timestamp, time=True)}", datasets_line(self.report)]
        return details(self.run, self.report.organization_id, label, " · ".join(parts))

    def _findings(self, shown: Sequence[Discrepancy], *, alone: bool = False) -> Listing:
        """:param alone: all are new, and need not say so."""
        new = {id(found) for found in self.change.new}
        mixed = not alone and 0 < len(new) < len(self.change.state.problems)

        def line(found: Discrepancy) -> str:
            since = "" if id(found) in new else f"since {date(self.change.first_seen[found.fingerprint])}"
            since = "*new*" if mixed and id(found) in new else since
            return finding_line(found, fixed=found.fingerprint in self._fixes, since=since)

        return Listing(shown, line, PROBLEMS)

    def _gone(self) -> tuple[Listing, Listing]:
        return (
            _memories(self.change.resolved, "✅", "*Fixed*", ("fixed problem", "fixed problems")),
            _memories(
                self.change.ignored, "🔇", "*Silenced* in the dataset", ("silenced problem", "silenced problems")
            ),
        )

    def _also_changed(self, shown: Sequence[Discrepancy]) -> Listing:
        """What else changed in the tables of these findings since they were last seen whole, for the thread."""

        def table_of(each: Discrepancy | TableChanges) -> tuple[str | None, ...]:
            return each.data_source_id, each.database, each.schema, each.table

        told = {(*table_of(each), each.column) for each in self.report.discrepancies}
        tables = set(map(table_of, shown))
        others = [
            (of.table, rest)
            for of in self.report.changes
            if table_of(of) in tables
            and (rest := [change for change in of.columns if (*table_of(of), change.name) not in told])
        ]

        def line(other: tuple[str, Sequence[ColumnChange]]) -> str:
            table, rest = other
            return f"{name(table)}: {words(rest[:_CHANGES], name, partial(prose, limit=100))}"

        return Listing(others, line, ("table", "tables"), "*Also changed in these tables*", in_thread=True)

    def _shown(self, found: Sequence[Discrepancy]) -> list[Discrepancy]:
        return in_order(found, self.change.first_seen)

    @property
    def _fixes(self) -> frozenset[str]:
        """What a patch repairs for certain; a probable one is a question to a person, not a fix that is ready."""
        return frozenset(fixed for patch in self.report.patches if not patch.probable for fixed in patch.fixes)


def _memories(problems: Sequence[OpenProblem], sign: str, heading: str, noun: tuple[str, str] = PROBLEMS) -> Listing:
    return Listing(problems, partial(problem_line, sign=sign), noun, heading)
