"""Export of a Hugging Face folder (Llama and Qwen2 families) to a GGUF file with 16-bit weights.

Names and layouts follow llama.cpp's own converter: Llama's query and key rows are reordered, because llama.cpp rotates
neighbouring pairs where transformers rotates halves; norms and biases stay in 32 bits.
"""

from __future__ import annotations

import errno
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from numpy.typing import NDArray

from core.compress import Progress
from core.compress.gguf.vocab import Vocab, read_vocab
from core.compress.hf_folder import ROTARY_BUFFER, HfFolder
from core.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig

ARCHITECTURES = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen2": gguf.MODEL_ARCH.QWEN2}
"""llama.cpp's name of each family."""
_TOKEN_KINDS = {
    "normal": gguf.TokenType.NORMAL,
    "control": gguf.TokenType.CONTROL,
    "user_defined": gguf.TokenType.USER_DEFINED,
    "unused": gguf.TokenType.UNUSED,
}
_HALF_MAX = 65504.0


def export_folder(source: HfFolder, target: Path, progress: Progress) -> None:
    """Write `target`, one tensor at a time. Raises ModelError for what llama.cpp could not run as transformers does."""
    source.require_family()
    config = source.config
    architecture = ARCHITECTURES[config.model_type]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    writer = gguf.GGUFWriter(target, gguf.MODEL_ARCH_NAMES[architecture])
    _add_hyperparameters(writer, config, source.path.name)
    _add_vocab(writer, read_vocab(source.path, config))
    factors = _rope_factors(config)
    if factors is not None:
        writer.add_tensor_info("rope_freqs.weight", factors.shape, factors.dtype, factors.nbytes)
    shapes = {name: shape for name, shape in source.shapes().items() if _is_kept(name, config)}
    for name, shape in shapes.items():
        kind = np.dtype(np.float32 if len(shape) == 1 else np.float16)
        writer.add_tensor_info(_gguf_name(names, name), shape, kind, math.prod(shape) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    if factors is not None:
        _write(writer, factors, target)
    done = 0
    for name, tensor in source.tensors():
        if _is_kept(name, config):
            _write(writer, _converted(name, tensor, config), target)
            done += 1
            progress(done, len(shapes), f"exported {name}")
    writer.close()


def _write(writer: gguf.GGUFWriter, array: NDArray[np.generic], target: Path) -> None:
    try:
        writer.write_tensor_data(array)
    except OSError as error:  # numpy tells no cause, only how much it could write
        raise OSError(errno.ENOSPC, str(error), str(target)) from error


def _is_kept(name: str, config: PretrainedConfig) -> bool:
    """Whether a tensor goes into the file: a tied output head is left to the embedding, what follows from the config out."""
    return not (config.tie_word_embeddings and name == "lm_head.weight") and not name.endswith(ROTARY_BUFFER)


def _gguf_name(names: gguf.TensorNameMap, name: str) -> str:
    gguf_name = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if gguf_name is None:
        raise ModelError(f"The tensor {name} has no place in a GGUF file.", "Choose a plain Llama or Qwen2 model.")
    return str(gguf_name)


def _converted(name: str, tensor: Tensor, config: PretrainedConfig) -> NDArray[Any]:
    """The tensor as it stands in the file: reordered for Llama's rotary embedding, in 16 or (vectors) 32 bits."""
    array: NDArray[np.float32] = tensor.float().numpy()
    if config.model_type == "llama":
        for part, heads in (("q_proj", config.num_attention_heads), ("k_proj", config.num_key_value_heads)):
            if name.endswith((f"{part}.weight", f"{part}.bias")):
                array = _interleave_halves(array, heads)
    if array.ndim == 1:
        return array
    if not np.abs(array).max() <= _HALF_MAX:
        raise ModelError(f"{name} has values that 16 bits cannot hold.", "Check that the weights are not damaged.")
    return array.astype(np.float16)


def _interleave_halves(array: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of each head from (first half, second half) to pairs of one from each."""
    halves = array.reshape(heads, 2, array.shape[0] // heads // 2, *array.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(array.shape))


def _add_hyperparameters(writer: gguf.GGUFWriter, config: PretrainedConfig, name: str) -> None:
    head = _head_size(config)
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def _add_vocab(writer: gguf.GGUFWriter, vocab: Vocab) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocab.pre_tokenizer)
    writer.add_token_list(vocab.tokens)
    writer.add_token_types([_TOKEN_KINDS[kind] for kind in vocab.kinds])
    writer.add_token_merges(vocab.merges)
    if vocab.bos_id is not None:
        writer.add_bos_token_id(vocab.bos_id)
    writer.add_eos_token_id(vocab.eos_id)
    writer.add_add_bos_token(vocab.add_bos)
    writer.add_add_eos_token(vocab.add_eos)
    if vocab.chat_template is not None:
        writer.add_chat_template(vocab.chat_template)


def _head_size(config: PretrainedConfig) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _rope_factors(config: PretrainedConfig) -> NDArray[np.float32] | None:
    """Divisors of the rotary frequencies, shape (head / 2,), for Llama 3's scaling; None without scaling.

    The formula is that of transformers' `_compute_llama3_parameters`.
    """
    rope = config.rope_parameters
    if rope["rope_type"] == "default":
        return None
    if rope["rope_type"] != "llama3":
        raise ModelError(f"Rotary scaling {rope['rope_type']!r} is not exported.", "Choose a model without it.")
    size = _head_size(config)
    waves = 2 * math.pi * rope["rope_theta"] ** (np.arange(0, size, 2, dtype=np.float64) / size)
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    original = rope["original_max_position_embeddings"]
    smooth = np.clip((original / waves - low) / (high - low), 0.0, 1.0)
    factors: NDArray[np.float32] = (1.0 / ((1.0 - smooth) / rope["factor"] + smooth)).astype(np.float32)
    return factors
