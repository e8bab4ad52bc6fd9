"""Packed checkpoints: parameters are those of the unpacked shapes, bits those of all that is stored for them.

Each checkpoint is written in the layout that its tool writes, for matrices of shapes that the test knows.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.pocket import weights_dir
from core.compress.facts import facts
from core.errors import ModelError
from tests.helpers import four_bits

Layout = dict[str, Tensor]
OUT, IN, GROUP = 96, 64, 32
LINEAR = "model.layers.0.mlp.up_proj"
EXPERTS = "model.layers.0.mlp.experts.gate_up_proj"
DENSE = {"model.embed_tokens.weight": torch.ones(10, 64, dtype=torch.bfloat16), f"{LINEAR}.bias": torch.ones(OUT)}
DENSE_WEIGHTS = 10 * 64 + OUT


def awq() -> Layout:
    return {
        f"{LINEAR}.qweight": torch.ones(IN, OUT * 4 // 32, dtype=torch.int32),
        f"{LINEAR}.qzeros": torch.ones(IN // GROUP, OUT * 4 // 32, dtype=torch.int32),
        f"{LINEAR}.scales": torch.ones(IN // GROUP, OUT, dtype=torch.float16),
    }


def gptq(bits: int, *, zeros: bool = True) -> Layout:
    layout = {
        f"{LINEAR}.qweight": torch.ones(IN * bits // 32, OUT, dtype=torch.int32),
        f"{LINEAR}.qzeros": torch.ones(IN // GROUP, OUT * bits // 32, dtype=torch.int32),
        f"{LINEAR}.scales": torch.ones(IN // GROUP, OUT, dtype=torch.float16),
        f"{LINEAR}.g_idx": torch.arange(IN, dtype=torch.int32) // GROUP,
    }
    return layout if zeros else {name: tensor for name, tensor in layout.items() if "qzeros" not in name}


def mxfp4() -> Layout:
    return {
        f"{EXPERTS}_blocks": torch.ones(4, OUT, IN // 32, 16, dtype=torch.uint8),
        f"{EXPERTS}_scales": torch.ones(4, OUT, IN // 32, dtype=torch.uint8),
        f"{EXPERTS}_bias": torch.ones(4, OUT, dtype=torch.bfloat16),
    }


def bnb_four_bits(*, nested: bool) -> Layout:
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "bfloat16", "shape": [OUT, IN]}
    blob = torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)
    layout = {
        f"{LINEAR}.weight": torch.ones(OUT * IN // 2, 1, dtype=torch.uint8),
        f"{LINEAR}.weight.absmax": torch.ones(OUT * IN // 64, dtype=torch.uint8 if nested else torch.float32),
        f"{LINEAR}.weight.quant_map": torch.ones(16),
        f"{LINEAR}.weight.quant_state.bitsandbytes__nf4": blob,
    }
    extra = {f"{LINEAR}.weight.nested_absmax": torch.ones(1), f"{LINEAR}.weight.nested_quant_map": torch.ones(256)}
    return layout | (extra if nested else {})


def bnb_eight_bits() -> Layout:
    return {
        f"{LINEAR}.weight": torch.ones(OUT, IN, dtype=torch.int8),
        f"{LINEAR}.SCB": torch.ones(OUT),
        f"{LINEAR}.weight_format": torch.tensor(0, dtype=torch.uint8),
    }


def fp8(suffix: str, shape: tuple[int, ...]) -> Layout:
    return {
        f"{LINEAR}.weight": torch.ones(OUT, IN).to(torch.float8_e4m3fn),
        f"{LINEAR}.{suffix}": torch.ones(shape),
        f"{LINEAR}.input_scale": torch.ones(()),
    }


def pack_quantized(bits: int, columns: int) -> Layout:
    words = -(-columns // (32 // bits))
    return {
        f"{LINEAR}.weight_packed": torch.ones(OUT, words, dtype=torch.int32),
        f"{LINEAR}.weight_scale": torch.ones(OUT, 2, dtype=torch.bfloat16),
        f"{LINEAR}.weight_zero_point": torch.ones(OUT * bits // 32, 2, dtype=torch.int32),
        f"{LINEAR}.weight_shape": torch.tensor([OUT, columns]),
    }


def nvfp4_of_llm_compressor() -> Layout:
    return {
        f"{LINEAR}.weight_packed": torch.ones(OUT, IN // 2, dtype=torch.uint8),
        f"{LINEAR}.weight_scale": torch.ones(OUT, IN // 16).to(torch.float8_e4m3fn),
        f"{LINEAR}.weight_global_scale": torch.ones(1),
        f"{LINEAR}.input_global_scale": torch.ones(1),
    }


def nvfp4_of_modelopt() -> Layout:
    return {
        f"{LINEAR}.weight": torch.ones(OUT, IN // 2, dtype=torch.uint8),
        f"{LINEAR}.weight_scale": torch.ones(OUT, IN // 16).to(torch.float8_e4m3fn),
        f"{LINEAR}.weight_scale_2": torch.ones(()),
        f"{LINEAR}.input_scale": torch.ones(()),
        f"{LINEAR.replace('up_proj', 'k_proj')}.k_scale": torch.ones(()),
    }


def int4(groups: dict[str, Any]) -> dict[str, Any]:
    return {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}


CASES: dict[str, tuple[Layout, dict[str, Any], int]] = {
    "awq": (awq(), {"quant_method": "awq", "bits": 4}, OUT * IN),
    "gptq-4": (gptq(4), {"quant_method": "gptq", "bits": 4}, OUT * IN),
    "gptq-3": (gptq(3), {"quant_method": "gptq", "bits": 3}, OUT * IN),
    "gptq-8": (gptq(8), {"quant_method": "gptq", "bits": 8}, OUT * IN),
    "gptq whose config says another": (gptq(8), {"quant_method": "gptq", "bits": 4}, OUT * IN),
    "gptq without zeros": (gptq(4, zeros=False), {"quant_method": "gptq", "bits": 4}, OUT * IN),
    "mxfp4": (mxfp4(), {"quant_method": "mxfp4"}, 4 * OUT * IN + 4 * OUT),
    "bnb-nf4": (bnb_four_bits(nested=False), {"quant_method": "bitsandbytes", "load_in_4bit": True}, OUT * IN),
    "bnb-nf4 twice": (bnb_four_bits(nested=True), {"quant_method": "bitsandbytes", "load_in_4bit": True}, OUT * IN),
    "bnb-int8": (bnb_eight_bits(), {"quant_method": "bitsandbytes", "load_in_8bit": True}, OUT * IN),
    "fp8 blocks": (fp8("weight_scale_inv", (1, 1)), {"quant_method": "fp8", "weight_block_size": [128, 128]}, OUT * IN),
    "fp8 channels": (fp8("weight_scale", (OUT, 1)), {"quant_method": "compressed-tensors"}, OUT * IN),
    "int4": (pack_quantized(4, IN), int4({"group_0": {"weights": {"num_bits": 4}}}), OUT * IN),
    "int4 of odd width": (pack_quantized(4, 61), int4({"group_0": {"weights": {"num_bits": 4}}}), OUT * 61),
    "int8": (pack_quantized(8, IN), int4({"group_0": {"weights": {"num_bits": 8}}}), OUT * IN),
    "nvfp4": (nvfp4_of_llm_compressor(), {"quant_method": "compressed-tensors"}, OUT * IN),
    "nvfp4 of modelopt": (nvfp4_of_modelopt(), {"quant_method": "modelopt", "quant_algo": "NVFP4"}, OUT * IN),
}


def checkpoint(folder: Path, layout: Layout, quantization: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    config = {"model_type": "llama", "hidden_size": 64, "architectures": ["LlamaForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": quantization}))
    save_file(DENSE | layout, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("case", CASES)
def test_weights_and_their_bits_are_the_unpacked_ones(case: str, tmp_path: Path) -> None:
    layout, quantization, weights = CASES[case]
    measured = facts(checkpoint(tmp_path, layout, quantization))
    assert measured.parameters == weights + DENSE_WEIGHTS
    stored = sum(tensor.nbytes for tensor in (DENSE | layout).values())
    assert measured.bits_per_weight == pytest.approx(8 * stored / measured.parameters)
    assert measured.sparsity is None


@pytest.mark.parametrize("method", ["awq", "gptq"])
def test_the_embedded_model_in_four_bits_keeps_its_parameters(method: str, tmp_path: Path) -> None:
    packed, dense = four_bits.make(method, tmp_path)
    assert facts(packed).parameters == facts(dense).parameters == facts(weights_dir()).parameters
    assert 4.5 < facts(packed).bits_per_weight < 12  # its embeddings, a large share of so small a model, stay in 16 bits
    assert facts(dense).sparsity is not None


def test_bits_that_nothing_tells_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing says how many bits"):
        facts(checkpoint(tmp_path, gptq(4, zeros=False), {"quant_method": "gptq"}))


@pytest.mark.parametrize("damage", [lambda data: data[:5], lambda data: b"\xff" * 8 + data[8:]])
def test_a_damaged_header_is_named(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    file = checkpoint(tmp_path, awq(), {"quant_method": "awq"}) / "model.safetensors"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ModelError, match=r"model\.safetensors is damaged"):
        facts(tmp_path)
