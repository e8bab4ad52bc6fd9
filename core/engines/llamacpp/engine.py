"""The engine "llama.cpp": continuous batching of our own over sequence ids.

Every step decodes one batch: the last token of each sequence under way and, in the room that is left, slices of prompts
that wait for their prefill, oldest first; so newcomers join without stopping the others. The KV cache holds slots x
context tokens, a buffer a sequence, and sequences under way lie side by side. On processors the slots of a small model are
shared out among contexts, one a thread: there threads that share a batch wait for each other longer than they work.

Logits depend in their last bits on what else is in the batch, so a seed fixes a response only for the same company; with
the option `exact` there is one slot, and a resumed response goes on bit for bit as it would have.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..decode.batching import Batching
from ..decode.stream import Stream
from ..host.engine import EngineFailure, chosen_options
from ..host.options import LlamaCppOptions
from ..host.wire import Event, Prefill, Ready
from ..memory import GIB, MEMORY_SHARE, Need, free_gpu_memory, free_memory, llama_need, slots_that_fit
from ..model_shape import gguf_shape
from ..processors import SMALL, idle_share, threads, usual_slots
from .sequences import Sequences

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .native import LlamaModel

# How often a thread looks whether the others are done before it sleeps: about half a millisecond. The threads of a small model
# wait for each other hundreds of times a token, and twice as many tokens come where they need not sleep; but where other
# programs want the processors, it is the one that is waited for that has none, and looking takes it away for longer.
SPINS, IDLE = 10_000, 0.75


class LlamaCpp(Batching):
    """See `engine.Engine`."""

    _options: LlamaCppOptions
    _model: LlamaModel
    _pool: ThreadPoolExecutor

    def __init__(self) -> None:
        super().__init__()
        self._contexts: list[Sequences] = []
        self._decoding: dict[Sequences, Future[list[tuple[Stream, NDArray[np.float32]]]]] = {}

    def probe(self) -> tuple[str, str]:
        """Version, and whether this build of llama.cpp can use a GPU."""
        llama_cpp = _library()
        gpu = "with GPU support" if llama_cpp.llama_supports_gpu_offload() else "CPU only"
        return str(llama_cpp.__version__), f"llama.cpp {llama_cpp.llama_version().decode()}, {gpu}"

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Load a GGUF file and size the KV cache; slots are halved until it fits. Raises EngineFailure."""
        version = _library().__version__
        from .native import LlamaModel, check_file

        self._options = chosen = chosen_options(LlamaCppOptions, options, "llama.cpp")
        path = Path(model)
        check_file(path)
        context, slots, need = self._size(path)
        self._model = LlamaModel(path, chosen.gpu_layers)
        context = min(context, self._model.trained_context)
        slots = self._open_contexts(slots, context, need)
        ready = self._open("llama.cpp", str(version), self._model, slots, context)
        return replace(ready, prefills=True)

    def step(self) -> Iterable[Event]:
        """One batch of a context: a token for each sequence under way and a slice of prefill. The others go on meanwhile."""
        self._drop_finished()
        yield from self._admit()
        self._place()
        for context in self._contexts:
            if context not in self._decoding and len(context):
                self._decoding[context] = self._pool.submit(context.decode)
        wait(self._decoding.values(), return_when=FIRST_COMPLETED)
        for context in [context for context, decoding in self._decoding.items() if decoding.done()]:
            decoded = self._decoding.pop(context).result()
            if not decoded:
                yield Prefill(self._options.batch)
            for stream, logits in decoded:
                if not stream.finished:
                    yield from stream.advance(logits, self._model.end_ids)

    def _drop_finished(self) -> None:
        """Drop finished streams, except from contexts that are decoding."""
        for context in self._contexts:
            if context not in self._decoding:
                context.drop_finished()
        self._streams = [one for one in self._streams if not one.finished or self._place_of(one) is not None]

    def _place(self) -> None:
        """Assign new streams to the emptiest context that is not decoding."""
        for stream in self._streams:
            if self._place_of(stream) is None:
                idle = [one for one in self._contexts if one not in self._decoding and not one.full]
                if not idle:
                    break
                min(idle, key=len).join(stream)

    def _place_of(self, stream: Stream) -> Sequences | None:
        return next((context for context in self._contexts if stream in context), None)

    def _size(self, path: Path) -> tuple[int, int, Need | None]:
        """Context and slots that fit the memory, and what they need of it, where processors do all the work.

        Judged before loading: Linux grants what it does not have and kills later.
        """
        options = self._options
        shape = gguf_shape(path)
        context = min(options.context, shape.context)
        need = llama_need(shape, options.batch, options.kv_type)
        on_gpu = options.gpu_layers != 0 and _library().llama_supports_gpu_offload() and free_gpu_memory()
        slots = options.slots or usual_slots(0 if on_gpu else threads(options.threads), shape.weights)
        slots = 1 if options.exact else min(slots, int(_library().llama_max_parallel_sequences()))
        if on_gpu and options.gpu_layers > 0:  # split between GPU and RAM: llama.cpp checks the memory itself
            return context, slots, None
        free, where = (sum(on_gpu), "are free on the GPU") if on_gpu else (free_memory(), "are free")
        budget = int(options.memory_gib * GIB) if options.memory_gib else int(free * MEMORY_SHARE)
        where = "may be used (llama.cpp.memory_gib)" if options.memory_gib else f"may be used of {free / GIB:.1f} that {where}"
        slots = slots_that_fit(path.name, need, slots, context, budget, where)
        return context, slots, None if on_gpu else need

    def _open_contexts(self, slots: int, context: int, need: Need | None) -> int:
        """Open KV caches with `slots` in all, halved as often as it takes. Returns the number."""
        from .native import LlamaContext, has_amx

        plain = need is not None and has_amx() and need.plain(context)
        count = threads(self._options.threads)
        while True:
            parts = min(count, slots) if self._model.bytes <= SMALL and need else 1
            shares = [(slots + part) // parts for part in range(parts)]
            try:
                for share in shares:
                    batch = max(self._options.batch, share)
                    kv_type = self._options.kv_type
                    cache = LlamaContext(self._model, share, context, batch, max(1, count // parts), kv_type, plain)
                    self._contexts.append(Sequences(cache, share, self._options.batch, exact=self._options.exact))
                self._pool = ThreadPoolExecutor(parts)
                return slots
            except MemoryError as error:
                self._contexts = []
                if slots == 1:
                    message = f"No memory for a context of {context} tokens: {error}"
                    raise EngineFailure("memory", message, "Lower the context.") from error
                slots //= 2


def _library() -> ModuleType:
    """llama_cpp with a thread pool that sleeps when idle: spinning threads of several hosts starve each other."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ["GOMP_SPINCOUNT"] = str(SPINS if idle_share() > IDLE else 0)
    return importlib.import_module("llama_cpp")
