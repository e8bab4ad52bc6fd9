"""The engine "llama.cpp": continuous batching of our own over sequence ids.

Every step decodes one batch: the last token of each sequence under way and, in the room that is left, slices of prompts
that wait for their prefill, oldest first; so newcomers join without stopping the others. The KV cache holds slots x
context tokens, a buffer a sequence, and sequences under way lie side by side. Logits depend in their last bits on what
else is in the batch, so a seed fixes a response only for the same company; with the option `exact` there is one slot, and
a resumed response goes on bit for bit as it would have.
"""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from heapq import heappop, heappush, heapreplace
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .batching import Batching
from .engine import EngineFailure, chosen_options
from .fit import GIB, MEMORY_SHARE, free_gpu_memory, free_memory, gguf_shape, llama_need, slots_that_fit
from .options import LlamaCppOptions
from .stream import Stream
from .wire import Event, Prefill, Ready

if TYPE_CHECKING:
    from .llama_native import LlamaContext, LlamaModel


# How often a thread looks whether the others are done before it sleeps: about half a millisecond. The threads of a small model
# wait for each other hundreds of times a token, and twice as many tokens come where they need not sleep; but where other
# programs want the processors, it is the one that is waited for that has none, and looking takes it away for longer.
SPINS, IDLE = 10_000, 0.75


class LlamaCpp(Batching):
    """See `engine.Engine`."""

    _options: LlamaCppOptions
    _model: LlamaModel
    _cache: LlamaContext

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Stream, int] = {}  # of the sequences in the KV cache
        self._free: list[int] = []

    def probe(self) -> tuple[str, str]:
        """Version, and whether this build of llama.cpp can use a GPU."""
        llama_cpp = _library()
        gpu = "with GPU support" if llama_cpp.llama_supports_gpu_offload() else "CPU only"
        return str(llama_cpp.__version__), f"llama.cpp {llama_cpp.llama_version().decode()}, {gpu}"

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Load a GGUF file and size the KV cache; slots are halved until it fits."""
        version = _library().__version__
        from .llama_native import LlamaModel, check_file

        self._options = given = chosen_options(LlamaCppOptions, options, "llama.cpp")
        path = Path(model)
        check_file(path)
        context, slots, plain = self._size(path)
        self._model = LlamaModel(path, given.gpu_layers)
        context = min(context, self._model.trained_context)
        slots = self._open_cache(slots, context, plain)
        self._free = list(range(slots))
        ready = self._open("llama.cpp", str(version), self._model, slots, context)
        return replace(ready, prefills=True)

    def step(self) -> Iterable[Event]:
        """One batch: a token for each sequence under way and a slice of prefill."""
        self._drop_finished()
        yield from self._admit()
        if not self._streams:
            return
        self._number()
        sampled = self._fill_batch()
        logits = self._cache.decode()
        if not sampled:
            yield Prefill(self._options.batch)
        for stream, row in zip(sampled, logits, strict=True):
            yield from stream.advance(row, self._model.end_ids)

    def _size(self, path: Path) -> tuple[int, int, bool]:
        """Context and slots that fit the memory, and whether attention is computed plainly.

        Judged before loading: Linux grants what it does not have and kills later.
        """
        given = self._options
        shape = gguf_shape(path)
        context = min(given.context, shape.context)
        slots = 1 if given.exact else min(given.slots, int(_library().llama_max_parallel_sequences()))
        need = llama_need(shape, given.batch, given.kv_type)
        on_gpu = given.gpu_layers != 0 and _library().llama_supports_gpu_offload() and free_gpu_memory()
        if on_gpu and given.gpu_layers > 0:  # part here, part there: llama.cpp itself finds out
            return context, slots, False
        free, where = (sum(on_gpu), "are free on the GPU") if on_gpu else (free_memory(), "are free")
        budget = int(given.memory_gib * GIB) if given.memory_gib else int(free * MEMORY_SHARE)
        where = "may be used (llama.cpp.memory_gib)" if given.memory_gib else f"may be used of {free / GIB:.1f} that {where}"
        plain = not on_gpu and need.plain(context)
        return context, slots_that_fit(path.name, need, slots, context, budget, where), plain

    def _open_cache(self, slots: int, context: int, plain: bool) -> int:
        """Open the KV cache with `slots`, halved as often as it takes. Returns the number."""
        from .llama_native import LlamaContext

        threads = self._options.threads or _threads()
        while True:
            try:
                batch = max(self._options.batch, slots)
                self._cache = LlamaContext(self._model, slots, context, batch, threads, self._options.kv_type, plain)
                return slots
            except MemoryError as error:
                if slots == 1:
                    message = f"No memory for a context of {context} tokens: {error}"
                    raise EngineFailure("memory", message, "Lower the context.") from error
                slots //= 2

    def _fill_batch(self) -> list[Stream]:
        """Put tokens into the batch; returns the streams whose logits are wanted, in order."""
        counts = {}
        room = max(self._options.batch, len(self._streams))
        # Sequences that need one token come first, so that a long prefill never starves them.
        for stream in sorted(self._streams, key=lambda stream: len(stream.ids) - stream.fed > 1):
            count = min(len(stream.ids) - stream.fed, room)
            if self._options.exact and stream.fed + count > stream.prompt_tokens:
                count = max(1, stream.prompt_tokens - stream.fed)
            room -= count
            if count:
                counts[stream] = count
        sampled = []
        for stream in sorted(counts, key=self._numbers.__getitem__):
            end = stream.fed + counts[stream]
            last = end == len(stream.ids)
            self._cache.add(self._numbers[stream], stream.ids[stream.fed : end], stream.fed, last)
            stream.fed = end
            if last:
                sampled.append(stream)
        return sampled

    def _number(self) -> None:
        """Give each new stream the lowest free number; where one is left below others, the highest of those moves there."""
        for stream in self._streams:
            if stream not in self._numbers:
                self._numbers[stream] = heappop(self._free)
        for stream, number in sorted(self._numbers.items(), key=itemgetter(1), reverse=True):
            if not self._free or self._free[0] > number:
                break
            self._numbers[stream] = heapreplace(self._free, number)
            self._cache.move(number, self._numbers[stream])

    def _drop_finished(self) -> None:
        for stream in [stream for stream in self._streams if stream.finished]:
            self._streams.remove(stream)
            number = self._numbers.pop(stream)
            heappush(self._free, number)
            if self._streams:
                self._cache.forget(number)
            else:
                self._cache.forget_all()


def _library() -> ModuleType:
    """llama_cpp with a thread pool that sleeps when idle: spinning threads of several hosts starve each other."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ["GOMP_SPINCOUNT"] = str(SPINS if idle_share() > IDLE else 0)
    return importlib.import_module("llama_cpp")


def idle_share(seconds: float = 0.1) -> float:
    """What of the processors nobody uses just now."""
    first = _ticks()
    time.sleep(seconds)
    passed = [after - before for before, after in zip(first, _ticks(), strict=True)]
    return sum(passed[3:5]) / max(1, sum(passed))


def _ticks() -> list[int]:
    """Times of all processors together: user, nice, system, idle, waiting for disks, and what else there is up to steal."""
    return [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]


def _threads() -> int:
    """What OMP_NUM_THREADS says, else the cores that this process may use, hardware threads of one core counted once."""
    if (said := os.environ.get("OMP_NUM_THREADS", "")).isdigit():
        return max(1, int(said))
    cores = set()
    for cpu in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings.read_text() if siblings.exists() else str(cpu))
    return max(1, len(cores))
