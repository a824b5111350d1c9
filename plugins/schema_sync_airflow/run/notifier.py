"""Other ears: what the data team is told also goes through any notifier of Airflow, if one is set.

SCHEMA_SYNC_NOTIFIER={"class": "airflow.providers.apprise.notifications.apprise.AppriseNotifier",
                      "arguments": {"title": "Schema Sync", "body": "{{ message }}"}}
"""

from __future__ import annotations

import json
import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.schema_sync.settings import Settings

log = logging.getLogger(__name__)


def tell_others(text: str, run_id: str, settings: Settings) -> None:
    """Tell one message; whatever goes wrong here is a warning, and never turns a run red.

    :param text: as a person reads it; arguments take it by ``{{ message }}``, the run by ``{{ run_id }}``.
    """
    if settings.notifier is None:
        return
    try:
        wanted = json.loads(settings.notifier)
        module, _, name = wanted["class"].rpartition(".")
        notifier = getattr(import_module(module), name)(**wanted.get("arguments", {}))
        notifier({"message": text, "run_id": run_id})
    except Exception as error:  # noqa: BLE001 (a notifier raises what it likes; its text may hold a secret)
        log.warning(
            "The notifier of SCHEMA_SYNC_NOTIFIER did not tell anybody (%s); nothing else is affected. Check its "
            "class, its arguments and its provider's connection.",
            type(error).__name__,
        )
