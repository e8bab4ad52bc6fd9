"""The table of ggml types agrees with the gguf package and with llama.cpp."""

from __future__ import annotations

import ctypes

import gguf
import pytest
from llama_cpp._ggml import libggml
from llama_cpp.llama_cpp import GGML_TYPE_COUNT

from core.engines.ggml_types import NUMBERS, TYPES, bits, block_elements, row_bytes
from core.engines.host.options import KV_TYPES


def test_the_table_is_that_of_the_gguf_package() -> None:
    expected = {int(kind): (kind.name.lower(), *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}
    assert {number: tuple(kind) for number, kind in TYPES.items()} == expected


def test_sizes_are_those_of_llama_cpp() -> None:
    libggml.ggml_type_size.restype = ctypes.c_size_t
    libggml.ggml_blck_size.restype = ctypes.c_int64
    in_memory_only = {NUMBERS["q8_1"]}
    compared = 0
    for number, kind in TYPES.items():
        block = libggml.ggml_blck_size(number) if number < GGML_TYPE_COUNT else 0
        if block and number not in in_memory_only:  # llama.cpp drops a type now and then
            assert (block, libggml.ggml_type_size(number)) == kind[1:], kind.name
            compared += 1
    assert compared > 25


def test_sizes_of_rows_and_elements() -> None:
    assert row_bytes(NUMBERS["q4_0"], 64) == 36 and block_elements(NUMBERS["q6_k"]) == 256
    assert bits("q8_0") == 8.5 and bits("f16") == 16
    assert set(KV_TYPES) <= set(NUMBERS)
    for unknown in (-1, 4, 5, 10**9):
        with pytest.raises(ValueError, match="no ggml type"):
            row_bytes(unknown, 256)
