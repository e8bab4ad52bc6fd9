"""Estimates of memory against published models: the truth is what transformers builds from their configs.

Models are built on PyTorch's meta device, in full size and without any numbers, and read tokens into a real cache.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llama_cpp
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, PreTrainedModel

from core.engines import cache_size
from core.engines.cache_size import Cache
from core.engines.gguf_header import Value
from core.engines.llamacpp.native import LlamaContext, LlamaModel, quieten
from core.engines.memory import Need, llama_need, transformers_need, vllm_need
from core.engines.model_shape import folder_shape, gguf_shape, loaded_weights, stored_type
from tests.helpers import hollow_gguf, published
from tests.helpers.published import Config, Shapes

MODELS = {
    "R1-Distill-Qwen-7B": published.DISTILL_QWEN_7B,
    "R1-Distill-Llama-8B": published.DISTILL_LLAMA_8B,
    "Mistral-7B-v0.3": published.MISTRAL_7B,
    "DeepSeek-R1": published.R1,
    "gemma-3-27b": published.GEMMA_3_27B,
    "gemma-3-4b": published.GEMMA_3_4B,
    "gpt-oss-20b": published.GPT_OSS_20B,
    "Qwen3-Next-80B": published.QWEN3_NEXT_80B,
    "Jamba-1.5-Mini": published.JAMBA_MINI,
    "granite-4.0-h-tiny": published.GRANITE_4_TINY,
    "Falcon-H1-7B": published.FALCON_H1_7B,
    "LFM2-1.2B": published.LFM2_1_2B,
    "Nemotron-Nano-9B-v2": published.NEMOTRON_NANO_9B,
}
DENSE: dict[str, Config] = {
    "deepseek_v3": {"first_k_dense_replace": 61},
    "qwen3_next": {"mlp_only_layers": list(range(48))},
    "jamba": {"num_experts": 1, "use_mamba_kernels": False},
    "granitemoehybrid": {"num_local_experts": 0},
}
"""Without experts, which nothing can be routed to on the meta device; no cache depends on them."""
LONG = ("gemma-3-27b", "Jamba-1.5-Mini", "granite-4.0-h-tiny", "Falcon-H1-7B", "Nemotron-Nano-9B-v2", "R1-Distill-Llama-8B")
"""Models whose way of keeping tokens another of `MODELS` shares, or that take long to build."""
NAMES = [pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in MODELS]
TOKENS = 2000  # beyond the windows of all
BLOCK, BATCH = 16, 2048  # tokens of a page of vLLM's, and of one of its steps


def close(estimate: float, truth: float) -> bool:
    return abs(estimate / truth - 1) < 0.15


def built(config: Config, **changes: Any) -> PreTrainedModel:
    """The language model of a config on the meta device, in 16 bits."""
    settings = dict(config.get("text_config") or config) | changes
    settings.pop("quantization_config", None)
    family = settings.pop("model_type")
    with torch.device("meta"):
        chosen = AutoConfig.for_model(family, **settings)
        return AutoModelForCausalLM.from_config(chosen, dtype=torch.bfloat16, attn_implementation="eager").eval()


@cache
def caches(name: str) -> list[list[torch.Tensor]]:
    """What the model keeps of so many tokens, layer by layer."""
    config = MODELS[name]
    model = built(config, **DENSE.get(config["model_type"], {}))
    filled = DynamicCache(config=model.config)
    ids = torch.zeros((1, tokens(name)), dtype=torch.long, device="meta")
    with torch.inference_mode():
        model(input_ids=ids, cache=filled, use_cache=True, logits_to_keep=1)
    return [_tensors(layer) for layer in filled.layers]


def tokens(name: str) -> int:
    """How many are read: fewer by Jamba, which takes them one by one, and has no windows."""
    return 64 if name == "Jamba-1.5-Mini" else TOKENS


def _tensors(layer: object) -> list[torch.Tensor]:
    states = [getattr(layer, key, None) or {} for key in ("conv_states", "recurrent_states")]
    kept = [getattr(layer, key, None) for key in ("keys", "values")] + [t for state in states for t in state.values()]
    return [tensor for tensor in kept if isinstance(tensor, torch.Tensor)]


def size(tensors: list[torch.Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def written(name: str, tmp_path: Path) -> Path:
    """A folder with the model's config and one tensor."""
    return published.folder(tmp_path / name, MODELS[name], {"lm_head.weight": ("BF16", (1, 1))})


@pytest.mark.parametrize("name", NAMES)
def test_what_a_sequence_keeps_in_transformers(name: str, tmp_path: Path) -> None:
    truth = sum(map(size, caches(name)))
    need = transformers_need(written(name, tmp_path), "auto", on_gpu=False)
    assert close(need.cache(tokens(name)) - work(folder_shape(written(name, tmp_path)).cache) * tokens(name), truth)


def work(cache: Cache) -> int:
    """Bytes a token beside the cache, while a layer works."""
    return 2 * cache.expanded + 4 * cache.floats


def test_compressed_caches_are_expanded_by_a_layer_at_work(tmp_path: Path) -> None:
    length = 4096
    command = [sys.executable, "-m", "tests.helpers.latent_peak", str(length)]
    truth = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert close(work(folder_shape(written("DeepSeek-R1", tmp_path)).cache) * length, truth)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_sequence_keeps_in_vllm(name: str, tmp_path: Path) -> None:
    """Pages of all tokens, those of a window and a step of it, and states: vLLM's own rule, at a length beyond them."""
    length = 32_768
    need = vllm_need(written(name, tmp_path), "auto", on_gpu=True)
    truth = 0
    for layer in caches(name):
        for tensor in layer:
            if tensor.dim() != 4 or tensor.dtype == torch.float32:
                truth += tensor.numel() * tensor.element_size()
                continue
            per_token = size([tensor]) // tensor.shape[2]
            window = tensor.shape[2] + BATCH if tensor.shape[2] < tokens(name) else length
            truth += per_token * (math.ceil(window / BLOCK) + (window != length)) * BLOCK
    assert close(need.cache(length) + need.step, truth)


@pytest.mark.parametrize("name", MODELS)
def test_the_type_is_that_of_the_config_or_of_the_weights(name: str, tmp_path: Path) -> None:
    assert stored_type(written(name, tmp_path)) == "bfloat16"


def dense_shapes(config: Config) -> Shapes:
    return {name: ("BF16", tuple(p.shape)) for name, p in built(config).named_parameters()}


def test_weights_beside_the_shards_are_not_counted(tmp_path: Path) -> None:
    shapes = dense_shapes(published.MISTRAL_7B)
    folder = published.folder(tmp_path / "Mistral", published.MISTRAL_7B, shapes, "model-00001-of-00001.safetensors")
    index = {"weight_map": dict.fromkeys(shapes, "model-00001-of-00001.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    published.folder(folder, published.MISTRAL_7B, shapes, "consolidated.safetensors")
    truth = 2 * built(published.MISTRAL_7B).num_parameters()
    assert close(folder_shape(folder).weights, truth)
    for need in both(folder, on_gpu=False):
        assert close(need.weights, truth)


def both(folder: Path, *, on_gpu: bool) -> list[Need]:
    return [transformers_need(folder, "auto", on_gpu=on_gpu), vllm_need(folder, "auto", on_gpu=on_gpu)]


def mxfp4_shapes() -> Shapes:
    """gpt-oss as it is published: its experts in blocks of 32 weights, each of 16 bytes and a scale."""
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, (kind, shape) in dense_shapes(published.GPT_OSS_20B).items():
        if name.endswith(("gate_up_proj", "down_proj")):
            experts, inputs, outputs = shape
            shapes[f"{name}_blocks"] = ("U8", (experts, outputs, inputs // 32, 16))
            shapes[f"{name}_scales"] = ("U8", (experts, outputs, inputs // 32))
        else:
            shapes[name] = (kind, shape)
    return shapes


def test_mxfp4_is_sixteen_bits_where_there_are_no_kernels(tmp_path: Path) -> None:
    folder = published.folder(tmp_path / "gpt-oss", published.GPT_OSS_20B, mxfp4_shapes())
    count = built(published.GPT_OSS_20B).num_parameters()
    packed = sum(published.BYTES[kind] * math.prod(shape) for kind, shape in mxfp4_shapes().values())
    in_transformers, in_vllm = both(folder, on_gpu=False)
    assert close(in_transformers.weights, 2 * count)
    assert close(in_vllm.weights, packed) and packed < 0.7 * count


def fp8_shapes() -> Shapes:
    """R1 as it is published: linear layers in 8 bits with a scale for each block of 128 times 128, one expert at a time."""
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}

    def add(name: str, *shape: int) -> None:
        shapes[name] = ("F8_E4M3", shape)
        shapes[f"{name}_scale_inv"] = ("F32", tuple(math.ceil(length / 128) for length in shape))

    for name, (kind, shape) in dense_shapes(published.R1).items():
        stem = name.partition("experts.")[0]
        if name.endswith("experts.gate_up_proj"):
            for expert in range(shape[0]):
                add(f"{stem}experts.{expert}.gate_proj.weight", shape[1] // 2, shape[2])
                add(f"{stem}experts.{expert}.up_proj.weight", shape[1] // 2, shape[2])
        elif name.endswith("experts.down_proj"):
            for expert in range(shape[0]):
                add(f"{stem}experts.{expert}.down_proj.weight", *shape[1:])
        elif name.endswith("proj.weight"):
            add(name, *shape)
        else:
            shapes[name] = (kind, shape)
    return shapes


def test_fp8_is_sixteen_bits_on_processors(tmp_path: Path) -> None:
    folder = published.folder(tmp_path / "R1", published.R1, fp8_shapes())
    count = built(published.R1).num_parameters()
    assert 670e9 < count < 672e9
    assert close(transformers_need(folder, "auto", on_gpu=False).weights, 2 * count)
    for need in both(folder, on_gpu=True):
        assert close(need.weights, count)


def test_compressed_tensors_are_sixteen_bits_in_transformers(tmp_path: Path) -> None:
    """Its packed weights are unpacked by the first step; vLLM computes with them as they are."""
    scheme = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 4}}}}
    config = published.DISTILL_LLAMA_8B | {"quantization_config": scheme}
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
    for name, (kind, shape) in dense_shapes(config).items():
        if name.endswith("proj.weight"):
            shapes[f"{name}_packed"] = ("I32", (shape[0], shape[1] // 8))
            shapes[f"{name}_scale"] = ("BF16", (shape[0], shape[1] // 128))
        else:
            shapes[name] = (kind, shape)
    folder = published.folder(tmp_path / "w4a16", config, shapes)
    in_transformers, in_vllm = both(folder, on_gpu=True)
    assert close(in_transformers.weights, 2 * built(config).num_parameters())
    assert close(in_vllm.weights, folder_shape(folder).weights) and in_vllm.weights < 0.4 * in_transformers.weights


@pytest.mark.parametrize(("dtype", "width"), [("auto", 2), ("float32", 4)])
def test_plain_weights_are_as_wide_as_is_asked(dtype: str, width: int, tmp_path: Path) -> None:
    config = published.DISTILL_QWEN_7B
    folder = published.folder(tmp_path / "distill", config, dense_shapes(config))
    truth = width * built(config).num_parameters()
    for need in (transformers_need(folder, dtype, on_gpu=False), vllm_need(folder, dtype, on_gpu=False)):
        assert close(need.weights, truth)
    assert close(loaded_weights(folder, width, on_gpu=False, unpacks=False), truth)


@pytest.mark.parametrize(
    ("write", "layers"),
    [(hollow_gguf.deepseek2, 2), (hollow_gguf.gemma3, 8), (hollow_gguf.jamba, 8), (hollow_gguf.qwen3next, 8)],
)
def test_what_a_sequence_keeps_in_llama_cpp(write: Callable[[Path, int], Path], layers: int, tmp_path: Path) -> None:
    """The truth is what llama.cpp says when it opens the caches that the engine asks for."""
    slots, context = 2, 512
    path = write(tmp_path, layers)
    truth = sum(opened_caches(path, slots, context)) * 2**20
    assert close(slots * llama_need(gguf_shape(path), 256, "f16").cache(context), truth)


def opened_caches(path: Path, slots: int, context: int) -> list[float]:
    """MiB of each cache that llama.cpp opens, as its log says."""
    lines: list[str] = []
    model = LlamaModel(path, 0)
    listener = llama_cpp.llama_log_callback(lambda level, text, data: lines.append(text.decode()))
    llama_cpp.llama_log_set(listener, None)
    try:
        LlamaContext(model, slots, context, 256, 1, plain=True)
    finally:
        quieten()
    return [float(size) for size in re.findall(r"(?:kv_cache|memory_recurrent): size = +([\d.]+) MiB", "".join(lines))]


def test_windows_and_states_are_kept_whole_by_llama_cpp(tmp_path: Path) -> None:
    """A folder that becomes a GGUF file: layers with a window keep every token there."""
    shape = folder_shape(written("gemma-3-27b", tmp_path))
    assert llama_need(shape, 256, "f16").cache(TOKENS) == 62 * 2 * 16 * 128 * 2 * TOKENS


def test_heads_of_layers_with_a_window_may_have_another_size() -> None:
    """As in Gemma 4, whose files list heads and windows layer by layer; its last layers use the caches of earlier ones."""
    facts: dict[str, Value] = {
        "general.architecture": "gemma4", "gemma4.block_count": 6, "gemma4.embedding_length": 1024,
        "gemma4.attention.head_count": 8, "gemma4.attention.head_count_kv": [2, 2, 1, 2, 2, 1],
        "gemma4.attention.key_length": 512, "gemma4.attention.value_length": 512, "gemma4.attention.key_length_swa": 256,
        "gemma4.attention.value_length_swa": 256, "gemma4.attention.sliding_window": 512,
        "gemma4.attention.sliding_window_pattern": [1, 1, 0, 1, 1, 0], "gemma4.attention.shared_kv_layers": 2,
    }  # fmt: skip
    assert cache_size.of_gguf(facts) == Cache(3 * 2 * 2 * 256 + 1 * 2 * 512)
