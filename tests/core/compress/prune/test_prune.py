"""Pruning of folders, block by block: exact sparsity, nothing else touched, and going on after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from core.compress.hf_folder import HfFolder, is_decoder_linear
from core.compress.prune import prune
from core.compress.prune.blocks import Blocks
from core.compress.prune.prune import Task, prune_folder
from core.compress.prune.sparsegpt import Hessian, lost_energy
from core.compress.prune.sparsity import Pattern
from core.compress.recipes import Method
from core.errors import CompressionError, ModelError
from tests.helpers import tiny

Change = Callable[[dict[str, torch.Tensor]], Any]
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
    lengths = (40, 9, 40, 31)
    batches = blocks.embed([sequences(1, length)[0] for length in lengths])
    for index in range(blocks.count - 1):
        block = blocks.build(index, blocks.folder.load(blocks.names(index)))
        blocks.run(block, batches)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    (batch,) = batches
    for length, hidden, mask in zip(sorted(lengths), batch.hidden, batch.mask, strict=True):
        with torch.no_grad():
            expected = model(torch.stack(sequences(1, length)), output_hidden_states=True).hidden_states[-2]
        assert torch.allclose(hidden[mask], expected[0], atol=1e-4)


def test_batches_are_padded_up_to_so_many_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.compress.prune.blocks.BATCH_TOKENS", 80)
    blocks = Blocks(HfFolder.open(tiny.save_model(tmp_path / "model")), torch.device("cpu"))
    batches = blocks.embed([sequences(1, length)[0] for length in (100, 40, 9, 40, 31)])
    assert [tuple(batch.mask.shape) for batch in batches] == [(2, 31), (2, 40), (1, 100)]
    assert [batch.mask.sum(1).tolist() for batch in batches] == [[9, 31], [40, 40], [100]]


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


def test_each_layer_is_pruned_on_inputs_that_come_from_pruned_layers(tmp_path: Path) -> None:
    """The record tells what the last layer of the model has lost; the same from the pruned model's own inputs to it."""
    source = HfFolder.open(tiny.save_model(tmp_path / "model", dtype="float32"))
    prune_folder(source, tmp_path / "out", task("sparsegpt"), {"recipe": "x"}, quiet)
    name = "model.layers.1.mlp.down_proj"
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.float32)
    hessian = Hessian(model.config.intermediate_size, "cpu")
    layer = model.get_submodule(name)
    layer.register_forward_pre_hook(lambda _layer, inputs: hessian.add(inputs[0]))
    with torch.no_grad():
        for sequence in sequences():
            model(sequence[None])
    before = source.load([f"{name}.weight"])[f"{name}.weight"]
    lost = json.loads((tmp_path / "out" / prune.RECORD).read_text())["lost_energy"][f"{name}.weight"]
    assert lost == pytest.approx(lost_energy(before, layer.weight.detach(), hessian.matrix), rel=1e-3)


def test_short_memory_changes_nothing_but_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model", dtype="float32"))
    computed: list[int] = []
    inputs = Blocks._inputs
    monkeypatch.setattr(Blocks, "_inputs", lambda *given: computed.append(given[2]) or inputs(*given))
    for free in (2**40, 0):
        monkeypatch.setattr("core.compress.prune.blocks.free_memory", lambda free=free: free)
        computed.clear()
        prune_folder(source, tmp_path / str(free), task("sparsegpt"), {"recipe": "x"}, quiet)
        assert len(computed) == source.config.num_hidden_layers * (4 if free else 10)
    plenty, short = (dict(HfFolder.open(tmp_path / str(free)).tensors()) for free in (2**40, 0))
    assert all(torch.equal(plenty[name], short[name]) for name in plenty)


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


def test_a_model_that_is_no_causal_one_is_refused(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "model")
    config = folder / "config.json"
    config.write_text(config.read_text().replace("Qwen2ForCausalLM", "Qwen2ForSequenceClassification"))
    with pytest.raises(ModelError, match="Qwen2ForSequenceClassification"):
        prune_folder(HfFolder.open(folder), tmp_path / "out", task("magnitude"), {}, quiet)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("model.layers.1.mlp.up_proj.weight"), "lacks .*1.mlp.up_proj"),
        (lambda tensors: tensors.update({"model.layers.0.mlp.up_proj.scale": torch.ones(3)}), "too much .*0.mlp.up_proj.scale"),
        (lambda tensors: tensors.update({"model.layers.1.mlp.up_proj.weight": torch.ones(9, 64)}), "another shape .*up_proj"),
    ],
    ids=["missing", "left over", "misshapen"],
)
def test_tensors_that_do_not_fit_are_named_before_any_work(tmp_path: Path, change: Change, message: str) -> None:
    folder = tiny.save_model(tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=message):
        prune_folder(HfFolder.open(folder), tmp_path / "out", task("sparsegpt"), {}, quiet)
    assert not (tmp_path / "out").exists()


def test_the_buffer_that_older_llama_files_hold_is_no_obstacle(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "model", family="llama")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(8)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    prune_folder(HfFolder.open(folder), tmp_path / "out", task("sparsegpt"), {}, quiet)
    assert HfFolder.open(tmp_path / "out").shapes().keys() == tensors.keys()


def test_weights_that_the_type_of_the_file_cannot_hold_are_an_error() -> None:
    huge = torch.full((2, 2), 70_000.0)
    with pytest.raises(CompressionError, match=r"up_proj is not finite as torch.float16"):
        prune._as_stored(huge, torch.float16, "up_proj")


def test_groups_that_do_not_divide_are_refused_before_any_work(tmp_path: Path) -> None:
    source = HfFolder.open(tiny.save_model(tmp_path / "model"))
    with pytest.raises(ModelError, match="columns"):
        prune_folder(source, tmp_path / "out", task("magnitude", Pattern.of(None, 3, 7)), {}, quiet)
    assert not (tmp_path / "out").exists()
