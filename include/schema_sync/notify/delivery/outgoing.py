"""A message on its way, and what its row in ``slack_message_tracking`` says of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..messages.layout import MessageKind


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a message is for: an organization, or the data team, which has none of these."""

    organization_id: str | None = None
    organization_name: str | None = None
    integration_id: str | None = None

    @property
    def whom(self) -> str:
        return "the data team" if self.organization_id is None else f"organization {self.organization_id}"


DATA_TEAM = Addressee()


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a message is said for, once; ``about`` tells apart what is said of one kind in one run ("late")."""

    kind: MessageKind
    run_id: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way.

    :ivar channel: an id, or a name that Slack resolves.
    :ivar content: what its row keeps, None: what every message's row does.
    :ivar facts: more for ``sender_info``, JSON values.
    """

    id: str
    kind: MessageKind
    to: Addressee
    channel: str
    thread_ts: str | None
    run_id: str
    text: str
    blocks: tuple[dict[str, Any], ...]
    action: str = "post"
    broadcast: bool = False
    content: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def marker(self) -> str:
        return f"schema_sync:{self.id}"

    @property
    def whom(self) -> str:
        return self.to.whom


def sender_info(
    outgoing: Outgoing, state: str, *, attempt: str | None = None, note: str | None = None, kept: int | None = None
) -> str:
    info = {
        "sentBy": "schema-sync",
        "organizationId": outgoing.to.organization_id,
        "organizationName": outgoing.to.organization_name,
        "state": state,
        "action": outgoing.action,
        "run_id": outgoing.run_id,
        "attempt": attempt,
        "note": note,
        "kept": kept,
        **outgoing.facts,
    }
    return json.dumps({key: value for key, value in info.items() if value is not None})


def json_content(
    kind: MessageKind,
    run_id: str,
    text: str,
    blocks: Sequence[dict[str, Any]],
    state: Mapping[str, Any] = MappingProxyType({}),
) -> str:
    """What a row keeps of its message, always JSON that ``jsonb`` takes; ``state``: what a conversation remembers."""
    said = {"text": text, "blocks": blocks, "messageType": str(kind), "runId": run_id}
    return json.dumps(said | dict(state), separators=(",", ":"))


def content_of(outgoing: Outgoing) -> str:
    if outgoing.content is not None:
        return outgoing.content
    return json_content(outgoing.kind, outgoing.run_id, outgoing.text, outgoing.blocks)
