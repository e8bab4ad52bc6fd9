"""Replaces keys and passwords of the environment in what is written: the store's messages and every log."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

SHORTEST_SECRET = 8  # characters; shorter values are too common in other text
PLACEHOLDER = "[secret]"

_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIALS)$", re.IGNORECASE)


def mask(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` with the value of every environment variable with a secret's name replaced by `PLACEHOLDER`."""
    for _, value in secrets(environment):
        text = text.replace(value, PLACEHOLDER)
    return text


def secrets(environment: Mapping[str, str] = os.environ) -> Iterator[tuple[str, str]]:
    """Name and value of every environment variable with a secret's name (API_KEY, HF_TOKEN ...) and a value long enough."""
    for name, value in environment.items():
        if _NAMES.search(name) and len(value) >= SHORTEST_SECRET:
            yield name, value
