"""Keys and passwords of the environment stay out of whatever is kept: the store's messages and every log."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

SHORTEST = 8
STAND_IN = "[secret]"

_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS)$", re.IGNORECASE)


def mask(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` with the value of every variable that is named like a secret replaced by `STAND_IN`."""
    for _, value in secrets(environment):
        text = text.replace(value, STAND_IN)
    return text


def secrets(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """The variables that are named like a secret, and long enough to be one, with their values."""
    for name, value in environment.items():
        if _NAMES.search(name) and len(value) >= SHORTEST:
            yield name, value
