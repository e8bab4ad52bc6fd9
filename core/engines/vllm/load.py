"""Starts vLLM's AsyncLLM for a folder, and puts its errors, which mostly happen in other processes, into one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import vllm
from transformers import PreTrainedTokenizerBase
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind, SamplingParams
from vllm.v1.engine.async_llm import AsyncLLM

from ..hf_checkpoint import not_loaded
from ..hf_vocabulary import HfVocabulary, load_tokenizer
from ..host.engine import GET_AGAIN, EngineFailure
from ..host.options import VllmOptions
from ..host.wire import Generate
from ..memory import GIB, MEMORY_SHARE, Need, free_gpu_memory, free_memory, slots_that_fit, vllm_need
from ..model_shape import folder_shape
from .errors import Overheard
from .spread import everywhere, spread

_CONFIG_FAULTS = (ValueError, OSError, KeyError, TypeError, AttributeError, ImportError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A running engine, its vocabulary, and its captured error lines."""

    llm: AsyncLLM
    vocabulary: HfVocabulary
    context: int
    version: str
    words: Overheard


def load(folder: Path, options: VllmOptions) -> Loaded:
    """Start the engine. Raises EngineFailure with the reason that vLLM's own processes gave."""
    parallel = spread(options, torch.cuda.device_count())
    context, kv_bytes = _size(folder, options, parallel["tensor_parallel_size"] * options.pipeline_parallel)
    tokenizer = _tokenizer(folder)
    arguments = {
        "model": str(folder),
        "dtype": options.dtype,
        "max_model_len": context,
        "max_num_seqs": options.slots,
        **parallel,
        "gpu_memory_utilization": options.memory_share,
        "kv_cache_memory_bytes": kv_bytes,
        "stream_interval": options.stream_interval,
        "enforce_eager": options.eager,
        "trust_remote_code": options.trust_remote_code,
        "disable_log_stats": True,
    }
    words = Overheard()
    try:
        llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
    except _CONFIG_FAULTS as error:
        raise not_loaded(folder, _sentence(error)) from error
    except RuntimeError as error:  # the cause is on the engine process's stderr
        raise words.failure(f"vLLM cannot load {folder}", error) from error
    size = int(llm.model_config.get_vocab_size())
    return Loaded(llm, HfVocabulary(tokenizer, size), context, str(vllm.__version__), words)


def parameters(request: Generate, left: int, seed: int) -> SamplingParams:
    """The request's sampling as vLLM's parameters; text and stop strings are handled here, not by vLLM."""
    sampling = request.sampling
    return SamplingParams(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        seed=seed,
        max_tokens=left,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
    )


def _size(folder: Path, options: VllmOptions, devices: int) -> tuple[int, int | None]:
    """Context, and bytes of the KV cache (None: vLLM decides). Raises EngineFailure where no sequence fits."""
    context = min(options.context, folder_shape(folder).context)
    on_gpu = not current_platform.is_cpu()
    need = vllm_need(folder, options.dtype, on_gpu=on_gpu)
    kv_bytes = int(options.kv_gib * GIB) if options.kv_gib else None
    if on_gpu:
        if free := everywhere(free_gpu_memory(), devices, options.spans_nodes):
            budget = int(sum(free) * options.memory_share)
            slots_that_fit(folder.name, need, 1, context, budget, f"may be used on {len(free)} GPUs")
        return context, kv_bytes
    budget = int(free_memory() * MEMORY_SHARE)
    slots = slots_that_fit(folder.name, need, options.slots, context, budget, "of memory may be used")
    return context, kv_bytes or _cache(need, slots, context)


def _cache(need: Need, slots: int, context: int) -> int:
    """Bytes for `slots` sequences, with a margin for partly filled blocks."""
    return int((slots * need.cache(context) + need.step) * 1.1) + 64 * 2**20


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    try:
        return load_tokenizer(folder)
    except (OSError, ValueError, KeyError) as error:
        raise EngineFailure("model", f"The tokenizer of {folder} cannot be loaded: {_sentence(error)}", GET_AGAIN) from error


def _sentence(error: BaseException) -> str:
    """The first line that says something: pydantic's messages run over many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = next((line for line in lines if line.startswith("Value error, ")), lines[0] if lines else type(error).__name__)
    return telling.removeprefix("Value error, ").split(" [type=")[0][:400]
