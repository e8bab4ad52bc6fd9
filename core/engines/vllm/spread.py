"""How vLLM spreads a model over GPUs: of one machine, or of several by its own workers on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..host.engine import EngineFailure
from ..host.options import VllmOptions


def spread(given: VllmOptions, here: int) -> dict[str, Any]:
    """vLLM's arguments, on a machine with so many GPUs. Raises EngineFailure where it must be told how many there are."""
    tensor = given.tensor_parallel
    if tensor is None and given.spans_nodes:
        raise EngineFailure(
            "usage",
            "vLLM is to take GPUs of several machines, and nobody says how many.",
            "Add the run with --gpus N, or set vllm.tensor_parallel.",
        )
    arguments = {
        "tensor_parallel_size": tensor or max(1, here // given.pipeline_parallel),
        "pipeline_parallel_size": given.pipeline_parallel,
    }
    return arguments | ({"distributed_executor_backend": "ray"} if given.spans_nodes else {})


def everywhere(free: Sequence[int], devices: int, spans_nodes: bool) -> list[int]:
    """Free bytes of the GPUs that are used. Those of other machines are not seen, and taken to be like the ones here."""
    if not spans_nodes or not free:
        return list(free[:devices])
    return [free[number % len(free)] for number in range(devices)]
