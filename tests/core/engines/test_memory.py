"""The estimate of memory against what real hosts take, and what becomes of those that find too little."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.engines.host.wire import Failed, Ready
from core.engines.memory import SCORES_BYTES, Need, llama_need, torch_need
from core.engines.model_shape import folder_shape, gguf_shape
from tests.helpers.host_process import Host, generate, running

MIB = 2**20


def status(host: Host, key: str) -> int:
    """A figure of the kernel's about the host, in bytes: VmHWM is the peak of resident memory."""
    text = Path(f"/proc/{host.process.pid}/status").read_text()
    return int(re.search(rf"{key}:\s+(\d+)", text)[1]) * 1024  # type: ignore[index]


def peak(engine: str, model: Path, slots: int, context: int, words: int, **options: Any) -> tuple[int, Ready]:
    """The peak of a host all of whose slots read a prompt and answer."""
    with running(engine) as host:
        ready = host.load(model, slots=slots, context=context, threads=1, **options)
        names = [f"r{i}" for i in range(slots)]
        host.send(*(generate(name, "word " * words, max_tokens=8) for name in names))
        host.wait(*names)
        return status(host, "VmHWM"), ready


@pytest.mark.parametrize(("slots", "context", "words"), [(8, 2048, 60), (1, 1024, 200)])
def test_llama_cpp_takes_what_was_estimated(smollm_gguf: Path, slots: int, context: int, words: int) -> None:
    measured, ready = peak("llama.cpp", smollm_gguf, slots, context, words)
    assert (ready.slots, ready.context) == (slots, context)
    estimate = llama_need(gguf_shape(smollm_gguf), 256, "f16").peak(slots, context)
    assert 0.85 * measured < estimate < 1.25 * measured, f"{estimate / MIB:.0f} MiB estimated, {measured / MIB:.0f} measured"


def test_a_smaller_kv_cache_is_estimated_as_such(smollm_gguf: Path) -> None:
    shape = gguf_shape(smollm_gguf)
    measured = [peak("llama.cpp", smollm_gguf, 2, 4096, 8, kv_type=kind)[0] for kind in ("f16", "q8_0")]
    estimated = [llama_need(shape, 256, kind).peak(2, 4096) for kind in ("f16", "q8_0")]
    estimated[0] -= 4096 * llama_need(shape, 256, "f16").scores  # which so short a prompt leaves untouched
    assert estimated[0] - estimated[1] == pytest.approx(measured[0] - measured[1], rel=0.25)


def test_transformers_takes_what_was_estimated(slow_hf: Path) -> None:
    measured, ready = peak("transformers", slow_hf, 4, 512, 125)
    estimate = torch_need(folder_shape(slow_hf), 4).peak(ready.slots, ready.context)
    assert 0.7 * measured < estimate < 1.5 * measured, f"{estimate / MIB:.0f} MiB estimated, {measured / MIB:.0f} measured"


def test_slots_and_context_that_fit_are_the_largest() -> None:
    need = Need(weights=1000, kv_token=2.0, slot=50, other=100)
    slots = need.slots(2000, 100)
    assert need.peak(slots, 100) <= 2000 < need.peak(slots + 1, 100)
    for plain in (0, 1, SCORES_BYTES // 100):  # with the last, attention is plain up to 100 tokens
        need = replace(need, mask=2, scores=plain)
        for budget in (2000, 2000 + SCORES_BYTES):
            context = need.context(budget)
            assert need.peak(1, context) <= budget < need.peak(1, context + 1)


def test_windows_and_states_count_only_once() -> None:
    need = Need(weights=1000, kv_token=2.0, slot=50, other=100, windows=((10, 4.0),), state=30, step=8)
    assert [need.cache(context) for context in (5, 10, 100)] == [5 * 6 + 30, 10 * 6 + 30, 100 * 2 + 10 * 4 + 30]
    assert need.peak(3, 100) == 1000 + 100 + 8 + 3 * (50 + 270)
    for budget in (1300, 2000, 5000):
        assert need.peak(1, need.context(budget)) <= budget < need.peak(1, need.context(budget) + 1)
    assert need.context(1100) == 0


def test_what_cannot_fit_is_refused_with_what_would(smollm_gguf: Path) -> None:
    for gib, says in ((0.2, "One sequence of"), (0.05, "Weights of")):
        with running("llama.cpp") as host:
            failed = host.refuse(smollm_gguf, memory_gib=gib, context=8192, threads=1)
        assert failed.kind == "memory" and "SmolLM2" in failed.message
        assert says in failed.remedy and "would fit" in failed.remedy


def test_memory_that_runs_out_while_loading_means_fewer_slots(smollm_gguf: Path, tmp_path: Path) -> None:
    """The limit is the kernel's (RLIMIT_AS), and our own estimate is switched off: only the real failure is left."""
    generous = {"slots": 16, "context": 4096, "threads": 1, "memory_gib": 1000.0}
    with running("llama.cpp") as host:
        one = host.load(smollm_gguf, **generous | {"slots": 1})
        assert one.slots == 1
        limit = status(host, "VmPeak")
    kv = gguf_shape(smollm_gguf).kv_values * 2 * 4096
    with running("llama.cpp", limited(tmp_path, limit + 6 * kv)) as host:
        ready = host.load(smollm_gguf, **generous)
        assert ready.slots in (2, 4)
        assert host.ask("The cat", max_tokens=4).finished is not None


def test_memory_that_runs_out_in_pytorch_is_told_as_such(slow_hf: Path, tmp_path: Path) -> None:
    with running("transformers") as host:
        host.load(slow_hf, slots=1, context=512, threads=1)
        host.ask("The cat", max_tokens=4)
        limit = status(host, "VmPeak")
    with running("transformers", limited(tmp_path, limit + 16 * MIB)) as host:
        host.load(slow_hf, slots=64, context=512, threads=1)
        host.send(*(generate(f"r{i}", "word " * 120, max_tokens=200) for i in range(64)))
        while not isinstance(event := host.next_event(), Failed):
            assert event is not None, "it ended without a word"
        assert event.kind == "memory" and "slots" in event.remedy


def limited(folder: Path, limit: int) -> str:
    """An interpreter whose address space the kernel bounds."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nulimit -v {limit // 1024}\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return str(script)
