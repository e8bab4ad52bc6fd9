"""Facts that are measured from a model's bytes: hash, size, parameters, bits per weight, zeros.

Files are named as their path says and read through links, as in a cache whose snapshots link to blobs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from core.compress.hf_folder import HfFolder, is_decoder_linear
from core.engines.ggml_types import row_bytes
from core.engines.gguf_header import BadGguf, Tensor, read_tensors
from core.engines.hf_checkpoint import quantization_config
from core.engines.hf_tensors import BadSafetensors, packed, read_headers, weights
from core.errors import ModelError
from core.files.content import gguf_parts, model_files, sha256

_GGUF_LINEAR = re.compile(r"blk\.\d+\.(attn_(q|k|v|output)|ffn_(gate|up|down))\.weight")
ROPE_FACTORS = "rope_freqs.weight"
"""What Llama 3 files hold beside the weights: factors of the rotary embedding, no parameters."""
_FLOATS = {gguf.GGMLQuantizationType.F32: np.float32, gguf.GGMLQuantizationType.F16: np.float16}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a model on disk.

    `bytes` is the size of the file or of all files of the model. `parameters` counts the weights that packed tensors stand
    for; `bits_per_weight` is tensor data alone, scales and zero points included, over all parameters; `sparsity` is the
    share of zeros (0 to 1) in the linear layers of the decoder blocks, None where weights are quantized.
    """

    sha256: str
    bytes: int
    parameters: int
    bits_per_weight: float
    sparsity: float | None


def facts(path: Path) -> Facts:
    """Facts of a GGUF file or a Hugging Face folder. Raises ModelError if it is damaged."""
    return _folder_facts(path) if path.is_dir() else _file_facts(path)


def gguf_tensors(path: Path) -> list[Tensor]:
    """The tensors of a GGUF file. Raises ModelError if it is missing, damaged or truncated."""
    try:
        return read_tensors(path)
    except BadGguf as error:
        raise ModelError(str(error), "Get or make the file again.") from error
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}", "Check the model's path.") from error


def _folder_facts(path: Path) -> Facts:
    folder = HfFolder.open(path)
    try:
        tensors = read_headers(folder.shards)
        parameters = sum(weights(tensors, quantization_config(path)).values())
    except BadSafetensors as error:
        raise ModelError(str(error), "Get or make the model again.") from error
    size = sum(tensor.bytes for tensor in tensors.values())
    total = sum(file.stat().st_size for file in model_files(path))
    sparsity = None if packed(tensors) else _folder_sparsity(folder)
    return Facts(sha256(path), total, parameters, 8 * size / parameters, sparsity)


def _folder_sparsity(folder: HfFolder) -> float | None:
    zeros = entries = 0
    for name, tensor in folder.tensors():
        if is_decoder_linear(name):
            entries += tensor.numel()
            zeros += tensor.numel() - int(tensor.count_nonzero())
    return zeros / entries if entries else None


def _file_facts(path: Path) -> Facts:
    files = gguf_parts(path)
    tensors = [(file, tensor) for file in files for tensor in gguf_tensors(file) if tensor.name != ROPE_FACTORS]
    if not tensors:
        raise ModelError(f"{path} holds no weights.", "Get or make the file again.")
    parameters = sum(tensor.elements for _, tensor in tensors)
    size = sum(row_bytes(tensor.kind, tensor.elements) for _, tensor in tensors)
    total = sum(file.stat().st_size for file in files)
    return Facts(sha256(path), total, parameters, 8 * size / parameters, _file_sparsity(tensors))


def _file_sparsity(tensors: list[tuple[Path, Tensor]]) -> float | None:
    linear = [(file, tensor) for file, tensor in tensors if _GGUF_LINEAR.fullmatch(tensor.name)]
    if not linear or any(tensor.kind not in _FLOATS for _, tensor in linear):
        return None
    zeros = 0
    for file, tensor in linear:
        kind = _FLOATS[gguf.GGMLQuantizationType(tensor.kind)]
        weights = np.memmap(file, kind, "r", tensor.start, (tensor.elements,))
        zeros += tensor.elements - int(np.count_nonzero(weights))
    return zeros / sum(tensor.elements for _, tensor in linear)
