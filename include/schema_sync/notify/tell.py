"""Tell every organization of a batch what its check found; whatever goes wrong with one stays its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..application.rows import (
    SlackIntegration,
    application_errors,
    fetch_datasets,
    fetch_slack_integrations,
    organizations_of_batch,
    transactions,
)
from ..errors import SchemaSyncError, TerminalError, TransientError
from ..nouns.discrepancy import Severity
from ..nouns.report import OrganizationReport, OrganizationTotals
from ..nouns.run import RunFacts
from ..text import raised_at
from .conversation.carry_out import ConversationOutcome
from .conversation.decide import Silent
from .conversation.memory import Remembered, recall
from .conversation.talk import Talk
from .delivery.outbox import Sender, ThreadIncompleteError
from .delivery.outgoing import Addressee
from .incidents import IncidentChange
from .messages.conversation import drift_alert, error_notice
from .messages.layout import Message, MessageKind, render_text
from .owners import EVERYBODY, called_for, mentions_by_organization, read_mentions
from .slack.transports import Slack, WebApi

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from ..application.rows import Connection

log = logging.getLogger(__name__)

_Said = ConversationOutcome | OrganizationTotals  # totals: of an organization that nobody talked to


@dataclass(frozen=True, slots=True)
class Desk:
    """What a batch is told with.

    :ivar application: in autocommit mode.
    :ivar client_of: (integration, organization's name) → client; raises TerminalError when there is no token.
    :ivar mentions: whom new problems call: the setting's text, which is read when somebody is called.
    :ivar dry, quiet: nothing is sent: somebody asked for a dry run, or the installation was just switched on.
    """

    application: Connection
    client_of: Callable[[SlackIntegration, str], WebClient]
    run: RunFacts
    min_severity: Severity
    mentions: str
    dry: bool = False
    quiet: bool = False


@dataclass
class Account:
    """What became of the batch's organizations so far; ``first_seen``: {organization id: {fingerprint: since when}}."""

    outcomes: list[OrganizationTotals] = field(default_factory=list)
    first_seen: dict[str, Mapping[str, str]] = field(default_factory=dict)
    errors: list[SchemaSyncError] = field(default_factory=list)

    @property
    def is_transient(self) -> bool:
        return any(isinstance(error, TransientError) for error in self.errors)

    def enter(self, report: OrganizationReport, said: _Said | SchemaSyncError, channel: str | None) -> None:
        """Done with one organization: what was said in ``channel``, its totals if nobody talked to it, or why not."""
        totals = report.totals
        if isinstance(said, SchemaSyncError):
            log.warning("%r was not told: %s", report.organization_name, said)
            # The alert itself may be there when only its thread is not.
            notified = isinstance(said, ThreadIncompleteError)
            totals = replace(totals, notified=notified, notification_error=str(said))
            self.errors.append(said)
        elif isinstance(said, OrganizationTotals):
            totals = said
        elif said.kind is not MessageKind.SCHEMA_SYNC_ERROR:
            totals = replace(totals, notified=said.reached)
            if said.change is not None:
                totals = replace(
                    totals,
                    new=len(said.change.new),
                    new_critical=sum(1 for found in said.change.new if found.severity is Severity.CRITICAL),
                    ongoing=len(said.change.ongoing) + len(said.change.kept),
                    resolved=len(said.change.resolved),
                )
                self.first_seen[report.organization_id] = dict(said.change.first_seen)
            if said.ts is not None:
                totals = replace(totals, thread=f"{channel}/{said.ts}")
        self.outcomes.append(totals)

    def fail(self, reports: Iterable[OrganizationReport], error: SchemaSyncError) -> None:
        """The application database itself failed: whoever was not told yet is not told."""
        told = {totals.organization_id for totals in self.outcomes}
        missed = [report for report in reports if report.organization_id not in told]
        self.outcomes += [replace(each.totals, notification_error=str(error)) for each in missed]
        self.errors.append(error)


def tell_organizations(reports: Sequence[OrganizationReport], desk: Desk, account: Account) -> None:
    """Tell each organization what is new, what is over, or that its check failed; enter it into the account.

    What most have on most days, nothing found and nothing open, costs no statement of its own.

    :raises SchemaSyncError: the application database failed; the account has what was done before.
    """
    integrations = fetch_slack_integrations(desk.application, [report.organization_id for report in reports])
    with application_errors("read the conversations in slack_message_tracking"):
        remembered = recall(desk.application, [each.id for each in integrations.values()])
    for report in reports:
        integration = integrations.get(report.organization_id)
        said: _Said | SchemaSyncError
        try:
            said = _tell(report, integration, remembered, desk)
        except SchemaSyncError as error:
            said = error
        except Exception as error:  # noqa: BLE001 - a secrets backend's own error, or a defect; its text may hold a secret
            kind = type(error).__name__
            log.error("schema-sync notify: an unexpected %s at %s", kind, raised_at(error))  # noqa: TRY400 - shows its text
            said = TerminalError(
                f"An unexpected {kind} stopped the message for organization {report.organization_id}. "
                "Check the secrets backend and its Slack connection; if both are right, report it as a defect."
            )
        account.enter(report, said, integration.channel_id if integration else None)


def complete(reports: Sequence[OrganizationReport], application: Connection) -> list[OrganizationReport]:
    """Of checks that did not finish a batch knows ids only: ask for names, and count the datasets, all unchecked."""
    nameless = [each.organization_id for each in reports if each.organization_name == each.organization_id]
    names = {each.id: each.name for each in organizations_of_batch(application, nameless)} if nameless else {}
    silent = [
        each.organization_id
        for each in reports
        if each.error is not None and not each.datasets_checked and not each.datasets_unchecked
    ]
    datasets = fetch_datasets(application, silent) if silent else {}
    return [
        replace(
            each,
            organization_name=names.get(each.organization_id, each.organization_name),
            datasets_unchecked=len(datasets.get(each.organization_id, ())) or each.datasets_unchecked,
        )
        for each in reports
    ]


def _tell(
    report: OrganizationReport, integration: SlackIntegration | None, remembered: Mapping[str, Remembered], desk: Desk
) -> _Said:
    if desk.dry or desk.quiet or integration is None or integration.channel_id is None:
        return _do_not_tell(report, integration, desk)
    talk = Talk(
        Sender(desk.application, Slack()),
        Addressee(report.organization_id, report.organization_name, integration.id),
        integration.channel_id,
        report,
        desk.run,
        desk.min_severity,
        lambda change: _mention(change, integration, desk.mentions),
    )
    before = remembered[integration.id]
    kind, decision = talk.decide(before)
    unsettled = talk.to_settle(before)
    if isinstance(decision, Silent) and not unsettled and not talk.writes(before, decision):
        said = ConversationOutcome(False, decision.change, kind, decision.note)
    else:
        if unsettled or not isinstance(decision, Silent):  # a missing token is found before anything is reserved
            client = desk.client_of(integration, report.organization_name)
            talk = replace(talk, sender=Sender(desk.application, WebApi(client)))
        with transactions(desk.application):
            said = talk.converse()
    log.info(
        "schema-sync notify organization=%r channel=%r kind=%s ts=%s: %s%s",
        report.organization_name, integration.channel_name or integration.channel_id, said.kind, said.ts,
        said.note or ("told" if said.reached else "nothing to tell"),
        "\n↳ in the thread".join(f"\n{render_text(message)}" for message in said.messages),
    )  # fmt: skip
    return said


def _do_not_tell(report: OrganizationReport, integration: SlackIntegration | None, desk: Desk) -> OrganizationTotals:
    message = _first_message(report, desk)
    if message is None:
        log.info("schema-sync notify organization=%r: nothing to tell", report.organization_name)
        return report.totals
    no_way = None
    if integration is None:
        no_way = "it has no active Slack integration: connect Slack"
    elif integration.channel_id is None:
        no_way = "its integration has no default channel: choose one"
    if desk.dry or desk.quiet:
        why = "Dry run" if desk.dry else "Just switched on (the summary says how to send now)"
        log.info("%s, nothing is sent. %r would read:\n%s", why, report.organization_name, render_text(message))
        return replace(report.totals, withheld=not desk.dry and no_way is None, not_told=no_way)
    log.warning(
        "schema-sync notify organization=%r: not told, %s. The message:\n%s",
        report.organization_name, no_way, render_text(message),
    )  # fmt: skip
    return replace(report.totals, not_told=no_way)


def _first_message(report: OrganizationReport, desk: Desk) -> Message | None:
    """What an organization would read that never heard of these problems; None: nothing."""
    if report.error is None:
        alert = drift_alert(report, min_severity=desk.min_severity, run=desk.run)
        if alert is not None or not report.unchecked:
            return alert
    return error_notice(report, desk.run)


def _mention(change: IncidentChange, integration: SlackIntegration, setting: str) -> str:
    """Whom this change calls: the organization's own word first, then the setting for it, then that for everybody."""
    mentions = mentions_by_organization(setting)
    chosen = mentions.get(integration.organization_id.lower(), mentions.get(EVERYBODY))
    if integration.mentions is not None:
        try:
            chosen = read_mentions(integration.mentions)
        except ValueError as error:
            log.warning(
                "The owners in default_channel of Slack integration %s cannot be read: %s.", integration.id, error
            )
    return called_for([found.severity for found in change.new], chosen)
