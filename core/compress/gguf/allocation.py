"""Which ggml type each matrix of a dense model gets under a budget of bytes: the one whose error is worth its size.

What a type does to a matrix is measured on some of its rows: the share of the outputs' energy that is lost where input j has
the mean square h_j (the importance matrix), sum h_j (w_j - q_j)^2 / sum h_j w_j^2. With a price on bytes every matrix takes the
type of least error plus price times size; the price is the one at which all of them together fill the budget.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type
from llama_cpp._ggml import libggml
from numpy.typing import NDArray

from core.engines.ggml_types import block_elements, row_bytes

ROWS = 16
_LAYER = re.compile(r"blk\.(\d+)\.")
_STEPS = 60
_ENDS = 2.0
"""How much more an error in the first layer or the last counts than one between."""
_WIDE = (
    Type.IQ1_S, Type.IQ1_M, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ2_S, Type.Q2_K, Type.IQ3_XXS, Type.Q3_K, Type.IQ3_S,
    Type.IQ4_XS, Type.Q4_K, Type.Q5_K, Type.Q6_K,
)  # fmt: skip
_NARROW = (Type.IQ4_NL, Type.Q5_0, Type.Q5_1, Type.Q8_0)
"""For rows that are no multiple of 256 values."""
_WEIGHTED = {Type.IQ1_S, Type.IQ1_M, Type.IQ2_XXS, Type.IQ2_XS, Type.IQ2_S, Type.IQ3_XXS}
"""Types that llama.cpp refuses without an importance matrix."""

Vector = NDArray[np.float32]
Importance = Mapping[str, Vector]
Damage = dict[str, Vector]


@dataclass(frozen=True, slots=True)
class Offer:
    """One type for one matrix: its bytes, and the damage that it does."""

    kind: Type
    bytes: int
    damage: float


def measure(tensors: Sequence[gguf.ReaderTensor], importance: Importance | None) -> Damage:
    """By the name of each matrix of a 16-bit GGUF file: the share of its outputs' energy (0 to 1) that each of its
    `candidates` loses, [candidates]. `importance` gives the mean square of each input column, [columns].
    """
    return {str(tensor.name): _losses(tensor, (importance or {}).get(tensor.name)) for tensor in tensors}


def plan(tensors: Sequence[gguf.ReaderTensor], importance: Importance | None, damage: Damage, budget: int) -> dict[str, int]:
    """The type of each matrix, for at most `budget` bytes in all; `damage` as `measure` found it.

    An error in the head or the embeddings counts as much as one in every layer together, since they stand alone.
    """
    layers = [int(match[1]) for tensor in tensors if (match := _LAYER.match(tensor.name))]
    offered = {}
    for tensor in tensors:
        match = _LAYER.match(tensor.name)
        number = int(match[1]) if match else None
        weight = float(len(layers)) if number is None else _ENDS if number in (min(layers), max(layers)) else 1.0
        kinds = candidates(int(tensor.shape[0]), weighted=tensor.name in (importance or {}))
        offered[str(tensor.name)] = [
            Offer(kind, row_bytes(kind, int(tensor.n_elements)), weight * float(lost))
            for kind, lost in zip(kinds, damage[str(tensor.name)], strict=True)
        ]
    return {name: int(kind) for name, kind in allocate(offered, budget).items()}


def candidates(columns: int, *, weighted: bool) -> list[Type]:
    """The types that rows of `columns` values can have; `weighted`: with an importance matrix."""
    kinds = _WIDE if columns % 256 == 0 else _NARROW
    return [kind for kind in kinds if columns % block_elements(kind) == 0 and (weighted or kind not in _WEIGHTED)]


def _losses(tensor: gguf.ReaderTensor, importance: Vector | None) -> Vector:
    """The share of the outputs' energy that each type loses on some rows, [candidates]."""
    matrix = np.asarray(tensor.data).reshape(-1, int(tensor.shape[0]))
    picked = np.linspace(0, len(matrix) - 1, min(ROWS, len(matrix)), dtype=int)
    rows = np.ascontiguousarray(matrix[picked], np.float32)
    squares = np.ones(rows.shape[1], np.float32) if importance is None else importance
    kinds = candidates(rows.shape[1], weighted=importance is not None)
    return np.array([lost_energy(rows, quantized(rows, kind, importance), squares) for kind in kinds], np.float32)


def allocate(offered: Mapping[str, Sequence[Offer]], budget: int) -> dict[str, Type]:
    """The type of each matrix, of least damage in total for at most `budget` bytes (or the smallest types if none fit)."""
    low, high = -60.0, 20.0  # logarithms of the price of a byte
    for _ in range(_STEPS):
        price = (low + high) / 2
        total = sum(_best(choice, price).bytes for choice in offered.values())
        low, high = (low, price) if total <= budget else (price, high)
    return {name: _best(choice, high).kind for name, choice in offered.items()}


def lost_energy(before: Vector, after: Vector, squares: Vector) -> float:
    """The share of the outputs' energy (0 to 1) that rows [rows, columns] lose, for independent inputs of these mean
    squares [columns].
    """
    whole = float((before**2 @ squares).sum())
    return float(((before - after) ** 2 @ squares).sum()) / whole if whole > 0 else 0.0


def quantized(rows: Vector, kind: Type, importance: Vector | None) -> Vector:
    """Rows [rows, columns] quantized by llama.cpp and dequantized to float32; `importance` is [columns]."""
    count, columns = rows.shape
    packed = np.empty((count, row_bytes(kind, columns)), np.uint8)
    floats, null = ctypes.POINTER(ctypes.c_float), None
    weights = null if importance is None else np.ascontiguousarray(importance, np.float32).ctypes.data_as(floats)
    quantize = libggml.ggml_quantize_chunk
    quantize.restype = ctypes.c_size_t
    quantize.argtypes = [ctypes.c_int, floats, ctypes.c_void_p, *[ctypes.c_int64] * 3, floats]
    quantize(int(kind), rows.ctypes.data_as(floats), packed.ctypes.data, 0, count, columns, weights)
    plain: Vector = gguf.quants.dequantize(packed, kind)
    return plain


def _best(choice: Sequence[Offer], price: float) -> Offer:
    return min(choice, key=lambda offer: offer.damage + float(np.exp(price)) * offer.bytes)
