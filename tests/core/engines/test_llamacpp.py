"""What is particular to the llama.cpp host, as a real child process on real weights."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import gguf
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from core.engines.host.wire import Deltas, Started
from core.engines.llamacpp.engine import LlamaCpp
from core.engines.llamacpp.native import LlamaContext, LlamaModel
from core.engines.model_shape import gguf_shape
from core.engines.processors import SMALL, idle_share, usual_slots
from tests.helpers.host_process import generate, running

ENGINE = "llama.cpp"


def test_text_is_what_the_ids_decode_to(gguf_model: Path) -> None:
    with running(ENGINE) as child:
        child.load(gguf_model, slots=1, threads=1)
        answer = child.ask("日本語", max_tokens=120, temperature=1.5)
    model = LlamaModel(gguf_model, 0)
    assert answer.text == b"".join(map(model.piece, answer.ids)).decode("utf-8", "replace")


def test_a_prompt_longer_than_a_batch_gives_what_one_batch_gives(gguf_model: Path) -> None:
    prompt = "one two three " * 12
    answers = []
    for batch in (16, 256):
        with running(ENGINE) as child:
            child.load(gguf_model, slots=2, context=256, batch=batch, threads=1)
            answers.append(child.ask(prompt, temperature=0.0))
    assert answers[0].started is not None
    assert answers[0].started.prompt_tokens > 48
    assert answers[0].ids == answers[1].ids


Batches = dict[LlamaContext, list[list[int]]]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Batches:
    """What is decoded in this process: the sequence of each token, by batch and context."""
    decode = LlamaContext.decode
    found: Batches = {}

    def decoded(self: LlamaContext) -> NDArray[np.float32]:
        found.setdefault(self, []).append(self._sequences[: self._count].ravel().tolist())
        return decode(self)

    monkeypatch.setattr(LlamaContext, "decode", decoded)
    return found


def test_a_long_prompt_is_read_in_slices_while_others_decode(slow_gguf: Path, batches: Batches) -> None:
    room = 16
    engine = LlamaCpp()
    engine.load(str(slow_gguf), {"slots": 2, "context": 512, "batch": room, "threads": 1})
    engine.submit(generate("first", "The", temperature=0.0, max_tokens=400))
    list(engine.step())
    engine.submit(generate("newcomer", "word " * 60, temperature=0.0, max_tokens=4))
    events = [event for _ in range(40) for event in engine.step()]
    (prompt,) = (event.prompt_tokens for event in events if isinstance(event, Started) and event.id == "newcomer")
    assert prompt > 4 * room
    (decoded,) = batches.values()
    slices = [batch for batch in decoded if batch.count(1) > 1]
    assert len(slices) >= prompt // room
    assert all(batch.count(0) == 1 for batch in slices), "every slice shares its step with a token of the one that decodes"


def test_samples_of_a_question_read_its_prompt_once(slow_gguf: Path, batches: Batches) -> None:
    """Also one that joins while the first is at its answer; each answers as it does alone."""
    prompt = "word " * 40
    engine = LlamaCpp()
    engine.load(str(slow_gguf), {"slots": 4, "context": 512, "batch": 16, "threads": 1})
    for name in ("a", "b"):
        engine.submit(generate(name, prompt, temperature=0.0, max_tokens=6))
    events = [event for _ in range(9) for event in engine.step()]
    engine.submit(generate("c", prompt, temperature=0.0, max_tokens=6))
    while engine.busy:
        events += engine.step()
    ids = {name: [i for e in events if isinstance(e, Deltas) for d in e.items if d.id == name for i in d.ids] for name in "abc"}
    (decoded,) = batches.values()
    read = [sum(batch.count(number) for batch in decoded) for number in range(3)]
    (tokens,) = {event.prompt_tokens for event in events if isinstance(event, Started)}
    assert tokens > 40 and sum(read) < tokens + 3 * 8
    batches.clear()
    alone = LlamaCpp()
    alone.load(str(slow_gguf), {"slots": 1, "context": 512, "batch": 16, "threads": 1})
    alone.submit(generate("x", prompt, temperature=0.0, max_tokens=6))
    found = []
    while alone.busy:
        found += [i for e in alone.step() if isinstance(e, Deltas) for d in e.items for i in d.ids]
    assert ids["a"] == ids["b"] == ids["c"] == found


def test_a_sequence_goes_on_under_another_number(slow_gguf: Path) -> None:
    model = LlamaModel(slow_gguf, 0)
    prompt, rest = (model.tokenize(text, add_special=False) for text in ("The quick brown fox", "jumps"))
    found = []
    for number in (0, 2):
        context = LlamaContext(model, 3, 256, 64, 1, plain=bool(number))
        context.add(number, prompt, 0, True)
        context.decode()
        if number:
            context.move(number, 0)
            context.add(0, rest, len(prompt), True)
            context.add(number, prompt, 0, True)
        else:
            context.add(0, rest, len(prompt), True)
        found.append(context.decode()[0].copy())
    forgetful = LlamaContext(model, 3, 256, 64, 1)
    forgetful.add(0, rest, 0, True)
    # Batches of other shapes round otherwise, by processor; a sequence that had lost its past would be far off.
    lost = np.abs(found[0] - forgetful.decode()[0]).max()
    assert np.abs(found[0] - found[1]).max() < lost / 100


@pytest.mark.parametrize("threads", [1, 2])  # with two the slots are shared out between two contexts
def test_those_that_are_left_when_others_end_lie_side_by_side(gguf_model: Path, threads: int, batches: Batches) -> None:
    lengths = (2, 60, 20, 60, 30, 50)
    requests = [generate(f"r{n}", f"Story {n}", temperature=0.0, max_tokens=length) for n, length in enumerate(lengths)]
    engine = LlamaCpp()
    engine.load(str(gguf_model), {"slots": 5, "context": 256, "threads": threads})
    for request in requests:
        engine.submit(request)
    together: dict[str, tuple[int, ...]] = {}
    while engine.busy:
        for event in engine.step():
            for delta in event.items if isinstance(event, Deltas) else ():
                together[delta.id] = (*together.get(delta.id, ()), *delta.ids)
    assert len(batches) == threads
    for numbers in batches.values():
        assert all(sorted(set(batch)) == list(range(len(set(batch)))) for batch in numbers)
        assert max(len(set(batch)) for batch in numbers) > len(set(numbers[-1]))
    with running(ENGINE) as child:
        child.load(gguf_model, slots=1, context=256, threads=1)
        child.send(*requests)
        alone = child.wait(*(request.id for request in requests))
    assert [together[request.id] for request in requests] == [answer.ids for answer in alone]


def test_files_that_are_no_models(gguf_model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(gguf_model.read_bytes()[:-5000])
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    for path, message in [
        (tmp_path / "absent.gguf", "No such file"),
        (tmp_path, "Is a directory"),
        (text, "letters GGUF"),
        (cut, f"announces {gguf_model.stat().st_size:,} bytes, and there are {cut.stat().st_size:,}"),
    ]:
        with running(ENGINE) as child:
            failed = child.refuse(path)
        assert failed.kind == "model"
        assert message in failed.message
        assert failed.remedy


def test_an_unknown_architecture_is_told_in_llama_cpps_words(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "odd.gguf", "no-such-architecture")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with running(ENGINE) as child:
        failed = child.refuse(tmp_path / "odd.gguf")
    assert failed.kind == "model"
    assert "no-such-architecture" in failed.message


def test_memory_that_is_not_there_means_fewer_slots(gguf_model: Path) -> None:
    with running(ENGINE) as child:
        assert 1 <= child.load(gguf_model, slots=1 << 22, context=512, threads=1).slots < 1 << 22


@pytest.mark.parametrize(
    ("threads", "weights", "slots"), [(0, SMALL, 8), (1, SMALL, 8), (2, SMALL, 16), (2, SMALL + 1, 8), (32, SMALL, 64)]
)
def test_each_thread_that_decodes_a_small_model_has_its_own_sequences(threads: int, weights: int, slots: int) -> None:
    assert usual_slots(threads, weights) == slots


def test_slots_are_chosen_where_nobody_says_how_many(gguf_model: Path) -> None:
    for given, slots in (({"threads": 2}, 16), ({"threads": 2, "slots": 3}, 3), ({"threads": 2, "exact": True}, 1)):
        with running(ENGINE) as child:
            assert child.load(gguf_model, context=256, **given).slots == slots


def test_what_is_dropped_gives_its_memory_back(gguf_model: Path) -> None:
    model = LlamaModel(gguf_model, 0)
    cache = gguf_shape(gguf_model).kv_values * 2 * 8 * 16_384
    before = psutil.Process().memory_info().rss
    for _ in range(8):
        LlamaContext(model, 8, 16_384, 64, 1)
    assert psutil.Process().memory_info().rss - before < 3 * cache, "the C library may keep one or two for the next"


def test_threads_do_not_spin_where_others_want_the_processors() -> None:
    burn = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        time.sleep(0.5)
        assert idle_share() < 0.25
    finally:
        for process in burn:
            process.kill()
            process.wait()
