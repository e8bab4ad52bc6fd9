"""One run: its questions go to the host, its tokens into the store, its finished responses to the graders."""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.base import Benchmark, DataSource, Item
from benchmarks.prompts import PromptTemplate, load_template
from benchmarks.registry import get
from core.child import TRIES, ChildDied
from core.collapse import Detector
from core.engines import wire
from core.engines.options import OPTIONS
from core.errors import EngineError, EngineOutOfMemory
from core.grading import columns, loop_columns, server_columns
from core.hosts import Host, Hosts, Interrupted
from core.secrets import mask
from core.settings import load
from core.spec import PROMPT_ROOM
from core.store.writes import Begun, Chunk, Outcome, Pending, RunnerStore
from core.watchdog import FLAG_S, Watchdog

TICK_S = 0.25
AHEAD = 2  # requests that wait inside the host, so that no slot stands empty
_STATES: dict[str | None, str] = {"cancel": "cancelled", "pause": "paused", None: "queued"}  # what a wish makes of a job


@dataclass(slots=True)
class Stream:
    """A response under way, in memory: what is stored and what waits for the next tick."""

    pending: Pending
    text: str
    ids: list[int]
    seq: int
    detector: Detector = field(default_factory=Detector)
    new_text: list[str] = field(default_factory=list)
    new_ids: list[int] = field(default_factory=list)
    audited: bool = False
    verdict: tuple[str, int | None] = ("healthy", None)  # state and rounds, as they stand in the store
    stopped: bool = False
    began: float = field(default_factory=time.monotonic)
    entered: bool = False
    usage: Mapping[str, int] | None = None
    empty_replies: int = 0

    def restart(self) -> None:
        """Begin anew, without what was generated so far."""
        self.pending = replace(self.pending, text="", ids=(), chunks=0)
        self.text, self.ids, self.seq, self.new_text, self.new_ids = "", [], 0, [], []
        self.verdict, self.stopped = ("healthy", None), False

    def watch(self, limit: int) -> None:
        """Look for loops from the stored text on, with windows for what the engine says may come at most."""
        self.detector = Detector(limit)
        self.detector.feed(self.text)


class Evaluation:
    """Drives one claimed run to its end, or to a user's wish to stop it."""

    def __init__(self, store: RunnerStore, hosts: Hosts, job: dict[str, Any]) -> None:
        self.store, self.hosts, self.job = store, hosts, job
        self.id = int(job["id"])
        self.sampling = wire.Sampling(**json.loads(job["sampling"]))
        self.benchmark: Benchmark = get(job["benchmark"])
        prompts = Path(job["prompts_file"]) if job["prompts_file"] else None
        self.template: PromptTemplate = load_template(self.benchmark.prompt_key, prompts)
        self.streams: dict[str, Stream] = {}
        self.begun: list[Begun] = []
        self.outcomes: list[Outcome] = []
        self.waiting: deque[Pending] = deque()
        self._slots: int | None = None  # fewer than the settings say, after memory ran out
        self._gained = False  # whether a response has finished since the engine last died
        self._speed_from, self._tokens, self._speed = time.monotonic(), 0, None  # type: float, int, float | None

    def run(self) -> str:
        """Returns the state that the job ends in: done, queued (the runner stops), paused or cancelled.

        Raises LrmError where the run cannot go on; what it has so far is stored.
        """
        items = self._items()
        tries = 0
        while True:
            host: Host | None = None
            try:
                host = self._host()
                self._plan(items, host)
                return self._serve(host)
            except Interrupted as wish:
                return _STATES[wish.wanted]
            except EngineOutOfMemory:
                if host is None or host.ready.slots == 1:  # the host itself has tried fewer slots before it loaded
                    raise
                self._retry_smaller(host.ready.slots, "ran out of memory")
            except ChildDied as death:
                tries = 1 if self._gained else tries + 1
                self._gained = False
                if tries == TRIES:
                    self._let_go()
                    raise EngineError(
                        f"The engine died {TRIES} times and finished no response between ({death}).",
                        f"See {self.hosts.log}, then requeue the run.",
                    ) from death
                # The kernel kills without a word where memory runs out, so that a second death is met with fewer slots.
                slots = self._options().get("slots", 1) if host is None else host.ready.slots
                if tries > 1 and slots > 1:
                    self._retry_smaller(slots, f"died again ({death})")
                else:
                    self._let_go()
                    message = f"The engine of run {self.id} died and is started again ({death})."
                    self.store.notice("warning", message, job=self.id)

    def _retry_smaller(self, slots: int, what: str) -> None:
        self._let_go()
        self._slots = slots // 2
        message = f"The engine of run {self.id} {what}; it goes on with {self._slots} slots instead of {slots}."
        self.store.notice("warning", message, job=self.id)

    def _let_go(self) -> None:
        """Store what has come, and end the engine."""
        self._flush()
        self.hosts.close()

    def _items(self) -> list[Item]:
        folder = Path(self.job["data_folder"]) if self.job["data_folder"] else None
        items = self.benchmark.load(DataSource(folder, seed=int(self.job["seed"])))
        return items[: self.job["item_limit"]] if self.job["item_limit"] else items

    def _host(self) -> Host:
        return self.hosts.get(self.id, self.job["engine"], self.job["path"], self._options())

    def _options(self) -> dict[str, Any]:
        """What the engine is to be loaded with: the user's settings, within what this run asks for."""
        engine, settings = self.job["engine"], load()
        options = {"slots": OPTIONS[engine]().slots, **settings.options(engine)}
        wanted = self.sampling.max_tokens + PROMPT_ROOM
        options["context"] = min(options.get("context", wanted), wanted)
        if self._slots is not None:
            options["slots"] = self._slots
        if self.job["path"] in settings.general.trusted_models:
            options["trust_remote_code"] = True
        return options

    def _plan(self, items: list[Item], host: Host) -> None:
        versions = {"prompt": self.template.version, "engine": f"{host.ready.engine} {host.ready.version}"}
        seeds = [response_seed(int(self.job["seed"]), item.key) for item in items]
        self.store.plan(self.id, self.benchmark.name, items, seeds, versions)
        self.waiting = deque(self.store.pending(self.id))
        self.streams.clear()

    def _serve(self, host: Host) -> str:
        general, due = load().general, time.monotonic() + TICK_S
        watchdog = Watchdog(general.silence_s, general.prefill_s, host.ready)
        while self.waiting or self.streams:
            self._feed(host)
            for event in host.events(max(0.0, due - time.monotonic())):
                watchdog.note(event)
                self._handle(host, event)
            self._mind(watchdog, host)
            if time.monotonic() >= due:
                self._flush()
                due = time.monotonic() + TICK_S
                stop, wanted = self.store.wishes(self.id)
                if stop or wanted:
                    return self._leave(host, wanted)
        self._flush()
        return "done"

    def _mind(self, watchdog: Watchdog, host: Host) -> None:
        """Tell users of a silence, and end an engine whose silence is too long."""
        if (limit := watchdog.newly_quiet()) is not None:
            message = f"The engine of run {self.id} has given no token for {FLAG_S:g} s; after {limit:g} s it is started again."
            self.store.notice("warning", message, f"See {host.child.log}.", job=self.id)
        if (limit := watchdog.overdue()) is not None:
            raise ChildDied(f"no token for {limit:g} s; its last words: {host.child.last_words()}")

    def _leave(self, host: Host, wanted: str | None) -> str:
        for key in self.streams:
            host.send(wire.Cancel(key))
        if wanted is not None:
            self.hosts.close()
        return _STATES[wanted]

    def _feed(self, host: Host) -> None:
        while self.waiting and len(self.streams) < host.ready.slots + AHEAD:
            pending = self.waiting.popleft()
            stream = Stream(pending, pending.text, list(pending.ids), pending.chunks)
            stream.audited = audited(self.job, pending.key)
            if pending.chunks and not host.ready.resumes:
                self._restart(stream)
            self.streams[str(pending.id)] = stream
            prompt, prefix = self.template.fill(pending.fields), stream.pending.ids
            host.send(wire.Generate(str(pending.id), prompt, self.template.chat, pending.seed, self.sampling, prefix))

    def _restart(self, stream: Stream) -> None:
        self.store.discard(stream.pending.id)
        stream.restart()

    def _handle(self, host: Host, event: wire.Event) -> None:
        match event:
            case wire.Started(key, prompt, tokens, limit, empty) if key in self.streams:
                stream = self.streams[key]
                if stream.entered:
                    self._restart(stream)
                stream.entered = True
                stream.watch(limit)
                known = stream.pending.empty_replies + empty
                self.begun.append(Begun(stream.pending, time.time(), prompt, tokens, limit, known))
            case wire.Deltas(items):
                for delta in items:
                    if delta.id in self.streams:
                        self._append(host, self.streams[delta.id], delta)
            case wire.Finished(key, reason, error) if key in self.streams:
                stream = self.streams.pop(key)
                stream.usage, stream.empty_replies = event.usage, stream.pending.empty_replies + event.empty_replies
                self._finish(stream, reason, error, host.ready.think_end_id)

    def _append(self, host: Host, stream: Stream, delta: wire.Delta) -> None:
        stream.new_text.append(delta.text)
        stream.new_ids.extend(delta.ids)
        self._tokens += delta.tokens
        stream.detector.feed(delta.text)
        if stream.detector.collapsed and not stream.audited and not stream.stopped:
            stream.stopped = True
            host.send(wire.Cancel(delta.id))

    def _finish(self, stream: Stream, reason: str, error: str | None, think_end_id: int | None) -> None:
        text = stream.text + "".join(stream.new_text)
        ids = [*stream.ids, *stream.new_ids]
        stream.detector.finish()
        verdict = stream.detector.verdict
        reason = "repetition" if reason == "cancelled" and stream.stopped else reason
        pending = stream.pending
        row = columns(self.benchmark, Item(pending.key, pending.fields, pending.gold), text, ids, reason, think_end_id)
        row |= {
            "error": None if error is None else mask(error),
            **loop_columns(verdict, stream.audited),
            "seconds": time.monotonic() - stream.began,
            **server_columns(stream.usage, stream.empty_replies, row),
        }
        self.outcomes.append(Outcome(pending.id, row, text, ids))
        self._gained = True

    def _flush(self) -> None:
        """Commit everything since the last tick in one transaction; on failure nothing in memory is forgotten."""
        chunks, loops = [], {}
        for stream in self.streams.values():
            if stream.new_ids or stream.new_text:
                chunks.append(Chunk(stream.pending.id, stream.seq, "".join(stream.new_text), stream.new_ids))
            verdict = stream.detector.verdict
            if (verdict.state, verdict.count) != stream.verdict:
                stream.verdict = (verdict.state, verdict.count)
                loops[stream.pending.id] = loop_columns(verdict, stream.audited)
        self.store.tick(self.id, self.begun, chunks, self.outcomes, loops, self._pace())
        self.begun, self.outcomes = [], []
        for stream in self.streams.values():
            if stream.new_ids or stream.new_text:
                stream.text += "".join(stream.new_text)
                stream.ids += stream.new_ids
                stream.new_text, stream.new_ids, stream.seq = [], [], stream.seq + 1

    def _pace(self) -> float | None:
        """Tokens a second, smoothed over ticks of at least a second."""
        passed = time.monotonic() - self._speed_from
        if passed >= 1.0:
            now = self._tokens / passed
            self._speed = now if self._speed is None else 0.7 * self._speed + 0.3 * now
            self._speed_from, self._tokens = time.monotonic(), 0
        return self._speed


def audited(job: Mapping[str, Any], key: str) -> bool:
    """Whether a response runs on should it collapse: always when observing, else by a draw seeded by run and question."""
    if job["policy"] == "observe":
        return True
    draw = hashlib.sha256(f"audit/{job['id']}/{job['seed']}/{key}".encode()).digest()
    return int.from_bytes(draw[:4], "big") < float(job["audit_share"]) * 2**32


def response_seed(seed: int, key: str, sample: int = 0) -> int:
    """The seed of one response: 31 bits of a hash of the run's seed, the question and the sample's number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{key}/{sample}".encode()).digest()[:4], "big") >> 1
