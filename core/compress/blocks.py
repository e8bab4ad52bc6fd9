"""The decoder blocks of a model, one in memory at a time: the hidden states of calibration text pass through them.

The peak is one block with the statistics of one group of its layers, and the hidden states of all sequences, which stay in
main memory; where that is plentiful, what the last layer of a half reads as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from core.compress.hf_folder import ROTARY_BUFFER, HfFolder
from core.engines.fit import free_memory
from core.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

BATCH_TOKENS = 4096
KEPT_SHARE = 0.25
"""Of the free memory, what may be taken so that nothing is computed twice."""
GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
"""The linear layers of a block; those of one group read the same inputs."""
HALVES = ((0, 1), (2, 3))
"""The groups of a block's two halves, attention and feed-forward, each of which adds to the hidden states."""
See = Callable[[int, Tensor], None]
"""Is shown a group's number and the inputs of its layers, [tokens, columns]."""
_EMBEDDING = "model.embed_tokens.weight"


def device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(slots=True)
class Batch:
    """Sequences of calibration text, each filled up at its end, where causal attention lets nothing before it see it.

    `hidden` [sequences, tokens, width] on their way through the model; `real` [sequences, tokens] is what is not filling.
    """

    hidden: Tensor
    real: Tensor

    def rows(self, inputs: Tensor) -> Tensor:
        """The inputs [sequences, tokens, columns] of real tokens, [real tokens, columns]."""
        return inputs.flatten(0, 1) if self.real.all() else inputs[self.real.to(inputs.device)]


class Blocks:
    """Loads and runs the blocks of a Llama- or Qwen2-family model, in bfloat16 on a GPU if so stored, else in float32."""

    def __init__(self, folder: HfFolder, where: torch.device | None = None) -> None:
        folder.require_family()
        self.folder = folder
        self.where = where or device()
        self.count = int(folder.config.num_hidden_layers)
        self._shapes = folder.shapes()
        self._cls, rotary = _classes(folder.config)
        self._check()
        folder.config._attn_implementation = "sdpa"  # without a mask it is causal
        self._rotary = rotary(folder.config).to(self.where)
        self._dtype = torch.float32

    def names(self, index: int) -> list[str]:
        """The tensors of one block."""
        return [name for name in self._shapes if name.startswith(_prefix(index))]

    def others(self) -> list[str]:
        """The tensors that belong to no block."""
        return [name for name in self._shapes if not name.startswith("model.layers.")]

    def embed(self, sequences: Sequence[Tensor]) -> list[Batch]:
        """Token ids [tokens] of each sequence as batches with their first hidden states."""
        table = self.folder.load([_EMBEDDING])[_EMBEDDING]
        on_gpu = self.where.type == "cuda" and table.dtype == torch.bfloat16
        self._dtype = torch.bfloat16 if on_gpu else torch.float32
        return [Batch(table[ids].to(self._dtype), real) for ids, real in _filled(sequences)]

    def build(self, index: int, tensors: dict[str, Tensor]) -> nn.Module:
        """One block with these tensors, on the device."""
        with torch.device("meta"):
            block: nn.Module = self._cls(self.folder.config, index)
        cut = len(_prefix(index))
        state = {
            name[cut:]: tensor.to(self.where, self._dtype, copy=True)
            for name, tensor in tensors.items()
            if not name.endswith(ROTARY_BUFFER)
        }
        block.load_state_dict(state, assign=True)
        return block.eval().requires_grad_(False)

    def run(self, block: nn.Module, batches: Sequence[Batch], see: See | None = None) -> None:
        """Replace the hidden states by a block's outputs, showing `see` what its linear layers read."""
        for half in range(len(HALVES)):
            self.advance(block, half, batches, see)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def advance(self, block: nn.Module, half: int, batches: Sequence[Batch], see: See | None = None) -> None:
        """Replace the hidden states by the outputs of one half of a block, showing `see` what its linear layers read."""
        groups = HALVES[half] if see else ()
        for batch in batches:

            def show(group: int, inputs: Tensor, batch: Batch = batch) -> None:
                assert see is not None
                see(group, batch.rows(inputs))

            states = batch.hidden.to(self.where)
            with _watched(block, groups, show):
                batch.hidden = states.add_(self._half(block, half, states)).to(batch.hidden.device)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def observe(self, block: nn.Module, group: int, batches: Sequence[Batch], see: Callable[[Tensor], None]) -> list[Tensor]:
        """Show `see` the inputs of a group of linear layers, [tokens, columns]; what would come after is not computed.

        Returns those of each batch, [sequences, tokens, columns], for `finish`; none where computing them again is better.
        """
        half = next(half for half, groups in enumerate(HALVES) if group in groups)
        kept: list[Tensor] = []
        keep = group == HALVES[half][-1] and self._affordable(block, group, batches)
        for batch in batches:

            def stop(_group: int, inputs: Tensor, batch: Batch = batch) -> None:
                see(batch.rows(inputs))
                if keep:
                    kept.append(inputs)
                raise _Seen

            with _watched(block, [group], stop), suppress(_Seen):
                self._half(block, half, batch.hidden.to(self.where))
        return kept

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def finish(self, block: nn.Module, half: int, batches: Sequence[Batch], kept: Sequence[Tensor]) -> None:
        """Replace the hidden states by the outputs of one half of a block, given what its last layer reads."""
        last = block.get_submodule(GROUPS[HALVES[half][-1]][0])
        for batch, inputs in zip(batches, kept, strict=True):
            batch.hidden.add_(last(inputs))

    def _affordable(self, block: nn.Module, group: int, batches: Sequence[Batch]) -> bool:
        """Whether the inputs of a group can be kept. To a GPU and back they take longer than to be computed again."""
        columns = block.get_submodule(GROUPS[group][0]).weight.shape[1]
        size: int = sum(batch.real.numel() for batch in batches) * columns * self._dtype.itemsize
        return self.where.type == "cpu" and size <= KEPT_SHARE * free_memory()

    def _half(self, block: Any, half: int, state: Tensor) -> Tensor:  # noqa: ANN401 - a module of transformers
        """What attention (0) or the feed-forward (1) adds to hidden states [sequences, tokens, width]."""
        if half == 1:
            added: Tensor = block.mlp(block.post_attention_layernorm(state))
            return added
        positions = torch.arange(state.shape[1], device=self.where)[None]
        turns = self._rotary(state, positions)
        added, _weights = block.self_attn(block.input_layernorm(state), position_embeddings=turns, attention_mask=None)
        return added

    def _check(self) -> None:
        """Raise ModelError unless every block has the tensors, in shape, that its config asks for."""
        with torch.device("meta"):
            wanted = {name: list(value.shape) for name, value in self._cls(self.folder.config, 0).state_dict().items()}
        for index in range(self.count):
            cut = len(_prefix(index))
            found = {name[cut:]: self._shapes[name] for name in self.names(index) if not name.endswith(ROTARY_BUFFER)}
            for name in sorted(wanted.keys() | found.keys()):
                if wanted.get(name) != found.get(name):
                    said = "lacks" if name not in found else "has too much in" if name not in wanted else "has another shape of"
                    raise ModelError(
                        f"{self.folder.path} {said} the tensor {_prefix(index)}{name}.",
                        "Choose a model whose weights fit its config.json and are not quantized.",
                    )


class _Seen(Exception):
    """The inputs that were wanted have been seen."""


@contextmanager
def _watched(block: nn.Module, groups: Sequence[int], see: See) -> Iterator[None]:
    """While this lasts, `see` is shown the inputs of groups of linear layers, by the group's number."""
    handles = [
        block.get_submodule(GROUPS[number][0]).register_forward_pre_hook(
            lambda _layer, inputs, number=number: see(number, inputs[0])
        )
        for number in groups
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def linear_name(index: int, layer: str) -> str:
    """The name of a linear layer's weight in the file."""
    return f"{_prefix(index)}{layer}.weight"


def _prefix(index: int) -> str:
    return f"model.layers.{index}."


def _filled(sequences: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Neighbours in length, filled up to one length, up to so many tokens: ids and what is real, [sequences, tokens]."""
    batch: list[Tensor] = []
    for sequence in sorted(sequences, key=len):
        if batch and (len(batch) + 1) * len(sequence) > BATCH_TOKENS:
            yield _fill(batch)
            batch = []
        batch.append(sequence)
    if batch:
        yield _fill(batch)


def _fill(batch: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(sequence) for sequence in batch])
    return pad_sequence(batch, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


def _classes(config: PretrainedConfig) -> tuple[type[nn.Module], type[nn.Module]]:
    if config.model_type == "llama":
        from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

        return LlamaDecoderLayer, LlamaRotaryEmbedding
    from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2RotaryEmbedding

    return Qwen2DecoderLayer, Qwen2RotaryEmbedding
