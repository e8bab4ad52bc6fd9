"""What the embedded models learn from: the recipe of a training, and the endless stream of batches that it describes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from benchmarks.pocket import arithmetic, facts, logic, temporal
from benchmarks.pocket.sample import Sample, draw
from benchmarks.prompts import PromptTemplate, load_template
from core.engines.thinking import THINK_END
from training import copying, tokenizer

PROMPT_WEIGHT = 0.1  # of the prompt's tokens in the loss; the model's own count 1
RECITED = 12  # facts of a recital
PER_BATCH = {"cpu": 3, "cuda": 12}  # samples; small batches pad less, a GPU needs large ones
ROUNDED = 16  # widths are multiples of it, so that few shapes are compiled
Generator = Callable[[random.Random], Sample]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the weights, besides the code."""

    shape: str = "teacher"
    seed: int = 1
    steps: int = 1100
    streams: int = 2
    start: str | None = None
    compiled: bool = False  # half as fast again, after minutes of compiling
    muon_rate: float = 0.02
    adam_rate: float = 0.003
    warmup: int = 50
    decay_from: float = 0.4
    known_words_until: float = 0.3  # share of the steps in which temporal has no word to spell
    first_until: float = 0.03  # share of the steps in which there is nothing but the first exercise
    copying_until: float = 0.1  # share of the steps in which there is nothing but exercises
    exercises: tuple[tuple[str, int], ...] = (("passage", 24), ("keys", 24))
    # Samples of each kind in one step of one process, once the exercises are done.
    mix: tuple[tuple[str, int], ...] = (
        ("passage", 4),
        ("keys", 4),
        ("temporal", 6),
        ("logic", 8),
        ("arithmetic", 8),
        ("facts", 5),
        ("single", 3),
        ("recital", 3),
    )
    late_from: float = 0.5
    late_mix: tuple[tuple[str, int], ...] = (
        ("passage", 1),
        ("keys", 1),
        ("temporal", 8),
        ("logic", 8),
        ("arithmetic", 8),
        ("facts", 5),
        ("single", 3),
        ("recital", 3),
    )
    late_weight_of_temporal: float = 2.0


# A model that was grown knows how to copy, to spell and to keep times.
GROWN_MIX = (("temporal", 4), ("logic", 10), ("arithmetic", 8), ("facts", 5), ("single", 3), ("recital", 4))
GROWN: Mapping[str, Any] = {
    "steps": 900,
    "decay_from": 0.3,
    "known_words_until": 0.0,
    "copying_until": 0.0,
    "mix": GROWN_MIX,
    "late_mix": GROWN_MIX,
    "late_weight_of_temporal": 1.0,
}
KINDS: dict[str, tuple[Generator, str]] = {
    "temporal": (temporal.generate, "temporal"),
    "logic": (logic.generate, "folio"),
    "arithmetic": (arithmetic.generate, "aime"),
    "facts": (facts.generate, "musique"),
    "single": (facts.single, "musique"),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of similar length, padded to the right.

    `kinds` [rows] indexes the mix of the step; `ids` and `weights` are [rows, tokens]; `shares` [rows] scale each row's loss.
    """

    kinds: Tensor
    ids: Tensor
    weights: Tensor
    shares: Tensor

    def to(self, device: str) -> Batch:
        """The batch on another device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


class Corpus:
    """An endless stream of batches, the same for the same seed, stream and step."""

    def __init__(self, coder: PreTrainedTokenizerFast, recipe: Recipe, stream: int, device: str = "cpu") -> None:
        self.coder, self.recipe, self.stream, self.per_batch = coder, recipe, stream, PER_BATCH[device]
        vocabulary: dict[str, int] = coder.get_vocab()
        self.digits = sorted(vocabulary[digit] for digit in "0123456789")
        self.words = sorted(number for token, number in vocabulary.items() if re.fullmatch("Ġ[A-Za-z]+|[0-9]+|am|pm", token))
        self.templates: dict[str, PromptTemplate] = {key: load_template(key) for _, key in KINDS.values()}

    def batches(self, step: int) -> list[Batch]:
        """The samples of a step in batches of similar length. Each kind has the same weight in the loss."""
        rng = random.Random(f"{self.recipe.seed}-{self.stream}-{step}")
        done = step / self.recipe.steps
        rows = []
        for kind, (name, count) in enumerate(self.mix(step)):
            drawn = [self._encode(name, rng, done) for _ in range(count)]
            share = self._weight(name, done) / sum(sum(weights) for _, weights in drawn)
            rows += [(kind, ids, weights, share) for ids, weights in drawn]
        rows.sort(key=lambda row: len(row[1]))
        return [self._batch(rows[cut : cut + self.per_batch]) for cut in range(0, len(rows), self.per_batch)]

    def mix(self, step: int) -> tuple[tuple[str, int], ...]:
        """The kinds of samples of a step, and how many of each."""
        done = step / self.recipe.steps
        if done < self.recipe.copying_until:
            return self.recipe.exercises
        return self.recipe.mix if done < self.recipe.late_from else self.recipe.late_mix

    def _weight(self, kind: str, done: float) -> float:
        return self.recipe.late_weight_of_temporal if kind == "temporal" and done >= self.recipe.late_from else 1.0

    def _encode(self, kind: str, rng: random.Random, done: float) -> tuple[list[int], list[float]]:
        if kind in ("passage", "keys"):
            ids, known = self._exercise(kind, rng, done)
            return ids, [float(k) for k in known]
        if kind == "recital":
            return self._recital(rng)
        generate, key = KINDS[kind]
        if kind == "temporal" and done < self.recipe.known_words_until:
            generate = partial(temporal.generate, novelty=0.0)
        sample = generate(rng) if kind == "single" else draw(generate, rng, "train")
        turn = [{"role": "user", "content": self.templates[key].fill(sample.fields)}]
        prompt = self.coder.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
        question = self.coder(prompt, add_special_tokens=False).input_ids
        output = self.coder(f"{sample.thinking}{THINK_END}\n{sample.answer}{tokenizer.EOS}").input_ids
        return question + output, [PROMPT_WEIGHT] * len(question) + [1.0] * len(output)

    def _exercise(self, kind: str, rng: random.Random, done: float) -> copying.Exercise:
        if done < self.recipe.first_until:
            return copying.first_passage(rng, self.words)
        return (copying.passage if kind == "passage" else copying.keys)(rng, self.words, self.digits)

    def _recital(self, rng: random.Random) -> tuple[list[int], list[float]]:
        """Token ids and weights: only the values of the facts can be predicted."""
        ids: list[int] = []
        weights: list[float] = []
        for begun, value in facts.recital(rng, RECITED):
            start, end = (self.coder(part, add_special_tokens=False).input_ids for part in (begun, value))
            ids += start + end
            weights += [0.0] * len(start) + [1.0] * len(end)
        return ids, weights

    def _batch(self, rows: list[tuple[int, list[int], list[float], float]]) -> Batch:
        width = -(-max(len(ids) for _, ids, _, _ in rows) // ROUNDED) * ROUNDED
        pad = self.coder.eos_token_id
        ids = torch.tensor([ids + [pad] * (width - len(ids)) for _, ids, _, _ in rows])
        weights = torch.tensor([weights + [0.0] * (width - len(weights)) for _, _, weights, _ in rows])
        shares = torch.tensor([share for _, _, _, share in rows])
        return Batch(torch.tensor([kind for kind, _, _, _ in rows]), ids, weights, shares)
