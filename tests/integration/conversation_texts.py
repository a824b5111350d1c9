"""What a message of a conversation says, for people."""

from __future__ import annotations

import json
from typing import Any


def whole(message: dict[str, Any]) -> str:
    return json.dumps(message["blocks"], ensure_ascii=False)
