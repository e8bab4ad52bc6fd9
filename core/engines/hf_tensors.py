"""What the headers of safetensors files say: type, shape and bytes of each tensor, and how many weights it stands for.

Packed checkpoints hold several weights in one number, and scales beside them that are no weights. Layouts known here: AWQ
and GPTQ (`qweight`), compressed-tensors (`weight_packed`), MXFP4 (`_blocks`), bitsandbytes (`absmax`, `SCB`), NVFP4 and
FP8 (`weight` with `weight_scale` or `weight_scale_inv`).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LONGEST_HEADER = 1 << 28
_NO_WEIGHTS = {
    ".qzeros": (".qweight",),
    ".scales": (".qweight",),
    ".g_idx": (".qweight",),
    "_scales": ("_blocks",),
    "_scale": ("", "_packed"),
    "_scale_inv": ("",),
    "_scale_2": ("",),
    "_zero_point": ("", "_packed"),
    "_global_scale": ("_packed",),
    "_shape": ("_packed",),
    "_g_idx": ("_packed",),
    ".absmax": ("",),
    ".quant_map": ("",),
    ".nested_absmax": ("",),
    ".nested_quant_map": ("",),
    ".quant_state.bitsandbytes__nf4": ("",),
    ".quant_state.bitsandbytes__fp4": ("",),
    ".SCB": (".weight",),
    ".weight_format": (".weight",),
}
"""Ends of names of what lies beside packed weights; each with the ends that the weights' own name has in their place."""
_OF_ACTIVATIONS = (".input_scale", ".input_global_scale", ".output_scale", ".activation_scale", ".k_scale", ".v_scale")
_TWO_A_BYTE = (".absmax", "_scale")
"""What lies beside a matrix of bytes of which each holds two weights."""


class BadSafetensors(Exception):
    """A header cannot be read, or does not say how many weights there are; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One tensor as it lies in `file`, from byte `start` on; `dtype` is safetensors' name of its type (BF16, U8, ...)."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    bytes: int

    @property
    def elements(self) -> int:
        """How many numbers of its type it holds."""
        return math.prod(self.shape)


def read_headers(files: Iterable[Path]) -> dict[str, Stored]:
    """All tensors of the files by name. Raises BadSafetensors, and OSError where a file cannot be read."""
    tensors: dict[str, Stored] = {}
    for file in files:
        tensors |= _read_header(file)
    return tensors


def weights(tensors: Mapping[str, Stored], quantization: Mapping[str, Any]) -> dict[str, int]:
    """How many weights each tensor stands for, by name: 0 for scales, zero points and other numbers beside weights.

    `quantization` is the config's `quantization_config`, empty where it has none. Raises BadSafetensors where neither it nor
    the tensors say how many bits a weight takes, OSError.
    """
    return {
        name: 0 if _beside(name, tensors) is not None else _elements(name, tensors, quantization)  # most are plain weights
        for name in tensors
    }


def packed(tensors: Mapping[str, Stored]) -> bool:
    """Whether some weights are stored quantized, with scales beside them."""
    return any(_beside(name, tensors) for name in tensors)


def is_packed(name: str, tensors: Mapping[str, Stored]) -> bool:
    """Whether this tensor holds quantized weights."""
    if name.endswith((".qweight", "_packed", "_blocks")):
        return True
    stem = name.removesuffix(".weight")
    return any(f"{name}{end}" in tensors for end in ("_scale", "_scale_inv", ".absmax")) or f"{stem}.SCB" in tensors


def _read_header(file: Path) -> dict[str, Stored]:
    with file.open("rb") as opened:
        try:
            (length,) = struct.unpack("<Q", opened.read(8))
            if not 0 < length < _LONGEST_HEADER:
                raise ValueError(f"a header of {length} bytes")
            entries: dict[str, Any] = json.loads(opened.read(length))
            return {name: _stored(file, entry, 8 + length) for name, entry in entries.items() if name != "__metadata__"}
        except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise BadSafetensors(f"{file} is truncated or damaged: its header cannot be read.") from error


def _stored(file: Path, entry: Mapping[str, Any], data: int) -> Stored:
    first, end = entry["data_offsets"]
    return Stored(file, str(entry["dtype"]), tuple(map(int, entry["shape"])), data + int(first), int(end) - int(first))


def _beside(name: str, tensors: Mapping[str, Stored]) -> str | None:
    """The weights beside which a tensor lies; "" for what belongs to activations, None for weights themselves."""
    if name.endswith(_OF_ACTIVATIONS):
        return ""
    for end, owners in _NO_WEIGHTS.items():
        if name.endswith(end):
            stem = name.removesuffix(end)
            for owner in owners:
                if stem + owner in tensors:
                    return stem + owner
    return None


def _elements(name: str, tensors: Mapping[str, Stored], quantization: Mapping[str, Any]) -> int:
    """How many weights a tensor of weights holds."""
    tensor = tensors[name]
    if name.endswith("_blocks") and f"{name.removesuffix('_blocks')}_scales" in tensors:
        return 2 * tensor.elements
    if tensor.dtype == "U8":
        stem = name.removesuffix("_packed")
        return tensor.elements * (2 if any(f"{stem}{end}" in tensors for end in _TWO_A_BYTE) else 1)
    if name.endswith("_packed"):
        shape = tensors.get(f"{name.removesuffix('_packed')}_shape")
        return math.prod(_integers(shape)) if shape else _unpacked(name, tensor, _bits(quantization))
    if name.endswith(".qweight"):
        return _unpacked(name, tensor, _bits_by_zeros(name.removesuffix("qweight"), tensors) or _bits(quantization))
    return tensor.elements


def _unpacked(name: str, tensor: Stored, bits: int) -> int:
    if not bits:
        raise BadSafetensors(f"{tensor.file}: nothing says how many bits a weight of {name} takes.")
    return 8 * tensor.bytes // bits


def _bits_by_zeros(stem: str, tensors: Mapping[str, Stored]) -> int:
    """Bits of a weight: zero points are packed as weights are, and there is one for each scale. 0 where there are none."""
    zeros, scales = tensors.get(f"{stem}qzeros"), tensors.get(f"{stem}scales")
    return 8 * zeros.bytes // scales.elements if zeros and scales and scales.elements else 0


def _bits(quantization: Mapping[str, Any]) -> int:
    """Bits of a weight by the config; 0 where it does not say."""
    groups = quantization.get("config_groups")
    group: object = next(iter(groups.values()), None) if isinstance(groups, dict) else None
    scheme = group.get("weights") if isinstance(group, dict) else None
    named = scheme.get("num_bits") if isinstance(scheme, dict) else quantization.get("bits", quantization.get("w_bit"))
    return named if isinstance(named, int) else 0


def _integers(tensor: Stored) -> tuple[int, ...]:
    """The values of a small tensor of integers."""
    code = {"I64": "q", "I32": "i"}.get(tensor.dtype)
    if code is None:
        raise BadSafetensors(f"{tensor.file}: a shape of type {tensor.dtype} cannot be read.")
    with tensor.file.open("rb") as file:
        file.seek(tensor.start)
        return struct.unpack(f"<{tensor.elements}{code}", file.read(tensor.bytes))
