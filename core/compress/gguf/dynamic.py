"""Dynamic quantization: a ggml type for each tensor, few bits where a model has most of its weights and bears it best.

Mixtures of experts follow the four files that Unsloth made of DeepSeek-R1: the routed experts get few bits (down
projections more than gate and up, the first layers more than the others), all else 4 to 6. Dense models follow the same
idea: the feed-forward of the middle layers is low; attention, embeddings, output, the first layers and the last are high. There
a third of the weights would be kept high, so that the rules only set the size, and `allocation` spends it.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gguf import GGMLQuantizationType as Type

from core.engines.ggml_types import row_bytes
from core.errors import ModelError

_BLOCK = re.compile(r"blk\.(\d+)\.(\w+)\.(weight|bias)")
_NEVER = ("ffn_gate_inp", "exp_probs_b")
"""Routers: llama.cpp leaves them in 32 bits."""
_SHARED = 8  # one layer in so many at the front of a dense model keeps more bits
_LATENT = ("attn_kv_a_mqa", "attn_kv_b")


@dataclass(frozen=True, slots=True)
class Bits:
    """What a recipe gives to expert or feed-forward matrices: `down`, with `first_down` in the first `first` layers that have
    them; `gate_up` to the others; and, where `more_down` is set, that to the down projections that llama.cpp favours.

    `latent` is for the compressed keys and values of MoE models (their other attention has Q4_K).
    """

    gate_up: Type
    down: Type
    first_down: Type
    first: int
    more_down: Type | None = None
    latent: Type = Type.Q5_K


RECIPES = {
    "dynamic-2.51": Bits(Type.Q2_K, Type.Q2_K, Type.Q3_K, 3, latent=Type.Q4_K),
    "dynamic-2.22": Bits(Type.IQ2_XXS, Type.Q2_K, Type.Q3_K, 3),
    "dynamic-1.73": Bits(Type.IQ1_M, Type.IQ2_XXS, Type.IQ2_XXS, 0, more_down=Type.Q2_K),
    "dynamic-1.58": Bits(Type.IQ1_S, Type.IQ1_S, Type.IQ2_XXS, 6),
}

NEAREST = "q4_k_m"
"""What llama.cpp is told for tensors that a plan leaves out; there are none but vectors."""


def plan(shapes: Mapping[str, tuple[int, ...]], recipe: str) -> dict[str, Type]:
    """The type of each tensor of a model, by its name in GGUF. Raises ModelError where there is nothing to quantize so."""
    bits = RECIPES[recipe]
    numbers = sorted({int(match[1]) for name in shapes if (match := _BLOCK.fullmatch(name))})
    experts = [i for i in numbers if f"blk.{i}.ffn_down_exps.weight" in shapes]
    feeding = experts or [i for i in numbers if f"blk.{i}.ffn_down.weight" in shapes]
    if not feeding:
        raise ModelError("The model has no feed-forward layers by llama.cpp's names.", "Choose a plain type.")
    tied = "output.weight" not in shapes
    inside = _mixture if experts else _dense
    types = {name: _outside(name, shape, tied) for name, shape in shapes.items()}
    return {name: inside(name, bits, numbers, feeding) if kind is None else kind for name, kind in types.items()}


def has_experts(names: Iterable[str]) -> bool:
    """Whether tensors are those of a mixture of experts."""
    return any("_exps." in name for name in names)


def size(shapes: Mapping[str, tuple[int, ...]], types: Mapping[str, Type]) -> int:
    """Bytes of the tensors under a plan; rows that are no multiple of a type's block do not occur in it."""
    return sum(row_bytes(types[name], math.prod(shape)) for name, shape in shapes.items())


def counts(types: Iterable[Type]) -> dict[str, int]:
    """How many tensors have each type."""
    return {kind.name: number for kind, number in sorted(Counter(types).items())}


def _outside(name: str, shape: tuple[int, ...], tied: bool) -> Type | None:
    """The type of what does not depend on a layer; None for the weights of layers."""
    if len(shape) == 1 or any(word in name for word in _NEVER):
        return Type.F32
    if name == "output.weight":
        return Type.Q6_K
    if name == "token_embd.weight":
        return Type.Q6_K if tied else Type.Q4_K
    return None


def _mixture(name: str, bits: Bits, numbers: list[int], feeding: list[int]) -> Type:
    layer, part = _place(name)
    if part.startswith("attn_"):
        return bits.latent if part in _LATENT and layer in feeding else Type.Q4_K
    if part == "ffn_down_exps":
        return _down(layer, bits, numbers, feeding)
    return bits.gate_up if part.endswith("_exps") else Type.Q6_K


def _dense(name: str, bits: Bits, numbers: list[int], feeding: list[int]) -> Type:
    layer, part = _place(name)
    if part.startswith("attn_"):
        return Type.Q6_K if part == "attn_v" else Type.Q5_K if part == "attn_output" else Type.Q4_K
    if feeding.index(layer) < max(1, len(feeding) // _SHARED) or layer == feeding[-1]:
        return Type.Q4_K
    return _down(layer, bits, numbers, feeding) if part == "ffn_down" else bits.gate_up


def _down(layer: int, bits: Bits, numbers: list[int], feeding: list[int]) -> Type:
    if feeding.index(layer) < bits.first:
        return bits.first_down
    if bits.more_down is not None and _favoured(layer, len(numbers)):
        return bits.more_down
    return bits.down


def _favoured(layer: int, layers: int) -> bool:
    """llama.cpp's rule (use_more_bits): the first and last eighth, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= 7 * layers // 8 or (layer - eighth) % 3 == 2


def _place(name: str) -> tuple[int, str]:
    match = _BLOCK.fullmatch(name)
    if match is None:
        raise ModelError(f"A dynamic recipe has no place for the tensor {name}.", "Choose a plain type.")
    return int(match[1]), match[2]
