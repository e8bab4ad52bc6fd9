"""How many numbers a sequence keeps of its past, layer by layer: from a config.json, or from the facts of a GGUF file.

Layers with full attention keep keys and values of every token, those with a window only of the last ones, and recurrent
layers a state of fixed size. Multi-head latent attention keeps one compressed vector a token for all heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .gguf_header import Value

Config = Mapping[str, Any]

_WITHOUT_CACHE = ("moe", "mlp", "-", "E")
_RECURRENT = ("linear_attention", "mamba", "conv", "M")
_WINDOWED = ("sliding_attention", "chunked_attention")
_ALL_SLIDE = ("mistral", "mixtral", "phi3", "starcoder2")
"""Families in which a `sliding_window` without a list of layers holds for all of them."""
_PERIODS = {"gemma2": 2, "gemma3_text": 6, "cohere2": 4}
"""Every such layer sees all tokens, the others a window, in families whose configs may leave it unsaid."""
_EVERY_FOURTH = ("qwen3next", "qwen35", "qwen35moe")
"""Architectures of GGUF files with attention in every fourth layer, where they do not say otherwise."""
_LEFT_OUT: dict[str, dict[str, int]] = {
    "gemma3_text": {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262_208,
                    "max_position_embeddings": 131_072, "sliding_window": 4096},
    "gemma2": {"head_dim": 256, "sliding_window": 4096},
    "jamba": {"attn_layer_period": 8, "attn_layer_offset": 4},
    "qwen3_next": {"full_attention_interval": 4},
    "qwen3_5_text": {"full_attention_interval": 4},
    "qwen3_5_moe_text": {"full_attention_interval": 4},
}  # fmt: skip
"""What published configs leave out, since it is their family's default."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Numbers that a sequence keeps: `token` for each token, of `windows` (tokens kept, numbers a token) each, and a state.

    The state is `conv` numbers in the type of keys and values, and `recurrent` ones in float32. While one layer works on
    compressed keys and values, `expanded` numbers a token are made from them, and without a GPU `floats` more in float32.
    """

    token: int
    windows: tuple[tuple[int, int], ...] = ()
    conv: int = 0
    recurrent: int = 0
    expanded: int = 0
    floats: int = 0

    @property
    def every_token(self) -> int:
        """Numbers a token where layers with a window keep all tokens too."""
        return self.token + sum(values for _, values in self.windows)

    @property
    def uniform(self) -> bool:
        """Whether all layers keep all tokens and nothing else."""
        return not (self.windows or self.conv or self.recurrent)


def completed(config: Config) -> dict[str, Any]:
    """The config of a language model, within one of a model of text and images too, with what its family leaves out."""
    text = config.get("text_config")
    inner = dict(text) if isinstance(text, dict) else dict(config)
    return {**_LEFT_OUT.get(str(inner.get("model_type")), {}), **inner}


def number(config: Config, *keys: str) -> int:
    """The first of these that is a whole number; 0 where none is."""
    return next((value for key in keys if isinstance(value := config.get(key), int)), 0)


def of_config(config: Config) -> Cache:
    """The cache of a `completed` config, as transformers and vLLM keep it."""
    kinds = _kinds(config)
    sliding = sum(kind in _WINDOWED for kind in kinds)
    recurrent = sum(kind in _RECURRENT or kind == "hybrid" for kind in kinds)
    full = sum(kind not in (*_WINDOWED, *_RECURRENT, *_WITHOUT_CACHE) for kind in kinds)
    values = _values(config)
    window = number(config, "attention_chunk_size" if "chunked_attention" in kinds else "sliding_window")
    conv, state = _state(config)
    windows = ((window, sliding * values),) if sliding else ()
    return Cache(full * _full_values(config, values), windows, recurrent * conv, recurrent * state, *_expanded(config))


def of_gguf(facts: Mapping[str, Value]) -> Cache:
    """The cache of a GGUF file's model as llama.cpp keeps it: layers with a window keep all tokens too."""
    name = facts.get("general.architecture")

    def fact(key: str, default: int = 0) -> int:
        value = facts.get(f"{name}.{key}")
        return int(value) if isinstance(value, int | float) else default

    layers, heads = fact("block_count"), max(1, fact("attention.head_count", 1))
    head = fact("embedding_length") // heads
    listed = facts.get(f"{name}.attention.head_count_kv")
    each = list(map(int, listed)) if isinstance(listed, list) else [fact("attention.head_count_kv", heads)] * layers
    interval = fact("full_attention_interval", 4 if name in _EVERY_FOURTH else 0)
    if interval:
        each = [count if (layer + 1) % interval == 0 else 0 for layer, count in enumerate(each)]
    each = each[: layers - fact("attention.shared_kv_layers")]
    latent = fact("attention.key_length_mla") > 0  # then values are a part of what is kept as keys
    key, value = fact("attention.key_length", head), 0 if latent else fact("attention.value_length", head)
    narrow = fact("attention.key_length_swa", key) + fact("attention.value_length_swa", value)
    windowed = facts.get(f"{name}.attention.sliding_window_pattern")
    sizes = [narrow if window else key + value for window in windowed] if isinstance(windowed, list) else []
    sizes += [key + value] * (layers - len(sizes))
    recurrent = layers if name == "falcon-h1" else each.count(0)
    inner, state, groups = fact("ssm.inner_size"), fact("ssm.state_size"), fact("ssm.group_count")
    conv = (fact("ssm.conv_kernel", 1) - 1) * (inner + 2 * groups * state)
    conv = conv or max(0, fact("shortconv.l_cache", 1) - 1) * fact("embedding_length")
    token = sum(count * size for count, size in zip(each, sizes, strict=False))
    return Cache(token, recurrent=recurrent * (conv + inner * state))


def _kinds(config: Config) -> list[str]:
    """What each layer is: full_attention, sliding_attention, mamba, hybrid (attention and a state) ..."""
    layers = number(config, "num_hidden_layers", "n_layer")
    family = str(config.get("model_type"))
    listed = config.get("layer_types") or config.get("layers_block_type") or config.get("hybrid_override_pattern")
    if listed:
        return list(map(str, listed))[: layers - number(config, "num_kv_shared_layers")]
    chosen = config.get("attn_layer_indices")
    period = number(config, "attn_layer_period")
    interval = number(config, "full_attention_interval")
    if isinstance(chosen, list):
        return ["full_attention" if layer in chosen else "mamba" for layer in range(layers)]
    if period:
        first = number(config, "attn_layer_offset")
        return ["full_attention" if layer % period == first else "mamba" for layer in range(layers)]
    if interval:
        return ["linear_attention" if (layer + 1) % interval else "full_attention" for layer in range(layers)]
    if family == "falcon_h1":
        return ["hybrid"] * layers
    return _sliding(config, family, layers)


def _sliding(config: Config, family: str, layers: int) -> list[str]:
    """Full attention, or a window in some layers or all."""
    full = ["full_attention"] * layers
    if not number(config, "sliding_window") or config.get("use_sliding_window") is False:
        return full
    period = number(config, "sliding_window_pattern", "_sliding_window_pattern") or _PERIODS.get(family, 0)
    if period:
        return ["sliding_attention" if (layer + 1) % period else "full_attention" for layer in range(layers)]
    first = number(config, "max_window_layers") if config.get("use_sliding_window") else 0
    if config.get("use_sliding_window") or family in _ALL_SLIDE:
        return full[:first] + ["sliding_attention"] * (layers - first)
    return full


def _values(config: Config) -> int:
    """Numbers that an attention layer keeps of a token."""
    heads = number(config, "num_attention_heads", "n_head") or 1
    latent, rotary = number(config, "kv_lora_rank"), number(config, "qk_rope_head_dim")
    if latent and rotary:
        return latent + rotary
    head = number(config, "head_dim", "attention_head_dim") or number(config, "hidden_size", "n_embd") // heads
    return 2 * (number(config, "num_key_value_heads") or heads) * head


def _expanded(config: Config) -> tuple[int, int]:
    """Numbers a token that a layer makes of compressed keys and values: the product, and keys with their rotary part.

    PyTorch's attention for processors copies keys (twice) and values into float32.
    """
    if not number(config, "kv_lora_rank") or not number(config, "qk_rope_head_dim"):
        return 0, 0
    heads, plain = number(config, "num_attention_heads"), number(config, "qk_nope_head_dim")
    key, value = plain + number(config, "qk_rope_head_dim"), number(config, "v_head_dim")
    return heads * (plain + value + key), heads * (2 * key + value)


def _full_values(config: Config, values: int) -> int:
    """Numbers that a layer of full attention keeps of a token, where its heads are not those of layers with a window."""
    head = number(config, "global_head_dim")
    heads = number(config, "num_global_key_value_heads") or number(config, "num_key_value_heads")
    return 2 * heads * head if head else values


def _state(config: Config) -> tuple[int, int]:
    """Numbers of a recurrent layer's state, of its convolution and of the recurrence, by the names of each family."""
    kernel = number(config, "mamba_d_conv", "conv_kernel", "linear_conv_kernel_dim")
    if key_heads := number(config, "linear_num_key_heads"):  # gated delta rule
        key, heads = number(config, "linear_key_head_dim"), number(config, "linear_num_value_heads")
        value = number(config, "linear_value_head_dim")
        return kernel * (2 * key_heads * key + heads * value), heads * key * value
    width = number(config, "hidden_size")
    if length := number(config, "conv_L_cache"):
        return length * width, 0
    heads = number(config, "mamba_num_heads", "mamba_n_heads")
    inner = number(config, "mamba_d_ssm") or heads * number(config, "mamba_head_dim", "mamba_d_head")
    inner = inner or number(config, "mamba_expand") * width
    size = number(config, "mamba_d_state", "ssm_state_size")
    groups = number(config, "mamba_n_groups", "n_groups") if heads else 0  # the first Mamba has neither heads nor groups
    return kernel * (inner + 2 * groups * size), inner * size
