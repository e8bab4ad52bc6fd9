"""The embedded model in 4 bits, as AutoAWQ and GPTQ lay it out: groups of 32 inputs, rounded to nearest.

https://github.com/casper-hansen/AutoAWQ and https://github.com/AutoGPTQ/AutoGPTQ have the layouts.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.pocket import weights_dir

GROUP, BITS, PER_WORD = 32, 4, 8
AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Which of eight neighbours each four bits of a word hold, from the lowest on."""
CONFIGS = {
    "awq": {"quant_method": "awq", "bits": BITS, "group_size": GROUP, "zero_point": True, "version": "gemm"},
    "gptq": {"quant_method": "gptq", "bits": BITS, "group_size": GROUP, "desc_act": False, "sym": True},
}


def make(method: str, folder: Path) -> tuple[Path, Path]:
    """Two folders: the packed checkpoint, and the dense one of the very values that it stands for."""
    packed, dense = folder / method, folder / f"{method}-dense"
    for made in (packed, dense):
        shutil.copytree(weights_dir(), made)
    weights = load_file(packed / "model.safetensors")
    values = dict(weights)
    for name in [name for name in weights if name.endswith("_proj.weight")]:
        parts, values[name] = _quantized(weights.pop(name).float(), method)
        stem = name.removesuffix("weight")
        weights |= {f"{stem}{part}": tensor.contiguous() for part, tensor in parts.items()}
    save_file(weights, packed / "model.safetensors", metadata={"format": "pt"})
    save_file(values, dense / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((packed / "config.json").read_text()) | {"quantization_config": CONFIGS[method]}
    (packed / "config.json").write_text(json.dumps(config))
    return packed, dense


def _quantized(weight: Tensor, method: str) -> tuple[dict[str, Tensor], Tensor]:
    """The tensors of one matrix (outputs x inputs), and the matrix that they stand for."""
    grouped = weight.T.reshape(-1, GROUP, weight.shape[0])  # groups x inputs of a group x outputs
    low, high = grouped.amin(1, keepdim=True).clamp(max=0), grouped.amax(1, keepdim=True).clamp(min=0)
    if method == "gptq":
        high = torch.maximum(high, -low)
        low = -high
    scale = ((high - low) / 15).clamp(min=1e-6).half()
    zero = torch.full_like(scale, 8.0) if method == "gptq" else (-low / scale.float()).round().half()
    levels = (grouped / scale.float() + zero.float()).round().clamp(0, 15)
    meant = ((levels - zero.float()) * scale.float()).reshape(weight.T.shape).T.half()
    whole, zeros = levels.reshape(weight.T.shape).to(torch.int64), zero.squeeze(1).to(torch.int64)
    parts = {"scales": scale.squeeze(1)}
    if method == "awq":
        parts |= {"qweight": _packed(whole, AWQ_ORDER), "qzeros": _packed(zeros, AWQ_ORDER)}
    else:  # its zero points are stored less one
        parts |= {"qweight": _packed(whole.T, range(PER_WORD)).T, "qzeros": _packed(zeros - 1, range(PER_WORD))}
        parts["g_idx"] = torch.arange(weight.shape[1], dtype=torch.int32) // GROUP
    return parts, meant.contiguous()


def _packed(values: Tensor, order: tuple[int, ...] | range) -> Tensor:
    """Eight neighbours of the last dimension in one 32-bit word."""
    eights = values.reshape(*values.shape[:-1], -1, PER_WORD)
    words = sum(eights[..., column] << (BITS * place) for place, column in enumerate(order))
    assert isinstance(words, Tensor)
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)
