"""The optimizer Muon (Jordan et al., 2024) in a chosen number format.

torch's own always computes in bfloat16. A processor without products in bfloat16 takes eighteen times as long for them as in
float32, which made two thirds of a step of the seedling's exercises.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor


def orthogonal(matrix: Tensor, group: Mapping[str, Any], dtype: torch.dtype) -> Tensor:
    """About U V^T of a matrix U S V^T [rows, columns], in `dtype`, by Newton-Schulz iterations of the fifth degree.

    `group` gives `ns_steps`, `ns_coefficients` and `eps`.
    """
    tall = matrix.size(0) > matrix.size(1)
    update = (matrix.T if tall else matrix).to(dtype)
    update = update / update.norm().clamp(min=group["eps"])
    a, b, c = group["ns_coefficients"]
    for _ in range(group["ns_steps"]):
        gram = update @ update.T
        update = torch.addmm(update, torch.addmm(gram, gram, gram, beta=b, alpha=c), update, beta=a)
    return update.T if tall else update


class Muon(torch.optim.Muon):  # type: ignore[misc]  # torch does not declare it
    """torch.optim.Muon with another number format for its products. Takes matrices [rows, columns] only."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        self.dtype = dtype

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self) -> None:
        """Update all weights from their gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                if not (state := self.state[weight]):
                    state["momentum_buffer"] = torch.zeros_like(weight)
                buffer = state["momentum_buffer"]
                buffer.lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(buffer, group["momentum"])
                update = orthogonal(update, group, self.dtype)
                longer = max(1.0, weight.size(0) / weight.size(1)) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * longer)
