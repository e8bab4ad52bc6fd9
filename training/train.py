"""Train a model of the embedded family from its seed: `python -m training.train --shape seedling --out DIR`.

Two streams of samples make every step: on a CPU each has a process of one thread (gloo), a GPU takes both in turn. A killed run
goes on from its last checkpoint.
Hidden matrices learn with Muon, everything else with AdamW. The loss counts the model's own tokens in full and the
prompt's a little: its repeated names and places teach copying.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from benchmarks.pocket import arithmetic, facts, logic, temporal
from benchmarks.pocket.sample import Sample, draw
from benchmarks.prompts import PromptTemplate, load_template
from training import circuit, copying, growth, tokenizer
from training.muon import Muon

# Teacher and student both begin as the seedling, one by growth, the other by distillation. Rows of the teacher's matrices are
# multiples of 256 long, as llama.cpp's K and I types want them.
SHAPES = {
    "seedling": {"hidden_size": 128, "num_hidden_layers": 5, "intermediate_size": 384},
    "teacher": {"hidden_size": 256, "num_hidden_layers": 5, "intermediate_size": 512},
}
HEADS = 4
CONTEXT = 2048
PROMPT_WEIGHT = 0.1
RECITED = 12  # facts of a recital
PER_BATCH = {"cpu": 3, "cuda": 12}  # small ones are filled up less; a GPU wants large ones
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
    """Rows of like length: the kind of each, token ids and weights [rows, tokens] padded to the right, shares of the loss."""

    kinds: Tensor
    ids: Tensor
    weights: Tensor
    shares: Tensor

    def to(self, device: str) -> Batch:
        """The same batch where the model is."""
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
        """The samples of a step in batches of like length. The losses of each kind weigh as much as those of any other."""
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
        asked = self.coder(prompt, add_special_tokens=False).input_ids
        told = self.coder(f"{sample.thinking}{tokenizer.THINK_END}\n{sample.answer}{tokenizer.EOS}").input_ids
        return asked + told, [PROMPT_WEIGHT] * len(asked) + [1.0] * len(told)

    def _exercise(self, kind: str, rng: random.Random, done: float) -> copying.Exercise:
        if done < self.recipe.first_until:
            return copying.first_passage(rng, self.words)
        return (copying.passage if kind == "passage" else copying.keys)(rng, self.words, self.digits)

    def _recital(self, rng: random.Random) -> tuple[list[int], list[float]]:
        """Only the facts' values can be known."""
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


def losses(model: Qwen2ForCausalLM, ids: Tensor, weights: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted cross-entropy in nats, and for each row the sum over the model's own tokens."""
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    each = functional.cross_entropy(logits.transpose(1, 2).float(), ids[:, 1:], reduction="none")
    weights = weights[:, 1:]
    return (each * weights * shares[:, None]).sum(), (each.detach() * (weights == 1)).sum(1)


def new_model(coder: PreTrainedTokenizerFast, shape: str, seed: int, start: str | None = None) -> Qwen2ForCausalLM:
    """A model of a shape of SHAPES before the first step: with a circuit laid out, or grown from the model in `start`."""
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(coder),
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": circuit.ROPE_BASE},
        tie_word_embeddings=True,
        bos_token_id=coder.bos_token_id,
        eos_token_id=coder.eos_token_id,
        pad_token_id=coder.pad_token_id,
        **SHAPES[shape],
    )
    model = Qwen2ForCausalLM(config)
    if start is None:
        circuit.lay_out(model)
    else:
        narrow = Qwen2ForCausalLM.from_pretrained(start, dtype=torch.float32)
        growth.grow(narrow, PreTrainedTokenizerFast.from_pretrained(start), model, coder)
    return model


def products(device: str) -> torch.dtype:
    """The number format of products. A processor without those in bfloat16 takes fifty times as long for them as in float32."""
    fast = device == "cuda" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if fast else torch.float32


def optimizers(model: Qwen2ForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices between embedding and head, AdamW for the rest."""
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        Muon(hidden, lr=recipe.muon_rate, weight_decay=0.01, dtype=products(model.device.type)),
        torch.optim.AdamW(others, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def rate(recipe: Recipe, step: int) -> float:
    """The share of the full learning rate: a short rise, a plateau, then a line to zero."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    fallen = max(0.0, step / recipe.steps - recipe.decay_from) / (1 - recipe.decay_from)
    return max(0.01, 1 - fallen)


def _train(process: int, processes: int, recipe: Recipe, out: Path) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = products(device) == torch.bfloat16
    torch.set_num_threads(1)
    if processes > 1:
        meeting = f"file://{out.resolve() / 'rendezvous'}"
        dist.init_process_group("gloo", init_method=meeting, rank=process, world_size=processes)
    coder = tokenizer.build()
    model = new_model(coder, recipe.shape, recipe.seed, recipe.start).to(device)
    corpora = [Corpus(coder, recipe, stream, device) for stream in range(process, recipe.streams, processes)]
    steps = optimizers(model, recipe)
    bases = [group["lr"] for optimizer in steps for group in optimizer.param_groups]
    first = _resume(model, steps, out)
    model.set_attn_implementation("eager" if device == "cpu" else "sdpa")  # the fused one's backward pass is slow on CPUs
    measured = torch.compile(losses, dynamic=True) if recipe.compiled else losses
    began, seen = time.monotonic(), 0
    for step in range(first, recipe.steps):
        for base, group in zip(bases, (g for o in steps for g in o.param_groups), strict=True):
            group["lr"] = base * rate(recipe, step)
        told = torch.zeros(len(corpora[0].mix(step)), 2, device=device)
        for batch in (batch.to(device) for corpus in corpora for batch in corpus.batches(step)):
            with torch.autocast(device, torch.bfloat16, enabled=half):  # weights and gradients stay float32
                loss, own = measured(model, batch.ids, batch.weights, batch.shares)
            (loss / recipe.streams).backward()
            told.index_add_(0, batch.kinds, torch.stack((own, (batch.weights == 1).sum(1)), dim=1))
            seen += batch.ids.numel()
        if processes > 1:
            _share_gradients(model)
        for optimizer in steps:
            optimizer.step()
            optimizer.zero_grad()
        if process == 0 and (step % 10 == 0 or step + 1 == recipe.steps):
            means = (told[:, 0] / told[:, 1]).tolist()
            named = {name: mean for (name, _), mean in zip(corpora[0].mix(step), means, strict=True)}
            _report(step, recipe, named, seen, time.monotonic() - began, first)
        if process == 0 and ((step + 1) % 25 == 0 or step + 1 == recipe.steps):
            _save(model, coder, steps, step + 1, out, recipe.shape)


def _share_gradients(model: Qwen2ForCausalLM) -> None:
    """Every process gets the sum of all gradients."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def _report(step: int, recipe: Recipe, told: dict[str, float], seen: int, passed: float, first: int) -> None:
    left = passed / (step + 1 - first) * (recipe.steps - step - 1)
    print(
        f"step {step + 1}/{recipe.steps}  {'  '.join(f'{kind} {loss:.4f}' for kind, loss in told.items())}  "
        f"{seen / passed:,.0f} tokens/s a process  {left / 60:.0f} min left",
        flush=True,
    )


def _resume(model: Qwen2ForCausalLM, steps: list[torch.optim.Optimizer], out: Path) -> int:
    file = out / "checkpoint.pt"
    if not file.exists():
        return 0
    state = torch.load(file, weights_only=True, map_location=model.device)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(steps, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"])


def _save(
    model: Qwen2ForCausalLM, coder: PreTrainedTokenizerFast, steps: list[torch.optim.Optimizer], step: int, out: Path, name: str
) -> None:
    state = {"step": step, "model": model.state_dict(), "optimizers": [o.state_dict() for o in steps]}
    torch.save(state, out / "checkpoint.tmp")
    os.replace(out / "checkpoint.tmp", out / "checkpoint.pt")
    folder = out / name
    half = Qwen2ForCausalLM(model.config)
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(folder)
    coder.save_pretrained(folder)


def main() -> None:
    """Train to the last step, or go on from the checkpoint in the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default=Recipe().shape)
    parser.add_argument("--steps", type=int, help="instead of the recipe's own number")
    parser.add_argument("--compile", action="store_true", help="compile first: minutes that pay in a long training")
    parser.add_argument("--start", help="the folder of a narrower model to grow from")
    parser.add_argument("--processes", type=int, choices=(1, 2), help="that share the work (two; on a GPU one)")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    given = parser.parse_args()
    recipe = Recipe(given.shape, given.seed, start=given.start, **(GROWN if given.start else {}))
    recipe = replace(recipe, steps=given.steps or recipe.steps, compiled=given.compile)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "rendezvous").unlink(missing_ok=True)
    (given.out / "recipe.json").write_text(json.dumps(asdict(recipe)))
    processes = given.processes or (1 if torch.cuda.is_available() else recipe.streams)
    mp.spawn(_train, args=(processes, recipe, given.out), nprocs=processes)


if __name__ == "__main__":
    main()
