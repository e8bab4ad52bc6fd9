"""How many bytes the values of a ggml type take: the one table of types, for files, caches and estimates.

The numbers are those of ggml's `ggml_type`, the sizes those of its blocks; a test holds them equal to the gguf package's.
"""

from __future__ import annotations

from typing import NamedTuple


class GgmlType(NamedTuple):
    """A type's name, and the elements and bytes of one of its blocks."""

    name: str
    elements: int
    bytes: int


TYPES = {
    0: GgmlType("f32", 1, 4),
    1: GgmlType("f16", 1, 2),
    2: GgmlType("q4_0", 32, 18),
    3: GgmlType("q4_1", 32, 20),
    6: GgmlType("q5_0", 32, 22),
    7: GgmlType("q5_1", 32, 24),
    8: GgmlType("q8_0", 32, 34),
    9: GgmlType("q8_1", 32, 40),
    10: GgmlType("q2_k", 256, 84),
    11: GgmlType("q3_k", 256, 110),
    12: GgmlType("q4_k", 256, 144),
    13: GgmlType("q5_k", 256, 176),
    14: GgmlType("q6_k", 256, 210),
    15: GgmlType("q8_k", 256, 292),
    16: GgmlType("iq2_xxs", 256, 66),
    17: GgmlType("iq2_xs", 256, 74),
    18: GgmlType("iq3_xxs", 256, 98),
    19: GgmlType("iq1_s", 256, 50),
    20: GgmlType("iq4_nl", 32, 18),
    21: GgmlType("iq3_s", 256, 110),
    22: GgmlType("iq2_s", 256, 82),
    23: GgmlType("iq4_xs", 256, 136),
    24: GgmlType("i8", 1, 1),
    25: GgmlType("i16", 1, 2),
    26: GgmlType("i32", 1, 4),
    27: GgmlType("i64", 1, 8),
    28: GgmlType("f64", 1, 8),
    29: GgmlType("iq1_m", 256, 56),
    30: GgmlType("bf16", 1, 2),
    34: GgmlType("tq1_0", 256, 54),
    35: GgmlType("tq2_0", 256, 66),
    39: GgmlType("mxfp4", 32, 17),
    40: GgmlType("nvfp4", 64, 36),
    41: GgmlType("q1_0", 128, 18),
}
"""By the number that a GGUF file names a type with."""
NUMBERS = {kind.name: number for number, kind in TYPES.items()}


def block_elements(kind: int) -> int:
    """Elements of a block of a ggml type. Raises ValueError for an unknown type."""
    return _type(kind).elements


def row_bytes(kind: int, elements: int) -> int:
    """Bytes of so many elements (whole blocks) of a ggml type. Raises ValueError for an unknown type."""
    return elements // _type(kind).elements * _type(kind).bytes


def bits(name: str) -> float:
    """Bits of one element of the type with this name, its share of the block's scales included. Raises KeyError."""
    kind = TYPES[NUMBERS[name]]
    return 8 * kind.bytes / kind.elements


def _type(kind: int) -> GgmlType:
    if kind not in TYPES:
        raise ValueError(f"There is no ggml type {kind}.")
    return TYPES[kind]
