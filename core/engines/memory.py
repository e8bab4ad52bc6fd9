"""Estimates before loading whether a model fits: weights, KV cache and buffers against free memory.

The shape comes from a GGUF file's header or a Hugging Face folder's config; the constants for buffers and libraries were
set from peaks measured on SmolLM2-135M.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import ggml_types, nvml
from .gguf_header import BadGguf, parts, read_facts
from .host.engine import GET_AGAIN, EngineFailure

GIB = 2**30
MEMORY_SHARE = 0.8
SCORES_BYTES = 256 * 2**20
_LLAMA_BASE, _TORCH_BASE = 72 * 2**20, 480 * 2**20  # interpreter and libraries


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes that determine a model's memory: `weights` in bytes, `kv_values` in cached numbers per token."""

    weights: int
    kv_values: int
    context: int
    vocabulary: int
    width: int
    inner: int
    heads: int = 1


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of a loaded engine: weights, KV cache per token of a sequence, buffers per slot, and the rest.

    `mask` and `scores` are bytes per token of context, shared by all slots: the attention mask of a batch, and its attention
    scores where they are stored whole (without flash attention).
    """

    weights: int
    kv_token: float
    slot: int
    other: int
    mask: int = 0
    scores: int = 0

    def plain(self, context: int) -> bool:
        """Whether to run without flash attention: faster with AMX, but too large for long contexts."""
        return 0 < self.scores * context <= SCORES_BYTES

    def peak(self, slots: int, context: int) -> int:
        """Peak bytes with `slots` sequences of `context` tokens."""
        return self.weights + self.shared(context) + slots * (self.slot + int(context * self.kv_token))

    def slots(self, budget: int, context: int) -> int:
        """The largest number of sequences that fits `budget` bytes; 0 where none does."""
        left = budget - self.weights - self.shared(context)
        return max(0, left // max(1, self.slot + int(context * self.kv_token)))

    def context(self, budget: int) -> int:
        """Tokens of the longest single sequence that fits `budget` bytes; 0 where none does."""
        left = budget - self.weights - self.other - self.slot
        tokens = max(0, int(left / max(1e-9, self.kv_token + self.mask)))
        return tokens if not self.plain(tokens) else int(left / (self.kv_token + self.mask + self.scores))

    def shared(self, context: int) -> int:
        """Bytes besides the weights that do not depend on the number of sequences."""
        return self.other + context * (self.mask + (self.scores if self.plain(context) else 0))


def llama_need(shape: Shape, batch: int, kv_type: str) -> Need:
    """What llama.cpp needs: weights mapped, a KV cache, buffers of a batch (activations, mask, scores) and logits a slot.

    Quantized caches cannot do without flash attention. On a GPU, where it is the faster one, `scores` is not needed.
    """
    kv = shape.kv_values * ggml_types.bits(kv_type) / 8
    buffers = batch * 4 * (2 * shape.width + 2 * shape.inner)
    scores = 4 * batch * shape.heads if kv_type == "f16" else 0
    return Need(shape.weights, kv, 2 * 4 * shape.vocabulary, _LLAMA_BASE + buffers, 4 * batch, scores)


def torch_need(shape: Shape, value_bytes: int) -> Need:
    """What PyTorch needs; a layer's cache is copied whenever it grows, and a prompt's activations come on top."""
    kv = shape.kv_values * value_bytes
    activations = 1024 * value_bytes * (4 * shape.width + 3 * shape.inner)
    return Need(shape.weights, 1.1 * kv, 3 * 4 * shape.vocabulary + activations, _TORCH_BASE)


def gguf_shape(path: Path) -> Shape:
    """From a GGUF file, or the first part of a split one. Raises EngineFailure where it cannot be read."""
    try:
        facts = read_facts(path)
        weights = sum(part.stat().st_size for part in parts(path))
    except OSError as error:
        raise EngineFailure("model", f"{path}: {error.strerror}", "Check the model's path.") from error
    except BadGguf as error:
        raise EngineFailure("model", str(error), "Get or make the file again.") from error
    name = facts.get("general.architecture")

    def number(key: str, default: int = 0) -> int:
        value = facts.get(f"{name}.{key}")
        return int(value) if isinstance(value, int | float) else default

    layers, width, heads = number("block_count"), number("embedding_length"), max(1, number("attention.head_count", 1))
    per_layer = facts.get(f"{name}.attention.head_count_kv")
    kv_heads = sum(map(int, per_layer)) if isinstance(per_layer, list) else layers * number("attention.head_count_kv", heads)
    key = number("attention.key_length", width // heads)
    value = number("attention.value_length", width // heads)
    inner = number("feed_forward_length") or number("expert_feed_forward_length") * number("expert_used_count", 1)
    trained, vocabulary = number("context_length", 2**31), number("vocab_size", 152_064)
    return Shape(weights, kv_heads * (key + value), trained, vocabulary, width, inner, heads)


def folder_shape(folder: Path) -> Shape:
    """From a folder in Hugging Face format. Raises EngineFailure where config.json cannot be read."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no object")
    except (OSError, ValueError, RecursionError) as error:
        raise EngineFailure("model", f"{folder / 'config.json'} cannot be read: {error}.", GET_AGAIN) from error
    config = config.get("text_config") or config
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    layers, width = _number(config, "num_hidden_layers", "n_layer"), _number(config, "hidden_size", "n_embd")
    heads = _number(config, "num_attention_heads", "n_head") or 1
    kv_heads = _number(config, "num_key_value_heads") or heads
    kv = layers * 2 * kv_heads * (_number(config, "head_dim") or width // heads)
    inner = _number(config, "intermediate_size") or 4 * width
    context = _number(config, "max_position_embeddings", "n_positions") or 2**31
    return Shape(weights, kv, context, _number(config, "vocab_size"), width, inner)


def slots_that_fit(what: str, need: Need, slots: int, context: int, budget: int, where: str) -> int:
    """The largest number of slots up to `slots` that fits `budget` bytes. Raises EngineFailure with what would fit."""
    fitting = min(slots, need.slots(budget, context))
    if fitting >= 1:
        return fitting
    besides = need.shared(context) + need.slot
    sizes = (
        f"{what} needs {need.weights / GIB:.1f} GiB of weights, {context * need.kv_token / GIB:.2f} GiB of KV cache for one "
        f"sequence of {context:,} tokens and {besides / GIB:.2f} GiB besides; {budget / GIB:.1f} GiB {where}."
    )
    shorter = need.context(budget)
    if shorter >= 256:
        raise EngineFailure("memory", sizes, f"One sequence of {shorter:,} tokens would fit: lower the maximum of tokens.")
    room = max(0, budget - besides - int(context * need.kv_token))
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


def _number(config: Mapping[str, Any], *keys: str) -> int:
    return next((int(config[key]) for key in keys if isinstance(config.get(key), int)), 0)
