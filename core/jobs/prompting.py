"""What a run will send: its prompts and what they do with thinking, from the model's files, before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.base import DataSource
from benchmarks.prompts import load_template
from benchmarks.registry import get
from core.engines.decode.facts import TemplateFacts, TemplateRefusal, without_template
from core.engines.decode.prompt import Prompts
from core.engines.decode.template import TemplateFailure
from core.engines.gguf_header import BadGguf
from core.engines.host.wire import Generate
from core.engines.openai.request import body
from core.engines.tokenizer_files import TokenizerFiles, read_tokenizer
from core.errors import ModelError, UsageError
from core.jobs.engines import WITHOUT_WEIGHTS
from core.spec import Model, RunSpec, Sampling, TemplateOptions

_OWN_PROMPT = "The prompt file asks with raw text: the model's chat template is not used."
_SERVER = "The server renders its own template; what is sent stands in `request`. Whether it thinks, its stream tells."
_RECORDING = "A recording is played back: nothing is asked."
_PLAIN_HOSTS = ("openai.com", "anthropic.com")
"""Services whose API knows neither top-k nor min-p."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Exactly what will be sent for one question; `request` is the body of a request to a server."""

    prompt: str
    facts: TemplateFacts
    stops: tuple[str, ...]
    request: Mapping[str, Any] | None = None


def check_template(model: Model, spec: RunSpec) -> TemplateFacts:
    """What a run's prompts do with thinking. Raises UsageError for an option that the template or the engine would ignore."""
    check_sampling(model, spec.sampling)
    if model.format == "server":
        return TemplateFacts(None, "left to the model", notes=(_SERVER,))
    try:
        if model.format == "recording":
            return replace(without_template(spec.template_options, None), notes=(_RECORDING,))
        if not load_template(get(spec.benchmark).prompt_key, spec.prompts).chat:
            return replace(without_template(spec.template_options, None), notes=(_OWN_PROMPT,))
        return _facts(str(model.source), _stamp(Path(model.source)), json.dumps(asdict(spec.template_options)))
    except TemplateRefusal as refusal:
        raise UsageError(f"{model.name}: {refusal}", refusal.remedy) from refusal
    except TemplateFailure as failure:
        raise UsageError(f"{model.name}: {failure}.", _mend(failure)) from failure


def check_sampling(model: Model, sampling: Sampling) -> None:
    """Raise UsageError for what the model's engine would ignore."""
    added = [name for name, value in (("--top-k", sampling.top_k), ("--min-p", sampling.min_p)) if value]
    host = (urlsplit(str(model.source).partition("#")[0]).hostname or "") if model.format == "server" else ""
    if added and any(host == plain or host.endswith(f".{plain}") for plain in _PLAIN_HOSTS):
        raise UsageError(f"The API of {host} takes no {' and no '.join(added)}.", "Leave it out.")
    if added and model.format == "recording":
        raise UsageError(f"A recording is played back as it is: {' and '.join(added)} would change nothing.", "Leave it out.")


def model_sampling(model: Model, usual: Sampling) -> Sampling:
    """How the model's makers draw from it; what their files leave open is off. Raises UsageError where they say nothing."""
    drawn = {} if model.format in WITHOUT_WEIGHTS else _files(model).sampling
    if not drawn:
        raise UsageError(
            f"{model.name} says nothing of its sampling.", "Leave --sampling out, or give --temperature and --top-p."
        )
    temperature, top_p = drawn.get("temperature", 1.0), drawn.get("top_p", 1.0)
    return replace(usual, temperature=temperature, top_p=top_p, top_k=int(drawn.get("top_k", 0)), min_p=drawn.get("min_p", 0.0))


def prompt_of(model: Model, spec: RunSpec, item: int, date: str) -> Prompt:
    """What will be sent for a question (from 0) of a run queued on `date`. Raises UsageError as `check_template` does."""
    facts = check_template(model, spec)
    template, items = load_template(get(spec.benchmark).prompt_key, spec.prompts), get(spec.benchmark).load(_source(spec))
    if not 0 <= item < len(items):
        raise UsageError(f"{spec.benchmark} has no question {item}.", f"Choose 0 to {len(items) - 1}.")
    filled = template.fill(items[item].fields)
    request = Generate("", filled, template.chat, spec.seed, spec.sampling, (), spec.template_options, date)
    if model.format == "server":
        return Prompt(filled, facts, spec.sampling.stop, body(str(model.source).partition("#")[2], request))
    if model.format == "recording" or not template.chat:
        return Prompt(filled, facts, spec.sampling.stop)
    files = _files(model)
    with closing(Prompts(files)) as prompts:
        return Prompt(prompts.text(request), facts, (*files.ends, *spec.sampling.stop))


def _source(spec: RunSpec) -> DataSource:
    return DataSource(spec.data, seed=spec.seed)


@lru_cache(maxsize=64)
def _facts(source: str, stamp: int, options: str) -> TemplateFacts:
    """Of a model's files as they were written at `stamp`; a grid asks for the same again and again."""
    with closing(Prompts(_read(source, stamp))) as prompts:
        return prompts.facts(TemplateOptions(**json.loads(options)))


def _stamp(path: Path) -> int:
    """When the newest file that says something of the tokenizer was written, in nanoseconds."""
    files = [*path.glob("*.json"), *path.glob("*.jinja")] if path.is_dir() else [path]
    return max((file.stat().st_mtime_ns for file in files if file.exists()), default=0)


def _files(model: Model) -> TokenizerFiles:
    return _read(str(model.source), _stamp(Path(model.source)))


@lru_cache(maxsize=8)
def _read(source: str, stamp: int) -> TokenizerFiles:
    try:
        return read_tokenizer(Path(source))
    except (BadGguf, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The tokenizer of {source} cannot be read: {error}", "Mend or replace its files.") from error


def _mend(failure: TemplateFailure) -> str:
    """What to do about a template that fails."""
    if "it reads tools" in str(failure) or "it reads documents" in str(failure):
        return "Give it an empty list: --template-arg tools=[] (or documents=[])."
    return "Give what it lacks with --template-arg NAME=VALUE, or ask with raw prompts (`chat = false` in a --prompts file)."
