"""A model's files: which they are, their hash, and a stamp by which a change is noticed without reading them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from core.engines.gguf_header import BadGguf, parts
from core.engines.hf_checkpoint import listed_files
from core.errors import ModelError

_COMPANIONS = ("*.json", "*.jinja", "*.model", "*.txt")
_GET_AGAIN = "Get or make the model again."


def model_files(path: Path) -> list[Path]:
    """The files that make up a model, sorted by name: a GGUF file or all its parts, or a folder's weights, config, tokenizer.

    Raises ModelError where weights are missing.
    """
    if path.is_dir():
        return sorted(companions(path).union(shard_files(path)))
    return gguf_parts(path)


def gguf_parts(path: Path) -> list[Path]:
    """The files of a GGUF model: the file itself, or all parts of one that is split.

    Raises ModelError where one is missing, and for a part that is not the first.
    """
    if not path.is_file():
        raise ModelError(f"{path}: No such file.", "Check the model's path.")
    try:
        return parts(path)
    except BadGguf as error:
        raise ModelError(str(error), _GET_AGAIN) from error


def companions(path: Path) -> set[Path]:
    """The files beside the weights of a model: config, tokenizer, index."""
    return {file for pattern in _COMPANIONS for file in path.glob(pattern) if file.is_file()}


def shard_files(path: Path) -> tuple[Path, ...]:
    """The safetensors files of a folder, as its index lists them. Raises ModelError where there are none."""
    try:
        files = listed_files(path)
    except ValueError as error:
        raise ModelError(str(error), _GET_AGAIN) from error
    missing = [file.name for file in files if not file.is_file()]
    if not missing:
        return tuple(files)
    if any(path.glob("*.bin")):
        raise ModelError(f"{path} holds pickle checkpoints, which can run code when loaded.", "Get the safetensors version.")
    raise ModelError(f"{path} lacks {', '.join(missing)}.", _GET_AGAIN)


def sha256(path: Path) -> str:
    """The hash of a file; of a folder or of a model in parts, that of the sorted listing of its files (hash and name of each).

    Raises ModelError where weights are missing, OSError.
    """
    files = model_files(path) if path.is_dir() or path.suffix == ".gguf" else [path]
    if files == [path]:
        return _file_sha256(path)
    listing = "".join(f"{_file_sha256(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(listing.encode()).hexdigest()


def stamp(path: Path) -> str:
    """Name, size and time of the last write (ns) of each of a model's files, as JSON. Raises ModelError, OSError."""
    status = [(file.name, file.stat()) for file in model_files(path)]
    return json.dumps([[name, one.st_size, one.st_mtime_ns] for name, one in status])


def _file_sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
