"""Where the embedded model's weights begin: random, but for one induction circuit.

An induction head finds the place where the present token stood before and says what came after it. It needs a head that
looks one token back and a second one that uses it; a model of a million parameters finds the pair only after a long
plateau. Here the pair is laid out before the first step, and training makes of it what it needs.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import Qwen2ForCausalLM

ROPE_BASE = 1_000_000.0
QUICK, SLOW = 5, 10  # pairs of rotary dimensions that tell positions, and that hardly turn over a prompt
LOOK_STRENGTH = 7.0
MATCH_STRENGTH = 2.0
CARRY, SAY = 0.04, 0.1  # how loud the circuit is in the residual stream, whose embeddings begin at 0.02


def lay_out(model: Qwen2ForCausalLM) -> None:
    """Layer 0 attends one and two tokens back and copies the earlier token; layer 1 finds it and outputs its successor."""
    base = model.config.hidden_size
    size = model.model.layers[0].self_attn.head_dim
    now, before, output = (_orthonormal(size, base) for _ in range(3))
    with torch.no_grad():
        _look_back(model, head=0, offset=1)
        _look_back(model, head=model.config.num_attention_heads // 2, offset=2)
        first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn
        first.v_proj.weight[:size] = now
        first.o_proj.weight[:, :size] = CARRY * before.T
        pairs = range(size // 2 - SLOW, size // 2)
        second.q_proj.weight[:size] = 0
        second.k_proj.weight[:size] = 0
        for row, place in enumerate([*pairs, *(size // 2 + pair for pair in pairs)]):
            second.q_proj.weight[place] = MATCH_STRENGTH * now[row]
            second.k_proj.weight[place] = MATCH_STRENGTH * before[row]
        second.v_proj.weight[:size] = output
        second.o_proj.weight[:, :size] = SAY * output.T


def _look_back(model: Qwen2ForCausalLM, head: int, offset: int) -> None:
    """Set biases so that a head attends `offset` tokens back: the rotary embedding turns the key into the query there."""
    attention = model.model.layers[0].self_attn
    size = attention.head_dim
    start, key = head * size, head // attention.num_key_value_groups * size
    angles = offset * ROPE_BASE ** (-torch.arange(QUICK) * 2 / size)
    attention.q_proj.bias[start : start + QUICK] = LOOK_STRENGTH
    attention.k_proj.bias[key : key + QUICK] = LOOK_STRENGTH * angles.cos()
    attention.k_proj.bias[key + size // 2 : key + size // 2 + QUICK] = LOOK_STRENGTH * angles.sin()


def _orthonormal(rows: int, columns: int) -> Tensor:
    return torch.linalg.qr(torch.randn(columns, rows))[0].T
