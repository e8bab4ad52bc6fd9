"""The engine "vllm", as a real child process of the interpreter that has vLLM, on real weights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from benchmarks.pocket import weights_dir
from benchmarks.pocket.suite import PocketTemporal
from benchmarks.prompts import load_template
from core.engines.host.wire import Deltas
from tests.helpers import four_bits
from tests.helpers.host_process import HOST, Host, generate, running

KERNELS = torch.cuda.is_available() or torch.cpu.get_capabilities()["avx512_f"]
"""Whether vLLM can multiply by 4 bits here: on processors it does so with AVX-512 alone."""
OPTIONS: dict[str, Any] = {"slots": 4, "context": 512, "eager": True, "kv_gib": 0.25}


@pytest.fixture(scope="module")
def host(vllm_python: str) -> Iterator[Host]:
    """A loaded host that the tests of this module share: it takes half a minute to start."""
    with running("vllm", vllm_python) as child:
        ready = child.load(weights_dir(), **OPTIONS)
        assert (ready.engine, ready.slots, ready.context, ready.resumes) == ("vllm", 4, 512, True)
        assert (ready.opens, ready.closes, len(ready.close_ids)) == ("<think>", "</think>", 1)
        yield child


def test_requests_stream_at_once(host: Host) -> None:
    host.send(*(generate(f"s{i}", f"The cat sat {i}", seed=i, max_tokens=100 + 20 * i) for i in range(6)))
    answers = host.wait(*(f"s{i}" for i in range(6)))
    for i, answer in enumerate(answers):
        assert answer.started is not None and answer.finished is not None
        assert answer.finished.reason in ("stop", "length")
        assert answer.started.limit == 100 + 20 * i
        if answer.finished.reason == "length":
            assert len(answer.ids) == 100 + 20 * i
        assert answer.deltas > 1, "it came in one piece"
    assert any(isinstance(event, Deltas) and len(event.items) > 1 for event in host.events)


def test_text_is_what_the_ids_decode_to(host: Host) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(weights_dir())
    answer = host.ask("naïve 日本語", max_tokens=150, temperature=1.5)
    assert len(answer.ids) > 20
    assert answer.text == tokenizer.decode(answer.ids, skip_special_tokens=False)


def test_greedy_tokens_are_those_of_transformers(host: Host) -> None:
    prompt = "Sam was at the park from 9am to 11am."
    with running("transformers") as other:
        other.load(weights_dir(), slots=1, context=512, threads=1, dtype="float32")
        theirs = other.ask(prompt, temperature=0.0, max_tokens=40)
    # In other number types a near tie falls the other way, sooner or later.
    assert host.ask(prompt, temperature=0.0, max_tokens=40).ids[:10] == theirs.ids[:10]


def test_a_seed_fixes_the_response(host: Host) -> None:
    first, again, other = (host.ask("The dog", seed=seed) for seed in (7, 7, 8))
    assert first.ids == again.ids != other.ids


def test_a_prefix_is_gone_on_from(host: Host) -> None:
    whole = host.ask("The cat", temperature=0.0, max_tokens=40)
    rest = host.ask("The cat", temperature=0.0, max_tokens=40, prefix=whole.ids[:15])
    assert whole.ids[:15] + rest.ids == whole.ids
    assert whole.text.endswith(rest.text)
    done = host.ask("The cat", max_tokens=15, prefix=whole.ids[:15])
    assert done.ids == () and done.finished is not None and done.finished.reason == "length"


def test_cancel_in_flight_and_waiting(host: Host) -> None:
    host.send(*(generate(f"c{i}", f"The {i}", temperature=0.0, max_tokens=400) for i in range(6)))
    while not host.answers["c0"].ids:
        host.next_event()
    for name in ("c0", "c5", "nobody"):
        host.cancel(name)
    answers = host.wait(*(f"c{i}" for i in range(6)))
    reasons = [answer.finished.reason if answer.finished else None for answer in answers]
    assert reasons[0] == reasons[5] == "cancelled"
    assert set(reasons[1:5]) <= {"stop", "length"}
    assert 0 < len(answers[0].ids) < 400
    assert host.ask("The 0", id="c0", max_tokens=3).finished is not None


def test_a_stop_string_ends_the_response(host: Host) -> None:
    whole = host.ask("The cat sat", seed=11, max_tokens=60, temperature=0.0)
    stop = whole.text[20:24]
    ended = host.ask("The cat sat", seed=11, max_tokens=60, temperature=0.0, stop=("never this", stop))
    assert ended.finished is not None and ended.finished.reason == "stop"
    assert whole.text.startswith(ended.text) and stop in ended.text
    assert len(ended.ids) < len(whole.ids)


def test_a_chat_is_answered_and_ends_by_itself(host: Host) -> None:
    host.send(generate("chat", "hello", chat=True, max_tokens=400, temperature=0.0))
    (answer,) = host.wait("chat")
    assert answer.started is not None and "<think>" in answer.started.prompt
    assert answer.finished is not None and answer.finished.reason == "stop"
    assert "</think>" in answer.text and "endoftext" not in answer.text


def test_requests_that_cannot_be_run_fail_alone(host: Host) -> None:
    wrong = {
        "alien": (generate("alien", "The", prefix=(10**6,)), "not this model's"),
        "long": (generate("long", "word " * 600), "tokens, and the context holds 512"),
        "empty": (generate("empty", ""), "The prompt is empty"),
    }
    host.send(*(request for request, _ in wrong.values()), generate("fine", "The cat"))
    *failed, fine = host.wait(*wrong, "fine")
    for answer, (_, message) in zip(failed, wrong.values(), strict=True):
        assert answer.finished is not None and answer.finished.reason == "error"
        assert message in str(answer.finished.error)
    assert fine.finished is not None and fine.finished.reason in ("stop", "length")


def test_a_quantized_checkpoint_is_loaded_as_it_is_and_streams_in_parts(vllm_python: str, host: Host, tmp_path: Path) -> None:
    sample, template = PocketTemporal().samples(0)[0], load_template("temporal")
    request = generate("day", template.fill(sample.fields), chat=template.chat, temperature=0.0, max_tokens=300)
    host.send(request)
    (dense,) = host.wait("day")
    with running("vllm", vllm_python) as child:
        child.load(quantized(tmp_path / "int8"), **OPTIONS, stream_interval=16, dtype="bfloat16")
        child.send(request)
        (answer,) = child.wait("day")
    for whole in (dense, answer):
        assert whole.text.split("</think>")[1].strip() == sample.answer.strip()
    assert answer.deltas <= len(answer.ids) // 16 + 2 < dense.deltas, (len(answer.ids), dense.deltas)


def quantized(folder: Path) -> Path:
    """The embedded model in 8 bits as compressed-tensors writes it: integers and a scale a row."""
    import torch
    from safetensors.torch import load_file, save_file

    shutil.copytree(weights_dir(), folder)
    weights = load_file(folder / "model.safetensors")
    for name in [name for name in weights if name.endswith("_proj.weight")]:
        values = weights[name].float()
        scale = values.abs().amax(dim=1, keepdim=True) / 127
        weights[name] = (values / scale).round().to(torch.int8)
        weights[f"{name}_scale"] = scale.to(torch.float16)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    whole = {"num_bits": 8, "type": "int", "symmetric": True}
    group = {
        "targets": ["Linear"],
        "weights": {**whole, "strategy": "channel", "dynamic": False},
        "input_activations": {**whole, "strategy": "token", "dynamic": True},
    }
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {
        "quant_method": "compressed-tensors",
        "format": "int-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": ["lm_head"],
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("method", ["awq", "gptq"])
def test_four_bits_answer_as_the_values_that_they_stand_for(vllm_python: str, method: str, tmp_path: Path) -> None:
    packed, dense = four_bits.make(method, tmp_path)
    request = generate("four", "Sam was at the park from 9am to 11am.", temperature=0.0)
    answers = []
    for folder in (packed, dense):
        with running("vllm", vllm_python) as child:
            child.load(folder, **OPTIONS)
            if not KERNELS:
                failed = child.fail(request)
                assert failed.kind == "model" and "no kernel" in failed.message and "16 bits" in failed.remedy
                return
            child.send(request)
            answers += [answer.ids for answer in child.wait("four")]
    assert answers[0][:10] == answers[1][:10]


def test_nothing_outlives_a_host_that_is_killed(host: Host) -> None:
    """The last test of the shared host: kill -9 reaches neither vLLM's engine nor its workers."""
    family = psutil.Process(host.process.pid).children(recursive=True)
    assert any("vllm" in process.name().lower() for process in family), [process.name() for process in family]
    (guard,) = (process.cmdline() for process in family if any(word.endswith("group.py") for word in process.cmdline()))
    temporary = Path(guard[-1])
    assert any(file.is_socket() for file in temporary.iterdir())
    host.process.kill()
    deadline = time.monotonic() + 20
    while (alive := [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]) or temporary.exists():
        assert time.monotonic() < deadline, (alive, temporary)
        time.sleep(0.1)


def test_the_probe_names_the_device(vllm_python: str) -> None:
    command = [vllm_python, "-P", str(HOST), "vllm", "--probe"]
    probe = json.loads(subprocess.run(command, capture_output=True, cwd="/", check=True).stdout)
    assert probe["works"] and probe["version"] and "vLLM on" in probe["detail"]


def test_folders_that_are_no_models(vllm_python: str, tmp_path: Path) -> None:
    odd = tmp_path / "odd"
    shutil.copytree(weights_dir(), odd)
    config = json.loads((odd / "config.json").read_text())
    (odd / "config.json").write_text(json.dumps(config | {"architectures": ["NoSuchForCausalLM"], "model_type": "nosuch"}))
    torn = tmp_path / "torn"
    shutil.copytree(weights_dir(), torn)
    os.truncate(torn / "model.safetensors", 2_000_000)
    pickled = tmp_path / "pickled"
    shutil.copytree(weights_dir(), pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    for folder, message in ((pickled, "pickle"), (odd, "nosuch"), (torn, "afetensor"), (tmp_path / "absent", "no config.json")):
        with running("vllm", vllm_python) as child:
            failed = child.refuse(folder, **OPTIONS)
        assert failed.kind == "model", failed
        assert message in failed.message, failed
        assert failed.remedy


def test_too_little_memory_is_told_with_what_would_fit(vllm_python: str, tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    shutil.copytree(weights_dir(), huge)
    config = json.loads((huge / "config.json").read_text())
    (huge / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 10**9}))
    with running("vllm", vllm_python) as child:
        failed = child.refuse(huge, **OPTIONS | {"context": 10**9})
    assert failed.kind == "memory"
    assert "would fit" in failed.remedy
