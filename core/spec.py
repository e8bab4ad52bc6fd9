"""What the rest of the code talks about: models, variants, run specifications. Plain frozen values, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from core.engines.host.options import Format as Format
from core.engines.host.wire import Sampling as Sampling
from core.engines.host.wire import TemplateOptions as TemplateOptions

Policy = Literal["audit", "stop", "observe"]
"""What is done about a collapsed response: let a random share run on and stop the others, stop all, let all run on."""
JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]

POLICIES: tuple[Policy, ...] = ("audit", "stop", "observe")
AUDIT_SHARE = 0.1
PROMPT_ROOM = 1024
"""Tokens of context that are kept for the prompt beside the answer."""
ACTIVE_STATES: tuple[JobState, ...] = ("queued", "running", "paused")
STATE_AFTER: dict[str | None, JobState] = {"cancel": "cancelled", "pause": "paused", None: "queued"}
"""The state that a running job ends in when a user asks for something, or (None) when the runner stops."""
FINAL_STATES: tuple[JobState, ...] = ("done", "failed", "cancelled")
REFERENCES = {"published": "printed", "recorded": "recorded"}
"""Origins of rows that are no runs of the store, the paper's and the embedded study's, and how their numbers are called."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the user names it: a folder in Hugging Face format, a GGUF file, a model on a server, or a recording.

    `source` is its identity in a store together with what its files hold; `name` is what tables call it, unless another model
    has that name. `revision` is the commit of a snapshot in the hub's cache.
    """

    name: str
    source: Path | str
    format: Format
    family: str
    default_limit: int = 32_768
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One evaluation as it is asked for: variant (model and compression) x benchmark x engine x sampling.

    `limit` is the number of questions (None: all), drawn from the front of the benchmark's order. `audit_share` is the
    share (0 to 1) of the collapsed responses that run on under policy `audit`. `gpus` is how many it takes (None: one where
    there are any, unless the engine's settings say otherwise). `replicas` engines share the questions, each with `gpus` of its
    own. `template_options` is what it sets in the model's chat template. `kv_type` is the type of the KV cache (None: as the
    engine's settings say). `samples` is how many responses each question gets. `name` is what tables call the model (None: as
    its path or address suggests).
    """

    model: str
    compression: str
    benchmark: str
    engine: str
    sampling: Sampling = field(default_factory=Sampling)
    template_options: TemplateOptions = field(default_factory=TemplateOptions)
    seed: int = 0
    limit: int | None = None
    policy: Policy = POLICIES[0]
    audit_share: float = AUDIT_SHARE
    data: Path | None = None
    prompts: Path | None = None
    gpus: int | None = None
    replicas: int = 1
    kv_type: str | None = None
    samples: int = 1
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands in the queue, with the model and the variant that it is about.

    `source` is the model's path, address or recording, `format` what the artifact's weights are in, `sha256` their hash where
    it is known. `gpus` None: one where there are any; `replicas` engines take `gpus` each.
    """

    id: int
    artifact_id: int
    model: str
    source: str
    compression: str
    format: Format
    sha256: str | None
    gpus: int | None
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareJob(Job):
    """Make the weights of a variant, or only measure those that are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob(Job):
    """Ask a variant, whose weights are at `path`, the questions of a benchmark. The rest is as in `RunSpec`.

    `audit_share` is 0 under every policy but `audit`, which the queue keeps as `stop` with a share. `date` (YYYY-MM-DD) is
    the day on which it was queued, for templates that print one.
    """

    path: str
    benchmark: str
    engine: str
    sampling: Sampling
    template_options: TemplateOptions
    kv_type: str | None
    date: str
    seed: int
    limit: int | None
    samples: int
    policy: Policy
    audit_share: float
    data: Path | None
    prompts: Path | None
