"""Who is called by name when something new breaks: users and user groups per organization and severity. Pure.

Written as ``{"critical": ["U0123ABCD"], "warning": ["S0456EFGH"]}``: ids as Slack shows them under *Copy member ID*
(U, W) and *Copy group ID* (S). From the setting ``SCHEMA_SYNC_MENTIONS``, by organization id with ``*`` for all others,
or from the integration's row, where the organization decides itself (``default_channel`` → ``mentions``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from ..errors import TerminalError
from ..nouns.discrepancy import Severity

Mentions = Mapping[Severity, tuple[str, ...]]  # ready to be written into a message

SETTING = "SCHEMA_SYNC_MENTIONS"
EVERYBODY = "*"
_USER, _GROUP = re.compile(r"[UW][A-Z0-9]{2,30}"), re.compile(r"S[A-Z0-9]{2,30}")
_MOST = 10  # more would be a crowd, not an owner


def mentions_by_organization(text: str) -> dict[str, Mentions]:
    """Read the setting: ``{organization id or "*": {severity: [id, …]}}``. :raises TerminalError: it is no such."""
    try:
        return {organization.lower(): read_mentions(item) for organization, item in json.loads(text).items()}
    except AttributeError:
        what = "it is not a JSON object by organization id"
    except ValueError as error:
        what = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
    raise TerminalError(
        f"The environment variable {SETTING} cannot be used: {what}. Expected "
        '{"<organization id> or *": {"critical": ["U…"], "warning": ["S…"]}}; correct it or remove it.'
    )


def read_mentions(value: object) -> Mentions:
    """Read ``{severity: [id, …]}``. :raises ValueError: it is something else; the message says what."""
    if not isinstance(value, dict):
        raise ValueError('expected {"critical": ["U…", "S…"], "warning": […]}')  # noqa: TRY004
    mentions: dict[Severity, tuple[str, ...]] = {}
    for severity, ids in value.items():
        if severity not in (Severity.CRITICAL, Severity.WARNING):
            raise ValueError(f"{severity[:40]!r} is no severity to call somebody for, expected critical or warning")
        if not isinstance(ids, list) or len(ids) > _MOST:
            raise ValueError(f"{severity} needs a list of at most {_MOST} ids")
        mentions[Severity(severity)] = tuple(_mention(id_) for id_ in ids)
    return mentions


def called_for(severities: Iterable[Severity], mentions: Mentions | None) -> str:
    """Whom new problems call, as Slack's markup: those who are named for the worst of their severities."""
    if not mentions:
        return ""
    worst = min(severities, key=lambda severity: severity.rank, default=None)
    return "" if worst is None else " ".join(dict.fromkeys(mentions.get(worst, ())))


def _mention(id_: object) -> str:
    if isinstance(id_, str) and _USER.fullmatch(id_):
        return f"<@{id_}>"
    if isinstance(id_, str) and _GROUP.fullmatch(id_):
        return f"<!subteam^{id_}>"
    raise ValueError(f"{str(id_)[:40]!r} is no id of a user (U…, W…) or of a user group (S…)")
