"""One run: its questions go to the engines, its tokens into the store, its finished responses to the graders."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.base import Benchmark, Item
from benchmarks.prompts import PromptTemplate, load_template
from benchmarks.registry import get
from core.collapse import Detector
from core.engines.host import wire
from core.engines.host.options import OPTIONS
from core.engines.llamacpp.processors import SLOTS
from core.errors import EngineError, EngineOutOfMemory, ModelError
from core.files.redact import mask
from core.grading.grade import columns, loop_columns, server_columns
from core.jobs.engines import FORMATS, WITHOUT_WEIGHTS
from core.runner.child import TRIES, ChildDied
from core.runner.engine_process import EngineProcess
from core.runner.questions import questions
from core.runner.watchdog import FLAG_S, Watchdog
from core.settings import Settings
from core.spec import PROMPT_ROOM, STATE_AFTER, JobState, RunJob
from core.store.columns import Columns
from core.store.response_writes import Begun, Chunk, Outcome, Pending
from core.store.runner_store import RunnerStore


@dataclass(slots=True)
class Response:
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


@dataclass(slots=True)
class Replica:
    """One engine of a run, the streams that it has, and how it fares."""

    host: EngineProcess
    streams: dict[str, Response] = field(default_factory=dict)
    asked: bool = False  # to load, since the run began or the engine died
    watchdog: Watchdog | None = None  # there from the moment that it is loaded
    slots: int | None = None  # fewer than the settings say, after memory ran out
    tries: int = 0  # deaths in a row
    gained: bool = False  # whether a response has finished since it last died
    waits_for: str = ""
    given_up: bool = False

    def takes_more(self, ahead: int) -> bool:
        """Whether it has a slot for another request, or it is to wait there as one of `ahead`."""
        return self.watchdog is not None and len(self.streams) < self.slots_loaded + ahead

    @property
    def slots_loaded(self) -> int:
        """Sequences side by side, as the engine said when it was loaded."""
        return self.host.ready.slots if self.host.ready else 1


TICK_S = 0.25
SLOW_TICK_S, SLOWEST_TICK_S = 2.0, 10.0  # while a reader holds the log: ever slower, as a tick adds pages for every stream
ROUND_S = 0.01  # between two rounds over several engines, so that one that says much does not have all of them looked at
AHEAD = 2  # requests that wait inside the host, so that no slot stands empty


class Run:
    """Drives one claimed run to its end, or to a user's wish to stop it.

    The engines of `hosts` share its questions; each loads, dies and comes back by itself while the others go on. `stir` is
    set when one of them says something; `put_back` sends a run that has no engine back into the queue.
    """

    def __init__(
        self,
        store: RunnerStore,
        hosts: Sequence[EngineProcess],
        job: RunJob,
        settings: Settings,
        stir: threading.Event,
        put_back: threading.Event,
    ) -> None:
        self.store, self.job, self.settings, self.stir, self.put_back = store, job, settings, stir, put_back
        self.id = job.id
        self.benchmark: Benchmark = get(job.benchmark)
        self.template: PromptTemplate = load_template(self.benchmark.prompt_key, job.prompts)
        self.replicas = [Replica(host) for host in hosts]
        self.begun: list[Begun] = []
        self.outcomes: list[Outcome] = []
        self.waiting: deque[Pending] | None = None  # None until an engine is loaded and the run is planned
        self._speed_from, self._tokens, self._speed = time.monotonic(), 0, None  # type: float, int, float | None

    def run(self) -> JobState:
        """Returns the state that the job ends in: done, queued (the runner stops), paused or cancelled.

        Raises LrmError where the run cannot go on; what it has so far is stored.
        """
        items, due = questions(self.job), time.monotonic() + TICK_S
        while self.waiting is None or self.waiting or any(replica.streams for replica in self.replicas):
            for replica in self.replicas:
                if not replica.given_up:
                    self._attend(replica, items)
            self._feed()
            if time.monotonic() >= due:
                self._flush()
                due = time.monotonic() + self._tick_s()
                stop, wanted = self.store.wishes(self.id)
                if stop or wanted or (self.put_back.is_set() and not any(replica.watchdog for replica in self.replicas)):
                    return self._leave(wanted)
            if self.stir.wait(max(0.0, due - time.monotonic())) and len(self.replicas) > 1:
                time.sleep(ROUND_S)
            self.stir.clear()
        self._flush()
        self._dismiss()
        return "done"

    def _tick_s(self) -> float:
        held = self.store.log_held
        return min(SLOW_TICK_S * held, SLOWEST_TICK_S) if held else TICK_S

    def _attend(self, replica: Replica, items: list[Item]) -> None:
        """Load an engine that is not there, hear what it says, and do what must be done about it."""
        host = replica.host
        try:
            if not replica.asked and self._may_load(replica):
                host.load(self.job, self._options(replica), self.settings)
                replica.asked = True
            for event in host.events() if replica.asked else ():
                if replica.watchdog is not None:
                    replica.watchdog.note(event)
                self._handle(replica, event)
            if replica.asked and replica.watchdog is None and host.ready is not None:
                self._welcome(replica, host.ready, items)
            self._mind(replica)
        except EngineOutOfMemory as error:
            if replica.watchdog is None or replica.slots_loaded == 1:  # the host has tried fewer slots before it loaded
                self._give_up(replica, error)
            else:
                self._retry_smaller(replica, replica.slots_loaded, "ran out of memory")
        except ChildDied as death:
            self._bury(replica, death)
        except (EngineError, ModelError) as error:
            self._give_up(replica, error)

    def _may_load(self, replica: Replica) -> bool:
        """Engines that share one memory load one after the other, so that each sees what those before it have left."""
        before = self.replicas[: self.replicas.index(replica)]
        weightless = FORMATS[self.job.engine] in WITHOUT_WEIGHTS
        return weightless or replica.host.place.alone or all(other.watchdog is not None or other.given_up for other in before)

    def _welcome(self, replica: Replica, ready: wire.Ready, items: list[Item]) -> None:
        """A loaded engine; the first one begins the run."""
        general = self.settings.general
        replica.watchdog = Watchdog(general.silence_s, general.prefill_s, ready)
        if self.waiting is None:
            self._plan(items, ready)
            self._speed_from = time.monotonic()

    def _bury(self, replica: Replica, death: ChildDied) -> None:
        replica.tries = 1 if replica.gained else replica.tries + 1
        replica.gained = False
        if replica.tries == TRIES:
            message = f"The engine died {TRIES} times and finished no response between ({death})."
            self._give_up(replica, EngineError(message, f"See {replica.host.log}, then requeue the run."))
            return
        # The kernel kills without a word where memory runs out, so that a second death is met with fewer slots.
        slots = self._options(replica)["slots"] or SLOTS if replica.watchdog is None else replica.slots_loaded
        if replica.tries > 1 and slots > 1:
            self._retry_smaller(replica, slots, f"died again ({death})")
        else:
            self._let_go(replica)
            message = f"The engine of run {self.id} died and is started again ({death})."
            self.store.notice("warning", message, job=self.id)

    def _retry_smaller(self, replica: Replica, slots: int, what: str) -> None:
        self._let_go(replica)
        replica.slots = slots // 2
        message = f"The engine of run {self.id} {what}; it goes on with {replica.slots} slots instead of {slots}."
        self.store.notice("warning", message, job=self.id)

    def _give_up(self, replica: Replica, error: EngineError | ModelError) -> None:
        """The others go on without it; the last one's error ends the run."""
        self._let_go(replica)
        replica.given_up = True
        left = sum(not other.given_up for other in self.replicas)
        if not left:
            raise error
        message = f"One engine of run {self.id} is given up, and {left} go on: {error.message}"
        self.store.notice("warning", message, error.remedy, job=self.id)

    def _let_go(self, replica: Replica) -> None:
        """Store what has come, end the engine, and let its responses wait for another."""
        self._flush()
        replica.host.close()
        replica.asked, replica.watchdog = False, None
        self._say_waiting(replica, "")
        if replica.streams and self.waiting is not None:
            self.waiting.extendleft(reversed(self.store.take_back([int(key) for key in replica.streams])))
        replica.streams = {}

    def _dismiss(self) -> None:
        """End the engines that are not loaded yet."""
        for replica in self.replicas:
            if replica.watchdog is None:
                replica.host.close()
                self._say_waiting(replica, "")

    def _options(self, replica: Replica) -> dict[str, Any]:
        """What the engine is to be loaded with: the user's settings, within what this run asks for."""
        job, settings = self.job, self.settings
        options = {"slots": OPTIONS[job.engine]().slots, **settings.options(job.engine)}
        context = job.sampling.max_tokens + PROMPT_ROOM
        options["context"] = min(options.get("context", context), context)
        if replica.slots is not None:
            options["slots"] = replica.slots
        if job.path in settings.general.trusted_models:
            options["trust_remote_code"] = True
        if options.get("spans_nodes") and job.gpus:
            options.setdefault("tensor_parallel", max(1, job.gpus // options.get("pipeline_parallel", 1)))
        return options

    def _plan(self, items: list[Item], ready: wire.Ready) -> None:
        versions = {"prompt": self.template.version, "engine": f"{ready.engine} {ready.version}"}
        seeds = [response_seed(self.job.seed, item.key) for item in items]
        self.store.plan(self.id, self.benchmark.name, items, seeds, versions)
        self.waiting = deque(self.store.pending(self.id))

    def _mind(self, replica: Replica) -> None:
        """Tell users of a silence, and end an engine whose silence is too long."""
        if (watchdog := replica.watchdog) is None:
            return
        if not replica.streams:
            watchdog.rest()
        if (limit := watchdog.newly_quiet()) is not None:
            message = f"The engine of run {self.id} has given no token for {FLAG_S:g} s; after {limit:g} s it is started again."
            self.store.notice("warning", message, f"See {replica.host.log}.", job=self.id)
        if (limit := watchdog.overdue()) is not None:
            raise ChildDied(f"no token for {limit:g} s; its last words: {replica.host.last_words()}")

    def _leave(self, wanted: str | None) -> JobState:
        for replica in self.replicas:
            for key in replica.streams:
                replica.host.send(wire.Cancel(key))
            if wanted is not None:
                replica.host.close()
        self._dismiss()
        return STATE_AFTER[wanted]

    def _say_waiting(self, replica: Replica, message: str) -> None:
        if replica.waits_for != message:
            replica.waits_for = message
            self.store.say(self.id, next((other.waits_for for other in self.replicas if other.waits_for), ""))

    def _feed(self) -> None:
        """Hand out what waits, always to the engine with most room; the last ones wait for whichever slot is free first."""
        several = sum(replica.slots_loaded for replica in self.replicas) if len(self.replicas) > 1 else 0
        while self.waiting:
            ahead = AHEAD if len(self.waiting) > several else 0
            if not (free := [replica for replica in self.replicas if replica.takes_more(ahead)]):
                return
            replica = min(free, key=lambda one: len(one.streams) / one.slots_loaded)
            pending = self.waiting.popleft()
            stream = Response(pending, pending.text, list(pending.ids), pending.chunks)
            stream.audited = audited(self.job, pending.key)
            ready = replica.host.ready
            if pending.chunks and ready is not None and not ready.resumes:
                self._restart(stream)
            replica.streams[str(pending.id)] = stream
            prompt, prefix = self.template.fill(pending.fields), stream.pending.ids
            request = wire.Generate(str(pending.id), prompt, self.template.chat, pending.seed, self.job.sampling, prefix)
            replica.host.send(request)

    def _restart(self, stream: Response) -> None:
        self.store.discard(stream.pending.id)
        stream.restart()

    def _handle(self, replica: Replica, event: wire.Event) -> None:
        streams = replica.streams
        match event:
            case wire.Waiting(why):
                self._say_waiting(replica, why)
            case wire.Started(key, prompt, tokens, limit, empty) if key in streams:
                stream = streams[key]
                if stream.entered:
                    self._restart(stream)
                stream.entered = True
                stream.watch(limit)
                known = stream.pending.empty_replies + empty
                self.begun.append(Begun(stream.pending, time.time(), prompt, tokens, limit, known))
            case wire.Deltas(items):
                for delta in items:
                    if delta.id in streams:
                        self._append(replica.host, streams[delta.id], delta)
            case wire.Finished(key, reason, error) if key in streams:
                stream = streams.pop(key)
                stream.usage, stream.empty_replies = event.usage, stream.pending.empty_replies + event.empty_replies
                self._finish(stream, reason, error, replica.host.ready.think_end_id if replica.host.ready else None)
                replica.gained = True

    def _append(self, host: EngineProcess, stream: Response, delta: wire.Delta) -> None:
        stream.new_text.append(delta.text)
        stream.new_ids.extend(delta.ids)
        self._tokens += delta.tokens
        stream.detector.feed(delta.text)
        if stream.detector.collapsed and not stream.audited and not stream.stopped:
            stream.stopped = True
            host.send(wire.Cancel(delta.id))

    def _finish(self, stream: Response, reason: str, error: str | None, think_end_id: int | None) -> None:
        text = stream.text + "".join(stream.new_text)
        ids = [*stream.ids, *stream.new_ids]
        stream.detector.finish()
        verdict = stream.detector.verdict
        reason = "repetition" if reason == "cancelled" and stream.stopped else reason
        pending = stream.pending
        row = columns(self.benchmark, Item(pending.key, pending.fields, pending.gold), text, ids, reason, think_end_id)
        outcome: Columns = {
            **row,
            "error": None if error is None else mask(error),
            **loop_columns(verdict, stream.audited),
            "seconds": time.monotonic() - stream.began,
            **server_columns(stream.usage, stream.empty_replies, row),
        }
        self.outcomes.append(Outcome(pending.id, outcome, text, ids))

    def _flush(self) -> None:
        """Commit everything since the last tick in one transaction; on failure nothing in memory is forgotten."""
        chunks, loops = [], {}
        streams = [stream for replica in self.replicas for stream in replica.streams.values()]
        for stream in streams:
            if stream.new_ids or stream.new_text:
                chunks.append(Chunk(stream.pending.id, stream.seq, "".join(stream.new_text), stream.new_ids))
            verdict = stream.detector.verdict
            if (verdict.state, verdict.count) != stream.verdict:
                stream.verdict = (verdict.state, verdict.count)
                loops[stream.pending.id] = loop_columns(verdict, stream.audited)
        self.store.tick(self.id, self.begun, chunks, self.outcomes, loops, self._pace())
        self.begun, self.outcomes = [], []
        for stream in streams:
            if stream.new_ids or stream.new_text:
                stream.text += "".join(stream.new_text)
                stream.ids += stream.new_ids
                stream.new_text, stream.new_ids, stream.seq = [], [], stream.seq + 1

    def _pace(self) -> float | None:
        """Tokens a second, smoothed over ticks of at least a second; None before the first question."""
        if self.waiting is None:
            return None
        passed = time.monotonic() - self._speed_from
        if passed >= 1.0:
            now = self._tokens / passed
            self._speed = now if self._speed is None else 0.7 * self._speed + 0.3 * now
            self._speed_from, self._tokens = time.monotonic(), 0
        return self._speed


def audited(job: RunJob, key: str) -> bool:
    """Whether a response runs on should it collapse: always when observing, else by a draw seeded by run and question."""
    if job.policy == "observe":
        return True
    draw = hashlib.sha256(f"audit/{job.id}/{job.seed}/{key}".encode()).digest()
    return int.from_bytes(draw[:4], "big") < job.audit_share * 2**32


def response_seed(seed: int, key: str, sample: int = 0) -> int:
    """The seed of one response: 31 bits of a hash of the run's seed, the question and the sample's number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{key}/{sample}".encode()).digest()[:4], "big") >> 1
