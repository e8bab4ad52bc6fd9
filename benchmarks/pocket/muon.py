"""The optimizer Muon (Jordan et al., 2024) in a number format of one's choice.

torch's own always computes in bfloat16. A processor without products in bfloat16 takes eighteen times as long for them as in
float32, which made two thirds of a step of the seedling's exercises.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


def orthogonal(matrix: Tensor, coefficients: tuple[float, float, float], iterations: int, dtype: torch.dtype) -> Tensor:
    """Nearly U V^T of a matrix U S V^T, by Newton-Schulz iterations of the fifth degree."""
    tall = matrix.size(0) > matrix.size(1)
    found = (matrix.T if tall else matrix).to(dtype)
    found = found / found.norm().clamp(min=1e-7)
    a, b, c = coefficients
    for _ in range(iterations):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.T if tall else found


class Muon(torch.optim.Muon):  # type: ignore[misc]  # torch does not declare it
    """torch.optim.Muon but for the number format of its products. Takes matrices alone."""

    def __init__(self, params: Iterable[Tensor], lr: float, weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay)
        self.dtype = dtype

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self) -> None:
        """Take one step."""
        for group in self.param_groups:
            for weight in group["params"]:
                buffer = self.state[weight].setdefault("momentum_buffer", torch.zeros_like(weight))
                buffer.lerp_(weight.grad, 1 - group["momentum"])
                update = weight.grad.lerp(buffer, group["momentum"])
                update = orthogonal(update, group["ns_coefficients"], group["ns_steps"], self.dtype)
                longer = max(1.0, weight.size(0) / weight.size(1)) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(update, alpha=-group["lr"] * longer)
