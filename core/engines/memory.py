"""Estimates before loading whether a model fits: weights, KV cache and buffers against free memory.

The constants for buffers and libraries were set from peaks measured on SmolLM2-135M.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from . import ggml_types, nvml
from .host.engine import EngineFailure
from .model_shape import WIDTHS, Shape, folder_shape, loaded_weights, stored_type

GIB = 2**30
MEMORY_SHARE = 0.8
SCORES_BYTES = 256 * 2**20
_ENDLESS = 2**40
_FLOAT = 4
_VLLM_STEP = 2048  # tokens that vLLM schedules at once, by default
_LLAMA_BASE, _TORCH_BASE = 72 * 2**20, 480 * 2**20  # interpreter and libraries


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of a loaded engine: weights, KV cache per token of a sequence, buffers per slot, and the rest.

    `windows` are caches of layers that keep only the last tokens (tokens kept, bytes a token), `state` what recurrent layers
    keep of a sequence, `step` cache that the tokens of one step take besides, shared by all slots. `mask` and `scores` are
    bytes per token of context, shared by all slots: the attention mask of a batch, and its attention scores where they are
    stored whole (without flash attention).
    """

    weights: int
    kv_token: float
    slot: int
    other: int
    mask: int = 0
    scores: int = 0
    windows: tuple[tuple[int, float], ...] = ()
    state: int = 0
    step: int = 0

    def plain(self, context: int) -> bool:
        """Whether to run without flash attention: faster with AMX, but too large for long contexts."""
        return 0 < self.scores * context <= SCORES_BYTES

    def cache(self, context: int) -> int:
        """Bytes that one sequence of `context` tokens keeps of its past."""
        windowed = sum(min(context, tokens) * size for tokens, size in self.windows)
        return int(context * self.kv_token + windowed) + self.state

    def peak(self, slots: int, context: int) -> int:
        """Peak bytes with `slots` sequences of `context` tokens."""
        return self.weights + self.shared(context) + slots * (self.slot + self.cache(context))

    def slots(self, budget: int, context: int) -> int:
        """The largest number of sequences that fits `budget` bytes; 0 where none does."""
        left = budget - self.weights - self.shared(context)
        return max(0, left // max(1, self.slot + self.cache(context)))

    def context(self, budget: int) -> int:
        """Tokens of the longest single sequence that fits `budget` bytes; 0 where none does."""
        last_plain = SCORES_BYTES // self.scores if self.scores else 0
        beyond = self._longest(budget, last_plain + 1, _ENDLESS)
        return beyond if beyond > last_plain else self._longest(budget, 1, last_plain)

    def shared(self, context: int) -> int:
        """Bytes besides the weights that do not depend on the number of sequences."""
        return self.other + self.step + context * (self.mask + (self.scores if self.plain(context) else 0))

    def _longest(self, budget: int, low: int, high: int) -> int:
        """The longest context from `low` to `high` that fits, by bisection; `low` - 1 where none does."""
        while low <= high:
            middle = (low + high) // 2
            if self.peak(1, middle) <= budget:
                low = middle + 1
            else:
                high = middle - 1
        return high


def llama_need(shape: Shape, batch: int, kv_type: str) -> Need:
    """What llama.cpp needs: weights mapped, a KV cache, buffers of a batch (activations, mask, scores) and logits a slot.

    Layers with a window keep all tokens. Quantized caches cannot do without flash attention; on a GPU, where that is the
    faster one, `scores` is not needed.
    """
    kv = shape.cache.every_token * ggml_types.bits(kv_type) / 8
    buffers = batch * 4 * (2 * shape.width + 2 * shape.inner)
    scores = 4 * batch * shape.heads if kv_type == "f16" else 0
    state = _FLOAT * (shape.cache.conv + shape.cache.recurrent)
    return Need(shape.weights, kv, 2 * 4 * shape.vocabulary, _LLAMA_BASE + buffers, 4 * batch, scores, state=state)


def torch_need(shape: Shape, value_bytes: int, *, on_gpu: bool = False) -> Need:
    """What transformers needs; a layer's cache is copied whenever it grows, and a prompt's activations come on top.

    Where keys and values are kept compressed, a layer at work holds them expanded too.
    """
    cache = shape.cache
    kv = (1.1 * cache.token + cache.expanded) * value_bytes + (0 if on_gpu else cache.floats * _FLOAT)
    windows = tuple((tokens, 1.1 * values * value_bytes) for tokens, values in cache.windows)
    activations = 1024 * value_bytes * (4 * shape.width + 3 * shape.inner)
    state = cache.conv * value_bytes + cache.recurrent * _FLOAT
    return Need(shape.weights, kv, 3 * 4 * shape.vocabulary + activations, _TORCH_BASE, windows=windows, state=state)


def transformers_need(folder: Path, dtype: str, *, on_gpu: bool) -> Need:
    """What transformers needs for a folder; `dtype` as in its options. Raises EngineFailure."""
    value_bytes = WIDTHS.get(stored_type(folder) if dtype == "auto" else dtype, 4)
    weights = loaded_weights(folder, value_bytes, on_gpu=on_gpu, unpacks=True)
    return torch_need(replace(folder_shape(folder), weights=weights), value_bytes, on_gpu=on_gpu)


def vllm_need(folder: Path, dtype: str, *, on_gpu: bool) -> Need:
    """What vLLM needs for a folder; layers with a window keep the tokens of a step besides. Raises EngineFailure."""
    value_bytes = WIDTHS.get(dtype, 2)  # with "auto", float32 is loaded as 16 bits
    weights = loaded_weights(folder, value_bytes, on_gpu=on_gpu, unpacks=False)
    shape = folder_shape(folder)
    need = torch_need(replace(shape, weights=weights), value_bytes)
    windows = tuple((tokens, float(values * value_bytes)) for tokens, values in shape.cache.windows)
    step = int(_VLLM_STEP * sum(size for _, size in windows))
    return replace(need, kv_token=float(shape.cache.token * value_bytes), windows=windows, step=step)


def slots_that_fit(what: str, need: Need, slots: int, context: int, budget: int, where: str) -> int:
    """The largest number of slots up to `slots` that fits `budget` bytes. Raises EngineFailure with what would fit."""
    fitting = min(slots, need.slots(budget, context))
    if fitting >= 1:
        return fitting
    besides = need.shared(context) + need.slot
    sizes = (
        f"{what} needs {need.weights / GIB:.1f} GiB of weights, {need.cache(context) / GIB:.2f} GiB of KV cache for one "
        f"sequence of {context:,} tokens and {besides / GIB:.2f} GiB besides; {budget / GIB:.1f} GiB {where}."
    )
    shorter = need.context(budget)
    if shorter >= 256:
        raise EngineFailure("memory", sizes, f"One sequence of {shorter:,} tokens would fit: lower the maximum of tokens.")
    room = max(0, budget - besides - need.cache(context))
    raise EngineFailure(
        "memory", sizes, f"Weights of {room / GIB:.1f} GiB would fit: use a smaller quantization, or free memory."
    )


def free_memory() -> int:
    """Bytes of RAM available without swapping, within the limit of the control group."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        cached = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(), re.M)
        free = min(free, limit - int((group / "memory.current").read_text()) + (int(cached[1]) if cached else 0))
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        pass
    return max(0, free)


def free_gpu_memory(environment: Mapping[str, str] = os.environ) -> list[int]:
    """Bytes that are free on each GPU that CUDA_VISIBLE_DEVICES leaves, by NVML; empty where there is none."""
    with nvml.opened() as library:
        if library is None:
            return []
        try:
            visible = environment.get("CUDA_VISIBLE_DEVICES")
            names = [str(i) for i in range(library.nvmlDeviceGetCount())] if visible is None else visible.split(",")
            handles = [
                library.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else library.nvmlDeviceGetHandleByUUID(name)
                for name in names
                if name.strip()
            ]
            return [int(library.nvmlDeviceGetMemoryInfo(handle).free) for handle in handles]
        except library.NVMLError:
            return []
