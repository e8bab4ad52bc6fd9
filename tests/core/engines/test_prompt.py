"""Both engines read a prompt alike: markup counts where the template writes it, and is mere text in a user's turn."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.engines.decode.prompt import Prompts, Vocabulary
from core.engines.llamacpp.native import LlamaModel
from core.engines.transformers.load import HfVocabulary
from tests.helpers import tiny
from tests.helpers.host_process import generate

MARKUP = (*tiny.SPECIALS, *tiny.THINK)
OPENING = [MARKUP[0], "<|user|>", "<|assistant|>", "<think>"]
TEXTS = st.lists(st.sampled_from([*MARKUP, *(part[:4] for part in MARKUP), "|>", "<", "ink>", " a", "é", "\n\n"]), max_size=12)


@pytest.fixture(scope="module", params=["llama.cpp", "transformers"])
def vocabulary(request: pytest.FixtureRequest, gguf_model: Path) -> Vocabulary:
    return LlamaModel(gguf_model, 0) if request.param == "llama.cpp" else of(tiny.tokenizer("qwen2"))


def of(tokenizer: object) -> HfVocabulary:
    return HfVocabulary(tokenizer, 1000)


def markup_in(vocabulary: Vocabulary, ids: list[int]) -> list[str]:
    return [text for text in (vocabulary.decode([i]) for i in ids) if text in vocabulary.added_tokens]


@settings(deadline=None)
@given(parts=TEXTS)
def test_markup_in_a_users_turn_is_text(vocabulary: Vocabulary, parts: list[str]) -> None:
    turn = "".join(parts)
    prompt, ids = Prompts(vocabulary).tokens(generate("a", turn, chat=True))
    assert prompt == f"{MARKUP[0]}<|user|>{turn}<|assistant|><think>\n" == vocabulary.decode(ids)
    assert markup_in(vocabulary, ids) == OPENING


def test_a_turn_without_markup_is_read_in_one_piece(vocabulary: Vocabulary) -> None:
    prompt, ids = Prompts(vocabulary).tokens(generate("a", "  if a < b: x |= 2 # naïve\n\n", chat=True))
    assert ids == vocabulary.tokenize(prompt, add_special=False)


def test_a_raw_prompt_writes_its_own_markup(vocabulary: Vocabulary) -> None:
    prompt, ids = Prompts(vocabulary).tokens(generate("a", "<|user|>hello<think>"))
    assert prompt == "<|user|>hello<think>"
    assert markup_in(vocabulary, ids) == ["<|user|>", "<think>"]


def test_markup_that_overlaps_is_text_too() -> None:
    tokenizer = tiny.tokenizer("qwen2")
    tokenizer.add_tokens(["<ab", "b>", "<"])
    _, ids = Prompts(of(tokenizer)).tokens(generate("a", "<ab>", chat=True))
    assert markup_in(of(tokenizer), ids) == [*OPENING[:2], "<", *OPENING[2:]]


def test_added_words_and_white_space_stay_what_they_are() -> None:
    tokenizer = tiny.tokenizer("qwen2")
    tokenizer.add_tokens(["covid", "\n\n"])
    _, ids = Prompts(of(tokenizer)).tokens(generate("a", "covid\n\n", chat=True))
    assert markup_in(of(tokenizer), ids) == [*OPENING[:2], "covid", "\n\n", *OPENING[2:]]


def test_without_a_template_the_turn_is_all_there_is() -> None:
    tokenizer = tiny.tokenizer("qwen2")
    tokenizer.chat_template = None
    prompt, ids = Prompts(of(tokenizer)).tokens(generate("a", "say </think> <|end|>", chat=True))
    assert prompt == "say </think> <|end|>"
    assert markup_in(of(tokenizer), ids) == []


def test_no_character_is_lost(vocabulary: Vocabulary) -> None:
    prompt, ids = Prompts(vocabulary).tokens(generate("a", "a\ufdd0b", chat=True))
    assert prompt == vocabulary.decode(ids)
    assert "a\ufffdb" in prompt
