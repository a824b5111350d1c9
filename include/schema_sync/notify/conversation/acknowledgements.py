"""Acknowledge without a server: a reaction on a conversation's first message, read by the next run.

👀 no reminders, no mentions · 💤 quiet for seven days · 🔕 quiet until something new. Taking the reaction away undoes
it, and a new critical always speaks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from ...nouns.run import RunFacts
from ..incidents import IncidentChange, moment_after, run_moment
from ..messages.blocks import date
from ..messages.conversation import Turn
from ..slack.history import EYES, MUTED, SLEEP

_QUIET_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """:ivar user: Slack's id of who reacted. :ivar since: moment of the run that saw it first."""

    reaction: str
    user: str
    since: str

    @property
    def until(self) -> str:
        return moment_after(self.since, _QUIET_FOR)

    def holds(self, run: RunFacts) -> bool:
        return self.reaction != SLEEP or run_moment(run) < self.until

    def sentence(self) -> str:
        """Who, and until when; an edited message notifies nobody."""
        means = {
            EYES: "👀 <@{user}> looks into it: no reminders.",
            SLEEP: "💤 <@{user}>: quiet until {until}, except for new critical problems.",
            MUTED: "🔕 <@{user}>: quiet until something new.",
        }
        return means[self.reaction].format(user=self.user, until=date(self.until))


def acknowledged(
    found: list[tuple[str, str]] | None, known: Acknowledgement | None, run: RunFacts
) -> Acknowledgement | None:
    """What holds in this run; one that was known keeps its beginning."""
    if found is None:
        return known
    for reaction, user in found:
        same = known is not None and (known.reaction, known.user) == (reaction, user)
        ack = known if known is not None and same else Acknowledgement(reaction, user, run_moment(run))
        if ack.holds(run):
            return ack
    # A sleep that is over is remembered, or the next run would take it for a new one.
    return known if known is not None and (known.reaction, known.user) in found else None


def quieted(said: Turn, change: IncidentChange, ack: Acknowledgement | None, run: RunFacts) -> Turn:
    """The turn as somebody wants it who has acknowledged; the first message is brought up to date all the same."""
    if ack is None or not ack.holds(run) or said.broadcast or said.reply is None or not change.state.problems:
        return said
    news = bool(change.new or change.resolved or change.ignored)
    speaks = {EYES: news, SLEEP: False, MUTED: bool(change.new)}[ack.reaction]
    return said if speaks else replace(said, reply=None, state=replace(said.state, spoke=change.state.spoke))
