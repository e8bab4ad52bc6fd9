"""A wider model that starts from a trained narrow one, which learns most of the task sooner.

The narrow model's weights fill the first entries of every row and column. At first no layer reads the new entries of the
residual stream, and new parts of heads and feed-forward write nothing. So the wide model predicts what the narrow one does,
except for what the new entries of the embedding add to the norm.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast, Qwen2ForCausalLM


def grow(
    narrow: Qwen2ForCausalLM, spoken: PreTrainedTokenizerFast, wide: Qwen2ForCausalLM, coder: PreTrainedTokenizerFast
) -> None:
    """Copy `narrow` (tokenizer `spoken`) into the newly initialised `wide` (tokenizer `coder`) with as many layers and heads.

    Words that only `coder` has keep their random embeddings.
    """
    base = narrow.config.hidden_size
    norm = (base / wide.config.hidden_size) ** 0.5  # the mean square is taken over more places
    known = spoken.get_vocab()
    with torch.no_grad():
        for token, number in coder.get_vocab().items():
            if token in known:
                wide.model.embed_tokens.weight[number, :base] = narrow.model.embed_tokens.weight[known[token]]
        for old, new in zip(narrow.model.layers, wide.model.layers, strict=True):
            _attention(old.self_attn, new.self_attn, base, narrow.config.num_attention_heads)
            rows = narrow.config.intermediate_size
            for name in ("gate_proj", "up_proj"):
                getattr(new.mlp, name).weight[:, base:] = 0
                getattr(new.mlp, name).weight[:rows, :base] = getattr(old.mlp, name).weight
            new.mlp.down_proj.weight.zero_()
            new.mlp.down_proj.weight[:base, :rows] = old.mlp.down_proj.weight
            for name in ("input_layernorm", "post_attention_layernorm"):
                getattr(new, name).weight[:base] = norm * getattr(old, name).weight
        wide.model.norm.weight.zero_()
        wide.model.norm.weight[:base] = norm * narrow.model.norm.weight


def _attention(old: torch.nn.Module, new: torch.nn.Module, base: int, heads: int) -> None:
    """Every head keeps its rotary frequencies, which stand further apart in a head that is larger."""
    size, larger = old.head_dim, new.head_dim
    step, half = larger // size, torch.arange(size // 2)
    turned = torch.cat([step * half, larger // 2 + step * half])
    plain = torch.arange(size)
    for name, inside, factor in (("q_proj", turned, (larger / size) ** 0.5), ("k_proj", turned, 1.0), ("v_proj", plain, 1.0)):
        places = _places(inside, larger, heads)
        into, out_of = getattr(new, name), getattr(old, name)
        if name == "k_proj":  # what queries look for in the new places is found nowhere yet
            into.weight.zero_()
        into.weight[:, base:] = 0
        into.weight[places, :base] = factor * out_of.weight
        into.bias.zero_()
        into.bias[places] = factor * out_of.bias
    new.o_proj.weight.zero_()
    new.o_proj.weight[:base, _places(plain, larger, heads)] = old.o_proj.weight


def _places(inside: Tensor, larger: int, heads: int) -> Tensor:
    return (torch.arange(heads)[:, None] * larger + inside).flatten()
