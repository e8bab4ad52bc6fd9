"""A batch of sequences in a transformers model, with a key-value cache that rows can join and leave.

Rows are padded on the left, so that every row's last token stands in the last column; keys are cached after rotation, so
a row may be moved along the columns as long as its mask moves with it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer


class Batch:
    """The rows under way: their cached keys and values, and an attention mask, [rows, columns], 0 for padding."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model
        self._cache: DynamicCache | None = None
        self._mask = torch.zeros((0, 0), dtype=torch.long, device=model.device)

    @staticmethod
    def can_grow(config: PretrainedConfig) -> bool:
        """Whether rows can join: only where each layer keeps all keys and values, without a window or other state."""
        return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)

    def join(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Add rows, token ids of any length. Returns the logits after the last token of each, [rows, vocabulary].

        Rows that are the same (samples of one question) are read once.
        """
        distinct = list(dict.fromkeys(tuple(row) for row in rows))
        places = torch.tensor([distinct.index(tuple(row)) for row in rows], device=self._mask.device)
        cache, mask, logits = self._read(distinct)
        if len(distinct) < len(rows):
            mask = mask[places]
            for layer in cache.layers:
                layer.keys, layer.values = layer.keys[places], layer.values[places]
        self._merge(cache, mask)
        return logits[places.cpu()]

    def _read(self, rows: Sequence[Sequence[int]]) -> tuple[DynamicCache, Tensor, Tensor]:
        """Keys and values of rows, their mask, [rows, columns], and logits after each row's last token, [rows, vocabulary]."""
        width = max(map(len, rows))
        pads = [width - len(row) for row in rows]
        ids = torch.tensor([[0] * pad + list(row) for pad, row in zip(pads, rows, strict=True)])
        mask = torch.tensor([[0] * pad + [1] * (width - pad) for pad in pads])
        cache = DynamicCache(config=self._model.config)
        mask = mask.to(self._mask.device)
        return cache, mask, self._forward(ids.to(self._mask.device), mask, cache)

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Feed one token to every row. Returns the logits after it, [rows, vocabulary]."""
        assert self._cache is not None
        ids = torch.tensor(tokens, device=self._mask.device)[:, None]
        self._mask = torch.cat([self._mask, torch.ones_like(ids)], dim=1)
        return self._forward(ids, self._mask, self._cache)

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, and the columns that hold only padding then."""
        if not rows or self._cache is None:
            self._cache = None
            self._mask = self._mask[:0, :0]
            return
        chosen = torch.tensor(rows, device=self._mask.device)
        mask = self._mask[chosen]
        used = int(mask.any(dim=0).int().argmax())  # padding is on the left, so the first used column starts the rest
        self._mask = mask[:, used:]
        for layer in self._cache.layers:
            layer.keys = layer.keys[chosen][:, :, used:]
            layer.values = layer.values[chosen][:, :, used:]

    def _forward(self, ids: Tensor, mask: Tensor, cache: DynamicCache) -> Tensor:
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        with torch.inference_mode():
            output = self._model(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        return output.logits[:, -1].float().cpu()

    def _merge(self, cache: DynamicCache, mask: Tensor) -> None:
        if self._cache is None:
            self._cache, self._mask = cache, mask
            return
        width = max(self._mask.shape[1], mask.shape[1])
        self._mask = torch.cat([_widened(self._mask, width, 1), _widened(mask, width, 1)])
        for old, new in zip(self._cache.layers, cache.layers, strict=True):
            old.keys = torch.cat([_widened(old.keys, width, 2), _widened(new.keys, width, 2)])
            old.values = torch.cat([_widened(old.values, width, 2), _widened(new.values, width, 2)])


def _widened(tensor: Tensor, width: int, dimension: int) -> Tensor:
    """The tensor padded with zeros in front along a dimension, up to `width`."""
    missing = list(tensor.shape)
    missing[dimension] = width - tensor.shape[dimension]
    return torch.cat([tensor.new_zeros(missing), tensor], dim=dimension)
