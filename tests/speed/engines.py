"""llama.cpp at 8 streams beside its peers, in interleaved rounds: `python -m tests.speed.engines [--rounds 5] [--tokens 64]`.

All answer the same 8 prompts with SmolLM2-135M at temperature 0, as many tokens each, on as many threads:

- ours: the host of the engine "llama.cpp", spoken to on its pipes;
- high-level: llama-cpp-python's `Llama.create_completion`, one prompt after the other, which is all that it can do;
- server: xllamacpp's llama-server with 8 slots over HTTP (`make peers`; skipped, with a word, where it is not installed).

A machine with other work on it stretches wall time, so that tokens a second of processor time stand beside it, and what
others took of the processors.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from statistics import median
from typing import Any

import psutil

from core.engines.host import wire
from core.engines.llamacpp.engine import SPINS
from core.jobs.engines import HOST
from core.jobs.models import resolve
from tests.speed.machine import Others
from tests.speed.public import BUILD, smollm2_gguf

CONTEXT = 1024
THEMES = ("rivers", "clocks", "bridges", "whales", "maps", "bees", "trains", "the moon")
# In the model's own markup, which all three recognise: so it writes at length and does not stop at once.
PROMPTS = [f"<|im_start|>user\nWrite a long story about {theme}.<|im_end|>\n<|im_start|>assistant\n" for theme in THEMES]
STREAMS = len(PROMPTS)

Round = Callable[[int], int]
"""Answer all prompts with so many tokens each; returns how many came."""


def ours(model: str, threads: int) -> tuple[Round, int]:
    """The engine's host as a child. Returns its round and its process."""
    # As the host would choose by itself on an idle machine, whatever is going on while it starts here.
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": str(SPINS)}
    command = [sys.executable, "-P", str(HOST), "llama.cpp"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    assert child.stdin and child.stdout
    sent, came = child.stdin, child.stdout

    def send(message: wire.Request) -> None:
        sent.write(wire.encode(message).encode())
        sent.flush()

    send(wire.Load(model, {"slots": STREAMS, "context": CONTEXT, "threads": threads}))
    if not isinstance(ready := wire.decode(came.readline()), wire.Ready):
        raise SystemExit(str(ready))

    def answer(tokens: int) -> int:
        sampling = wire.Sampling(temperature=0.0, top_p=1.0, max_tokens=tokens)
        for i, prompt in enumerate(PROMPTS):
            send(wire.Generate(str(i), prompt, False, 1, sampling))
        count = ended = 0
        while ended < STREAMS:
            event = wire.decode(came.readline())
            if isinstance(event, wire.Deltas):
                count += sum(delta.tokens for delta in event.items)
            ended += isinstance(event, wire.Finished)
        return count

    return answer, child.pid


def high_level(model: str, threads: int) -> Round:
    """llama-cpp-python's own loop, with weights laid out as ours are."""
    import llama_cpp.llama as library

    from core.engines.llamacpp.native import layouts_are_sound

    defaults = library.llama_cpp.llama_model_default_params

    def as_ours() -> Any:
        parameters = defaults()
        parameters.use_extra_bufts = layouts_are_sound()
        return parameters

    library.llama_cpp.llama_model_default_params = as_ours
    llama = library.Llama(model, n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads, verbose=False)

    def answer(tokens: int) -> int:
        return sum(
            llama.create_completion(prompt, max_tokens=tokens, temperature=0.0)["usage"]["completion_tokens"]
            for prompt in PROMPTS
        )

    return answer


def server(model: str, threads: int) -> Round:
    """xllamacpp's server, asked by a thread a prompt."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.n_ctx, parameters.n_parallel = STREAMS * CONTEXT, STREAMS
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    running = xllamacpp.Server(parameters)

    def ask(prompt: str, tokens: int, counts: list[int]) -> None:
        body = {"prompt": prompt, "n_predict": tokens, "temperature": 0.0, "cache_prompt": False}
        url = f"{running.listening_address}/completion"
        request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as reply:
            counts.append(json.load(reply)["tokens_predicted"])

    def answer(tokens: int) -> int:
        counts: list[int] = []
        threads = [threading.Thread(target=ask, args=(prompt, tokens, counts)) for prompt in PROMPTS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts)

    return answer


PEERS: dict[str, Callable[[str, int], Round]] = {"high-level": high_level, "server": server}


def peer(name: str, model: str, threads: int) -> tuple[Round, int] | None:
    """A peer in a process of its own, or None where it is not installed."""
    command = [sys.executable, "-m", "tests.speed.engines", "--serve", name, "--model", model, "--threads", str(threads)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert child.stdin and child.stdout
    sent, came = child.stdin, child.stdout
    if came.readline().strip() != "ready":
        return None

    def answer(tokens: int) -> int:
        sent.write(f"{tokens}\n")
        sent.flush()
        if not (line := came.readline()):
            raise SystemExit(f"{name} ended with {child.wait()}")
        return int(line)

    return answer, child.pid


def serve(name: str, model: str, threads: int) -> None:
    """The child's side of `peer`."""
    answer = PEERS[name](model, threads)
    print("ready", flush=True)
    for line in sys.stdin:
        print(answer(int(line)), flush=True)


def measured(answer: Round, pid: int, tokens: int) -> dict[str, float]:
    """Tokens a second of one round, by the clock and by processor time."""
    process = psutil.Process(pid)
    before, start = sum(process.cpu_times()[:2]), time.monotonic()
    count = answer(tokens)
    passed, used = time.monotonic() - start, sum(process.cpu_times()[:2]) - before
    return {"wall": count / passed, "cpu": count / used, "tokens": count}


def main() -> None:
    """Print medians, and the ratio of ours to each peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="", help="a GGUF file (default: the public one, Q4_1)")
    parser.add_argument("--compression", help="of the public model's 16 bits, instead: none, q8_0, q4_0 ...")
    parser.add_argument("--serve", choices=PEERS)
    given = parser.parse_args()
    model = given.model or str(smollm2_gguf(BUILD, given.compression) if given.compression else resolve("smollm2").source)
    if given.serve:
        serve(given.serve, model, given.threads)
        return
    sides = {"ours": ours(model, given.threads), **{name: peer(name, model, given.threads) for name in PEERS}}
    there: dict[str, Any] = {name: side for name, side in sides.items() if side is not None}
    for name in sides.keys() - there.keys():
        print(f"{name}: not installed, left out")
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in there}
    for answer, _ in there.values():
        answer(2)  # warms the caches
    for number in range(1, given.rounds + 1):
        for name, (answer, pid) in there.items():
            others = Others()
            found = measured(answer, pid, given.tokens)
            rounds[name].append(found)
            print(
                f"round {number} {name}: {found['tokens']} tokens, {found['wall']:.1f}/s, {found['cpu']:.1f} a second of CPU; {others}",
                flush=True,
            )
    for process in psutil.Process().children():
        process.kill()
    for kind in ("wall", "cpu"):
        for name in there.keys() - {"ours"}:
            ratio = median(mine[kind] / other[kind] for mine, other in zip(rounds["ours"], rounds[name], strict=True))
            print(f"ours / {name}, {kind}: {ratio:.2f}")


if __name__ == "__main__":
    main()
