"""What the screen remembers of itself between openings: a small file in the user's state folder, never in the store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_STORES = 50


class Memory:
    """Pane, filters, cursors and colours of one store's screen. A file that cannot be read or written is no trouble."""

    def __init__(self, file: Path, store: Path) -> None:
        self._file, self._store = file, str(store.absolute())

    def recall(self) -> dict[str, Any]:
        """What was kept last; empty where nothing was."""
        kept = self._all().get(self._store)
        return kept if isinstance(kept, dict) else {}

    def keep(self, values: Mapping[str, Any]) -> None:
        """Remember this for next time, and what was kept of the stores opened last."""
        others = {store: kept for store, kept in self._all().items() if store != self._store}
        latest = dict(list({**others, self._store: dict(values)}.items())[-MOST_STORES:])
        with suppress(OSError):
            write_private(self._file, json.dumps(latest, indent=1))

    def _all(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def write_private(file: Path, text: str) -> None:
    """Write a file as a whole, for its owner alone. Raises OSError."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="replace") as out:
        out.write(text)
    new.replace(file)
