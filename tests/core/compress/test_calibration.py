"""Text to calibrate on: files are taken in, sequences are cut as asked, and what is missing is said."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from core.compress.calibration import adopted, load_tokenizer, text
from core.compress.hf_folder import HfFolder
from core.compress.recipes import Calibration, parse
from core.errors import DataError, UsageError
from tests.helpers import tiny

WORDS = "The cat sat on the mat, and 12 dogs did not.\n" * 300


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "My words.txt"
    path.write_text(WORDS)
    return path


@pytest.mark.parametrize("size", ["", "-3x32"])
def test_a_file_becomes_its_hash_and_lasts_when_it_is_gone(hf_model: Path, file: Path, store: Path, size: str) -> None:
    name = adopted(f"sparsegpt-50+q4_0@{file}{size}", store)
    digest = hashlib.sha256(WORDS.encode()).hexdigest()[:12]
    assert name == f"sparsegpt-50+q4_0@text-{digest}{size}"
    file.unlink()
    found = text(HfFolder.open(hf_model), parse(name).calibration, store)
    assert {len(row) for row in found.sequences} == {32 if size else 512}  # 512: all that the model's context holds
    assert found.record["sequences"] == len(found.sequences)
    assert found.sequences[0].tolist() == text(HfFolder.open(hf_model), parse(name).calibration, store).sequences[0].tolist()


@pytest.mark.parametrize("name", ["none", "q4_0", "wanda-50@traces", "wanda-50@C4-16x256", "wanda-50@text-0123456789ab"])
def test_other_names_stay_as_they_are(store: Path, name: str) -> None:
    assert adopted(name, store) == name


def test_no_such_file_is_said_and_a_folder_is_none(store: Path, tmp_path: Path) -> None:
    for wrong in (tmp_path / "absent.txt", tmp_path):
        with pytest.raises(UsageError, match="No text to calibrate on") as caught:
            adopted(f"wanda-50@{wrong}", store)
        assert "traces" in caught.value.remedy


def test_text_is_cut_into_tokens_as_the_file_says_and_not_as_the_family_does(tmp_path: Path) -> None:
    """R1's Qwen students split numbers as Llama does; transformers' class for the family would split every digit."""
    folder = tiny.save_model(tmp_path / "model", family="qwen2", split="llama3")
    words = "In 1234567 years, there'll be 89 more."
    expected = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(words).ids
    assert load_tokenizer(folder)(words, add_special_tokens=False).input_ids == expected


def test_too_little_text_is_said(hf_model: Path, store: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("Too short.")
    wanted = parse(adopted(f"wanda-50@{short}-2x64", store)).calibration
    with pytest.raises(DataError, match="less than 64 tokens"):
        text(HfFolder.open(hf_model), wanted, store)


def test_without_the_hub_c4_says_what_to_do(hf_model: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError, match="C4 cannot be read") as caught:
        text(HfFolder.open(hf_model), Calibration("c4"), store)
    assert "@traces" in caught.value.remedy
