"""The embedded model at work, without the engines: words that it has never seen, and what its shape promises."""

from __future__ import annotations

import random
from functools import partial

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from benchmarks.pocket import temporal, weights_dir
from benchmarks.pocket.sample import draw
from benchmarks.pocket.suite import PocketTemporal
from benchmarks.prompts import load_template

QUESTIONS = 16


def test_names_activities_and_places_may_all_be_new() -> None:
    """Every word in the slots is made up, and none has a token: at least 14 of 16 are right all the same."""
    coder = PreTrainedTokenizerFast.from_pretrained(weights_dir(), padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(weights_dir(), dtype=torch.float32)
    rng = random.Random(20)
    samples = [draw(partial(temporal.generate, novelty=1.0), rng, "test") for _ in range(QUESTIONS)]
    template = load_template("temporal")
    turns = [[{"role": "user", "content": template.fill(sample.fields)}] for sample in samples]
    prompts = [coder.apply_chat_template(turn, add_generation_prompt=True, tokenize=False) for turn in turns]
    asked = coder(prompts, add_special_tokens=False, padding=True, return_tensors="pt")
    written = model.generate(**asked, max_new_tokens=400, do_sample=False)[:, asked.input_ids.shape[1] :]
    answers = [text.partition("</think>")[2] for text in coder.batch_decode(written, skip_special_tokens=True)]
    grades = [PocketTemporal().grade(answer, sample.item()) for answer, sample in zip(answers, samples, strict=True)]
    assert sum(bool(grade.correct) for grade in grades) >= 14


def test_rows_are_as_long_as_small_types_want_them() -> None:
    """K and I types of llama.cpp take blocks of 256 weights; a shorter row falls back to another type."""
    model = AutoModelForCausalLM.from_pretrained(weights_dir())
    assert {row.shape[1] % 256 for row in model.parameters() if row.ndim == 2} == {0}
