"""Artifacts: the files of variants, and the facts that are measured from their bytes.

They are made under names that say they are unfinished and renamed when whole, each with a record of its facts.
`.partial-PID-NAME` belongs to a process and is removed when that is gone. `.unfinished-NAME` is what the next try continues
(a pruned layer, a training checkpoint); it is removed when the work is cancelled.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from core.compress.hf_folder import HfFolder, is_decoder_linear, model_files
from core.engines.gguf_header import BadGguf, Tensor, read_tensors
from core.errors import CompressionError, ModelError
from core.files.locks import try_lock

Vector = NDArray[np.float32]
_GGUF_LINEAR = re.compile(r"blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))\.weight")
ROPE_FACTORS = "rope_freqs.weight"
_FLOATS = {gguf.GGMLQuantizationType.F32: np.float32, gguf.GGMLQuantizationType.F16: np.float16}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of an artifact.

    `bytes` is the size of the file or of all files of the model; `bits_per_weight` counts tensor data alone, over all
    parameters; `sparsity` is the share of zeros (0 to 1) in the linear layers of the decoder blocks, None where they
    are quantized.
    """

    sha256: str
    bytes: int
    parameters: int
    bits_per_weight: float
    sparsity: float | None


def facts(path: Path) -> Facts:
    """Facts of a GGUF file or a Hugging Face folder. Raises ModelError if it is damaged."""
    return _folder_facts(path) if path.is_dir() else _file_facts(path)


def sha256(path: Path) -> str:
    """The hash of a file, or of a folder's model files with their names, whatever order the disk gives them in."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    listing = "".join(f"{sha256(file)}  {file.name}\n" for file in model_files(path))
    return hashlib.sha256(listing.encode()).hexdigest()


def gguf_tensors(path: Path) -> list[Tensor]:
    """The tensors of a GGUF file. Raises ModelError if it is missing, damaged or truncated."""
    try:
        return read_tensors(path, _row_bytes)
    except BadGguf as error:
        raise ModelError(str(error), "Get or make the file again.") from error
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", "Check the model's path.") from error


def _folder_facts(path: Path) -> Facts:
    parameters = size = zeros = entries = 0
    for name, tensor in HfFolder.open(path).tensors():
        parameters += tensor.numel()
        size += tensor.nbytes
        if is_decoder_linear(name):
            entries += tensor.numel()
            zeros += tensor.numel() - int(tensor.count_nonzero())
    total = sum(file.stat().st_size for file in model_files(path))
    sparsity = zeros / entries if entries else None
    return Facts(sha256(path), total, parameters, 8 * size / parameters, sparsity)


def _file_facts(path: Path) -> Facts:
    tensors = [tensor for tensor in gguf_tensors(path) if tensor.name != ROPE_FACTORS]
    if not tensors:
        raise ModelError(f"{path} holds no weights.", "Name the first part of a model that is split into files.")
    parameters = sum(tensor.elements for tensor in tensors)
    size = sum(_row_bytes(tensor.kind, tensor.elements) for tensor in tensors)
    return Facts(sha256(path), path.stat().st_size, parameters, 8 * size / parameters, _file_sparsity(path, tensors))


def _file_sparsity(path: Path, tensors: list[Tensor]) -> float | None:
    linear = [tensor for tensor in tensors if _GGUF_LINEAR.fullmatch(tensor.name)]
    if not linear or any(tensor.kind not in _FLOATS for tensor in linear):
        return None
    zeros = 0
    for tensor in linear:
        kind = _FLOATS[gguf.GGMLQuantizationType(tensor.kind)]
        weights = np.memmap(path, kind, "r", tensor.start, (tensor.elements,))
        zeros += tensor.elements - int(np.count_nonzero(weights))
    return zeros / sum(tensor.elements for tensor in linear)


def _row_bytes(kind: int, elements: int) -> int:
    """Bytes of so many elements of a ggml type. Raises ValueError for an unknown one."""
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)]
    return int(elements // block * size)


_PARTIAL = ".partial-"
_UNFINISHED = ".unfinished-"
_PATIENCE_S = 10.0


class DiskFull(CompressionError):
    """There is no room for an artifact."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A variant on disk with its facts. `sparsity` in the facts is that of the weights before they were quantized."""

    path: Path
    facts: Facts


class Bench:
    """One folder of artifacts, in which one process works at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock: int | None = None
        self._under_way: Path | None = None

    def open(self) -> None:
        """Take the folder, and remove what killed workers left half made. Raises CompressionError where another has it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = self._folder.with_name(f"{self._folder.name}.lock")
        deadline = time.monotonic() + _PATIENCE_S  # an orphan ends as soon as it sees that its runner is gone
        while (held := try_lock(lock)) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        self._lock = held
        if held is None:
            raise CompressionError(f"Another worker is at work in {self._folder}.", "Let it end, then requeue.")
        for path in self._folder.glob(f"{_PARTIAL}*"):
            if not _alive(int(path.name.removeprefix(_PARTIAL).split("-")[0])):
                remove(path)

    def close(self) -> None:
        """Let others have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def clear(self, *, everything: bool) -> None:
        """Remove what this process has half made; with `everything`, also what a later try could have gone on with."""
        for path in self._folder.glob(f"{_PARTIAL}{os.getpid()}-*"):
            remove(path)
        if everything and self._under_way is not None:
            remove(self._under_way)

    def once(
        self,
        name: str,
        room: int,
        work: Callable[[Path], None],
        facts: Callable[[Path], Facts],
        record: Callable[[Facts], str],
        *,
        continued: bool,
    ) -> Artifact:
        """The artifact of a name: as it is there, or made by `work` in a place of its own and then renamed.

        `room` is the bytes that it needs. With `continued`, `work` finds there what an earlier try has left.
        """
        target = self._folder / name
        note = target.with_name(f"{name}.json")
        known = _recorded(target, note)
        if known is not None:
            return Artifact(target, known)
        remove(note)
        remove(target)
        place = self._folder / f"{_UNFINISHED}{name}" if continued else self._partial(name)
        self._check_room(room - _taken(place))
        self._under_way = place if continued else None
        work(place)
        known = facts(place)
        _settle(place)
        place.rename(target)
        self._under_way = None
        self._write(note, lambda file: file.write_text(record(known), encoding="utf-8"))
        return Artifact(target, known)

    def arrays(self, name: str, work: Callable[[], dict[str, Vector]]) -> dict[str, Vector]:
        """Named vectors, kept in a file."""
        file = self._folder / name
        try:
            with np.load(file) as stored:
                return dict(stored)
        except (OSError, ValueError, EOFError):
            made = work()

        def write(place: Path) -> None:
            with place.open("wb") as output:
                np.savez(output, **made)  # type: ignore[arg-type]

        self._write(file, write)
        return made

    def _write(self, target: Path, write: Callable[[Path], object]) -> None:
        place = self._partial(target.name)
        write(place)
        _settle(place)
        place.rename(target)

    def _partial(self, name: str) -> Path:
        place = self._folder / f"{_PARTIAL}{os.getpid()}-{name}"
        remove(place)
        return place

    def _check_room(self, room: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < room:
            raise DiskFull(
                f"{self._folder} has {free:,} bytes free, and this step needs {room:,}.",
                "Free some space or move the folder.",
            )


def _recorded(target: Path, note: Path) -> Facts | None:
    """The facts of an artifact that is whole; None where it is missing, half made or changed."""
    try:
        recorded = Facts(**json.loads(note.read_text(encoding="utf-8"))["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return recorded if target.exists() and sha256(target) == recorded.sha256 else None


def _taken(place: Path) -> int:
    """Bytes that an earlier try has written already."""
    return sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) if place.is_dir() else 0


def _settle(path: Path) -> None:
    """Have the bytes of a file or folder on disk before its final name points at them."""
    for file in [path, *path.iterdir()] if path.is_dir() else [path]:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
