"""What a run asks: what was kept with it when it was first planned, else what its files hold now."""

from __future__ import annotations

import hashlib

from benchmarks.prompts import PromptTemplate, load_template
from benchmarks.registry import get
from core.errors import LrmError
from core.runner.questions import questions
from core.spec import RunJob
from core.store.inputs import Questions
from core.store.runner_store import RunnerStore


class PromptChanged(LrmError):
    """A run that an older version began cannot go on, since its wording is gone; it waits for the user's decision."""


def inputs(store: RunnerStore, job: RunJob) -> tuple[PromptTemplate, Questions | None]:
    """The wording of a run, and its questions where it is planned for the first time (later they are in the store).

    Raises DataError where a file of a new run cannot be used, PromptChanged.
    """
    template = _template(store, job)
    if store.kept(job.id).planned:
        return template, None
    found = questions(job)
    for item in found.items:  # what does not fit must not be kept
        template.fill(item.fields)
    seeds = [[response_seed(job.seed, item.key, sample) for sample in range(job.samples)] for item in found.items]
    return template, Questions(job.benchmark, found.version, found.items, seeds)


def response_seed(seed: int, key: str, sample: int = 0) -> int:
    """The seed of one response: 31 bits of a hash of the run's seed, the question and the sample's number."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{key}/{sample}".encode()).digest()[:4], "big") >> 1


def _template(store: RunnerStore, job: RunJob) -> PromptTemplate:
    """A run that an older version planned has no wording in the store: the file's is the same if its version is."""
    kept = store.kept(job.id)
    if kept.template is not None:
        return kept.template
    template = load_template(get(job.benchmark).prompt_key, job.prompts)
    if kept.asked and template.version != kept.prompt_version:
        raise PromptChanged(
            f"{job.prompts or 'The default prompt'} has another wording than the one that this run began with.",
            f"Restore version {kept.prompt_version} and requeue the run, or clone it: a new run asks in the new wording.",
        )
    return template
