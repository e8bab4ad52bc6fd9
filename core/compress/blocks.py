"""The decoder blocks of a model, one in memory at a time: the hidden states of calibration text pass through them.

The peak is one block with its statistics, and the hidden states of all sequences, which stay in main memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.compress.hf_folder import HfFolder

if TYPE_CHECKING:
    from transformers import PretrainedConfig

BATCH_TOKENS = 4096
GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
"""The linear layers of a block; those of one group read the same inputs."""
_EMBEDDING = "model.embed_tokens.weight"


def device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Blocks:
    """Loads and runs the blocks of a Llama- or Qwen2-family model, in bfloat16 on a GPU if so stored, else in float32."""

    def __init__(self, folder: HfFolder, where: torch.device | None = None) -> None:
        folder.require_family()
        self.folder = folder
        self.where = where or device()
        self.count = int(folder.config.num_hidden_layers)
        self._names = folder.shapes()
        self._cls, rotary = _classes(folder.config)
        folder.config._attn_implementation = "sdpa"  # without a mask it is causal
        self._rotary = rotary(folder.config).to(self.where)
        self._dtype = torch.float32

    def names(self, index: int) -> list[str]:
        """The tensors of one block."""
        return [name for name in self._names if name.startswith(_prefix(index))]

    def others(self) -> list[str]:
        """The tensors that belong to no block."""
        return [name for name in self._names if not name.startswith("model.layers.")]

    def embed(self, sequences: Sequence[Tensor]) -> list[Tensor]:
        """The first hidden states of token ids, in batches [sequences, tokens, width] of sequences of one length."""
        table = self.folder.load([_EMBEDDING])[_EMBEDDING]
        on_gpu = self.where.type == "cuda" and table.dtype == torch.bfloat16
        self._dtype = torch.bfloat16 if on_gpu else torch.float32
        return [table[batch].to(self._dtype) for batch in _batches(sequences)]

    def build(self, index: int, tensors: dict[str, Tensor]) -> nn.Module:
        """One block with these tensors, on the device."""
        with torch.device("meta"):
            block: nn.Module = self._cls(self.folder.config, index)
        cut = len(_prefix(index))
        state = {name[cut:]: tensor.to(self.where, self._dtype, copy=True) for name, tensor in tensors.items()}
        block.load_state_dict(state, assign=True)
        return block.eval().requires_grad_(False)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def run(self, block: nn.Module, states: list[Tensor]) -> Iterator[Tensor]:
        """The outputs of a block, batch by batch, in main memory."""
        for state in states:
            inputs = state.to(self.where)
            positions = torch.arange(inputs.shape[1], device=self.where)[None]
            outputs = block(inputs, position_ids=positions, position_embeddings=self._rotary(inputs, positions))
            yield outputs.to(state.device)

    def observe(self, block: nn.Module, states: list[Tensor], see: Callable[[int, Tensor], None]) -> list[Tensor]:
        """The outputs of a block, while `see` is shown the inputs of each group of its linear layers, by the group's number."""
        with ExitStack() as hooks:
            for number, group in enumerate(GROUPS):
                layer = block.get_submodule(group[0])
                handle = layer.register_forward_pre_hook(lambda _layer, args, number=number: see(number, args[0]))
                hooks.callback(handle.remove)
            return list(self.run(block, states))


def linear_name(index: int, layer: str) -> str:
    """The name of a linear layer's weight in the file."""
    return f"{_prefix(index)}{layer}.weight"


def _prefix(index: int) -> str:
    return f"model.layers.{index}."


def _batches(sequences: Sequence[Tensor]) -> Iterator[Tensor]:
    """Stack neighbours of one length, up to so many tokens, [sequences, tokens]."""
    batch: list[Tensor] = []
    for sequence in sorted(sequences, key=len):
        if batch and (len(batch[0]) != len(sequence) or len(batch) * len(sequence) >= BATCH_TOKENS):
            yield torch.stack(batch)
            batch = []
        batch.append(sequence)
    if batch:
        yield torch.stack(batch)


def _classes(config: PretrainedConfig) -> tuple[type[nn.Module], type[nn.Module]]:
    if config.model_type == "llama":
        from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

        return LlamaDecoderLayer, LlamaRotaryEmbedding
    from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2RotaryEmbedding

    return Qwen2DecoderLayer, Qwen2RotaryEmbedding
