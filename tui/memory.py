"""What the app remembers between sessions: a small file in the user's state folder, never in the store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

MOST_STORES = 50


class Memory:
    """Pane, filters, cursors and theme for one store. A file that cannot be read or written is ignored."""

    def __init__(self, file: Path, store: Path) -> None:
        self._file, self._store = file, str(store.absolute())

    def recall(self) -> dict[str, object]:
        """What was saved last; empty where nothing was."""
        state = self._all().get(self._store)
        return state if isinstance(state, dict) else {}

    def save(self, values: Mapping[str, object]) -> None:
        """Save this for the store, beside the states of the stores opened last."""
        others = {store: state for store, state in self._all().items() if store != self._store}
        latest = dict(list({**others, self._store: dict(values)}.items())[-MOST_STORES:])
        with suppress(OSError):
            write_private(self._file, json.dumps(latest, indent=1))

    def _all(self) -> dict[str, object]:
        try:
            states = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return states if isinstance(states, dict) else {}


def write_private(file: Path, text: str) -> None:
    """Write a file in one step, readable by its owner alone. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="replace") as out:
        out.write(text)
    new.replace(file)
