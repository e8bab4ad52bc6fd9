"""The header reader agrees with the gguf package and sees every kind of damage."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.compress.facts import gguf_tensors
from core.engines.gguf_header import BadGguf, read_facts, read_tensors


def test_tensors_are_those_that_the_gguf_package_reads(gguf_model: Path) -> None:
    expected = [(t.name, int(t.n_elements), int(t.data_offset)) for t in gguf.GGUFReader(gguf_model).tensors]
    assert [(t.name, t.elements, t.start) for t in read_tensors(gguf_model)] == expected


def test_a_public_model_is_read(smollm_gguf: Path) -> None:
    assert sum(t.elements for t in gguf_tensors(smollm_gguf)) == 134_515_008


@given(share=st.floats(0, 0.9999))
def test_every_truncation_is_seen(gguf_model: Path, tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    whole = gguf_model.read_bytes()
    cut = tmp_path_factory.mktemp("cut") / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadGguf, match=r"truncated|letters GGUF"):
        read_tensors(cut)


@given(position=st.integers(4, 2000), value=st.integers(0, 255))
def test_a_damaged_header_never_crashes_the_reader(
    gguf_model: Path, tmp_path_factory: pytest.TempPathFactory, position: int, value: int
) -> None:
    data = bytearray(gguf_model.read_bytes())
    data[position] = value
    file = tmp_path_factory.mktemp("bad") / "bad.gguf"
    file.write_bytes(data)
    try:
        read_tensors(file)
    except BadGguf as error:
        assert "bad.gguf" in str(error)


@pytest.mark.parametrize("counts", [(2**40, 0), (0, 2**40)])
def test_a_header_that_announces_too_much_is_refused_at_once(tmp_path: Path, counts: tuple[int, int]) -> None:
    path = tmp_path / "sparse.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, *counts))
        file.truncate(20 * 2**30)
    with pytest.raises(BadGguf, match="damaged"):
        read_tensors(path)


@pytest.mark.parametrize(
    "value", [struct.pack("<IIQ", 9, 8, 2**40), struct.pack("<IIQ", 9, 9, 2**40), struct.pack("<IQ", 8, 2**29)]
)
def test_a_value_that_announces_too_much_is_refused_at_once(tmp_path: Path, value: bytes) -> None:
    path = tmp_path / "sparse.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 1) + b"k" + value)
        file.truncate(20 * 2**30)
    for whole in ((), ("k",)):
        with pytest.raises(BadGguf, match="damaged"):
            read_facts(path, whole)
