"""The engine "transformers": batched streaming generation from a folder in Hugging Face format, on CPU or GPU.

Waiting requests join as a group whenever rows are free; then every step gives each row one token. Models whose layers
keep a window or another state instead of all keys and values run one sequence at a time. The option `exact` feeds a
prefix token by token, as it was made, so that with one slot a resumed response goes on as it would have.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..decode.batching import Batching
from ..decode.stream import Stream
from ..hf_checkpoint import check_folder
from ..host.engine import EngineFailure, chosen_options
from ..host.options import TransformersOptions
from ..host.wire import Event, Ready
from ..memory import GIB, MEMORY_SHARE, free_gpu_memory, free_memory, slots_that_fit, transformers_need
from ..model_shape import folder_shape

if TYPE_CHECKING:
    from torch import Tensor

    from .batch import Batch

T = TypeVar("T")
_TOO_MUCH = ("can't allocate memory", "out of memory")


class Transformers(Batching):
    """See `engine.Engine`."""

    _batch: Batch
    _end_ids: frozenset[int]
    _exact: bool

    def probe(self) -> tuple[str, str]:
        """Version, PyTorch's version and the device that would be used."""
        torch, transformers = (importlib.import_module(name) for name in ("torch", "transformers"))
        device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
        return str(transformers.__version__), f"PyTorch {torch.__version__}, {device}"

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Load a folder of safetensors; nothing is fetched, and the model's own code runs only if trusted."""
        chosen = chosen_options(TransformersOptions, options, "transformers")
        folder = Path(model)
        check_folder(folder)
        context, fitting = _size(folder, chosen)
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from . import load as hf_load
        from .batch import Batch

        loaded = _guarded(lambda: hf_load.load(folder, chosen.dtype, chosen.device, chosen.threads, chosen.trust_remote_code))
        self._batch = Batch(loaded.model)
        self._end_ids = loaded.end_ids
        self._exact = chosen.exact
        slots = fitting if Batch.can_grow(loaded.model.config) and not chosen.exact else 1
        context = min(context, loaded.trained_context)
        return self._open("transformers", loaded.version, loaded.vocabulary, slots, context)

    def step(self) -> Iterable[Event]:
        """Prefill the waiting requests, or else generate one token for every row."""
        self._drop_finished()
        rows = len(self._streams)
        yield from self._admit()
        joining = self._streams[rows:]
        if joining:
            for stream in joining:
                stream.fed = stream.prompt_tokens if self._exact else len(stream.ids)
            logits = _guarded(lambda: self._batch.join([stream.ids[: stream.fed] for stream in joining]))
            yield from self._advance(joining, logits)
        elif self._streams:
            logits = _guarded(lambda: self._batch.step([stream.ids[stream.fed] for stream in self._streams]))
            for stream in self._streams:
                stream.fed += 1
            yield from self._advance(self._streams, logits)

    def _drop_finished(self) -> None:
        left = [row for row, stream in enumerate(self._streams) if not stream.finished]
        if len(left) < len(self._streams):
            self._batch.keep(left)
            self._streams = [self._streams[row] for row in left]

    def _advance(self, streams: Sequence[Stream], logits: Tensor) -> Iterable[Event]:
        """Draw a token for each stream whose ids are all processed; `logits` is [streams, vocabulary]."""
        for stream, values in zip(streams, logits.numpy(), strict=True):
            if stream.fed == len(stream.ids):
                yield from stream.advance(values, self._end_ids)


def _size(folder: Path, options: TransformersOptions) -> tuple[int, int]:
    """Context and slots that fit the memory of the device that will be used."""
    context = min(options.context, folder_shape(folder).context)
    on_gpu = free_gpu_memory() if options.device is None or options.device.startswith("cuda") else []
    free, where = (on_gpu[0], "on the GPU") if on_gpu else (free_memory(), "of memory")
    need = transformers_need(folder, options.dtype, on_gpu=bool(on_gpu))
    budget = int(free * MEMORY_SHARE)
    where = f"may be used of {free / GIB:.1f} that are free {where}"
    return context, slots_that_fit(folder.name, need, 1 if options.exact else options.slots, context, budget, where)


def _guarded(work: Callable[[], T]) -> T:
    """Run PyTorch work; memory that runs out becomes an EngineFailure of that kind."""
    try:
        return work()
    except RuntimeError as error:
        if any(sign in str(error).lower() for sign in _TOO_MUCH):
            remedy = "Lower the number of slots or the context."
            raise EngineFailure("memory", f"PyTorch ran out of memory: {error}", remedy) from error
        raise
