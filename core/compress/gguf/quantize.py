"""Quantization of a 16-bit GGUF file by llama.cpp itself: to one type, or to a type for each tensor."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

from core.compress import Progress
from core.compress.facts import ROPE_FACTORS
from core.compress.gguf import allocation
from core.compress.gguf.allocation import Damage, Importance
from core.engines.llamacpp.native import quieten
from core.errors import CompressionError

_PROGRESS = re.compile(r"\[\s*(\d+)/\s*(\d+)\]\s+(\S+)")
_SIZE = re.compile(r"quant size\s*=\s*([0-9.]+) MiB")
_ERROR = 4


@dataclass(frozen=True, slots=True)
class Job:
    """What llama.cpp is told. `types` (ggml types by tensor) go before `gguf_type`, which decides on all others.

    `importance` holds, by tensor, the mean square of each input column.
    """

    gguf_type: str
    types: Mapping[str, int] | None = None
    importance: Importance | None = None


def quantize_file(source: Path, target: Path, job: Job, progress: Progress) -> None:
    """Write `target` with the weights of `source`. Raises CompressionError with llama.cpp's own words, and OSError
    where the disk is full.

    Where a row is no multiple of a type's block, llama.cpp falls back to a larger type; `core.compress.facts` counts true bits.
    """
    _run(source, target, job, progress, dry=False)


def predicted_bytes(source: Path, job: Job) -> int:
    """What the tensors would take, by llama.cpp's own reckoning, fall-backs included (to a hundredth of a MiB)."""
    lines = _run(source, source.with_name("never written"), job, lambda *_step: None, dry=True)
    sizes = [match for line in lines if (match := _SIZE.search(line))]
    if not sizes:
        raise CompressionError("llama.cpp did not say how large the file would be.", "See the log of the job.")
    return round(float(sizes[-1][1]) * 2**20)


def rules(
    source: Path,
    compression: str,
    importance: Importance | None = None,
    cached: Callable[[Callable[[], Damage]], Damage] = lambda measure: measure(),
) -> tuple[str, dict[str, int] | None]:
    """llama.cpp's type and the types by tensor for a GGUF type or a dynamic recipe.

    In a mixture of experts the recipe's rules decide. In a dense model they only say how large the file may become, and
    measured errors, which are the same for every recipe and so may be `cached`, decide what each matrix gets of it.
    """
    from core.compress.gguf import dynamic

    if compression not in dynamic.RECIPES:
        return compression, None
    tensors = {str(t.name): t for t in gguf.GGUFReader(source).tensors if t.name != ROPE_FACTORS}
    plan = dynamic.plan({name: tuple(map(int, t.shape)) for name, t in tensors.items()}, compression)
    types = {name: int(kind) for name, kind in plan.items() if kind != gguf.GGMLQuantizationType.F32}
    if not dynamic.has_experts(tensors):
        budget = predicted_bytes(source, Job(dynamic.NEAREST, types, importance))
        fixed = sum(int(tensor.n_elements) * 4 for name, tensor in tensors.items() if name not in types)
        matrices = [tensors[name] for name in types]
        damage = cached(lambda: allocation.measure(matrices, importance))
        types = allocation.plan(matrices, importance, damage, budget - fixed)
    return dynamic.NEAREST, types


def _run(source: Path, target: Path, job: Job, progress: Progress, *, dry: bool) -> list[str]:
    """Run llama.cpp's quantizer; returns the lines of its log."""
    lines: list[str] = []
    errors: list[str] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def listen(level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace")
        lines.append(line)
        match = _PROGRESS.search(line)
        if match:
            progress(int(match[1]), int(match[2]), f"quantized {match[3]}")
        elif level == _ERROR:
            errors.append(line.strip())

    parameters, _referenced = _parameters(job, dry=dry)
    llama_cpp.llama_log_set(listen, None)
    try:
        code = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters))
    finally:
        quieten()  # `listen` does not outlive this function
    if any("iostream error" in line for line in errors):
        raise OSError(errno.ENOSPC, "llama.cpp could not write all of the file", str(target))
    if code:
        reason = "; ".join(errors) or f"code {code}"
        raise CompressionError(
            f"llama.cpp could not quantize {source.name} to {job.gguf_type}: {reason}", "Choose another type."
        )
    return lines


def _parameters(job: Job, *, dry: bool) -> tuple[llama_cpp.llama_model_quantize_params, list[object]]:
    """The parameters, and what must not be freed as long as they are in use."""
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{job.gguf_type.upper()}")
    parameters.nthread = len(os.sched_getaffinity(0))
    parameters.dry_run = dry
    referenced: list[object] = []
    if job.types:
        entries = [(f"^{re.escape(name)}$".encode(), kind) for name, kind in job.types.items()]
        overrides = (llama_cpp.llama_model_tensor_override * (len(entries) + 1))(*entries, (None, 0))
        parameters.tt_overrides = overrides
        referenced.append(overrides)
    if job.importance:
        rows = [(name.encode(), np.ascontiguousarray(row, np.float32)) for name, row in job.importance.items()]
        pointer = ctypes.POINTER(ctypes.c_float)
        columns = [(name, row.ctypes.data_as(pointer), row.size) for name, row in rows]
        matrix = (llama_cpp.llama_model_imatrix_data * (len(columns) + 1))(*columns, (None, None, 0))
        parameters.imatrix = matrix
        referenced += [matrix, rows]
    return parameters, referenced
