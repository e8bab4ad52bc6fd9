"""Facts count the whole model: all parts of a split file, and what links of a cache point to."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from core.compress.facts import facts
from core.engines.llamacpp.native import LlamaModel
from core.engines.model_shape import gguf_shape
from core.errors import ModelError
from core.files.content import sha256
from tests.helpers.split_gguf import split


@pytest.fixture
def f16_gguf(tmp_path: Path) -> Path:
    """Two linear layers, in one of which a quarter is zero, as a file that only facts are asked of."""
    path = tmp_path / "two.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    for number, zeros in ((0, 0), (1, 16)):
        weights = np.ones((8, 8), np.float16)
        weights.flat[:zeros] = 0
        writer.add_tensor(f"blk.{number}.ffn_up.weight", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def listing(files: list[Path]) -> str:
    """The hash of a listing as sha256sum would print it."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_a_split_model_has_the_facts_of_the_whole(f16_gguf: Path, tmp_path: Path) -> None:
    whole, files = facts(f16_gguf), split(f16_gguf, tmp_path / "parts", 2)
    total = sum(file.stat().st_size for file in files)
    assert facts(files[0]) == replace(whole, sha256=listing(files), bytes=total)
    assert whole.sparsity == 0.125 and whole.parameters == 128
    assert sha256(f16_gguf) == hashlib.sha256(f16_gguf.read_bytes()).hexdigest()


def test_a_changed_later_part_changes_the_hash(f16_gguf: Path, tmp_path: Path) -> None:
    files = split(f16_gguf, tmp_path / "parts", 2)
    before = sha256(files[0])
    data = bytearray(files[1].read_bytes())
    data[-1] ^= 1
    files[1].write_bytes(data)
    assert sha256(files[0]) != before


def test_a_missing_part_is_named(f16_gguf: Path, tmp_path: Path) -> None:
    files = split(f16_gguf, tmp_path / "parts", 3)
    files[2].unlink()
    for ask in (facts, sha256):
        with pytest.raises(ModelError, match=r"first of 3 files, and two-00003-of-00003\.gguf is missing"):
            ask(files[0])


def test_a_later_or_renamed_part_is_refused(f16_gguf: Path, tmp_path: Path) -> None:
    files = split(f16_gguf, tmp_path / "parts", 2)
    with pytest.raises(ModelError, match=r"part 2 of a model in 2 files: name the first, two-00001-of-00002\.gguf"):
        facts(files[1])
    renamed = files[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(ModelError, match=r"one of 2 parts"):
        facts(renamed)


def test_llama_cpp_loads_what_was_split(gguf_model: Path, tmp_path: Path) -> None:
    files = split(gguf_model, tmp_path / "parts", 3)
    assert LlamaModel(files[0], 0).vocab_size == LlamaModel(gguf_model, 0).vocab_size
    assert facts(files[0]).parameters == facts(gguf_model).parameters
    assert gguf_shape(files[0]).weights == sum(file.stat().st_size for file in files)


def test_a_cache_of_links_is_read_by_its_names(f16_gguf: Path, hf_model: Path, tmp_path: Path) -> None:
    files = split(f16_gguf, tmp_path / "parts", 2)
    linked = [linked_blob(file, tmp_path / "cache") for file in files]
    assert facts(linked[0]) == facts(files[0])
    folder = {linked_blob(file, tmp_path / "hub").parent for file in hf_model.iterdir()}.pop()
    assert facts(folder) == facts(hf_model)


def linked_blob(file: Path, cache: Path) -> Path:
    """The file as a hub's cache holds it: a link in a snapshot, whose target is named after the hash."""
    blob = cache / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(file.read_bytes())
    link = cache / "snapshots" / "0a1b2c" / file.name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path("../../blobs") / blob.name)
    return link
