"""Delete rows of ``slack_message_tracking`` that nobody needs any more.

What is kept, however old, because the next run reads it:

- the row of an open conversation, and every row of its thread. Its state (``content`` as JSON) says that it is open:
  ``{"state": {"resolved": null, …}}``. A state that cannot be read counts as open;
- the newest conversation of each integration, with its thread: a problem may come back within a week.

Everything else goes by age: earlier conversations, error notices, summaries, reservations that never became messages.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from ...application.rows import application_errors

if TYPE_CHECKING:
    from ...application.rows import Connection

# A conversation continues for a week after it was resolved, and reminders are weekly: younger rows are in use.
LEAST_DAYS = 14
# Rows looked at in one transaction: short enough that no run waits for it.
BATCH = 5_000

_FIRST = "00000000-0000-0000-0000-000000000000"

_NEWEST_CONVERSATIONS = """
SELECT DISTINCT ON (integration_id) id::text
  FROM slack_message_tracking
 WHERE message_type = 'schema_sync' AND slack_thread_ts IS NULL
 ORDER BY integration_id, coalesce(created_at, sent_at) DESC, id
"""

# In pages, because each state may hold thousands of problems.
_OLD_CONVERSATIONS = """
SELECT id::text, content
  FROM slack_message_tracking
 WHERE message_type = 'schema_sync' AND slack_thread_ts IS NULL AND sent_at < %(before)s
   AND id > %(after)s::uuid AND content LIKE '{%%'
 ORDER BY id
 LIMIT %(batch)s
"""
_CONVERSATIONS_PAGE = 200

# The primary key is the only index that every installation has, so the table is read once, along it.
_PAGE = "SELECT id::text FROM slack_message_tracking WHERE id > %(after)s::uuid ORDER BY id LIMIT %(batch)s"

_OLD = """
  FROM slack_message_tracking AS m
 WHERE m.id > %(after)s::uuid AND m.id <= %(last)s::uuid
   AND m.sent_at < %(before)s
   AND m.id <> ALL (%(kept)s::uuid[])
   AND NOT EXISTS (SELECT FROM slack_message_tracking AS p
                    WHERE p.id = ANY (%(kept)s::uuid[])
                      AND p.slack_channel_id = m.slack_channel_id AND p.slack_message_ts = m.slack_thread_ts)
"""
_COUNT = "SELECT m.message_type" + _OLD
_DELETE = "DELETE" + _OLD + "RETURNING m.message_type"


def delete_old_messages(
    connection: Connection, *, before: datetime, dry_run: bool = False, batch: int = BATCH
) -> Mapping[str, int]:
    """Delete what is older than ``before`` and not needed, a batch a transaction.

    Interrupted, it leaves what it has done; another call goes on. Runs may write at the same time: what they need is
    younger, or kept.

    :param connection: in autocommit mode.
    :param before: with time zone.
    :return: {message type: rows deleted, or that would be}.
    """
    if not connection.autocommit:
        raise ValueError("each batch is a transaction: the connection must be in autocommit mode")
    deleted: Counter[str] = Counter()
    with application_errors("clean up slack_message_tracking"):
        kept = [str(id_) for (id_,) in connection.execute(_NEWEST_CONVERSATIONS).fetchall()]
        kept += _open_conversations(connection, before)
        after = _FIRST
        while page := connection.execute(_PAGE, {"after": after, "batch": batch}).fetchall():
            last = str(page[-1][0])
            bounds = {"after": after, "last": last, "before": before, "kept": kept}
            deleted.update(str(kind) for (kind,) in connection.execute(_COUNT if dry_run else _DELETE, bounds))
            after = last
    return dict(sorted(deleted.items()))


def _open_conversations(connection: Connection, before: datetime) -> list[str]:
    found, after = [], _FIRST
    while page := connection.execute(
        _OLD_CONVERSATIONS, {"before": before, "after": after, "batch": _CONVERSATIONS_PAGE}
    ).fetchall():
        found += [str(id_) for id_, content in page if _is_open(str(content))]
        after = str(page[-1][0])
    return found


def _is_open(content: str) -> bool:
    try:
        value = json.loads(content)
    except ValueError:
        return False  # an alert's text, from before conversations had a state
    state = value.get("state") if isinstance(value, dict) else None
    return not (isinstance(state, dict) and isinstance(state.get("resolved"), str))
