"""What is particular to the transformers host, as a real child process on real weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.engines.host.engine import EngineFailure
from core.engines.transformers.engine import Transformers
from tests.helpers import tiny
from tests.helpers.host_process import Host, generate, running

ENGINE = "transformers"


@pytest.fixture(scope="module")
def host(hf_model: Path) -> Iterator[Host]:
    """A loaded host that the tests of this module share."""
    with running(ENGINE) as child:
        child.load(hf_model, slots=3, context=256, threads=1)
        yield child


def greedy(folder: Path, prompt: str, count: int) -> list[int]:
    """What transformers' own generate answers."""
    import torch
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor([tokenizer.encode(prompt)])
    with torch.no_grad():
        output = model.generate(ids, max_new_tokens=count, do_sample=False)[0].tolist()
    return [i for i in output[ids.shape[1] :] if i != tokenizer.eos_token_id]


def test_rows_that_join_and_leave_answer_as_generate_does(host: Host, hf_model: Path) -> None:
    prompts = ["The cat sat", "a", "Premises: all people are free. Conclusion: someone is", "x y z", "12", "return"]
    lengths = [40, 90, 25, 60, 33, 70]
    requests = zip(prompts, lengths, strict=True)
    host.send(*(generate(f"g{i}", p, temperature=0.0, max_tokens=n) for i, (p, n) in enumerate(requests)))
    answers = host.wait(*(f"g{i}" for i in range(6)))
    for answer, prompt, length in zip(answers, prompts, lengths, strict=True):
        assert list(answer.ids) == greedy(hf_model, prompt, length)


def test_samples_of_a_question_are_read_once(hf_model: Path) -> None:
    """Rows that are the same go through the model as one, and answer as each does alone."""
    from core.engines.transformers.batch import Batch
    from core.engines.transformers.load import load

    model = load(hf_model, "float32", "cpu", 1, False).model
    batch, shapes = Batch(model), []
    forward = batch._forward
    batch._forward = lambda ids, mask, cache: (shapes.append(tuple(ids.shape)), forward(ids, mask, cache))[1]  # type: ignore[method-assign]
    logits = batch.join([[5, 6, 7], [8, 9], [5, 6, 7], [5, 6, 7]])
    assert shapes == [(2, 3)] and logits.shape[0] == 4
    assert (logits[0] == logits[2]).all() and (logits[0] == logits[3]).all()
    step = batch.step([1, 2, 3, 1])
    alone = Batch(model)
    alone.join([[5, 6, 7]])
    assert abs(step[2] - alone.step([3])[0]).max() < 1e-4 and abs(step[0] - step[3]).max() < 1e-4


def test_text_is_what_the_ids_decode_to(host: Host, hf_model: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(hf_model)
    answer = host.ask("日本語 naïve", max_tokens=150, temperature=1.5)
    assert len(answer.ids) > 20
    assert answer.text == tokenizer.decode(answer.ids, skip_special_tokens=False)


def test_both_engines_draw_the_same_tokens(host: Host, hf_model: Path, gguf_model: Path) -> None:
    answer = host.ask("The cat sat on", seed=5, max_tokens=30, temperature=0.7)
    with running("llama.cpp") as other:
        other.load(gguf_model, slots=1, threads=1)
        theirs = other.ask("The cat sat on", seed=5, max_tokens=30, temperature=0.7)
    # 16-bit weights move the odds a little, so sooner or later a draw falls on the other side of an edge.
    assert theirs.ids[:5] == answer.ids[:5]


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def test_folders_that_are_no_models(hf_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    torn = copied(hf_model, tmp_path / "torn")
    weights = torn / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3000])
    pickled = copied(hf_model, tmp_path / "pickled")
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    partial = copied(hf_model, tmp_path / "partial")
    tensors = load_file(partial / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, partial / "model.safetensors", {"format": "pt"})
    coded = copied(hf_model, tmp_path / "coded")
    config: dict[str, Any] = json.loads((coded / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "m.C", "AutoModelForCausalLM": "m.M"}}
    (coded / "config.json").write_text(json.dumps(config))
    (coded / "m.py").write_text("import pathlib; pathlib.Path(__file__).with_name('ran').touch()\nC = M = object\n")
    bent = copied(hf_model, tmp_path / "bent")
    config = json.loads((bent / "config.json").read_text())
    (bent / "config.json").write_text(json.dumps(config | {"intermediate_size": 128}))
    mute = copied(hf_model, tmp_path / "mute")
    (mute / "tokenizer.json").unlink()
    for folder, message in [
        (tmp_path / "absent", "no config.json"),
        (torn, "cannot be loaded"),
        (pickled, "pickle"),
        (partial, "lacks 1 weights: model.layers.1.mlp.up_proj.weight"),
        (coded, "cannot be loaded"),
        (bent, "does not fit its config in 6 weights: model.layers.0.mlp.down_proj.weight"),
        (mute, "holds no tokenizer"),
    ]:
        with pytest.raises(EngineFailure) as caught:
            Transformers().load(str(folder), {})
        failed = caught.value
        assert failed.kind == "model", failed
        assert message in failed.message
        assert failed.remedy
    assert not (coded / "ran").exists()


def test_a_window_of_attention_means_one_sequence_at_a_time(tmp_path: Path) -> None:
    folder = tiny.save_model(tmp_path / "m", use_sliding_window=True, sliding_window=16, max_window_layers=0)
    with running(ENGINE) as child:
        assert child.load(folder, slots=4, threads=1).slots == 1
        child.send(*(generate(f"w{i}", "The cat sat", temperature=0.0, max_tokens=40) for i in range(2)))
        for answer in child.wait("w0", "w1"):
            assert list(answer.ids) == greedy(folder, "The cat sat", 40)
