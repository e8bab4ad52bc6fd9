"""The settings under which a runner starts jobs, whatever an editor has just done to the file."""

from __future__ import annotations

import logging

from core.errors import UsageError
from core.settings import Settings, load
from core.store.runner_store import RunnerStore

log = logging.getLogger("lrm.runner")


class CurrentSettings:
    """Reads the settings anew each time; users hear once of a file that is not valid, and again when it is."""

    def __init__(self, store: RunnerStore) -> None:
        self._store = store
        self._valid: Settings | None = None
        self._told: str | None = None

    def now(self) -> Settings | None:
        """The settings, the last valid ones while they are not; None where there have been none since the runner started."""
        try:
            self._valid = load()
        except UsageError as error:
            self._tell(error)
        else:
            if self._told is not None:
                self._store.notice("info", "The settings are valid again, and hold from now on.")
            self._told = None
        return self._valid

    def _tell(self, error: UsageError) -> None:
        if self._told == error.message:
            return
        self._told = error.message
        log.warning("settings: %s", error)
        then = "The last valid settings hold until then." if self._valid else "No run is started until then."
        self._store.notice("warning", f"The settings are not valid: {error.message}", f"{error.remedy} {then}")
