"""Files of others, read within limits: regular files only, their unpacked bytes counted while they come in."""

from __future__ import annotations

import gzip
import json
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from core.engines.host.valid_text import valid_json
from core.errors import DataError

MEND = "Mend it; nothing was imported."
LONGEST_LINE = 64 * 2**20
CHUNK = 2**20
LONGEST_FILE = 4 * 2**30


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read, which is never waited for. Raises DataError for a pipe, a device, or what cannot be read."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise DataError(f"{path} is no regular file.", "Remove it; nothing was imported.")
            yield file
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}.", "Replace the file; nothing was imported.") from error


def lines(path: Path) -> Iterator[tuple[str, bytes]]:
    """(place, line) for each line that is not empty, unpacked where the name ends with .gz. Raises DataError."""
    with opened(path) as file:
        source = cast(IO[bytes], gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file)
        number = total = 0
        while line := source.readline(LONGEST_LINE + 1):
            number, total = number + 1, total + len(line)
            place = f"{path}, line {number}"
            within(len(line), LONGEST_LINE, place)
            within(total, LONGEST_FILE, place)
            if line.strip():
                yield place, line


def content(source: IO[bytes], place: str, limit: int = LONGEST_LINE) -> bytes:
    """All bytes of a file that holds one thing. Raises DataError for one that is longer than `limit`."""
    chunks, size = [], 0
    while chunk := source.read(CHUNK):
        chunks.append(chunk)
        size += len(chunk)
        within(size, limit, place)
    return b"".join(chunks)


def text(path: Path) -> str:
    """A file's text. Raises DataError."""
    with opened(path) as file:
        return decoded(content(file, str(path)), str(path))


def decoded(data: bytes, place: str) -> str:
    """Bytes as text. Raises DataError where they are not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: not UTF-8 ({error.reason} at byte {error.start:,}).", MEND) from error


def parsed(data: bytes, place: str) -> object:
    """The JSON value in some bytes, its texts without half surrogate pairs. Raises DataError."""
    try:
        return valid_json(json.loads(decoded(data, place)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not JSON ({error}).", MEND) from error


def within(size: int, limit: int, place: str) -> None:
    """Raise DataError for more bytes than an import takes."""
    if size > limit:
        raise DataError(f"{place}: longer than {limit // 2**20:,} MiB.", MEND)


def identity(path: Path) -> tuple[int, int]:
    """Device and inode, the same for all links to a file or folder. Raises DataError where there is none."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.", MEND) from error
    return status.st_dev, status.st_ino


def shown(value: object) -> str:
    """A value for a message, cut where it is long."""
    whole = repr(value)
    return whole if len(whole) <= 100 else f"{whole[:100]}..."
