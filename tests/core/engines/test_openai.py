"""The engine "openai" against real HTTP servers on loopback: one that misbehaves in each way, and llama-cpp-python's own."""

from __future__ import annotations

import gzip
import re
import resource
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.engines.host.wire import Failed, Finished, Generate, Sampling, Started, TemplateOptions
from core.engines.openai.events import Events
from tests.helpers.chat_server import Act, Handler, answer, drip, keep_alive, raw, serving, status, torn
from tests.helpers.host_process import Answer, Host, generate, running

ENGINE = "openai"
HELLO = ({"role": "assistant"}, {"content": "It is "}, {"content": "42."})


def ask(child: Host, id: str = "q", **sampling: Any) -> Answer:
    child.send(generate(id, "What is it?", chat=True, **sampling))
    return child.wait(id)[0]


def answered(server: Any, **options: Any) -> tuple[Answer, list[Any]]:
    """The answer of one request, and every event of it."""
    with running(ENGINE) as child:
        child.load(f"{server.address}#m", pause=0.05, **options)
        return ask(child), child.events


def test_reasoning_and_content_are_joined_as_r1_writes_them() -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 14,
    }
    for name in ("reasoning_content", "reasoning"):
        act = answer({"role": "assistant"}, {name: "Let me "}, {name: "think."}, {"content": "It is 42."}, usage=usage)
        with serving(act) as server:
            got, _ = answered(server)
        assert got.text == "Let me think.</think>It is 42."
        assert got.finished == Finished("q", "stop", None, {"prompt_tokens": 9, "completion_tokens": 5, "reasoning_tokens": 3})
        assert got.started == Started("q", "What is it?", None, 40)


def test_reasoning_alone_is_not_closed_for_the_model() -> None:
    for finish in ("stop", "length"):
        with serving(answer({"reasoning_content": "hm"}, finish=finish)) as server:
            got, _ = answered(server)
        assert got.text == "hm"
        assert got.finished is not None and got.finished.reason == finish


@pytest.mark.parametrize(
    ("deltas", "text"),
    [
        ([{"reasoning": "24+48."}, {"content": "It is 72."}, {"reasoning": "\n"}], "24+48.</think>It is 72."),
        ([{"reasoning": "24+48.</think>It is 72."}], "24+48.</think>It is 72."),
        ([{"reasoning": "24+48, then"}, {"content": " 72.</think>It is 72."}], "24+48, then</think> 72.</think>It is 72."),
        ([{"reasoning": "24+48.</th"}, {"reasoning": "ink>"}, {"content": "It is 72."}], "24+48.</think>It is 72."),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "24+48."}]}]},
                {"content": [{"type": "text", "text": "It is 72."}]},
            ],
            "24+48.</think>It is 72.",
        ),
    ],
)
def test_reasoning_is_told_from_content_however_it_comes(deltas: list[Any], text: str) -> None:
    with serving(answer(*deltas)) as server:
        got, _ = answered(server)
    assert got.text == text


@pytest.mark.parametrize(
    ("said", "reason", "filtered"),
    [
        *((word, "stop", False) for word in ("stop", "STOP", "eos_token", "end_turn")),
        *((word, "length", False) for word in ("length", "max_tokens", "model_length")),
        ("repetition", "repetition", False),
        ("content_filter", "stop", True),
    ],
)
def test_finish_reasons_of_any_server_are_understood(said: str, reason: str, filtered: bool) -> None:
    with serving(answer(*HELLO, finish=said)) as server:
        got, _ = answered(server)
    assert got.finished is not None and (got.finished.reason, got.finished.filtered) == (reason, filtered)


@pytest.mark.parametrize("said", ["abort", "error", "insufficient_system_resource"])
def test_what_the_server_broke_off_is_asked_again(said: str) -> None:
    with serving(answer({"content": "It is 41"}, finish=said), answer(*HELLO)) as server:
        got, events = answered(server)
    assert got.finished is not None and got.finished.reason == "stop" and len(server.bodies) == 2
    assert sum(isinstance(event, Started) for event in events) == 2


TWO = '{"choices": [{"index": 0, "delta": {"content": "It"}}, {"index": 1, "delta": {"content": "He"}}]}'
OTHER = (
    '{"id": "a", "choices": [{"delta": {"content": "It is"}}]}\n\ndata: {"id": "b", "choices": [{"delta": {"content": "x"}}]}'
)


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (answer(*HELLO, finish="tool_calls"), "finish reason 'tool_calls' says neither"),
        (raw(f"data: {TWO}\n\n"), "two answers, and one was asked for"),
        (raw(f"data: {OTHER}\n\n"), "changes its id amid the stream"),
    ],
)
def test_a_reply_that_is_no_answer_is_an_error_of_its_own(act: Act, sentence: str) -> None:
    with serving(act) as server:
        got, _ = answered(server)
    assert got.finished is not None and got.finished.reason == "error" and sentence in str(got.finished.error)
    assert len(server.bodies) == 3


def test_an_error_amid_a_stream_is_told_and_asked_again() -> None:
    cut = raw('data: {"choices": [{"delta": {"content": "It"}}]}\n\ndata: {"error": {"message": "out of memory"}}\n\n')
    with serving(cut) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m", tries=2, pause=0.01)
        child.send(generate("q", "What is it?", chat=True))
        while (event := child.next_event()) is not None and not isinstance(event, Failed):
            pass
    assert event is not None and "out of memory" in event.message


def test_half_a_surrogate_pair_is_replaced() -> None:
    chunk = '{"choices": [{"delta": {"content": "It is \\ud83d 42."}, "finish_reason": "stop"}]}'
    with serving(raw(f"data: {chunk}\n\ndata: [DONE]\n\n")) as server:
        got, _ = answered(server)
    assert got.text == "It is \ufffd 42." and got.finished is not None and got.finished.reason == "stop"


def test_a_server_that_does_not_stream_is_read() -> None:
    message = {"role": "assistant", "reasoning_content": "24+48.", "content": "It is 72."}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": {"completion_tokens": 9}}
    with serving(lambda handler: handler.refuse(200, whole)) as server:
        got, _ = answered(server)
    assert got.text == "24+48.</think>It is 72."
    assert got.finished is not None and (got.finished.reason, got.finished.usage) == ("stop", {"completion_tokens": 9})


def test_a_text_that_the_last_chunk_tells_once_more_is_read_once() -> None:
    said = "Half of the people are 36, so all of them are"

    def act(handler: Handler) -> None:
        handler.begin()
        handler.chunk(content=said[:20])
        handler.chunk(content=said[20:])
        handler.chunk("length", content=said)
        handler.say("data: [DONE]\n\n")

    with serving(act) as server:
        got, _ = answered(server)
    assert got.text == said and got.finished is not None and got.finished.reason == "length"


@pytest.mark.parametrize(
    ("usage", "kept"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0}, None),
        ({"prompt_tokens": 9, "completion_tokens": 5, "reasoning_tokens": 25}, {"prompt_tokens": 9, "completion_tokens": 5}),
    ],
)
def test_counts_that_cannot_be_are_none(usage: dict[str, int], kept: dict[str, int] | None) -> None:
    with serving(answer(*HELLO, usage=usage)) as server:
        got, _ = answered(server)
    assert got.finished is not None and got.finished.usage == kept


def test_a_reply_whose_end_has_come_is_never_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The usage never comes, or the connection breaks before it does."""
    chunk = '{"choices": [{"index": 0, "delta": {"content": "It is 42."}, "finish_reason": "stop"}]}'

    def breaks(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.say(f"data: {chunk}\n\n")
        handler.close_connection = True

    def waits(handler: Handler) -> None:
        handler.begin()
        handler.say(f"data: {chunk}\n\n")
        time.sleep(12)

    with serving(breaks, waits) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m", silence=0.5)
        for name in ("a", "b"):
            got = ask(child, name)
            assert got.text == "It is 42." and got.finished is not None and got.finished.reason == "stop"
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    "refusal", ["max_tokens is too large: 32768. This model supports at most 16384.", "logprobs are needed", "no seed, please"]
)
def test_what_every_request_would_meet_fails_the_run(refusal: str) -> None:
    with serving(status(400, refusal)) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m")
        child.send(*(generate(str(number), "hi", chat=True) for number in range(4)))
        while (event := child.next_event()) is not None and not isinstance(event, Failed):
            pass
    assert event is not None and (event.kind, event.remedy != "") == ("usage", True) and refusal in event.message


def test_a_limit_under_its_newer_name_is_sent_where_the_server_asks_for_it() -> None:
    refusal = status(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    with serving(refusal, answer(*HELLO)) as server:
        got, _ = answered(server)
    assert got.text == "It is 42."
    assert "max_tokens" not in server.bodies[1] and server.bodies[1]["max_completion_tokens"] == 40


BYTES = b': hello\r\n\r\ndata: {"a": 1}\r\n\r\nevent: x\r\ndata: {"b":\r\ndata: 2}\r\n\r\ndata: [DONE]'


@pytest.mark.parametrize("step", range(1, 12))
def test_events_are_the_same_wherever_the_network_cuts_them(step: int) -> None:
    for stream in (BYTES, BYTES.replace(b"\r\n", b"\n"), b"\xef\xbb\xbf" + BYTES.replace(b"\r\n", b"\r")):
        events = Events()
        found = [data for at in range(0, len(stream), step) for data in events.cut(stream[at : at + step])] + events.end()
        assert found == [b'{"a": 1}', b'{"b":\n2}', b"[DONE]"]


def test_what_a_run_sets_in_the_template_is_sent() -> None:
    options = TemplateOptions("off", "low", None, {"k": 1})
    with serving(answer(*HELLO)) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m")
        child.send(Generate("a", "What is it?", True, 1, Sampling(max_tokens=4), template_options=options))
        child.wait("a")
    (body,) = server.bodies
    assert body["reasoning_effort"] == "low"
    assert body["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False, "reasoning_effort": "low", "k": 1}


def test_what_was_asked_for_is_sent_and_nothing_else() -> None:
    with serving(answer(*HELLO)) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m")
        ask(child, "a", temperature=0.6, top_p=0.9, max_tokens=7)
        ask(child, "b", temperature=0.6, top_k=5, min_p=0.1, stop=("END",))
    first, second = server.bodies
    assert first["messages"] == [{"role": "user", "content": "What is it?"}]
    assert (first["temperature"], first["top_p"], first["max_tokens"], first["seed"], first["model"]) == (0.6, 0.9, 7, 1, "m")
    assert not {"top_k", "min_p", "stop"} & set(first)
    assert (second["top_k"], second["min_p"], second["stop"]) == (5, 0.1, ["END"])


def test_empty_replies_are_asked_again_and_counted() -> None:
    empty = answer({"role": "assistant"}, {"content": ""})
    with serving(empty, empty, answer(*HELLO)) as server:
        got, events = answered(server)
    assert got.text == "It is 42."
    assert got.finished is not None and (got.finished.reason, got.finished.empty_replies) == ("stop", 2)
    assert sum(isinstance(event, Started) for event in events) == 3
    with serving(empty) as server:
        got, _ = answered(server, empty_tries=2)
    assert len(server.bodies) == 3
    assert got.finished is not None and (got.finished.reason, got.finished.empty_replies) == ("error", 3)
    assert "3 empty replies" in str(got.finished.error)


def test_a_server_that_is_busy_is_given_the_time_that_it_asks_for() -> None:
    with serving(status(429, "slow down", Retry_After="0.4"), status(503), answer(*HELLO)) as server:
        got, _ = answered(server)
    assert got.text == "It is 42."
    first, second, third = server.times
    assert second - first >= 0.4
    assert third - second < 0.4


def test_a_date_in_retry_after_is_understood() -> None:
    from email.utils import formatdate

    with serving(status(429, Retry_After=formatdate(time.time() + 6, usegmt=True)), answer(*HELLO)) as server:
        answered(server)
    assert 0.8 < server.times[1] - server.times[0] < 7


def test_a_stream_that_breaks_off_begins_anew() -> None:
    acts = (torn({"content": "It is"}), raw("<html>502</html>"), raw('data: {"choices": 7}\n\n'), raw("data: {oops\n\n"))
    with serving(*acts, answer(*HELLO)) as server:
        got, events = answered(server)
    assert got.finished is not None and got.finished.reason == "stop"
    begun = [number for number, event in enumerate(events) if isinstance(event, Started)]
    assert len(begun) == 5
    after = [delta.text for event in events[begun[-1] :] if hasattr(event, "items") for delta in event.items]
    assert "".join(after) == "It is 42."


def test_a_server_that_keeps_failing_fails_the_run_and_not_the_response() -> None:
    with serving(status(500, "out of order")) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m", tries=3, pause=0.01)
        child.send(generate("q", "What is it?", chat=True))
        events = [child.next_event() for _ in range(4)]
    failed = events[-1]
    assert failed is not None and "failed 3 times in a row" in failed.message and "out of order" in failed.message
    assert len(server.bodies) == 3


ODD = (
    '{"choices": [{"index": 0, "delta": {"content": 5}}]}',
    '{"choices": [{"index": 0, "delta": {"content": [5]}}]}',
    '{"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": {"prompt_tokens": 1e30, "completion_tokens": 1}}',
    '{"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": {"prompt_tokens": 1e999, "completion_tokens": 1}}',
    '{"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": {"prompt_tokens": -1, "completion_tokens": 1}}',
    "[" * 200_000,
)


@pytest.mark.parametrize("event", ODD, ids=range(len(ODD)))
def test_an_odd_reply_is_its_own_error_and_its_neighbours_are_answered(event: str) -> None:
    odd = raw(f"data: {event}\n\n")
    with serving(odd, odd, odd, answer(*HELLO)) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m", pause=0.01)
        got, neighbour = ask(child), ask(child, "next")
    assert got.finished is not None and got.finished.reason == "error"
    assert got.finished.error is not None and "cannot be read: what came is not OpenAI's protocol" in got.finished.error
    assert neighbour.text == "It is 42." and neighbour.finished is not None and neighbour.finished.reason == "stop"


@pytest.mark.parametrize("wait", ["1e9", "inf", "nan", "-5", "Fri, 31 Dec 9999 23:59:59 GMT", "soon"])
def test_an_absurd_wait_is_not_taken_at_its_word(wait: str) -> None:
    with serving(status(503, Retry_After=wait), answer(*HELLO)) as server:
        got, _ = answered(server)
    assert got.text == "It is 42."


def endless(line: bytes, packed: bool) -> Act:
    """A stream that holds 64 MiB and no end of an event."""

    def act(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        if packed:
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        whole = b"data: " + line * (2**26 // len(line))
        handler.wfile.write(gzip.compress(whole) if packed else whole)

    return act


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("line", [b"x" * 2**20, b"data: x\n" * 2**16], ids=["line", "lines"])
def test_an_event_without_end_is_cut_off(line: bytes, packed: bool) -> None:
    with serving(endless(line, packed), answer(*HELLO)) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m", pause=0.01)
        got, neighbour = ask(child), ask(child, "next")
        peak = int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{child.process.pid}/status").read_text())[0]) // 1024
    assert got.finished is not None and "one event of it is longer than 4 MiB" in str(got.finished.error)
    assert neighbour.text == "It is 42."
    assert peak < 400  # MiB; the libraries alone take 100


def test_a_packed_reply_is_read() -> None:
    def act(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        event = '{"choices": [{"index": 0, "delta": {"content": "It is 42."}, "finish_reason": "stop"}]}'
        handler.wfile.write(gzip.compress(f"data: {event}\n\ndata: [DONE]\n\n".encode()))

    with serving(act) as server:
        got, _ = answered(server)
    assert got.text == "It is 42."


@pytest.mark.parametrize("empty_chunks", [False, True])
def test_keep_alives_hold_nothing_up(empty_chunks: bool) -> None:
    with serving(keep_alive({"content": "It"}, empty_chunks=empty_chunks), answer(*HELLO)) as server:
        began = time.monotonic()
        got, _ = answered(server, silence=0.5)
    assert time.monotonic() - began < 20
    assert got.finished is not None and got.finished.reason == "stop"
    with serving(keep_alive(empty_chunks=empty_chunks)) as server:
        got, _ = answered(server, seconds=0.6, silence=100.0)
    assert got.finished is not None and got.finished.reason == "error"
    assert "the cap" in str(got.finished.error)


def test_the_cap_ends_even_a_stream_that_speaks() -> None:
    with serving(drip("la", 0.05)) as server:
        got, _ = answered(server, seconds=0.8)
    assert got.finished is not None and got.finished.reason == "error"
    assert got.text.startswith("lala")


def test_what_no_other_request_would_mend_fails_the_engine() -> None:
    for code, kind, said in ((401, "usage", "refused the key"), (404, "model", "does not serve 'm'")):
        with serving(status(code, "bad key sk-secret-123"), models=[]) as server, running(ENGINE) as child:
            child.load(f"{server.address}#m")
            child.send(generate("q", "hi", chat=True))
            assert isinstance(child.next_event(), Started)
            failed = child.next_event()
            assert failed is not None and (failed.kind, failed.remedy != "") == (kind, True)
            assert said in failed.message


def test_a_request_that_the_server_refuses_fails_alone() -> None:
    with serving(status(400, "too long"), answer(*HELLO)) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m")
        refused, fine = ask(child, "a"), ask(child, "b")
    assert refused.finished is not None and refused.finished.reason == "error" and "too long" in str(refused.finished.error)
    assert fine.text == "It is 42."


def test_the_key_comes_from_the_environment_and_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret-123")
    with serving(answer(*HELLO), status(400, "sk-secret-123 is odd")) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m", key_variable="MY_KEY")
        ask(child, "a")
        refused = ask(child, "b")
    assert server.keys == ["Bearer sk-secret-123"] * 2
    assert "*** is odd" in str(refused.finished)


def test_cancel_closes_the_stream_and_one_model_needs_no_name() -> None:
    with serving(drip("la", 0.02)) as server, running(ENGINE) as child:
        child.load(server.address, slots=1)
        child.send(generate("a", "hi", chat=True), generate("b", "hi", chat=True))
        while not child.answers["a"].text:
            child.next_event()
        child.cancel("b")
        child.cancel("a")
        ends = [answer.finished for answer in child.wait("a", "b")]
    assert [end and end.reason for end in ends] == ["cancelled", "cancelled"]
    assert len(server.bodies) == 1


def test_as_many_requests_are_at_a_server_at_once_as_there_are_slots() -> None:
    """No request is answered before all are there, as behind a load balancer with many engines."""
    slots = 64
    everyone = threading.Barrier(slots)

    def together(handler: Handler) -> None:
        everyone.wait(60)
        answer(*HELLO)(handler)

    with serving(together) as server, running(ENGINE) as child:
        child.load(f"{server.address}#m", slots=slots)
        names = [str(number) for number in range(slots)]
        child.send(*(generate(name, "hi", chat=True) for name in names))
        assert {found.text for found in child.wait(*names)} == {"It is 42."}


def test_more_slots_than_the_system_has_files_are_refused() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(answer(*HELLO)) as server, running(ENGINE) as child:
        failed = child.refuse(f"{server.address}#m", slots=hard)
        assert failed.kind == "usage" and "side by side" in failed.message and "openai.slots" in failed.remedy


def test_addresses_that_lead_nowhere() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    many = [{"id": name, "object": "model", "created": 1, "owned_by": "us"} for name in "ab"]
    with serving(answer(*HELLO), models=many) as server:
        for address, kind, said in [
            (f"http://127.0.0.1:{port}/v1#m", "engine", "Nobody answers"),
            (server.address, "model", "several models or names none: a, b"),
            ("ftp://somewhere#m", "model", "no address of a server"),
            ("http://me:secret@127.0.0.1/v1#m", "model", "secret"),
        ]:
            with running(ENGINE) as child:
                failed = child.refuse(address)
            assert (failed.kind, failed.remedy != "") == (kind, True)
            assert said in failed.message


@pytest.fixture(scope="module")
def llama_server(gguf_model: Path) -> Iterator[str]:
    """llama-cpp-python's own server with the tiny model."""
    pytest.importorskip("starlette_context", reason="llama-cpp-python[server] is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "llama_cpp.server",
        "--model",
        str(gguf_model),
        "--model_alias",
        "tiny",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(
        [*command, "--n_ctx", "512", "--n_threads", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}/v1"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/models", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.wait()


def test_a_real_server_streams_chat_and_raw_prompts(llama_server: str) -> None:
    with running(ENGINE) as child:
        ready = child.load(llama_server, slots=2, context=512)
        assert (ready.resumes, ready.slots) == (False, 2)
        child.send(generate("chat", "The cat", chat=True, max_tokens=20), generate("raw", "The cat sat", max_tokens=20))
        for got in child.wait("chat", "raw"):
            assert got.text
            assert got.finished is not None and got.finished.reason in ("stop", "length"), got.finished
