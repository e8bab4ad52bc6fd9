"""Logs that can be shown in a terminal and handed on: no control characters, no secrets, and no more than a few megabytes."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from core.files.private import open_private
from core.files.redact import mask
from core.text import printable

MOST_BYTES = 8 * 2**20
LONGEST_LINE = 64 * 1024


def clean(text: str) -> str:
    """A log's text without control characters and secrets."""
    return printable(mask(text), keep_newlines=True)


class CleanFormatter(logging.Formatter):
    """Formats records, tracebacks included, as `clean` leaves them."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        return clean(super().format(record))


def log_cleanly() -> None:
    """Send what this process logs, warns of or fails of in a thread to stderr, through `CleanFormatter`."""
    handler = logging.StreamHandler()
    handler.setFormatter(CleanFormatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    threading.excepthook = _log_failure


def _log_failure(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None:
        failure = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        logging.getLogger("lrm.thread").error("a defect", exc_info=failure)


def limit(file: Path) -> None:
    """Put a log that has grown beyond `MOST_BYTES` aside."""
    if file.exists() and file.stat().st_size > MOST_BYTES:
        _put_aside(file)


def _put_aside(file: Path) -> None:
    """As FILE.1, in place of the one that was there."""
    file.replace(file.with_name(f"{file.name}.1"))


def last_words(file: Path, most: int) -> str:
    """The end of a log, `most` bytes of it; empty where it cannot be read."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - most))
            return log.read(most).decode("utf-8", "replace").strip()
    except OSError:
        return ""


class Keeper:
    """Writes what comes through a pipe into a log, until its end; for a thread of its own.

    The pipe is read on where the disk takes nothing more, since its writer would stand still otherwise.
    """

    def __init__(self, file: Path) -> None:
        self._next = file
        self._begin(file)

    def _begin(self, file: Path) -> None:
        self._file = file
        self._log = open_private(file, append=False)
        self._written = 0

    def turn_to(self, file: Path) -> None:
        """Write what comes from now on into another log."""
        self._next = file

    def keep(self, pipe: BinaryIO) -> None:
        """Read to the end of the pipe. A carriage return, with which progress bars begin their line again, ends a line."""
        rest = b""
        while more := pipe.read1(LONGEST_LINE):  # type: ignore[attr-defined]  # a buffered reader has it
            *lines, rest = (rest + more).replace(b"\r", b"\n").split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            self._write(lines)
        self._write([rest])
        with suppress(OSError):
            self._log.close()

    def _write(self, lines: list[bytes]) -> None:
        text = clean(b"".join(line + b"\n" for line in lines if line).decode("utf-8", "replace")).encode()
        if not text:
            return
        try:
            if self._next != self._file:
                self._log.close()
                self._begin(self._next)
            if self._written > MOST_BYTES:
                self._log.close()
                _put_aside(self._file)
                self._begin(self._file)
            self._log.write(text)
            self._log.flush()
            self._written += len(text)
        except (OSError, ValueError):
            return
