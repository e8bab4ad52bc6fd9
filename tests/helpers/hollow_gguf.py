"""GGUF files of published architectures whose tensors are holes: llama.cpp loads them and opens its caches.

Attention has the heads of the published models; the rest, on which no cache depends, is small.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np

Shape = tuple[int, ...]
Tensors = dict[str, Shape]
Facts = dict[str, Any]
WORDS, WIDTH, INNER, EXPERTS = 1000, 64, 64, 4
_IN_FLOATS = ("ssm_a", "gate_inp.weight")
_COMMON: Facts = {"context_length": 32_768, "feed_forward_length": INNER, "attention.layer_norm_rms_epsilon": 1e-6}


def deepseek2(folder: Path, layers: int) -> Path:
    """R1: one vector of 512 + 64 numbers a token for 128 heads."""
    facts = {
        "attention.head_count": 128, "attention.head_count_kv": 1, "leading_dense_block_count": layers,
        "attention.q_lora_rank": 32, "attention.kv_lora_rank": 512, "attention.key_length": 576,
        "attention.value_length": 512, "attention.key_length_mla": 192, "attention.value_length_mla": 128,
        "rope.dimension_count": 64, "expert_feed_forward_length": 32, "expert_count": EXPERTS, "expert_used_count": 2,
        "expert_shared_count": 1, "expert_weights_scale": 1.0,
    }  # fmt: skip
    block = {
        "attn_q_a_norm": (32,), "attn_kv_a_norm": (512,), "attn_q_a": (WIDTH, 32), "attn_q_b": (32, 128 * 192),
        "attn_kv_a_mqa": (WIDTH, 576), "attn_k_b": (128, 512, 128), "attn_v_b": (512, 128, 128),
        "attn_output": (128 * 128, WIDTH), **_dense(WIDTH),
    }  # fmt: skip
    return _written(folder, "deepseek2", facts, [block] * layers)


def gemma3(folder: Path, layers: int) -> Path:
    """Gemma 3 27B: a window of 1,024 tokens in five of six layers."""
    facts = {
        "attention.head_count": 32, "attention.head_count_kv": 16, "attention.key_length": 128, "attention.value_length": 128,
        "attention.sliding_window": 1024,
    }  # fmt: skip
    block = {
        **_attention(WIDTH, 32, 16, 128), "attn_q_norm": (128,), "attn_k_norm": (128,), "post_attention_norm": (WIDTH,),
        "post_ffw_norm": (WIDTH,), **_dense(WIDTH),
    }  # fmt: skip
    return _written(folder, "gemma3", facts, [block] * layers)


def jamba(folder: Path, layers: int) -> Path:
    """Jamba: attention in the fifth of eight layers, the others recurrent."""
    width, inner, state, rank = 512, 1024, 16, 32
    heads = [2 if layer % 8 == 4 else 0 for layer in range(layers)]
    facts = {
        "attention.head_count": 4, "attention.head_count_kv": heads, "ssm.conv_kernel": 4, "ssm.inner_size": inner,
        "ssm.state_size": state, "ssm.time_step_rank": rank, "expert_count": 0, "expert_used_count": 0,
    }  # fmt: skip
    mamba = {
        "ssm_in": (width, 2 * inner), "ssm_conv1d": (4, inner), "ssm_conv1d.bias": (inner,), "ssm_x": (inner, rank + 2 * state),
        "ssm_dt_norm": (rank,), "ssm_dt": (rank, inner), "ssm_dt.bias": (inner,), "ssm_b_norm": (state,),
        "ssm_c_norm": (state,), "ssm_a=": (state, inner), "ssm_d=": (inner,), "ssm_out": (inner, width),
    }  # fmt: skip
    blocks = [(_attention(width, 4, 2, 128) if count else mamba) | _dense(width) for count in heads]
    return _written(folder, "jamba", facts, blocks, width)


def qwen3next(folder: Path, layers: int) -> Path:
    """Qwen3-Next: attention in every fourth layer, the gated delta rule in the others."""
    key, value, size = 16, 32, 128
    mixed = 2 * key * size + value * size
    facts = {
        "attention.head_count": 16, "attention.head_count_kv": 2, "attention.key_length": 256, "attention.value_length": 256,
        "rope.dimension_count": 64, "ssm.conv_kernel": 4, "ssm.inner_size": value * size, "ssm.state_size": size,
        "ssm.time_step_rank": value, "ssm.group_count": key, "expert_count": EXPERTS, "expert_used_count": 2,
        "expert_feed_forward_length": 32, "expert_shared_feed_forward_length": 32,
    }  # fmt: skip
    experts = {
        "attn_norm": (WIDTH,), "post_attention_norm": (WIDTH,), "ffn_gate_inp": (WIDTH, EXPERTS),
        "ffn_gate_exps": (WIDTH, 32, EXPERTS), "ffn_up_exps": (WIDTH, 32, EXPERTS), "ffn_down_exps": (32, WIDTH, EXPERTS),
        "ffn_gate_inp_shexp": (WIDTH,), "ffn_gate_shexp": (WIDTH, 32), "ffn_up_shexp": (WIDTH, 32),
        "ffn_down_shexp": (32, WIDTH),
    }  # fmt: skip
    linear = {
        "ssm_in": (WIDTH, mixed + value * size), "ssm_conv1d": (4, mixed), "ssm_dt.bias": (value,), "ssm_a=": (value,),
        "ssm_ba": (WIDTH, 2 * value), "ssm_norm": (size,), "ssm_out": (value * size, WIDTH),
    }  # fmt: skip
    gated = _attention(WIDTH, 16, 2, 256) | {"attn_q": (WIDTH, 2 * 4096), "attn_q_norm": (256,), "attn_k_norm": (256,)}
    blocks = [experts | (linear if (layer + 1) % 4 else gated) for layer in range(layers)]
    return _written(folder, "qwen3next", facts, blocks)


def _attention(width: int, heads: int, kv_heads: int, size: int) -> Tensors:
    keys = (width, kv_heads * size)
    return {"attn_q": (width, heads * size), "attn_k": keys, "attn_v": keys, "attn_output": (heads * size, width)}


def _dense(width: int) -> Tensors:
    norms = {"attn_norm": (width,), "ffn_norm": (width,)}
    return norms | {"ffn_gate": (width, INNER), "ffn_up": (width, INNER), "ffn_down": (INNER, width)}


def _named(blocks: list[Tensors], width: int) -> Iterator[tuple[str, Shape]]:
    """The names of a file's tensors; `=` at the end of one says that it has no suffix."""
    yield from (("token_embd.weight", (width, WORDS)), ("output_norm.weight", (width,)), ("output.weight", (width, WORDS)))
    for number, block in enumerate(blocks):
        for name, shape in block.items():
            whole = name.removesuffix("=") if name.endswith(("=", ".bias")) else f"{name}.weight"
            yield f"blk.{number}.{whole}", shape


def _written(folder: Path, architecture: str, facts: Facts, blocks: list[Tensors], width: int = WIDTH) -> Path:
    path = folder / f"{architecture}.gguf"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_string("tokenizer.ggml.model", "no_vocab")
    writer.add_vocab_size(WORDS)
    for key, value in {**_COMMON, "block_count": len(blocks), "embedding_length": width, **facts}.items():
        add = {int: writer.add_uint32, float: writer.add_float32, list: writer.add_array}[type(value)]
        add(f"{architecture}.{key}", value)
    size = 0
    for name, shape in _named(blocks, width):
        small = len(shape) == 1 or "ssm_conv1d" in name or name.endswith(_IN_FLOATS)
        kind = np.dtype(np.float32 if small else np.float16)
        length = kind.itemsize * math.prod(shape)
        writer.add_tensor_info(name, shape[::-1], kind, length)
        size += -(-length // 32) * 32
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + 32 + size)
    return path
