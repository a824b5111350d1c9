"""When a failed task is tried again, and after how long."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from airflow.sdk import RetryDecision, RetryPolicy

from include.schema_sync.errors import TerminalError

_MAX_DELAY_S = 600.0


class TransientOnlyRetryPolicy(RetryPolicy):
    """Retry everything but terminal errors, with exponential backoff and jitter.

    Airflow's own backoff derives its jitter from the task, not from the mapped instance, so a hundred
    organizations behind one broken server would all come back in the same second.
    """

    def __init__(self, *, base_delay_s: float) -> None:
        self.base_delay_s = base_delay_s

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 (the interface names it)
        context: Any = None,  # noqa: ARG002
    ) -> RetryDecision:
        if isinstance(exception, TerminalError):
            return RetryDecision.fail(reason="not tried again: no try is left, or it would not help")
        delay_s = min(self.base_delay_s * 2 ** (try_number - 1), _MAX_DELAY_S) * random.uniform(0.5, 1.5)  # noqa: S311
        return RetryDecision.retry(
            delay=timedelta(seconds=delay_s), reason=f"try {try_number} failed, again in {delay_s:.0f} s"
        )

    def serialize(self) -> dict[str, Any]:
        return {"base_delay_s": self.base_delay_s}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> TransientOnlyRetryPolicy:
        return cls(base_delay_s=data["base_delay_s"])
