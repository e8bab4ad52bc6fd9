"""Jobs as the queue gives them, with everything but what a test is about filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.spec import PrepareJob, RunJob, Sampling, TemplateOptions

PREPARE = PrepareJob(
    id=1, artifact_id=1, model="m", source="model", compression="none", format="hf", sha256=None, gpus=None, replicas=1
)  # fmt: skip
RUN = RunJob(
    id=1, artifact_id=1, model="m", source="model", compression="none", format="hf", sha256=None, kv_type=None, gpus=None, replicas=1, path="model",
    benchmark="temporal", engine="llama.cpp", sampling=Sampling(), template_options=TemplateOptions(), date="2026-01-01", seed=0, limit=None, samples=1, policy="stop", audit_share=0.0,
    data=None, prompts=None,
)  # fmt: skip


def run_job(**changes: Any) -> RunJob:
    """A run."""
    return replace(RUN, **changes)


def prepare_job(**changes: Any) -> PrepareJob:
    """A preparation."""
    return replace(PREPARE, **changes)
