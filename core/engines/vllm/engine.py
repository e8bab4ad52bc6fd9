"""The engine "vllm": streams from vLLM's AsyncLLM, which batches by itself, on one GPU or many.

vLLM decodes in processes of its own; `group` sees to it that they end with this one. Prompts are rendered and cut into
tokens here, as for every engine, and text is made of the token ids here, so that a resumed response goes on exactly
after its stored ids. A seed fixes a response only for the same company in the batch, and a resumed one draws anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..decode.admission import Admission, Refused
from ..decode.stream import Stream
from ..decode.tasks import Tasks
from ..hf_checkpoint import check_folder
from ..host.engine import EngineFailure, chosen_options
from ..host.options import VllmOptions
from ..host.process import end_with_this_process
from ..host.wire import Event, Finished, Generate, Ready

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

    from .errors import Overheard

_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork of this process would copy its threads' locks
}


class Vllm(Tasks):
    """See `engine.Engine`."""

    _llm: AsyncLLM
    _admission: Admission
    _words: Overheard

    def probe(self) -> tuple[str, str]:
        """Version, and the devices that vLLM would use."""
        os.environ.update(_ENVIRONMENT)
        vllm, platforms = (importlib.import_module(name) for name in ("vllm", "vllm.platforms"))
        return str(vllm.__version__), f"vLLM on {platforms.current_platform.device_type}"

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Load a folder, quantized or not; nothing is fetched, and no code of its own is run unless the user trusts it."""
        chosen = chosen_options(VllmOptions, options, "vllm")
        folder = Path(model)
        check_folder(folder)
        os.environ.update(_ENVIRONMENT)
        end_with_this_process()
        from . import load as vllm_load

        loaded = vllm_load.load(folder, chosen)
        self._llm, self._words = loaded.llm, loaded.words
        self._admission = Admission(loaded.vocabulary, loaded.context)
        self._open(chosen.slots)
        return self._admission.ready("vllm", loaded.version, chosen.slots, loaded.context)

    async def _answer(self, request: Generate) -> AsyncIterator[Event]:
        """See `Tasks`. Leaving early aborts the request in vLLM."""
        try:
            stream = self._admission.open(request)
        except Refused as refused:
            yield Finished(request.id, "error", str(refused))
            return
        for event in stream.start():
            yield event
        if stream.finished:
            return
        try:
            async with aclosing(self._tokens(request, stream)) as parts:
                async for tokens, reason in parts:
                    for event in _taken(stream, tokens, reason):
                        yield event
                    if stream.finished:
                        return
        except asyncio.CancelledError:
            for event in stream.finish("cancelled"):
                yield event

    async def _tokens(self, request: Generate, stream: Stream) -> AsyncGenerator[tuple[list[int], str | None]]:
        """New tokens without the one that ends the response, and why it has ended, if it has."""
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        from .load import parameters

        left = stream.limit - (len(stream.ids) - stream.prompt_tokens)
        name = f"{request.id}/{id(stream)}"  # vLLM may still hold a cancelled request of the same id
        prompt = {"prompt_token_ids": list(stream.ids)}
        try:
            outputs = self._llm.generate(prompt, parameters(request, left, seed(request)), name)
            async with aclosing(outputs):
                async for output in outputs:
                    part = output.outputs[0]
                    ids = list(part.token_ids)
                    yield (ids[:-1] if part.finish_reason == "stop" else ids), part.finish_reason
        except (EngineDeadError, EngineGenerateError) as error:
            raise self._words.failure("vLLM's engine has ended", error) from error


def seed(request: Generate) -> int:
    """The seed of the continuation: another one after a prefix, or it would repeat the first draws."""
    if not request.prefix:
        return request.seed
    return int.from_bytes(hashlib.blake2b(f"{request.seed}:{len(request.prefix)}".encode(), digest_size=4).digest(), "big")


def _taken(stream: Stream, tokens: list[int], reason: str | None) -> list[Event]:
    events: list[Event] = []
    for token in tokens:
        events += stream.accept(token)
        if stream.finished:  # by a stop string or the limit; what came beyond is dropped
            return events
    if reason in ("stop", "length"):
        events += stream.finish(reason)  # type: ignore[arg-type]
    elif reason is not None:
        raise EngineFailure("engine", f"vLLM ended a response with {reason!r}.", "See the log of the engine host.")
    return events
