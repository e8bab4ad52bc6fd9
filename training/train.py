"""Train a model of the embedded family from its seed: `python -m training.train --shape seedling --out DIR`.

Two streams of samples make every step: on a CPU each has a process of one thread (gloo), a GPU takes both in turn. A killed run
resumes at its last checkpoint.
Hidden matrices learn with Muon, everything else with AdamW. The loss counts the model's own tokens in full and the
prompt's a little: its repeated names and places teach copying.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from training import circuit, growth, tokenizer
from training.corpus import GROWN, Corpus, Recipe
from training.muon import Muon

# Teacher and student both begin as the seedling, one by growth, the other by distillation. Rows of the teacher's matrices are
# multiples of 256 long, as llama.cpp's K and I types want them.
SHAPES = {
    "seedling": {"hidden_size": 128, "num_hidden_layers": 5, "intermediate_size": 384},
    "teacher": {"hidden_size": 256, "num_hidden_layers": 5, "intermediate_size": 512},
}
HEADS = 4
CONTEXT = 2048


def losses(model: Qwen2ForCausalLM, ids: Tensor, weights: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted cross-entropy in nats (a scalar), and its sum over each row's own tokens, [rows].

    `ids` and `weights` are [rows, tokens], `shares` is [rows].
    """
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
    """The number format of matrix products. A processor without bfloat16 takes fifty times as long for it as for float32."""
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
        sums = torch.zeros(len(corpora[0].mix(step)), 2, device=device)
        for batch in (batch.to(device) for corpus in corpora for batch in corpus.batches(step)):
            with torch.autocast(device, torch.bfloat16, enabled=half):  # weights and gradients stay float32
                loss, own = measured(model, batch.ids, batch.weights, batch.shares)
            (loss / recipe.streams).backward()
            sums.index_add_(0, batch.kinds, torch.stack((own, (batch.weights == 1).sum(1)), dim=1))
            seen += batch.ids.numel()
        if processes > 1:
            _share_gradients(model)
        for optimizer in steps:
            optimizer.step()
            optimizer.zero_grad()
        if process == 0 and (step % 10 == 0 or step + 1 == recipe.steps):
            means = (sums[:, 0] / sums[:, 1]).tolist()
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


def _report(step: int, recipe: Recipe, means: dict[str, float], seen: int, passed: float, first: int) -> None:
    left = passed / (step + 1 - first) * (recipe.steps - step - 1)
    print(
        f"step {step + 1}/{recipe.steps}  {'  '.join(f'{kind} {loss:.4f}' for kind, loss in means.items())}  "
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
    """Train to the last step, resuming at the checkpoint in the output folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shape", choices=SHAPES, default=Recipe().shape)
    parser.add_argument("--steps", type=int, help="instead of the recipe's own number")
    parser.add_argument("--compile", action="store_true", help="compile first: minutes that pay in a long training")
    parser.add_argument("--start", help="the folder of a narrower model to grow from")
    parser.add_argument("--processes", type=int, choices=(1, 2), help="that share the work (two; on a GPU one)")
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    options = parser.parse_args()
    recipe = Recipe(options.shape, options.seed, start=options.start, **(GROWN if options.start else {}))
    recipe = replace(recipe, steps=options.steps or recipe.steps, compiled=options.compile)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "rendezvous").unlink(missing_ok=True)
    (options.out / "recipe.json").write_text(json.dumps(asdict(recipe)))
    processes = options.processes or (1 if torch.cuda.is_available() else recipe.streams)
    mp.spawn(_train, args=(processes, recipe, options.out), nprocs=processes)


if __name__ == "__main__":
    main()
