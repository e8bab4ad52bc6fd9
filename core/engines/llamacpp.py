"""The engine "llama.cpp": continuous batching of our own over sequence ids.

Every step decodes one batch: the last token of each sequence under way and, in the room that is left, slices of prompts
that wait for their prefill, oldest first; so newcomers join without stopping the others. The KV cache holds slots x
context tokens. Logits depend in their last bits on what else is in the batch, so a seed fixes a response only for the
same company; with the option `exact` there is one slot, and a resumed response goes on bit for bit as it would have.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from .batching import Batching
from .engine import EngineFailure, chosen_options
from .stream import Stream
from .wire import Event, Ready

if TYPE_CHECKING:
    from .llama_native import LlamaContext, LlamaModel

_MEMORY_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of this engine; `Load.options` holds any of them.

    `slots`: sequences side by side, fewer where memory is short. `context`: tokens of prompt and answer together; never
    more than the model was trained for. `gpu_layers`: -1 for all, where there is a GPU. `threads`: None for one a
    physical core. `batch`: tokens a step, which bounds how long a prefill holds up the others. `exact`: one slot, and a
    prefix is fed as it was made.
    """

    slots: int = 8
    context: int = 4096
    gpu_layers: int = -1
    threads: int | None = None
    batch: int = 256
    exact: bool = False


class LlamaCpp(Batching):
    """See `engine.Engine`."""

    _options: Options
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
        from .llama_native import LlamaModel

        self._options = given = chosen_options(Options, options, "llama.cpp")
        self._model = LlamaModel(Path(model), given.gpu_layers)
        context = min(given.context, self._model.trained_context)
        slots = self._open_cache(1 if given.exact else given.slots, context)
        self._free = list(range(slots))[::-1]
        return self._open("llama.cpp", str(version), self._model, slots, context)

    def step(self) -> Iterable[Event]:
        """One batch: a token for each sequence under way and a slice of prefill."""
        self._drop_finished()
        yield from self._admit()
        if not self._streams:
            return
        for stream in self._streams:
            if stream not in self._numbers:
                self._numbers[stream] = self._free.pop()
        sampled = self._fill_batch()
        for stream, logits in zip(sampled, self._cache.decode(), strict=True):
            yield from stream.advance(logits, self._model.end_ids)

    def _open_cache(self, slots: int, context: int) -> int:
        """Open the KV cache with `slots`, halved as often as it takes to fit the memory. Returns the number."""
        from .llama_native import LlamaContext

        if self._options.gpu_layers == 0 or not _library().llama_supports_gpu_offload():
            # Linux grants memory that it does not have and kills later, so the fit is judged beforehand.
            sequence_bytes = context * self._model.kv_bytes()
            while slots > 1 and slots * sequence_bytes > _available_memory() * _MEMORY_SHARE:
                slots //= 2
        threads = self._options.threads or _physical_cores()
        batch = max(self._options.batch, slots)
        while True:
            try:
                self._cache = LlamaContext(self._model, slots, context, batch, threads)
                return slots
            except MemoryError as error:
                if slots == 1:
                    message = f"No memory for a context of {context} tokens: {error}"
                    raise EngineFailure("memory", message, "Lower the context.") from error
                slots //= 2

    def _fill_batch(self) -> list[Stream]:
        """Put tokens into the batch; returns the streams whose logits are wanted, in order."""
        sampled = []
        room = max(self._options.batch, len(self._streams))
        # Sequences that need one token come first, so that a long prefill never starves them.
        for stream in sorted(self._streams, key=lambda stream: len(stream.ids) - stream.fed > 1):
            if room == 0:
                break
            count = min(len(stream.ids) - stream.fed, room)
            if self._options.exact and stream.fed + count > stream.prompt_tokens:
                count = max(1, stream.prompt_tokens - stream.fed)
            end = stream.fed + count
            last = end == len(stream.ids)
            self._cache.add(self._numbers[stream], stream.ids[stream.fed : end], stream.fed, last)
            stream.fed = end
            room -= count
            if last:
                sampled.append(stream)
        return sampled

    def _drop_finished(self) -> None:
        for stream in [stream for stream in self._streams if stream.finished]:
            self._streams.remove(stream)
            number = self._numbers.pop(stream)
            self._free.append(number)
            if self._streams:
                self._cache.forget(number)
            else:
                self._cache.forget_all()


def _library() -> ModuleType:
    """llama_cpp with a thread pool that sleeps when idle: spinning threads of several hosts starve each other."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    return importlib.import_module("llama_cpp")


def _physical_cores() -> int:
    """Cores that this process may use, hardware threads of one core counted once."""
    cores = set()
    for cpu in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        cores.add(siblings.read_text() if siblings.exists() else str(cpu))
    return max(1, len(cores))


def _available_memory() -> int:
    """Bytes of memory that can be had without swapping."""
    fields = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024
