"""A model folder in Hugging Face format: its config, its safetensors files and the tensors in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ModelError
from core.files.content import shard_files

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig

FAMILIES = ("llama", "qwen2")
ROTARY_BUFFER = "rotary_emb.inv_freq"
"""What files of early Llama models hold beside the weights: it follows from the config."""
_LINEAR = re.compile(r"model\.layers\.\d+\.(self_attn|mlp)\.\w+_proj\.weight")
_GET_AGAIN = "Get or make the model again."


@dataclass(frozen=True, slots=True)
class HfFolder:
    """Weights of a causal language model. `shards` are its safetensors files, in order."""

    path: Path
    config: PretrainedConfig
    shards: tuple[Path, ...]

    @classmethod
    def open(cls, path: Path) -> HfFolder:
        """Check that a folder holds such a model, whole. Raises ModelError."""
        from transformers import AutoConfig, PretrainedConfig

        if not (path / "config.json").is_file():
            raise ModelError(f"{path} has no config.json.", "Name a folder in Hugging Face format.")
        try:
            try:
                config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
            except ValueError:  # a family that only the engine knows, or one that comes with code, which is not run here
                config = PretrainedConfig.from_pretrained(path, local_files_only=True)
        except (ValueError, OSError) as error:
            raise ModelError(f"{path / 'config.json'} cannot be read: {error}", _GET_AGAIN) from error
        folder = cls(path, config, shard_files(path))
        folder._check_shards()
        return folder

    def require_family(self) -> None:
        """Raise ModelError unless it is a causal language model, and its tensors have names and layouts that we know."""
        strangers = [name for name in self.config.architectures or [] if not name.endswith("ForCausalLM")]
        if strangers:
            raise ModelError(f"{self.path} is a {strangers[0]}.", "Choose a causal language model.")
        if self.config.model_type not in FAMILIES:
            raise ModelError(
                f"{self.path} is of the family {self.config.model_type!r}, which cannot be compressed yet.",
                f"Choose a model of one of: {', '.join(FAMILIES)}.",
            )

    def shapes(self) -> dict[str, list[int]]:
        """The shape of every tensor by its name, in the order of `tensors`; reads only the headers."""
        from safetensors import safe_open

        shapes: dict[str, list[int]] = {}
        for shard in self.shards:
            with safe_open(shard, "pt") as file:
                shapes |= {name: file.get_slice(name).get_shape() for name in file.offset_keys()}
        return shapes

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor with its name, one at a time."""
        from safetensors import safe_open

        for shard in self.shards:
            with safe_open(shard, "pt") as file:
                for name in file.offset_keys():
                    yield name, file.get_tensor(name)

    def load(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Some tensors by name. Raises ModelError where one is not there."""
        from safetensors import safe_open

        missing = set(names)
        tensors: dict[str, Tensor] = {}
        for shard in self.shards:
            with safe_open(shard, "pt") as file:
                tensors |= {name: file.get_tensor(name) for name in missing.intersection(file.keys())}
        missing -= tensors.keys()
        if missing:
            raise ModelError(f"{self.path} lacks the tensor {min(missing)}.", _GET_AGAIN)
        return tensors

    def _check_shards(self) -> None:
        """Read every header, in which safetensors also checks the length of the file."""
        from safetensors import SafetensorError, safe_open

        for shard in self.shards:
            try:
                with safe_open(shard, "pt"):
                    pass
            except (SafetensorError, OSError) as error:
                raise ModelError(f"{shard} is damaged or incomplete: {error}", _GET_AGAIN) from error


def is_decoder_linear(name: str) -> bool:
    """Whether a tensor is the weight of a linear layer in a decoder block (what pruning may touch)."""
    return _LINEAR.fullmatch(name) is not None
