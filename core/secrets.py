"""Keys and passwords of the environment stay out of whatever is kept: the store's messages and every log."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

SHORTEST = 8
STAND_IN = "[secret]"

_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS)$", re.IGNORECASE)


def mask(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` with the value of every variable that is named like a secret replaced by `STAND_IN`."""
    for name, value in environment.items():
        if _NAMES.search(name) and len(value) >= SHORTEST and value in text:
            text = text.replace(value, STAND_IN)
    return text
