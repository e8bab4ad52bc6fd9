"""How vLLM spreads a model over GPUs: of one machine, or of several by its own workers on a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..host.engine import EngineFailure
from ..host.options import VllmOptions


def spread(options: VllmOptions, here: int) -> dict[str, Any]:
    """vLLM's arguments on a machine with `here` GPUs. Raises EngineFailure where several machines need an explicit number."""
    tensor = options.tensor_parallel
    if tensor is None and options.spans_nodes:
        raise EngineFailure(
            "usage",
            "vLLM is to take GPUs of several machines, and nobody says how many.",
            "Add the run with --gpus N, or set vllm.tensor_parallel.",
        )
    arguments = {
        "tensor_parallel_size": tensor or max(1, here // options.pipeline_parallel),
        "pipeline_parallel_size": options.pipeline_parallel,
    }
    return arguments | ({"distributed_executor_backend": "ray"} if options.spans_nodes else {})


def everywhere(free: Sequence[int], devices: int, spans_nodes: bool) -> list[int]:
    """Free bytes of each GPU used, [devices]; GPUs of other machines are assumed to be like the local ones."""
    if not spans_nodes or not free:
        return list(free[:devices])
    return [free[number % len(free)] for number in range(devices)]
