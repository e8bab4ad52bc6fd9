"""The sizes that determine a model's memory, from a GGUF file's header or from a Hugging Face folder's config and headers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import cache_size
from .cache_size import Cache, completed, number
from .gguf_header import BadGguf, parts, read_facts
from .hf_checkpoint import quantization_config, read_config, weight_files
from .hf_tensors import BadSafetensors, is_packed, read_headers
from .hf_tensors import weights as weights_of
from .host.engine import EngineFailure

WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes of a number by the name of its type."""
_TYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_HALF = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model: `weights` in bytes, `cache` in numbers that a sequence keeps of its past."""

    weights: int
    cache: Cache
    context: int
    vocabulary: int
    width: int
    inner: int
    heads: int = 1

    @property
    def kv_values(self) -> int:
        """Cached numbers per token, without those of layers that keep a window."""
        return self.cache.token


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

    def fact(key: str, default: int = 0) -> int:
        value = facts.get(f"{name}.{key}")
        return int(value) if isinstance(value, int | float) else default

    inner = fact("feed_forward_length") or fact("expert_feed_forward_length") * fact("expert_used_count", 1)
    trained, vocabulary = fact("context_length", 2**31), fact("vocab_size", 152_064)
    width, heads = fact("embedding_length"), max(1, fact("attention.head_count", 1))
    return Shape(weights, cache_size.of_gguf(facts), trained, vocabulary, width, inner, heads)


def folder_shape(folder: Path) -> Shape:
    """From a folder in Hugging Face format; `weights` are the bytes of its files. Raises EngineFailure."""
    config = completed(read_config(folder))
    weights = sum(file.stat().st_size for file in weight_files(folder))
    width = number(config, "hidden_size", "n_embd")
    inner = number(config, "intermediate_size") or 4 * width
    context = number(config, "max_position_embeddings", "n_positions") or 2**31
    return Shape(weights, cache_size.of_config(config), context, number(config, "vocab_size"), width, inner)


def stored_type(folder: Path, default: str = "float32") -> str:
    """The type of a folder's numbers: as its config names it, by the older name `torch_dtype` too, else as they are stored.

    Raises EngineFailure.
    """
    config = read_config(folder)
    named = (_type(part) for part in (config, config.get("text_config")) if isinstance(part, dict))
    return next((name for name in named if name), None) or _first_type(folder) or default


def weight_count(folder: Path) -> int | None:
    """How many weights a folder holds, packed ones unpacked; None where its headers do not say. Raises EngineFailure."""
    try:
        return sum(weights_of(read_headers(weight_files(folder)), quantization_config(folder)).values())
    except (BadSafetensors, OSError):
        return None


def loaded_weights(folder: Path, width: int, *, on_gpu: bool, unpacks: bool) -> int:
    """Bytes of a folder's weights once loaded, `width` for each plain number.

    Packed weights stay packed, except those that the engine `unpacks` into 16 bits. Where headers cannot be read, the files'
    size stands for them. Raises EngineFailure.
    """
    files = weight_files(folder)
    quantization = quantization_config(folder)
    try:
        tensors = read_headers(files)
        counts = weights_of(tensors, quantization)
    except (BadSafetensors, OSError):
        return sum(file.stat().st_size for file in files) * width // WIDTHS.get(stored_type(folder), width)
    unpacked = unpacks and _unpacked(quantization, on_gpu)
    total = 0
    for name, tensor in tensors.items():
        if unpacked and (is_packed(name, tensors) or not counts[name]):
            total += _HALF * counts[name]
        elif tensor.dtype in _TYPES and counts[name]:
            total += width * counts[name]
        else:
            total += tensor.bytes
    return total


def _unpacked(quantization: Mapping[str, Any], on_gpu: bool) -> bool:
    """Whether transformers turns such weights into 16 bits: at the first step, or since it has no kernels for them here."""
    method = quantization.get("quant_method")
    if method == "mxfp4":
        return not (on_gpu and find_spec("kernels") and find_spec("triton"))
    return method == "compressed-tensors" or (method == "fp8" and not on_gpu)


def _type(config: Mapping[str, Any]) -> str:
    return str(config.get("dtype") or config.get("torch_dtype") or "").removeprefix("torch.")


def _first_type(folder: Path) -> str | None:
    """The type of the first tensor of plain numbers, which transformers goes by where the config is silent."""
    with suppress(BadSafetensors, OSError):
        return next((_TYPES[t.dtype] for t in read_headers(weight_files(folder)[:1]).values() if t.dtype in _TYPES), None)
    return None
