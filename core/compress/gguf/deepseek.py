"""The tensors of DeepSeek-V3 and R1 in GGUF, from the published config alone: to plan what cannot run here."""

from __future__ import annotations

from collections.abc import Mapping

R1 = {
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "moe_intermediate_size": 2048,
    "num_hidden_layers": 61,
    "first_k_dense_replace": 3,
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_attention_heads": 128,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "vocab_size": 129280,
}
"""config.json of deepseek-ai/DeepSeek-R1."""


def shapes(config: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Tensor names and shapes (inputs first, as in GGUF), with keys and values in one up-projection."""
    width, vocabulary = config["hidden_size"], config["vocab_size"]
    tensors: dict[str, tuple[int, ...]] = {"token_embd.weight": (width, vocabulary)}
    for layer in range(config["num_hidden_layers"]):
        dense = layer < config["first_k_dense_replace"]
        parts = _attention(config) | (_dense(config) if dense else _mixture(config))
        tensors |= {f"blk.{layer}.{part}": shape for part, shape in parts.items()}
    return tensors | {"output_norm.weight": (width,), "output.weight": (width, vocabulary)}


def _attention(config: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    queries, latent = config["q_lora_rank"], config["kv_lora_rank"]
    plain, turned, values = config["qk_nope_head_dim"], config["qk_rope_head_dim"], config["v_head_dim"]
    return {
        "attn_norm.weight": (width,),
        "attn_q_a.weight": (width, queries),
        "attn_q_a_norm.weight": (queries,),
        "attn_q_b.weight": (queries, heads * (plain + turned)),
        "attn_kv_a_mqa.weight": (width, latent + turned),
        "attn_kv_a_norm.weight": (latent,),
        "attn_kv_b.weight": (latent, heads * (plain + values)),
        "attn_output.weight": (heads * values, width),
        "ffn_norm.weight": (width,),
    }


def _dense(config: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    width, inner = config["hidden_size"], config["intermediate_size"]
    return {"ffn_gate.weight": (width, inner), "ffn_up.weight": (width, inner), "ffn_down.weight": (inner, width)}


def _mixture(config: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    width, inner, experts = config["hidden_size"], config["moe_intermediate_size"], config["n_routed_experts"]
    shared = inner * config["n_shared_experts"]
    return {
        "ffn_gate_inp.weight": (width, experts),
        "exp_probs_b.bias": (experts,),
        "ffn_gate_exps.weight": (width, inner, experts),
        "ffn_up_exps.weight": (width, inner, experts),
        "ffn_down_exps.weight": (inner, width, experts),
        "ffn_gate_shexp.weight": (width, shared),
        "ffn_up_shexp.weight": (width, shared),
        "ffn_down_shexp.weight": (shared, width),
    }
