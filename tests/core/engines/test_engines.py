"""What every engine must do, as a real child process on real weights."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.compress.gguf.export import export_folder
from core.compress.hf_folder import HfFolder
from core.engines.host.wire import Cancel, Deltas, Failed, Finished, Started
from tests.helpers import tiny
from tests.helpers.host_process import HOST, Host, generate, running


@pytest.fixture(scope="module", params=["llama.cpp", "transformers"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(engine: str, hf_model: Path, gguf_model: Path) -> Path:
    return gguf_model if engine == "llama.cpp" else hf_model


@pytest.fixture(scope="module")
def slow_model(engine: str, slow_hf: Path, slow_gguf: Path) -> Path:
    return slow_gguf if engine == "llama.cpp" else slow_hf


@pytest.fixture(scope="module")
def host(engine: str, model: Path) -> Iterator[Host]:
    """A loaded host that the tests of this module share."""
    with running(engine) as child:
        ready = child.load(model, slots=3, context=256, threads=1)
        assert (ready.engine, ready.slots, ready.context, ready.resumes) == (engine, 3, 256, True)
        assert (ready.opens, ready.closes, len(ready.close_ids)) == ("<think>", "</think>", 1)
        yield child


def test_requests_stream_at_once_and_newcomers_join(host: Host) -> None:
    host.send(*(generate(f"s{i}", f"The cat sat {i}", seed=i, max_tokens=100 + 20 * i) for i in range(6)))
    answers = host.wait(*(f"s{i}" for i in range(6)))
    for i, answer in enumerate(answers):
        assert answer.started is not None
        assert answer.finished is not None
        assert answer.finished.reason in ("stop", "length")
        if answer.finished.reason == "length":
            assert len(answer.ids) == answer.started.limit == 100 + 20 * i
    shared = [event for event in host.events if isinstance(event, Deltas) and len(event.items) > 1]
    assert shared, "no two responses ever advanced together"
    begun = [event.id for event in host.events if isinstance(event, Started) and event.id.startswith("s")]
    assert begun == [f"s{i}" for i in range(6)]


def test_a_seed_fixes_the_response(host: Host) -> None:
    first, again, other = (host.ask("The dog", seed=seed) for seed in (7, 7, 8))
    assert first.ids == again.ids != other.ids


def test_an_exact_resume_goes_on_as_if_nothing_had_happened(engine: str, model: Path) -> None:
    prompt = "The cat sat on the mat and the dog wasn't there"
    # llama.cpp reads this prompt in more than one batch.
    with running(engine) as child:
        assert child.load(model, exact=True, threads=1, **({"batch": 16} if engine == "llama.cpp" else {})).slots == 1
        whole = child.ask(prompt, seed=3, max_tokens=120)
        for cut in (1, 17, len(whole.ids) - 1):
            child.ask("something else in between", seed=cut, max_tokens=9)
            rest = child.ask(prompt, seed=3, max_tokens=120, prefix=whole.ids[:cut])
            assert whole.ids[:cut] + rest.ids == whole.ids
            assert whole.text.endswith(rest.text)
            assert rest.finished is not None
            assert whole.finished is not None
            assert rest.finished.reason == whole.finished.reason


def test_cancel_in_flight_and_waiting(engine: str, slow_model: Path) -> None:
    with running(engine) as child:
        child.load(slow_model, slots=2, threads=1)
        child.send(*(generate(f"c{i}", f"The {i}", temperature=0.0, max_tokens=60) for i in range(4)))
        while not child.answers["c0"].ids:
            child.next_event()
        for name in ("c0", "c3", "nobody"):
            child.cancel(name)
        answers = child.wait(*(f"c{i}" for i in range(4)))
    reasons = [answer.finished.reason if answer.finished else None for answer in answers]
    assert reasons == ["cancelled", "length", "length", "cancelled"]
    assert 0 < len(answers[0].ids) < 60
    assert answers[3].started is None


def test_a_cancelled_request_can_be_sent_again(engine: str, slow_model: Path) -> None:
    long, short = (generate("again", "The", temperature=0.0, max_tokens=count) for count in (400, 3))
    with running(engine) as child:
        child.load(slow_model, slots=1, threads=1)
        child.send(long)
        while not child.answers["again"].ids:
            child.next_event()
        child.send(Cancel("again"), long, Cancel("again"), short)
        ends: list[str] = []
        while len(ends) < 3:
            event = child.next_event()
            ends += [event.reason] if isinstance(event, Finished) else []
    assert ends == ["cancelled", "cancelled", "length"]


def test_limits(host: Host) -> None:
    short = host.ask("a b", max_tokens=5, top_k=1)
    assert short.started is not None
    assert short.started.limit == 5
    assert len(short.ids) == 5
    long = host.ask("a b", max_tokens=100_000, temperature=0.0)
    assert long.started is not None
    assert long.started.limit == 256 - long.started.prompt_tokens
    assert len(long.ids) <= long.started.limit
    done = host.ask("a b", max_tokens=5, top_k=1, prefix=short.ids)
    assert done.ids == ()
    assert done.finished is not None
    assert done.finished.reason == "length"


def test_requests_that_cannot_be_run_fail_alone(host: Host) -> None:
    wrong = {
        "alien": (generate("alien", "The", prefix=(10**6,)), "not this model's"),
        "long": (generate("long", "word " * 400), "tokens, and the context holds 256"),
        "empty": (generate("empty", ""), "The prompt is empty"),
    }
    host.send(*(request for request, _ in wrong.values()), generate("fine", "The cat"))
    *failed, fine = host.wait(*wrong, "fine")
    for answer, (_, message) in zip(failed, wrong.values(), strict=True):
        assert answer.started is None
        assert answer.finished is not None
        assert answer.finished.reason == "error"
        assert message in str(answer.finished.error)
    assert fine.finished is not None
    assert fine.finished.reason in ("stop", "length")


def test_chat_uses_the_template_as_transformers_does(host: Host) -> None:
    tokenizer = tiny.tokenizer("qwen2")
    messages = [{"role": "user", "content": "hello"}]
    expected = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    host.send(generate("chat", "hello", chat=True, max_tokens=3))
    (answer,) = host.wait("chat")
    assert answer.started is not None
    assert answer.started.prompt == expected
    assert answer.started.prompt_tokens == len(tokenizer.encode(expected, add_special_tokens=False))
    assert host.ask("hello", id="raw").started == Started("raw", "hello", answer.started.prompt_tokens - 5, 40)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ cycler.__init__.__globals__.os.system('touch /tmp/evil') }}", "SecurityError"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "it takes too long"),
        ("{{ 'x' * 10 ** 10 }}", "it needs more than 512 MiB"),
    ],
    ids=["code", "loop", "memory"],
)
def test_a_template_that_does_harm_ends_the_host_with_one_error(
    engine: str, hf_model: Path, tmp_path: Path, template: str, says: str
) -> None:
    model = tmp_path / "evil"
    shutil.copytree(hf_model, model)
    (model / "chat_template.jinja").write_text(template)
    if engine == "llama.cpp":
        export_folder(HfFolder.open(model), tmp_path / "evil.gguf", lambda *step: None)
        model = tmp_path / "evil.gguf"
    with running(engine) as child:
        child.load(model, slots=1, threads=1)
        assert child.ask("raw prompts need no template").ids
        child.send(generate("chat", "hi", chat=True))
        event = child.next_event()
        assert isinstance(event, Failed)
        assert event.kind == "model" and says in event.message and "raw prompts" in event.remedy
    assert not Path("/tmp/evil").exists()


def test_options_that_do_not_exist_or_make_no_sense(engine: str, model: Path) -> None:
    for options in ({"slotz": 3}, {"slots": 0}, {"slots": "4"}, {"threads": "4"}, {"exact": 1}):
        with running(engine) as child:
            assert child.refuse(model, **options).kind == "usage"


def test_the_end_of_stdin_ends_a_busy_host_at_once(engine: str, slow_model: Path) -> None:
    with running(engine) as child:
        child.load(slow_model, slots=8, threads=1)
        child.send(*(generate(f"e{i}", "word " * 80, max_tokens=400) for i in range(8)))
        while not isinstance(child.next_event(), Started):
            pass
        code, _ = child.end()
        while child.next_event() is not None:
            pass
    assert code == 0
    assert all(answer.finished is None for answer in child.answers.values())


def test_an_idle_host_ends_too(engine: str) -> None:
    with running(engine) as child:
        assert child.end()[0] == 0


def test_nonsense_on_stdin_ends_the_host_with_a_message(engine: str) -> None:
    with running(engine) as child:
        assert child.process.stdin is not None
        child.process.stdin.write(b"{nonsense\n")
        child.process.stdin.flush()
        event = child.next_event()
        assert isinstance(event, Failed)
        assert event.kind == "usage"


def test_a_host_that_nobody_hears_ends_quietly(engine: str) -> None:
    command, pipe = [sys.executable, "-P", str(HOST), engine], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd="/") as child:
        assert child.stdin and child.stdout and child.stderr
        child.stdout.close()
        child.stdin.write(b"{nonsense\n")
        child.stdin.flush()
        assert (child.stderr.read(), child.wait()) == (b"", 0)


def test_the_probe_says_that_it_works(engine: str) -> None:
    output = subprocess.run([sys.executable, "-P", str(HOST), engine, "--probe"], capture_output=True, cwd="/", check=True)
    probe = json.loads(output.stdout)
    assert (probe["engine"], probe["works"]) == (engine, True)
    assert probe["version"]
    assert ("PyTorch" if engine == "transformers" else "llama.cpp") in probe["detail"]


def test_the_host_needs_nothing_of_this_project(engine: str, tmp_path: Path) -> None:
    """Under an interpreter that cannot import this project, the host still serves."""
    script = tmp_path / "hidden.py"
    script.write_text(
        "import runpy, sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('core', 'tui', 'benchmarks'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        f"sys.argv = ['host.py', {engine!r}, '--probe']\n"
        f"runpy.run_path({str(HOST)!r}, run_name='__main__')\n"
    )
    output = subprocess.run([sys.executable, "-P", str(script)], capture_output=True, cwd="/", check=True)
    assert json.loads(output.stdout)["works"] is True


def test_a_stop_string_ends_the_response_wherever_tokens_cut_it(host: Host) -> None:
    whole = host.ask("The cat sat", seed=11, max_tokens=60)
    stop = whole.text[20:24]
    ended = host.ask("The cat sat", seed=11, max_tokens=60, stop=("never this", stop))
    assert ended.finished is not None
    assert ended.finished.reason == "stop"
    assert whole.text.startswith(ended.text)
    assert stop in ended.text and stop not in ended.text[: -len(stop)][:20]
    assert ended.ids == whole.ids[: len(ended.ids)]
    cut = len(ended.ids) - 1
    rest = host.ask("The cat sat", seed=11, max_tokens=60, stop=(stop,), prefix=ended.ids[:cut])
    assert rest.ids == ended.ids[cut:]
