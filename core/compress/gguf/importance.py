"""The importance matrix of llama.cpp: for each linear layer the mean square of each column of its inputs on calibration text.

llama.cpp's quantizers weigh the error of a weight by it. Its own tool sees the same inputs in llama.cpp's graph; here they come
from the blocks of the Hugging Face model. Export may reorder rows, never columns, so the columns fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import gguf
import numpy as np
import torch
from numpy.typing import NDArray

from core.compress import Progress
from core.compress.gguf.export import ARCHITECTURES
from core.compress.hf_folder import HfFolder
from core.compress.prune.blocks import GROUPS, Blocks, linear_name

if TYPE_CHECKING:
    from torch import Tensor


def importance(folder: HfFolder, sequences: Sequence[Tensor], progress: Progress) -> dict[str, NDArray[np.float32]]:
    """Mean squares of inputs by the tensor's name in GGUF, each [columns] in float32, for sequences of token ids [tokens].

    Raises ModelError for a model that `Blocks` refuses.
    """
    blocks = Blocks(folder)
    names = gguf.get_tensor_name_map(ARCHITECTURES[folder.config.model_type], blocks.count)
    batches = blocks.embed(sequences)
    vectors: dict[str, NDArray[np.float32]] = {}
    for index in range(blocks.count):
        sums: list[Tensor] = [torch.zeros(1, dtype=torch.float64, device=blocks.where) for _ in GROUPS]
        tokens = [0] * len(GROUPS)

        def see(number: int, inputs: Tensor, sums: list[Tensor] = sums, tokens: list[int] = tokens) -> None:
            sums[number] = sums[number] + inputs.float().square().sum(0, dtype=torch.float64)
            tokens[number] += len(inputs)

        block = blocks.build(index, folder.load(blocks.names(index)))
        blocks.run(block, batches, see)
        for group, total, count in zip(GROUPS, sums, tokens, strict=True):
            mean = (total / count).float().cpu().numpy()
            vectors |= {str(names.get_name(linear_name(index, layer), (".weight",))): mean for layer in group}
        progress(index + 1, blocks.count, f"weighed layer {index + 1}/{blocks.count}")
    return vectors
