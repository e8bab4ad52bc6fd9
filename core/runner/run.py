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
from benchmarks.registry import get
from core.collapse import Detector
from core.engines.host import wire
from core.engines.host.options import ENGINES
from core.engines.processors import SLOTS
from core.engines.thinking import PLAIN, of
from core.errors import EngineError, EngineOutOfMemory, ModelError
from core.files.redact import mask
from core.grading.grade import Thinking, columns, loop_columns, server_columns
from core.grading.settle import settle
from core.jobs.engines import FORMATS, WITHOUT_WEIGHTS
from core.runner.child import TRIES, ChildDied
from core.runner.engine_process import EngineProcess
from core.runner.inputs import inputs
from core.runner.watchdog import FLAG_S, Watchdog
from core.runner.weights import Files, Weights
from core.settings import Settings
from core.spec import PROMPT_ROOM, STATE_AFTER, JobState, RunJob
from core.store.columns import Columns
from core.store.response_writes import Chunk, Outcome, Pending, StartedResponse
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
    created: float = field(default_factory=time.monotonic)
    started: bool = False  # whether the engine has started on it
    usage: Mapping[str, int] | None = None
    empty_replies: int = 0
    prompt_state: str | None = None  # where the prompt leaves the thinking
    filtered: bool = False  # whether a server's content filter withheld the rest

    def restart(self) -> None:
        """Start again without the tokens generated so far."""
        self.pending = replace(self.pending, text="", ids=(), chunks=0)
        self.text, self.ids, self.seq, self.new_text, self.new_ids = "", [], 0, [], []
        self.verdict, self.stopped = ("healthy", None), False

    def watch(self, limit: int) -> None:
        """Make the detector of loops for a response of at most `limit` tokens, and feed it the stored text."""
        self.detector = Detector(limit)
        self.detector.feed(self.text)


@dataclass(slots=True)
class Replica:
    """One engine of a run, its active responses, and its state."""

    engine: EngineProcess
    streams: dict[str, Response] = field(default_factory=dict)
    load_sent: bool = False  # whether it was told to load since the run began or since it died
    files: Files = field(default_factory=dict)  # as they were when it was told to load
    watchdog: Watchdog | None = None  # there from the moment that it is loaded
    slots: int | None = None  # the reduced number after memory ran out
    tries: int = 0  # deaths in a row
    progressed: bool = False  # whether a response has finished since it last died
    waiting_message: str = ""
    given_up: bool = False

    def takes_more(self, ahead: int) -> bool:
        """Whether it has a free slot, or fewer than `ahead` requests queued inside."""
        return self.watchdog is not None and len(self.streams) < self.slots_loaded + ahead

    @property
    def slots_loaded(self) -> int:
        """The number of sequences that the engine decodes at once, as it reported when it was loaded."""
        return self.engine.ready.slots if self.engine.ready else 1


TICK_S = 0.25
SLOW_TICK_S, SLOWEST_TICK_S = 2.0, 10.0  # while a reader blocks checkpoints: each tick adds pages to the log for every stream
ROUND_S = 0.01  # pause between two rounds over several engines, so that a chatty one does not wake the loop at each delta
AHEAD = 2  # requests queued inside the engine, so that no slot is idle


class Run:
    """Drives one claimed run to its end, or until a user asks to stop it.

    Several engines share its questions; each is loaded and restarted independently of the others. `wake` is set when one of
    them sends a message; `put_back` returns a run that has no engine yet to the queue.
    """

    def __init__(
        self,
        store: RunnerStore,
        engines: Sequence[EngineProcess],
        job: RunJob,
        settings: Settings,
        wake: threading.Event,
        put_back: threading.Event,
    ) -> None:
        self.store, self.job, self.settings, self.wake, self.put_back = store, job, settings, wake, put_back
        self.id = job.id
        self.weights = Weights(store, job)
        self.benchmark: Benchmark = get(job.benchmark)
        self.template, self.questions = inputs(store, job)
        self.replicas = [Replica(engine) for engine in engines]
        self.started: list[StartedResponse] = []
        self.outcomes: list[Outcome] = []
        self.waiting: deque[Pending] | None = None  # None until an engine is loaded and the run is planned
        self._speed_from, self._tokens, self._speed = time.monotonic(), 0, None  # type: float, int, float | None

    def run(self) -> JobState:
        """Returns the state that the job ends in: done, queued (the runner stops), paused or cancelled.

        Raises LrmError where the run cannot go on; what it has so far is stored.
        """
        next_tick = time.monotonic() + TICK_S
        while self.waiting is None or self.waiting or any(replica.streams for replica in self.replicas):
            for replica in self.replicas:
                if not replica.given_up:
                    self._serve(replica)
            self._send_requests()
            if time.monotonic() >= next_tick:
                self._flush()
                next_tick = time.monotonic() + self._tick_s()
                stop, request = self.store.requests(self.id)
                if stop or request or (self.put_back.is_set() and not any(replica.watchdog for replica in self.replicas)):
                    return self._stop(request)
            if self.wake.wait(max(0.0, next_tick - time.monotonic())) and len(self.replicas) > 1:
                time.sleep(ROUND_S)
            self.wake.clear()
        self._flush()
        self._end_unloaded()
        with self.store.fenced() as connection:
            settle(connection, self.id)
        if self.weights.written_since():
            self.store.doubt(self.id, "its weights were written into while it ran")
        return "done"

    def _tick_s(self) -> float:
        """Seconds to the next tick: longer while a reader blocks checkpoints."""
        backlog = self.store.log_backlog
        return min(SLOW_TICK_S * backlog, SLOWEST_TICK_S) if backlog else TICK_S

    def _serve(self, replica: Replica) -> None:
        """Load an engine that is not loaded, and handle its messages and failures."""
        engine = replica.engine
        try:
            if not replica.load_sent and self._may_load(replica):
                replica.files = self.weights.check()
                engine.load(self.job, self._options(replica), self.settings)
                replica.load_sent = True
            for event in engine.events() if replica.load_sent else ():
                if replica.watchdog is not None:
                    replica.watchdog.note(event)
                self._handle(replica, event)
            if replica.load_sent and replica.watchdog is None and engine.ready is not None:
                self._loaded(replica, engine.ready)
            self._check_progress(replica)
        except EngineOutOfMemory as error:
            if replica.watchdog is None or replica.slots_loaded == 1:  # the engine has tried fewer slots before it loaded
                self._give_up(replica, error)
            else:
                self._retry_smaller(replica, replica.slots_loaded, "ran out of memory")
        except ChildDied as death:
            self._engine_died(replica, death)
        except (EngineError, ModelError) as error:
            self._give_up(replica, error)

    def _may_load(self, replica: Replica) -> bool:
        """Engines that share memory load one at a time, so that each sees how much the others have left."""
        before = self.replicas[: self.replicas.index(replica)]
        weightless = FORMATS[self.job.engine] in WITHOUT_WEIGHTS
        return (
            weightless
            or replica.engine.allocation.alone
            or all(other.watchdog is not None or other.given_up for other in before)
        )

    def _loaded(self, replica: Replica, ready: wire.Ready) -> None:
        """Start the watchdog of an engine that has loaded; the first one also plans the run.

        Where the files changed while it read them nobody knows what it holds, also if they are the old ones by now: it is
        loaded again. Raises WeightsChanged where they are others.
        """
        if self.weights.check() != replica.files:
            self._load_again(replica)
            return
        general = self.settings.general
        replica.watchdog = Watchdog(general.silence_s, general.prefill_s, ready)
        if self.waiting is None:
            self.store.plan(self.id, self.template, f"{ready.engine} {ready.version}", self.job.sha256, self.questions)
            self.waiting = deque(self.store.pending(self.id))
            self._speed_from = time.monotonic()

    def _engine_died(self, replica: Replica, death: ChildDied) -> None:
        replica.tries = 1 if replica.progressed else replica.tries + 1
        replica.progressed = False
        if replica.tries == TRIES:
            message = f"The engine died {TRIES} times and finished no response between ({death})."
            self._give_up(replica, EngineError(message, f"See {replica.engine.log}, then requeue the run."))
            return
        # The kernel's out-of-memory killer leaves no message, so the second death is treated as one: fewer slots.
        slots = self._options(replica)["slots"] or SLOTS if replica.watchdog is None else replica.slots_loaded
        if replica.tries > 1 and slots > 1:
            self._retry_smaller(replica, slots, f"died again ({death})")
        else:
            self._end_engine(replica)
            message = f"The engine of run {self.id} died and is started again ({death})."
            self.store.notice("warning", message, job=self.id)

    def _load_again(self, replica: Replica) -> None:
        replica.tries += 1
        if replica.tries == TRIES:
            message = f"The files of {self.job.model} changed each of the {TRIES} times that they were loaded."
            self._give_up(replica, EngineError(message, "Requeue the run once nothing writes them any more."))
            return
        self._end_engine(replica)
        message = f"The files of {self.job.model} changed while they were loaded, and are loaded again."
        self.store.notice("warning", message, job=self.id)

    def _retry_smaller(self, replica: Replica, slots: int, what: str) -> None:
        self._end_engine(replica)
        replica.slots = slots // 2
        message = f"The engine of run {self.id} {what}; it goes on with {replica.slots} slots instead of {slots}."
        self.store.notice("warning", message, job=self.id)

    def _give_up(self, replica: Replica, error: EngineError | ModelError) -> None:
        """Continue without this engine; the error of the last one ends the run."""
        self._end_engine(replica)
        replica.given_up = True
        remaining = sum(not other.given_up for other in self.replicas)
        if not remaining:
            raise error
        message = f"One engine of run {self.id} is given up, and {remaining} go on: {error.message}"
        self.store.notice("warning", message, error.remedy, job=self.id)

    def _end_engine(self, replica: Replica) -> None:
        """Store what has arrived, end the engine, and queue its responses for another engine."""
        self._flush()
        replica.engine.close()
        replica.load_sent, replica.watchdog = False, None
        self._tell_waiting(replica, "")
        if replica.streams and self.waiting is not None:
            self.waiting.extendleft(reversed(self.store.requeue([int(key) for key in replica.streams])))
        replica.streams = {}

    def _end_unloaded(self) -> None:
        """End the engines that are not loaded yet."""
        for replica in self.replicas:
            if replica.watchdog is None:
                replica.engine.close()
                self._tell_waiting(replica, "")

    def _options(self, replica: Replica) -> dict[str, Any]:
        """Options to load the engine with: the user's settings, limited by what this run needs."""
        job, settings = self.job, self.settings
        options = {"slots": ENGINES[job.engine].options().slots, **settings.options(job.engine)}
        context = job.sampling.max_tokens + PROMPT_ROOM
        options["context"] = min(options.get("context", context), context)
        if replica.slots is not None:
            options["slots"] = replica.slots
        if (usual := getattr(ENGINES[job.engine].options(), "kv_type", None)) is not None:
            options["kv_type"] = job.kv_type or usual  # the variant's, whatever the settings say by now
        if job.path in settings.general.trusted_models:
            options["trust_remote_code"] = True
        if options.get("spans_nodes") and job.gpus:
            options.setdefault("tensor_parallel", max(1, job.gpus // options.get("pipeline_parallel", 1)))
        return options

    def _check_progress(self, replica: Replica) -> None:
        """Warn about an engine that sends no tokens, and restart it when the limit has passed."""
        if (watchdog := replica.watchdog) is None:
            return
        if not replica.streams:
            watchdog.reset()
        if (limit := watchdog.newly_quiet()) is not None:
            message = f"The engine of run {self.id} has given no token for {FLAG_S:g} s; after {limit:g} s it is started again."
            self.store.notice("warning", message, f"See {replica.engine.log}.", job=self.id)
        if (limit := watchdog.overdue()) is not None:
            raise ChildDied(f"no token for {limit:g} s; its last words: {replica.engine.last_words()}")

    def _stop(self, request: str | None) -> JobState:
        for replica in self.replicas:
            for key in replica.streams:
                replica.engine.send(wire.Cancel(key))
            if request is not None:
                replica.engine.close()
        self._end_unloaded()
        return STATE_AFTER[request]

    def _tell_waiting(self, replica: Replica, message: str) -> None:
        if replica.waiting_message != message:
            replica.waiting_message = message
            self.store.set_message(
                self.id, next((other.waiting_message for other in self.replicas if other.waiting_message), "")
            )

    def _send_requests(self) -> None:
        """Send waiting questions, each to the least busy engine; the last ones go to the first free slot."""
        several = sum(replica.slots_loaded for replica in self.replicas) if len(self.replicas) > 1 else 0
        while self.waiting:
            ahead = AHEAD if len(self.waiting) > several else 0
            if not (free := [replica for replica in self.replicas if replica.takes_more(ahead)]):
                return
            replica = min(free, key=lambda one: len(one.streams) / one.slots_loaded)
            pending = self.waiting.popleft()
            stream = Response(pending, pending.text, list(pending.ids), pending.chunks)
            stream.audited = audited(self.job, pending.key, pending.sample)
            ready = replica.engine.ready
            if pending.chunks and ready is not None and not ready.resumes:
                self._restart(stream)
            replica.streams[str(pending.id)] = stream
            prompt, prefix = self.template.fill(pending.fields), stream.pending.ids
            generate = wire.Generate(
                str(pending.id), prompt, self.template.chat, pending.seed, self.job.sampling, prefix,
                self.job.template_options, self.job.date,
            )  # fmt: skip
            replica.engine.send(generate)

    def _restart(self, stream: Response) -> None:
        self.store.discard(stream.pending.id)
        stream.restart()

    def _handle(self, replica: Replica, event: wire.Event) -> None:
        streams = replica.streams
        match event:
            case wire.Waiting(why):
                self._tell_waiting(replica, why)
            case wire.Started(key, prompt, tokens, limit, empty) if key in streams:
                stream = streams[key]
                stream.prompt_state = event.thinking
                if stream.started:
                    self._restart(stream)
                stream.started = True
                stream.watch(limit)
                replies = stream.pending.empty_replies + empty
                self.started.append(StartedResponse(stream.pending, time.time(), prompt, tokens, limit, replies))
            case wire.Deltas(items):
                for delta in items:
                    if delta.id in streams:
                        self._append(replica.engine, streams[delta.id], delta)
            case wire.Finished(key, reason, error) if key in streams:
                stream = streams.pop(key)
                stream.usage, stream.empty_replies = event.usage, stream.pending.empty_replies + event.empty_replies
                stream.prompt_state, stream.filtered = stream.prompt_state or event.thinking, event.filtered
                self._finish(stream, reason, error, _thinking(replica.engine.ready, stream))
                replica.progressed = True

    def _append(self, engine: EngineProcess, stream: Response, delta: wire.Delta) -> None:
        stream.new_text.append(delta.text)
        stream.new_ids.extend(delta.ids)
        self._tokens += delta.tokens
        stream.detector.feed(delta.text)
        if stream.detector.collapsed and not stream.audited and not stream.stopped:
            stream.stopped = True
            engine.send(wire.Cancel(delta.id))

    def _finish(self, stream: Response, reason: str, error: str | None, thinking: Thinking) -> None:
        text = stream.text + "".join(stream.new_text)
        ids = [*stream.ids, *stream.new_ids]
        stream.detector.finish()
        verdict = stream.detector.verdict
        reason = "repetition" if reason == "cancelled" and stream.stopped else reason
        pending = stream.pending
        item = Item(pending.key, pending.fields, pending.gold)
        stops = self.job.sampling.stop
        row = columns(
            self.benchmark, item, text, ids, reason, thinking, loop=verdict, filtered=stream.filtered, stops=stops
        )  # fmt: skip
        outcome: Columns = {
            **row,
            "error": None if error is None else mask(error),
            **loop_columns(verdict, stream.audited),
            "seconds": time.monotonic() - stream.created,
            **server_columns(stream.usage, stream.empty_replies, row),
        }
        self.outcomes.append(Outcome(pending.id, outcome, text, ids))

    def _flush(self) -> None:
        """Commit everything since the last tick in one transaction; memory is updated only after it succeeded."""
        chunks, loops = [], {}
        streams = [stream for replica in self.replicas for stream in replica.streams.values()]
        for stream in streams:
            if stream.new_ids or stream.new_text:
                chunks.append(Chunk(stream.pending.id, stream.seq, "".join(stream.new_text), stream.new_ids))
            verdict = stream.detector.verdict
            if (verdict.state, verdict.count) != stream.verdict:
                stream.verdict = (verdict.state, verdict.count)
                loops[stream.pending.id] = loop_columns(verdict, stream.audited)
        self.store.tick(self.id, self.started, chunks, self.outcomes, loops, self._pace())
        self.started, self.outcomes = [], []
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
            rate = self._tokens / passed
            self._speed = rate if self._speed is None else 0.7 * self._speed + 0.3 * rate
            self._speed_from, self._tokens = time.monotonic(), 0
        return self._speed


def _thinking(ready: wire.Ready | None, stream: Response) -> Thinking:
    """What the engine has said of the thinking in a response."""
    known = of(ready.opens, ready.closes) if ready else None
    if known is None and stream.prompt_state == "none":  # its words are no family's marks
        known = PLAIN
    return Thinking(known, ready.close_ids if ready else (), stream.prompt_state)


def audited(job: RunJob, key: str, sample: int) -> bool:
    """Whether a response continues if it collapses: always under `observe`, else by a draw of its own."""
    if job.policy == "observe":
        return True
    of_sample = f"/{sample}" if sample else ""  # the first sample's draw is that of runs with one sample
    draw = hashlib.sha256(f"audit/{job.id}/{job.seed}/{key}{of_sample}".encode()).digest()
    return int.from_bytes(draw[:4], "big") < job.audit_share * 2**32
