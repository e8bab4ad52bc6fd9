"""Reads the header of a GGUF file: its metadata and its tensors, and checks that their data are complete.

The layout is that of ggml's docs/gguf.md: magic, version, counts, key-value pairs, tensor infos, aligned data.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .ggml_types import row_bytes

MAGIC = b"GGUF"
_ALIGNMENT_KEY = "general.alignment"
_PARTS_KEY = "split.count"
_PART = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf")
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST_STRING = 1 << 26  # bytes; a longer one means a damaged file
_LONGEST_HEADER = 1 << 28  # bytes; the longest known has 30 MiB
_MOST_TENSORS = 1 << 20
_MOST_PAIRS = 1 << 16
_MOST_ELEMENTS = 1 << 24
_LONGEST_READ = 1 << 12  # bytes or elements: longer strings and arrays (vocabularies, templates) are skipped
_MAX_DIMENSIONS = 4
_MAX_DEPTH = 4  # arrays within arrays; no known file has any

Value = int | float | str | Sequence[int | float] | Sequence[str] | None


class BadGguf(Exception):
    """The file is no GGUF file, is damaged or is truncated; the message is a sentence that names it."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its number of elements, its ggml type and where its data begin in the file (bytes)."""

    name: str
    elements: int
    kind: int
    start: int


def parts(path: Path) -> list[Path]:
    """The files of a model, in order: those that the name of a split one's first part counts, or the file alone.

    Links keep their own names, so that the parts of a model in a cache of linked blobs are found beside each other.
    Raises BadGguf where a part is missing, and for a part that is not the first.
    """
    match = _PART.fullmatch(path.name)
    if match is None:
        return [path]
    stem, number, count = match[1], int(match[2]), int(match[3])
    files = [path.with_name(f"{stem}-{part:05}-of-{count:05}.gguf") for part in range(1, count + 1)]
    if number != 1:
        raise BadGguf(f"{path} is part {number} of a model in {count} files: name the first, {stem}-00001-of-{count:05}.gguf.")
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise BadGguf(f"{path} is the first of {count} files, and {missing[0]} is missing beside it.")
    return files


def read_tensors(path: Path) -> list[Tensor]:
    """The tensors of one GGUF file whose data are all there; `parts` lists the files of a split model.

    Raises BadGguf, also for a part whose name does not say so, and OSError where the file cannot be read.
    """
    with _opened(path) as file, _guarded(path, file):
        facts, tensors = _read_header(file)
        expected = max((t.start + row_bytes(t.kind, t.elements) for t in tensors), default=file.tell())
    actual = path.stat().st_size
    if actual < expected:
        raise BadGguf(f"{path} is truncated: its header announces {expected:,} bytes, and there are {actual:,}.")
    count = facts.get(_PARTS_KEY)
    if isinstance(count, int) and count > 1 and _PART.fullmatch(path.name) is None:
        raise BadGguf(
            f"{path} is one of {count} parts of a model, which are found by names like NAME-00001-of-{count:05}.gguf."
        )
    return tensors


def read_facts(path: Path, whole: Collection[str] = ()) -> dict[str, Value]:
    """The metadata of a GGUF file: scalars, short strings and short arrays of numbers; None for longer ones.

    The values of the keys in `whole` are read whatever their length. Raises BadGguf, and OSError where the file cannot be read.
    """
    with _opened(path) as file, _guarded(path, file):
        return _read_header(file, whole)[0]


def _opened(path: Path) -> BinaryIO:
    file = path.open("rb")
    if file.read(len(MAGIC)) != MAGIC:
        file.close()
        raise BadGguf(f"{path} is not a GGUF file: it does not begin with the letters GGUF.")
    return file


@contextmanager
def _guarded(path: Path, file: BinaryIO) -> Iterator[None]:
    """Turn what reading a damaged header raises into BadGguf."""
    try:
        yield
    except (struct.error, KeyError, OverflowError, ValueError) as error:
        raise BadGguf(f"{path} is truncated or damaged: its header cannot be read at byte {file.tell():,}.") from error


def _read_header(file: BinaryIO, whole: Collection[str] = ()) -> tuple[dict[str, Value], list[Tensor]]:
    """Metadata and tensors. Raises ValueError and other errors that `_guarded` translates."""
    version, count, pairs = _unpack(file, "IQQ")
    if version not in (2, 3):
        raise ValueError(f"version {version}")
    _at_most(count, _MOST_TENSORS, "tensors")
    _at_most(pairs, _MOST_PAIRS, "pairs")
    facts: dict[str, Value] = {}
    for _ in range(pairs):
        key = _string(file).decode("utf-8", "replace")
        (kind,) = _unpack(file, "I")
        facts[key] = _whole(file, kind) if key in whole else _value(file, kind, 0)
    alignment = facts.get(_ALIGNMENT_KEY)
    alignment = alignment if isinstance(alignment, int) and alignment > 0 else 32
    infos = [_tensor_info(file) for _ in range(count)]
    start = -(-file.tell() // alignment) * alignment
    return facts, [Tensor(name, elements, kind, start + offset) for name, elements, kind, offset in infos]


def _tensor_info(file: BinaryIO) -> tuple[str, int, int, int]:
    """Name, number of elements, ggml type, and offset (bytes) from the start of the data."""
    name = _string(file).decode()
    (dimensions,) = _unpack(file, "I")
    if dimensions > _MAX_DIMENSIONS:
        raise ValueError(f"{dimensions} dimensions")
    elements = math.prod(_unpack(file, "Q" * dimensions))
    kind, offset = _unpack(file, "IQ")
    return name, elements, kind, offset


def _value(file: BinaryIO, kind: int, depth: int) -> Value:
    """A scalar, a short string or a short array of numbers; None for what is longer, which is skipped."""
    if depth > _MAX_DEPTH:
        raise ValueError("arrays within arrays")
    if kind == _STRING:
        text = _string(file)
        return text.decode("utf-8", "replace") if len(text) <= _LONGEST_READ else None
    if kind != _ARRAY:
        return _unpack(file, _SCALARS[kind])[0]
    element, count = _unpack(file, "IQ")
    if element in (_STRING, _ARRAY):
        _at_most(count, _MOST_ELEMENTS, "elements")
        for _ in range(count):
            _at_most(file.tell(), _LONGEST_HEADER, "bytes of header")
            _value(file, element, depth + 1)
        return None
    if count <= _LONGEST_READ:
        return list(_unpack(file, _SCALARS[element] * count))
    file.seek(struct.calcsize("<" + _SCALARS[element]) * count, 1)
    return None


def _whole(file: BinaryIO, kind: int) -> Value:
    """A string, or an array of strings or numbers, of any length."""
    if kind == _STRING:
        return _string(file).decode("utf-8", "replace")
    if kind != _ARRAY:
        return _value(file, kind, 0)
    element, count = _unpack(file, "IQ")
    _at_most(count, _MOST_ELEMENTS, "elements")
    if element == _STRING:
        return [_string(file).decode("utf-8", "replace") for _ in range(count)]
    form = _SCALARS[element]  # an array of arrays is none of these: KeyError, which the caller turns into BadGguf
    size = struct.calcsize("<" + form)
    numbers: list[int | float] = [number for (number,) in struct.iter_unpack("<" + form, file.read(size * count))]
    return numbers


def _at_most(count: int, limit: int, what: str) -> None:
    """Raise ValueError for a number that only a damaged header announces."""
    if count > limit:
        raise ValueError(f"{count} {what}")


def _string(file: BinaryIO) -> bytes:
    (length,) = _unpack(file, "Q")
    if length > _LONGEST_STRING:
        raise ValueError(f"a string of {length} bytes")
    return file.read(length)


def _unpack(file: BinaryIO, fields: str) -> tuple[int, ...]:
    """Read little-endian values of the types `fields`, in the letters of `struct`."""
    layout = "<" + fields
    return struct.unpack(layout, file.read(struct.calcsize(layout)))
