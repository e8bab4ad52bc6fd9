"""The registry of engines: where each is implemented, which models it takes, and its options.

A new engine is one module and one entry here. Options are a frozen dataclass for each engine, with a sentence for each field:
`core.settings` shows them to users, and hosts check what they receive against them. Standard library only, since hosts run
under other interpreters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")
Format = Literal["hf", "gguf", "server", "recording"]
"""What a model is: a folder in Hugging Face format, a GGUF file, a name on a server, or a recording."""
KV_TYPES = ("f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
_POSITIVE = (
    "slots", "context", "batch", "threads", "memory_gib", "tensor_parallel", "pipeline_parallel", "memory_share",
    "kv_gib", "stream_interval", "tries", "seconds", "silence", "tokens_per_second",
    "silence_s", "prefill_s", "load_s", "ray_cpus",
)  # fmt: skip


class BadOption(Exception):
    """An unknown option or an invalid value; `remedy` says what is allowed."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def _say(default: Any, text: str) -> Any:
    """A field with its default and the sentence that documents it."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True, slots=True)
class LlamaCppOptions:
    """Settings of the engine "llama.cpp"."""

    slots: int | None = _say(
        None, "Sequences side by side; unset: 8, or 8 a thread for models of up to 32 MiB. Fewer where memory is short."
    )
    context: int = _say(
        32_768 + 1024, "Tokens of prompt and answer together, at most; less where the model or the run asks less."
    )
    memory_gib: float | None = _say(None, "Memory for weights and KV cache, in GiB; unset: 80 % of what is free.")
    gpu_layers: int = _say(-1, "Layers on the GPU; -1 for all, where there is a GPU.")
    threads: int | None = _say(None, "Threads; unset: OMP_NUM_THREADS, else one a physical core.")
    batch: int = _say(256, "Tokens a step, which bounds how long a prompt's prefill holds up the others.")
    kv_type: str = _say("f16", f"Type of the KV cache: {', '.join(KV_TYPES)}; fewer bits, more slots, other last digits.")
    exact: bool = _say(False, "One slot, and a prefix is fed as it was made: a resumed run equals an uninterrupted one.")


@dataclass(frozen=True, slots=True)
class TransformersOptions:
    """Settings of the engine "transformers"."""

    slots: int = _say(8, "Sequences side by side; fewer where memory is short.")
    context: int = _say(
        32_768 + 1024, "Tokens of prompt and answer together, at most; less where the model or the run asks less."
    )
    dtype: str = _say("auto", "Numbers of the weights: auto (as stored), float32, bfloat16 or float16.")
    device: str | None = _say(None, "PyTorch's device; unset: a GPU where there is one.")
    threads: int | None = _say(None, "Threads; unset: PyTorch's own choice.")
    exact: bool = _say(False, "One slot, and a prefix is fed as it was made.")
    trust_remote_code: bool = _say(False, "Run Python code that lies in the model's folder; set it by `trusted_models`.")


@dataclass(frozen=True, slots=True)
class VllmOptions:
    """Settings of the engine "vllm"."""

    slots: int = _say(64, "Sequences side by side at most (max_num_seqs).")
    context: int = _say(
        32_768 + 1024, "Tokens of prompt and answer together, at most; less where the model or the run asks less."
    )
    dtype: str = _say("auto", "Numbers of activations and plain weights: auto (as stored), float32, bfloat16 or float16.")
    tensor_parallel: int | None = _say(None, "GPUs that share each layer; unset: all that the run has and no stage needs.")
    pipeline_parallel: int = _say(1, "Stages of layers, each on GPUs of its own.")
    spans_nodes: bool = _say(
        False, "Take these GPUs from several machines of the Ray cluster (executor ray); stages best lie within a machine."
    )
    memory_share: float = _say(0.9, "Share of each GPU's memory for weights, activations and KV cache.")
    kv_gib: float | None = _say(None, "KV cache in GiB; unset: what memory_share leaves, and on a CPU what the slots need.")
    stream_interval: int = _say(1, "Tokens between two deltas of a response; more costs less time between.")
    eager: bool = _say(False, "Run without CUDA graphs and compilation: starts sooner, decodes slower.")
    trust_remote_code: bool = _say(False, "Run Python code that lies in the model's folder; set it by `trusted_models`.")


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """Settings of the engine "openai", for servers that speak OpenAI's protocol."""

    slots: int = _say(8, "Requests side by side.")
    context: int = _say(32_768 + 1024, "Tokens of prompt and answer together, where the server does not name its own.")
    key_variable: str = _say(
        "OPENAI_API_KEY", "Environment variable of the runner that holds the key; the key itself is stored nowhere."
    )
    tries: int = _say(8, "Times that a request is sent before a server that refuses, breaks off or is silent fails the run.")
    empty_tries: int = _say(5, "Times that an empty reply is asked again; each is counted.")
    pause: float = _say(
        1.0, "Seconds before the second try, doubled for each further one, unless the server asks for another time."
    )
    silence: float = _say(240.0, "Seconds without text after which a request is sent again; keep-alives are no text.")
    seconds: float = _say(7200.0, "Seconds that one response may take with all its tries.")


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Settings of the engine "replay"."""

    slots: int = _say(8, "Responses side by side.")
    context: int = _say(1 << 20, "Tokens of prompt and answer together.")
    tokens_per_second: float = _say(80.0, "Tokens a second of each response.")
    any: bool = _say(
        False, "Play some stored response to a question that the file does not know (for load; scores mean nothing)."
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine: its class in a module (relative to this package), the format of its models, and its options.

    `extra` of pyproject.toml installs its library; none where the light core has it.
    """

    module: str
    cls: str
    format: Format
    options: type[Any]
    extra: str | None = None


ENGINES = {
    "llama.cpp": Entry("..llamacpp.engine", "LlamaCpp", "gguf", LlamaCppOptions, "local"),
    "transformers": Entry("..transformers.engine", "Transformers", "hf", TransformersOptions, "local"),
    "vllm": Entry("..vllm.engine", "Vllm", "hf", VllmOptions, "vllm"),
    "openai": Entry("..openai.engine", "OpenAI", "server", OpenAIOptions),
    "replay": Entry("..replay", "Replay", "recording", ReplayOptions),
}
"""All engines, the default first."""


def chosen(cls: type[T], options: Mapping[str, Any], engine: str) -> T:
    """Options of an engine from a mapping.

    Raises BadOption for unknown names, values of another type and numbers out of range.
    """
    types = get_type_hints(cls)
    unknown = sorted(set(options) - set(types))
    if unknown:
        raise BadOption(f"{engine} has no option {', '.join(unknown)}.", f"Known: {', '.join(types)}.")
    for name, value in options.items():
        if not _fits(value, types[name]) or (name in _POSITIVE and value is not None and not value > 0):
            raise BadOption(f"{engine}: {value!r} is no value for {name}.", "Correct the settings.")
    if options.get("kv_type", "f16") not in KV_TYPES:
        raise BadOption(f"{engine}: {options['kv_type']!r} is no type of KV cache.", f"Known: {', '.join(KV_TYPES)}.")
    return cls(**options)


def _fits(value: object, kind: Any) -> bool:
    if get_origin(kind) is tuple:
        return type(value) is tuple and all(type(part) is str for part in value)
    kinds = get_args(kind) or (kind,)
    return type(value) in kinds or (float in kinds and type(value) is int)
