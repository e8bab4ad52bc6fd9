"""Exported GGUF files behave in llama.cpp as their source does in transformers: same tokens, same logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from core.compress.gguf.export import export_folder
from core.compress.hf_folder import HfFolder
from core.engines.llamacpp.native import LlamaContext, LlamaModel
from core.errors import ModelError
from tests.helpers import tiny

POCKET = Path(__file__).parents[4] / "benchmarks" / "pocket" / "weights"
PROMPTS = ["The cat sat", "Premises: 12 of 345 people\n\nThen what? \\boxed{7}", "x" * 150]
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
MODELS: dict[str, dict[str, Any]] = {
    "qwen2": {"family": "qwen2", "split": "qwen2"},
    "qwen2-tied": {"family": "qwen2", "split": "llama3", "tie_word_embeddings": True},
    "llama": {"family": "llama", "split": "llama3"},
    "llama-biased": {"family": "llama", "split": "gpt2", "attention_bias": True},
    "llama-rope": {"family": "llama", "split": "smollm", "rope_parameters": LLAMA3_ROPE},
}


def export(folder: Path) -> Path:
    target = folder.with_suffix(".gguf")
    export_folder(HfFolder.open(folder), target, lambda done, total, message: None)
    return target


def llama_logits(file: Path, ids: list[int]) -> NDArray[np.float32]:
    context = LlamaContext(LlamaModel(file, 0), 1, 512, 256, 1)
    rows = []
    for position, token in enumerate(ids):
        context.add(0, [token], position, want_logits=True)
        rows.append(context.decode()[0].copy())
    return np.stack(rows)


@pytest.mark.parametrize("name", MODELS)
def test_logits_equal_those_of_transformers(name: str, tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / name, **MODELS[name])
    file = export(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt)
        with torch.no_grad():
            expected = model(torch.tensor([ids])).logits[0].numpy()
        actual = llama_logits(file, ids)
        error = np.abs(actual - expected).max()
        assert error < 0.03 * expected.std()
        likeliest = np.take_along_axis(expected, actual.argmax(-1)[:, None], -1)[:, 0]
        assert (expected.max(-1) - likeliest <= 2 * error).all()  # random weights give near ties
        assert (actual.argmax(-1) == expected.argmax(-1)).mean() > 0.95


def test_the_embedded_model_chooses_the_same_tokens(tmp_path: Path) -> None:
    folder = POCKET / "teacher"
    if not folder.is_dir():
        pytest.skip(f"no embedded weights in {folder}")
    file = tmp_path / "teacher.gguf"
    export_folder(HfFolder.open(folder), file, lambda done, total, message: None)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Start with 5. Add 7. What is the result?"}],
        add_generation_prompt=True,
        tokenize=False,
    )
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    assert LlamaModel(file, 0).tokenize(prompt, add_special=False) == ids
    with torch.no_grad():
        ids = model.generate(torch.tensor([ids]), max_new_tokens=64, do_sample=False)[0].tolist()
        expected = model(torch.tensor([ids])).logits[0].numpy()
    actual = llama_logits(file, ids)
    assert np.abs(actual - expected).max() < 0.02 * expected.std()
    assert (actual.argmax(-1) == expected.argmax(-1)).all()


@pytest.fixture(scope="module", params=["qwen2", "llama3", "gpt2", "smollm"])
def tokenizers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, LlamaModel]:
    folder = tiny.save_model(tmp_path_factory.mktemp("vocab") / request.param, split=request.param)
    return PreTrainedTokenizerFast.from_pretrained(folder), LlamaModel(export(folder), 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60) | st.text("ab's12 \n\r\t.,日é{}\\<think>", max_size=60) | st.sampled_from(tiny.CORPUS))
def test_tokens_equal_those_of_transformers(tokenizers: tuple[Any, LlamaModel], text: str) -> None:
    theirs, ours = tokenizers
    text = text.replace("\0", "")
    ids = theirs.encode(text, add_special_tokens=False)
    assert ours.tokenize(text, add_special=False) == ids
    assert b"".join(map(ours.piece, ids)).decode() == text


def test_merges_apply_to_whole_words_too_where_the_tokenizer_says_so(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "merged", split="llama3")
    fast = tiny.tokenizer("llama3", ignore_merges=False)
    fast.save_pretrained(folder)
    model = LlamaModel(export(folder), 0)
    for text in tiny.CORPUS:
        assert model.tokenize(text, add_special=False) == fast.encode(text, add_special_tokens=False)


def test_special_tokens_and_template_travel(hf_model: Path, gguf_model: Path) -> None:
    model = LlamaModel(gguf_model, 0)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(hf_model)
    assert model.chat_template == tiny.CHAT_TEMPLATE
    assert model.special_tokens == {"bos_token": tiny.SPECIALS[0], "eos_token": tiny.SPECIALS[1]}
    assert tokenizer.eos_token_id in model.end_ids
    text = "<|user|>hello<think>so</think>"
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert model.tokenize(text, add_special=False) == ids
    assert [model.piece(i) for i in ids][-1] == b"</think>"


def edit(folder: Path, name: str, **changes: Any) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(content | changes))


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("tokenizer.json", {"pre_tokenizer": {"type": "Whitespace"}}, "split text"),
        ("tokenizer.json", {"normalizer": {"type": "Lowercase"}}, "changes text"),
        ("tokenizer.json", {"model": {"type": "WordLevel"}}, "not byte-level BPE"),
        ("config.json", {"model_type": "gpt2"}, "'gpt2'"),
        ("config.json", {"vocab_size": 300}, "beyond the 300 rows"),
    ],
)
def test_what_llama_cpp_could_not_repeat_is_refused(tmp_path: Path, file: str, changes: dict[str, Any], message: str) -> None:
    folder = tiny.save_model(tmp_path / "model")
    edit(folder, file, **changes)
    with pytest.raises(ModelError, match=message):
        export(folder)


def test_scaled_rotary_embedding_that_is_not_known_is_refused(tmp_path: Path) -> None:
    rope = {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}
    folder = tiny.save_model(tmp_path / "model", family="llama", split="llama3", rope_parameters=rope)
    with pytest.raises(ModelError, match="dynamic"):
        export(folder)
