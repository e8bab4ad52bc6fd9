"""Pruning of folders, block by block: exact sparsity, nothing else touched, and going on after a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
import torch
from transformers import AutoModelForCausalLM

from core.compress import prune
from core.compress.blocks import Blocks
from core.compress.hf_folder import HfFolder, is_decoder_linear
from core.compress.prune import Task, prune_folder
from core.compress.recipes import Method
from core.compress.sparsity import Pattern
from core.errors import CompressionError, ModelError

HALF = Pattern.of(50, None, None)


def sequences(count: int = 6, length: int = 40) -> list[torch.Tensor]:
    torch.manual_seed(1)
    return [torch.randint(0, 300, (length + i % 2,)) for i in range(count)]


def task(method: Method, pattern: Pattern = HALF) -> Task:
    return Task(method, pattern, None if method == "magnitude" else sequences())


def quiet(_done: int, _total: int, _message: str) -> None:
    pass


@pytest.mark.parametrize("family", ["qwen2", "llama"])
def test_blocks_run_as_the_whole_model_does(tmp_path: Path, family: str) -> None:
    folder = tiny.save_model(tmp_path / "model", family=family, dtype="float32", num_hidden_layers=3)
    blocks = Blocks(HfFolder.open(folder), torch.device("cpu"))
    states = blocks.embed(sequences())
    assert [tuple(state.shape[:2]) for state in states] == [(3, 40), (3, 41)]
    for index in range(blocks.count - 1):
        block = blocks.build(index, blocks.folder.load(blocks.names(index)))
        states = list(blocks.run(block, states))
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = torch.stack([s for s in sequences() if len(s) == 40])
    with torch.no_grad():
        expected = model(ids, output_hidden_states=True).hidden_states[-2]
    assert torch.allclose(states[0], expected, atol=1e-4)


@pytest.mark.parametrize("method", ["sparsegpt", "wanda", "magnitude"])
@pytest.mark.parametrize(("dtype", "shard_size"), [("float32", "100KB"), ("bfloat16", "5GB"), ("float16", "5GB")])
def test_sparsity_is_exact_in_each_layer_and_nowhere_else(tmp_path: Path, method: Method, dtype: str, shard_size: str) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model", dtype=dtype, shard_size=shard_size))
    assert (len(source.shards) > 1) == (shard_size == "100KB")
    steps: list[tuple[int, int, str]] = []
    prune_folder(source, tmp_path / "out", task(method), {"recipe": method}, lambda *step: steps.append(step))
    before, after = dict(source.tensors()), dict(HfFolder.open(tmp_path / "out").tensors())
    assert before.keys() == after.keys()
    assert [step[:2] for step in steps] == [(1, 3), (2, 3), (3, 3)]
    for name, weight in after.items():
        assert weight.dtype == before[name].dtype
        if is_decoder_linear(name):
            assert int((weight == 0).sum()) == weight.numel() // 2
        else:
            assert torch.equal(weight, before[name])
    assert (tmp_path / "out" / "tokenizer.json").read_bytes() == (source.path / "tokenizer.json").read_bytes()
    record = json.loads((tmp_path / "out" / prune.RECORD).read_text())
    assert len(record["lost_energy"]) == (0 if method == "magnitude" else 14)
    assert all(0 < loss < 1 for loss in record["lost_energy"].values())
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")


def test_sparsegpt_keeps_outputs_closer_than_the_baselines(tmp_path: Path) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model", dtype="float32"))
    ids = torch.stack([s for s in sequences(40) if len(s) == 40])
    methods: tuple[Method, ...] = ("sparsegpt", "wanda", "magnitude")
    gaps = []
    with torch.no_grad():
        expected = AutoModelForCausalLM.from_pretrained(source.path)(ids).logits
        for method in methods:
            work = Task(method, HALF, None if method == "magnitude" else sequences(40))
            prune_folder(source, tmp_path / method, work, {"recipe": method}, quiet)
            logits = AutoModelForCausalLM.from_pretrained(tmp_path / method)(ids).logits
            gaps.append(float((logits - expected).square().mean()))
    assert gaps[0] < 0.8 * min(gaps[1:])


class Killed(Exception):
    pass


@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_kill_at_any_layer_costs_that_layer_and_changes_no_byte(tmp_path: Path, at: int) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model", dtype="bfloat16", num_hidden_layers=3))
    record: dict[str, object] = {"recipe": "sparsegpt-50", "calibration": {"sha256": "a"}}
    prune_folder(source, tmp_path / "whole", task("sparsegpt"), record, quiet)

    def kill(done: int, _total: int, _message: str) -> None:
        if done == at + 1:
            raise Killed

    with pytest.raises(Killed):
        prune_folder(source, tmp_path / "killed", task("sparsegpt"), record, kill)
    (tmp_path / "killed" / "model-00009-of-00004.partial").write_bytes(b"half")
    said: list[str] = []
    prune_folder(source, tmp_path / "killed", task("sparsegpt"), record, lambda _d, _t, message: said.append(message))
    assert sum("went on after" in message for message in said) == min(at + 1, 3)
    for file in (tmp_path / "whole").iterdir():
        assert (tmp_path / "killed" / file.name).read_bytes() == file.read_bytes(), file.name


def test_what_another_recipe_left_is_not_gone_on_with(tmp_path: Path) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model"))
    prune_folder(source, tmp_path / "out", task("magnitude"), {"recipe": "magnitude-50"}, quiet)
    prune_folder(source, tmp_path / "out", task("magnitude", Pattern.of(20, None, None)), {"recipe": "magnitude-20"}, quiet)
    weights = [w for name, w in HfFolder.open(tmp_path / "out").tensors() if is_decoder_linear(name)]
    assert all(int((w == 0).sum()) == round(w.numel() * 0.2) for w in weights)


def test_a_torn_layer_is_made_again(tmp_path: Path) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model"))
    prune_folder(source, tmp_path / "out", task("wanda"), {"recipe": "w"}, quiet)
    layer = tmp_path / "out" / "model-00001-of-00003.safetensors"
    whole = layer.read_bytes()
    layer.write_bytes(whole[:-100])
    prune_folder(source, tmp_path / "out", task("wanda"), {"recipe": "w"}, quiet)
    assert layer.read_bytes() == whole


def test_weights_that_are_not_finite_end_in_an_error_that_names_the_layer(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "model", dtype="float32")
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.1.input_layernorm.weight"][3] = float("inf")
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CompressionError, match=r"layers\.1\.self_attn\.q_proj"):
        prune_folder(HfFolder.open(folder), tmp_path / "out", task("sparsegpt"), {"recipe": "x"}, quiet)


def test_a_family_that_is_not_known_is_refused(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "model")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"qwen2"', '"gpt_neox"'))
    with pytest.raises(ModelError, match="gpt_neox"):
        prune_folder(HfFolder.open(folder), tmp_path / "out", task("magnitude"), {}, quiet)
    assert not (tmp_path / "out").exists()


def test_groups_that_do_not_divide_are_refused_before_any_work(tmp_path: Path) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model"))
    with pytest.raises(ModelError, match="columns"):
        prune_folder(source, tmp_path / "out", task("magnitude", Pattern.of(None, 3, 7)), {}, quiet)
    assert not (tmp_path / "out").exists()
