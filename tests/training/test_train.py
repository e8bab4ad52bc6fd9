"""The training recipe: the same batches for the same seed, shares that balance, growth that changes nothing, going on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import Qwen2ForCausalLM

from training import corpus, tokenizer, train
from training.corpus import Batch, Corpus, Recipe
from training.muon import Muon
from training.train import losses, new_model, optimizers

CODER = tokenizer.build()
RECIPE = Recipe(steps=100)
TRAIN = (sys.executable, "-m", "training.train", "--shape", "seedling", "--steps", "1")


@pytest.fixture(scope="module")
def seedling() -> Qwen2ForCausalLM:
    return new_model(CODER, "seedling", 1)


def test_batches_are_seeded_and_each_stream_has_its_own() -> None:
    def ids(stream: int, step: int) -> list[list[int]]:
        return [batch.ids.tolist() for batch in Corpus(CODER, RECIPE, stream).batches(step)]

    assert ids(0, 60) == ids(0, 60)
    assert ids(0, 60) != ids(1, 60) != ids(1, 61)


@pytest.mark.parametrize("step", [0, 20, 60])
def test_every_kind_counts_alike(step: int) -> None:
    corpus = Corpus(CODER, RECIPE, 0)
    counted = torch.zeros(len(corpus.mix(step)))
    for batch in corpus.batches(step):
        counted.index_add_(0, batch.kinds, (batch.weights * batch.shares[:, None]).sum(1))
    names = [name for name, _ in corpus.mix(step)]
    late = step >= RECIPE.steps * RECIPE.late_from
    wanted = [RECIPE.late_weight_of_temporal if late and name == "temporal" else 1.0 for name in names]
    assert counted.tolist() == pytest.approx(wanted)


def test_no_test_question_is_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    splits = []
    drawn = corpus.draw

    def watched(*arguments: object) -> object:
        sample = drawn(*arguments)  # type: ignore[arg-type]
        splits.append(sample.split)
        return sample

    monkeypatch.setattr(corpus, "draw", watched)
    Corpus(CODER, RECIPE, 0).batches(60)
    assert splits and set(splits) == {"train"}


def test_a_grown_model_says_what_the_narrow_one_said(tmp_path: Path) -> None:
    narrow = new_model(CODER, "seedling", 1)
    with torch.no_grad():
        for matrix in (parameter for parameter in narrow.parameters() if parameter.ndim == 2):
            matrix *= 4  # so that every part has a say, as in a trained model
    narrow.save_pretrained(tmp_path)
    CODER.save_pretrained(tmp_path)
    wide = new_model(CODER, "teacher", 2, str(tmp_path))
    ids = torch.randint(len(CODER), (2, 40), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wide.model.embed_tokens.weight[:, narrow.config.hidden_size :] = 0  # else they add to the norm
        said, again = (model(input_ids=ids).logits for model in (narrow, wide))
    assert (said - again).abs().max() < 0.1 * said.std()  # the norms' epsilon weighs more; a misplaced row makes more than 1


def test_a_killed_run_goes_on_where_it_was_saved(seedling: Qwen2ForCausalLM, tmp_path: Path) -> None:
    def step(model: Qwen2ForCausalLM, steps: list[torch.optim.Optimizer], batch: Batch) -> None:
        losses(model, batch.ids, batch.weights, batch.shares)[0].backward()
        for optimizer in steps:
            optimizer.step()
            optimizer.zero_grad()

    first, *_ = Corpus(CODER, RECIPE, 0).batches(0)
    steps = optimizers(seedling, RECIPE)
    step(seedling, steps, first)
    train._save(seedling, CODER, steps, 1, tmp_path, "seedling")
    again = new_model(CODER, "seedling", 9)
    resumed = optimizers(again, RECIPE)
    assert train._resume(again, resumed, tmp_path) == 1
    for model, its in ((seedling, steps), (again, resumed)):
        step(model, its, first)
    assert all(torch.equal(one, other) for one, other in zip(seedling.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(("dtype", "apart"), [(torch.bfloat16, 0.0), (torch.float32, 0.02)])
def test_muon_is_torchs_but_for_its_number_format(dtype: torch.dtype, apart: float) -> None:
    def trained(kind: type[torch.optim.Optimizer], **chosen: torch.dtype) -> list[torch.Tensor]:
        numbers = torch.Generator().manual_seed(1)
        weights = [torch.nn.Parameter(torch.randn(shape, generator=numbers)) for shape in ((24, 64), (64, 24), (32, 32))]
        optimizer = kind(weights, lr=0.02, weight_decay=0.01, **chosen)
        for _ in range(3):
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=numbers)
            optimizer.step()
        return weights

    for ours, its in zip(trained(Muon, dtype=dtype), trained(torch.optim.Muon), strict=True):
        assert (ours - its).abs().max() <= apart * 0.02  # of a learning rate


@pytest.mark.long
def test_one_process_trains_as_two_do(tmp_path: Path) -> None:
    trained = {}
    for processes in (1, 2):
        out = tmp_path / str(processes)
        subprocess.run([*TRAIN, "--out", out, "--processes", str(processes)], check=True, capture_output=True)
        trained[processes] = torch.load(out / "checkpoint.pt", weights_only=True)["model"]
    began = new_model(CODER, "seedling", 1).state_dict()
    moved = max((began[name] - after).abs().max().item() for name, after in trained[1].items())
    apart = max((trained[2][name] - after).abs().max().item() for name, after in trained[1].items())
    assert apart < 0.1 * moved
