"""The decoder blocks of a model, loaded one at a time: the hidden states of calibration text pass through them.

Peak memory is one block, the statistics of one group of its layers, the hidden states of all sequences (in main memory), and
a cache of the group's inputs where there is room.

The steps between the linear layers are computed here with few passes over memory: on a CPU transformers' own functions spend
more on temporaries than on arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.utils.rnn import pad_sequence

from core.compress.hf_folder import ROTARY_BUFFER, HfFolder
from core.engines.memory import free_memory
from core.errors import ModelError

if TYPE_CHECKING:
    from transformers import PretrainedConfig

BATCH_TOKENS = 4096
CACHE_SHARE = 0.25
"""The share of free memory that the cache of inputs may take."""
GROUPS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
"""The linear layers of a block; those of one group read the same inputs."""
ENDS = (1, 3)
"""The groups that end a block's two halves, attention and feed-forward: their outputs are added to the hidden states."""
See = Callable[[int, Tensor], None]
"""Called with a group's number and the inputs of its layers, [tokens, columns]."""
_EMBEDDING = "model.embed_tokens.weight"


def device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@dataclass(slots=True)
class Batch:
    """Sequences of calibration text, padded at the end, where causal attention hides the padding from all real tokens.

    `hidden` [sequences, tokens, width]: the hidden states. `mask` [sequences, tokens]: True for real tokens.
    `inputs` [sequences, tokens, columns]: cached inputs of the group that was last observed, or None.
    """

    hidden: Tensor
    mask: Tensor
    inputs: Tensor | None = None

    def rows(self, inputs: Tensor) -> Tensor:
        """The rows of `inputs` [sequences, tokens, columns] that belong to real tokens, [real tokens, columns]."""
        return inputs.flatten(0, 1) if self.mask.all() else inputs[self.mask.to(inputs.device)]


class Blocks:
    """Loads and runs the blocks of a Llama or Qwen2 model: in bfloat16 on a GPU if stored so, else in float32.

    Raises ModelError for another family, or where tensors do not fit the config.
    """

    def __init__(self, folder: HfFolder, where: torch.device | None = None) -> None:
        folder.require_family()
        self.folder = folder
        self.where = where or device()
        self.count = int(folder.config.num_hidden_layers)
        self._shapes = folder.shapes()
        self._cls, rotary, self._turn = _classes(folder.config)
        self._check()
        self._rotary = rotary(folder.config).to(self.where)
        self._dtype = torch.float32

    def names(self, index: int) -> list[str]:
        """The names of one block's tensors."""
        return [name for name in self._shapes if name.startswith(_prefix(index))]

    def others(self) -> list[str]:
        """The names of the tensors that belong to no block."""
        return [name for name in self._shapes if not name.startswith("model.layers.")]

    def embed(self, sequences: Sequence[Tensor]) -> list[Batch]:
        """Padded batches of sequences of token ids, each [tokens], with their embeddings as hidden states."""
        table = self.folder.load([_EMBEDDING])[_EMBEDDING]
        on_gpu = self.where.type == "cuda" and table.dtype == torch.bfloat16
        self._dtype = torch.bfloat16 if on_gpu else torch.float32
        return [Batch(table[ids].to(self._dtype), mask) for ids, mask in _padded(sequences)]

    def build(self, index: int, tensors: dict[str, Tensor]) -> nn.Module:
        """One block on the device, with copies of these tensors (by name)."""
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

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def run(self, block: nn.Module, batches: Sequence[Batch], see: See | None = None) -> None:
        """Replace the hidden states by a block's outputs; `see` gets the inputs of every group, [tokens, columns]."""
        for batch in batches:
            for group in range(len(GROUPS)):
                batch.inputs = self._inputs(block, group, batch)
                if see:
                    see(group, batch.rows(batch.inputs))
                if group in ENDS:
                    self._add(block, group, batch)

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def observe(self, block: nn.Module, group: int, batches: Sequence[Batch], see: Callable[[Tensor], None]) -> None:
        """Call `see` with the inputs of one group of linear layers, [tokens, columns] a batch; later layers do not run."""
        cached = self._affordable(block, group, batches)
        for batch in batches:
            inputs = self._inputs(block, group, batch)
            see(batch.rows(inputs))
            batch.inputs = inputs if cached else None

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def finish(self, block: nn.Module, group: int, batches: Sequence[Batch]) -> None:
        """Add the outputs of `group`, one of `ENDS` and the last observed, to the hidden states."""
        for batch in batches:
            self._add(block, group, batch)

    def _add(self, block: nn.Module, group: int, batch: Batch) -> None:
        inputs = batch.inputs if batch.inputs is not None else self._inputs(block, group, batch)
        batch.hidden.add_(block.get_submodule(GROUPS[group][0])(inputs).to(batch.hidden.device))
        batch.inputs = None

    def _inputs(self, block: Any, group: int, batch: Batch) -> Tensor:  # noqa: ANN401 - a module of transformers
        """The inputs of a group's layers, [sequences, tokens, columns], computed from the cached ones of the group before."""
        if group == 0:
            return _normed(block.input_layernorm, batch.hidden.to(self.where))
        if group == 2:
            return _normed(block.post_attention_layernorm, batch.hidden.to(self.where))
        before = batch.inputs if batch.inputs is not None else self._inputs(block, group - 1, batch)
        if group == 1:
            return self._attended(block.self_attn, before)
        gate: Tensor = block.mlp.act_fn(block.mlp.gate_proj(before))
        return gate.mul_(block.mlp.up_proj(before))

    def _attended(self, attention: Any, inputs: Tensor) -> Tensor:  # noqa: ANN401 - a module of transformers
        """The inputs of attention's output layer, [sequences, tokens, columns]."""
        layers = (attention.q_proj, attention.k_proj, attention.v_proj)
        query, key, value = (layer(inputs).unflatten(-1, (-1, attention.head_dim)).transpose(1, 2) for layer in layers)
        positions = torch.arange(inputs.shape[1], device=self.where)[None]
        query, key = self._turn(query, key, *self._rotary(inputs, positions))
        mixed = scaled_dot_product_attention(query, key, value, is_causal=True, scale=attention.scaling, enable_gqa=True)
        return mixed.transpose(1, 2).flatten(2)

    def _affordable(self, block: nn.Module, group: int, batches: Sequence[Batch]) -> bool:
        """Whether a group's inputs are cached: if they fit, and not beside a GPU, where moving costs more than computing."""
        columns = block.get_submodule(GROUPS[group][0]).weight.shape[1]
        size: int = sum(batch.mask.numel() for batch in batches) * columns * self._dtype.itemsize
        return self.where.type == "cpu" and size <= CACHE_SHARE * free_memory()

    def _check(self) -> None:
        """Raise ModelError unless every block has the tensors, in shape, that its config asks for."""
        with torch.device("meta"):
            expected = {name: list(value.shape) for name, value in self._cls(self.folder.config, 0).state_dict().items()}
        for index in range(self.count):
            cut = len(_prefix(index))
            shapes = {name[cut:]: self._shapes[name] for name in self.names(index) if not name.endswith(ROTARY_BUFFER)}
            for name in sorted(expected.keys() | shapes.keys()):
                if expected.get(name) != shapes.get(name):
                    problem = (
                        "lacks" if name not in shapes else "has too much in" if name not in expected else "has another shape of"
                    )
                    raise ModelError(
                        f"{self.folder.path} {problem} the tensor {_prefix(index)}{name}.",
                        "Choose a model whose weights fit its config.json and are not quantized.",
                    )


def _normed(norm: Any, hidden: Tensor) -> Tensor:  # noqa: ANN401 - a module of transformers
    """RMSNorm of `hidden` [..., width]: divided by its root mean square, times the norm's weights [width]."""
    lengths = torch.linalg.vector_norm(hidden, dim=-1, keepdim=True, dtype=torch.float32)
    scales = lengths.square_().div_(hidden.shape[-1]).add_(norm.variance_epsilon).rsqrt_()
    return torch.mul(hidden, scales).to(hidden.dtype).mul_(norm.weight)


def linear_name(index: int, layer: str) -> str:
    """The name of a linear layer's weight in the file."""
    return f"{_prefix(index)}{layer}.weight"


def _prefix(index: int) -> str:
    return f"model.layers.{index}."


def _padded(sequences: Sequence[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of similar length, padded, at most BATCH_TOKENS: (ids, mask), each [sequences, tokens]."""
    batch: list[Tensor] = []
    for sequence in sorted(sequences, key=len):
        if batch and (len(batch) + 1) * len(sequence) > BATCH_TOKENS:
            yield _pad(batch)
            batch = []
        batch.append(sequence)
    if batch:
        yield _pad(batch)


def _pad(batch: list[Tensor]) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(sequence) for sequence in batch])
    return pad_sequence(batch, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


def _classes(config: PretrainedConfig) -> tuple[type[nn.Module], type[nn.Module], Callable[..., tuple[Tensor, Tensor]]]:
    """transformers' decoder block of a family, its rotary angles, and the function that turns queries and keys by them."""
    if config.model_type == "llama":
        from transformers.models.llama import modeling_llama as llama

        return llama.LlamaDecoderLayer, llama.LlamaRotaryEmbedding, llama.apply_rotary_pos_emb
    from transformers.models.qwen2 import modeling_qwen2 as qwen2

    return qwen2.Qwen2DecoderLayer, qwen2.Qwen2RotaryEmbedding, qwen2.apply_rotary_pos_emb
