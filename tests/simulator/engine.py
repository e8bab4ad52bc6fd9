"""The simulated engine and worker: they speak the real protocols, and fail in every way that the plan says.

What an engine answers is a function of prompt, seed and weights, token by token, so that a token that is lost, doubled or
of other weights shows in the text.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from core.compress import messages
from core.engines.host import incoming, wire
from core.files.content import sha256, stamp
from tests.simulator import served
from tests.simulator.kernel import Kernel
from tests.simulator.machine import Machine, Process
from tests.simulator.pipes import Pipe

FAULTS = ("die", "hang", "silence", "garbage", "odd line", "odd reply", "deaf", "poison", "restart", "crash at load")
SIGKILL = 9
ODD = (
    b'{"type":"deltas","items":[["KEY",7,[1],0]]}\n',
    b'{"type":"deltas","items":[["KEY",["a"],[1],0]]}\n',
    b'{"type":"deltas","items":[["KEY","a",["b"],0]]}\n',
    b'{"type":"started","id":"KEY","prompt":[],"prompt_tokens":"x","limit":-1}\n',
    b'{"type":"finished","id":"KEY","reason":"stop","usage":{"prompt_tokens":1e30,"completion_tokens":1}}\n',
    b'{"type":"finished","id":"KEY","reason":"stop","usage":{"prompt_tokens":"many","completion_tokens":[1]}}\n',
    b'{"type":"finished","id":"KEY","reason":"bored"}\n',
    b'{"type":"finished","id":"KEY","reason":"error","error":["no","text"]}\n',
)
"""Lines of a host that is not one of ours."""


def answer(prompt: str, seed: int, weights: str) -> list[str]:
    """The tokens of the one right response."""
    digest = hashlib.sha256(f"{prompt}/{seed}/{weights}".encode()).digest()
    words = [f"{weights}{byte} " for byte in digest[: 3 + digest[0] % 8]]
    return [*words, f"\nThe answer is {digest[1] % 7}."]


def is_answer(text: str, prompt: str, seed: int, letters: Iterable[str]) -> bool:
    """Whether a text is an answer token by token, each of it by one of these weights: none is missing, doubled or foreign."""
    answers = {letter: answer(prompt, seed, letter) for letter in letters}
    shortest, lengths = min(map(len, answers.values())), {0}  # of what has been read of the text with so many tokens
    for number in range(max(map(len, answers.values()))):
        before, lengths = lengths, set()
        for tokens in answers.values():
            if number < len(tokens):
                lengths |= {at + len(tokens[number]) for at in before if text.startswith(tokens[number], at)}
        if number + 1 >= shortest and len(text) in lengths:
            return True
    return False


def tag(weights: bytes) -> str:
    """A letter that tells weights apart in every token that comes of them."""
    return weights[-4:].decode()[:1]


@dataclass(slots=True)
class Mishaps:
    """What goes wrong with engines: `chance` of a fault in each, drawn from `rng`; none once it is 0."""

    rng: random.Random
    chance: float = 0.0
    kinds: Sequence[str] = FAULTS
    met: list[str] = field(default_factory=list)

    def draw(self) -> tuple[str, int]:
        """A fault ("" for none) and the number of tokens after which it comes."""
        kind = self.rng.choice(self.kinds) if self.kinds and self.rng.random() < self.chance else ""
        return kind, self.rng.randrange(1, 30)


@dataclass(slots=True)
class Stream:
    """One response under way."""

    request: wire.Generate
    tokens: list[str]
    at: int
    end: bytes


class Engine:
    """A host of an engine, as a `pipes.Program`."""

    def __init__(self, kernel: Kernel, machine: Machine, process: Process, out: Pipe, mishaps: Mishaps) -> None:
        self._kernel, self._machine, self._process, self._out = kernel, machine, process, out
        self._rng, (self._fault, self._after) = mishaps.rng, mishaps.draw()
        self._slots, self._pace = self._rng.choice((1, 2, 4)), self._rng.choice((0.02, 0.05, 0.1))
        self._resumes = self._rng.random() < 0.8
        self._weights = ""
        self._queue: list[wire.Generate] = []
        self._streams: list[Stream] = []
        self._silent = False

    def told(self, line: bytes) -> None:
        """See `pipes.Program`."""
        match wire.decode(line):
            case wire.Load(model):
                self._load(Path(model))
            case wire.Generate() as request:
                self._queue.append(request)
            case wire.Cancel(key):
                self._queue = [one for one in self._queue if one.id != key]
                self._streams = [one for one in self._streams if one.request.id != key]
                self._say(wire.Finished(key, "cancelled"))

    def stdin_closed(self) -> None:
        """See `pipes.Program`: a host ends then, unless it hangs."""
        if self._fault not in ("hang", "deaf"):
            self._kernel.later(0.05, lambda: self._machine.kill(self._process, 0))

    def _load(self, model: Path) -> None:
        seconds = self._rng.uniform(0.05, 1.0)
        if self._fault == "crash at load":
            self._later(seconds, lambda: self._machine.kill(self._process, 1))
            return
        self._later(seconds / 2, lambda: self._read(model))
        self._later(seconds, self._ready)

    def _read(self, model: Path) -> None:
        self._weights = tag((model / "model.safetensors").read_bytes())

    def _ready(self) -> None:
        self._say(wire.Ready("sim", "1", self._slots, 4096, resumes=self._resumes))
        self._tick()

    def _tick(self) -> None:
        while self._queue and len(self._streams) < self._slots:
            request = self._queue.pop(0)
            tokens, end = answer(request.prompt, request.seed, self._weights), wire.encode(wire.Finished(request.id, "stop"))
            self._streams.append(Stream(request, tokens, len(request.prefix), end.encode()))
            self._say(wire.Started(request.id, request.prompt, 7, request.sampling.max_tokens))
        deltas = [delta for stream in list(self._streams) if (delta := self._step(stream)) is not None]
        if deltas:
            self._say(wire.Deltas(tuple(deltas)))
        self._later(self._pace, self._tick)

    def _step(self, stream: Stream) -> wire.Delta | None:
        """The next token of a stream, or its end."""
        key = stream.request.id
        if self._fault and self._after == 0:
            self._fail(stream)
        self._after -= 1
        if stream.at >= len(stream.tokens):
            self._streams.remove(stream)
            self._raw(stream.end)
            return None
        stream.at += 1
        return wire.Delta(key, stream.tokens[stream.at - 1], (stream.at - 1,))

    def _fail(self, stream: Stream) -> None:
        self._kernel.say(f"{self._process.title}: {self._fault}")
        key = stream.request.id
        match self._fault:
            case "die":
                self._machine.kill(self._process, -SIGKILL)
            case "hang" | "silence":
                self._silent = True
            case "garbage":
                self._raw(
                    self._rng.choice((b"\xff\xfe garbage\n", b"{}\n", b"[1]\n", b"[" * 3000 + b"\n", b'{"type":"deltas"}\n'))
                )
            case "odd line":
                odd = self._rng.choice(ODD).replace(b"KEY", key.encode())
                if b'"finished"' in odd:
                    stream.end = odd  # in the place of the right one
                else:
                    self._raw(odd)
            case "odd reply":
                stream.tokens, stream.end = [], b""
                for event in served.events(key, self._rng.choice(served.REPLIES)):
                    if isinstance(incoming.event(wire.encode(event)), wire.Failed):
                        self._kernel.violated(f"a host hands on what a server sent unchecked: {event}")
                    self._say(event)
            case "poison":
                self._raw(b'{"type":"failed","kind":"engine","message":"half a \\ud83d","remedy":""}\n')
                self._machine.kill(self._process, 1)
            case "restart":
                stream.at = len(stream.request.prefix) if self._resumes else 0
                if not stream.request.prefix:
                    self._say(wire.Started(key, stream.request.prompt, 7, stream.request.sampling.max_tokens))
                    stream.at = 0
                else:
                    self._machine.kill(self._process, -SIGKILL)

    def _say(self, event: wire.Event) -> None:
        self._raw(wire.encode(event).encode())

    def _raw(self, data: bytes) -> None:
        if self._process.alive and not self._silent:
            self._out.put(data)

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        self._kernel.later(seconds, lambda: do() if self._process.alive else None)


class Worker:
    """The worker that measures weights, as a `pipes.Program`."""

    def __init__(
        self, kernel: Kernel, machine: Machine, process: Process, out: Pipe, mishaps: Mishaps, arguments: Sequence[str]
    ) -> None:
        self._kernel, self._machine, self._process, self._out, self._mishaps = kernel, machine, process, out, mishaps
        self._take(arguments)

    def told(self, line: bytes) -> None:
        """See `pipes.Program`."""
        if line.strip() != messages.CANCEL:
            self._take(json.loads(line))

    def stdin_closed(self) -> None:
        """See `pipes.Program`."""
        self._kernel.later(0.05, lambda: self._machine.kill(self._process, 0))

    def _take(self, arguments: Sequence[str]) -> None:
        named = dict(pairwise(arguments))
        fault, _ = self._mishaps.draw()
        seconds = self._mishaps.rng.uniform(0.05, 0.6)
        if fault in ("die", "hang", "crash at load"):
            self._kernel.later(seconds, lambda: self._machine.kill(self._process, -SIGKILL))
        else:
            self._kernel.later(seconds, lambda: self._made(Path(named["--model"])))

    def _made(self, model: Path) -> None:
        if not self._process.alive:
            return
        found, hashed = stamp(model), sha256(model)
        measured = messages.Made(
            type="artifact",
            path=str(model),
            stamp=found,
            sha256=hashed,
            model_stamp=found,
            model_sha256=hashed,
            bytes=4,
            parameters=1,
            bits_per_weight=32.0,
            sparsity=None,
        )
        self._out.put(messages.encode(messages.Progress(type="progress", done=1, total=2, message="measures")))
        self._out.put(messages.encode(measured))
