"""What makes two runs alike: the same variant, protocol and benchmark.

A protocol is how the questions are asked: sampling with its token limit, the prompt's version and the benchmark's. Samples,
seeds, limits of questions, policies and GPUs belong to no protocol.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

PROTOCOL = "j.sampling || coalesce(j.prompt_version, '') || coalesce(j.benchmark_version, '')"
"""The protocol of a job `j` as text: the same for the same protocol, since `sampling` is kept as canonical JSON."""


def canonical_json(values: Mapping[str, object]) -> str:
    """Values as JSON text that is the same for the same values, so that they can be compared as text."""
    return json.dumps(values, sort_keys=True, ensure_ascii=False)
