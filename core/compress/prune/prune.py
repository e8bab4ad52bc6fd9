"""Pruning of a model folder, one decoder block at a time: SparseGPT, Wanda or magnitude, into a folder that can be continued.

Each group of layers is pruned on inputs that come from the pruned layers before it, in its own block too. A block's file is
written whole before the next one is begun, so that a killed job replays the finished blocks (one forward pass each) and goes
on at the one where it stopped.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from core.compress import Progress
from core.compress.hf_folder import HfFolder, is_decoder_linear
from core.compress.prune import sparsegpt
from core.compress.prune.blocks import ENDS, GROUPS, Batch, Blocks, linear_name
from core.compress.prune.sparsity import Pattern, prune_by_magnitude, prune_by_wanda
from core.errors import CompressionError, ModelError
from core.files.content import companions

if TYPE_CHECKING:
    from core.compress.recipes import Method

RECORD = "compression.json"
_INDEX = "model.safetensors.index.json"
_LOST = "lost_energy"
_PARTIAL = ".partial"
_SYSTEM_ERROR = re.compile(r"os error (\d+)")


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done: the method, which weights go, and on what text (None for magnitude)."""

    method: Method
    pattern: Pattern
    sequences: Sequence[Tensor] | None


def prune_folder(source: HfFolder, target: Path, task: Task, record: dict[str, object], progress: Progress) -> None:
    """Write a pruned copy of `source` to `target`, going on with what is there if its record is the same.

    Raises ModelError for weights that cannot be pruned, CompressionError where the maths fail, OSError.
    """
    blocks = Blocks(source)
    _check(source, task.pattern)
    lost = _begin(target, record)
    total = blocks.count + 1
    batches = blocks.embed(task.sequences) if task.sequences is not None else None
    for index in range(blocks.count):
        file = target / _file_name(index, total)
        block, verb = _finished(blocks, index, file), "went on after"
        if block is None:
            (tensors, losses), verb = _pruned(blocks, index, batches, task), "pruned"
            lost |= losses
            _note(target, {**record, _LOST: lost})
            _write(tensors, file)
        elif batches is not None:
            blocks.run(block, batches)
        progress(index + 1, total, f"{verb} layer {index + 1}/{blocks.count}{_error(lost, index)}")
    _finish(blocks, target)
    _note(target, {**record, _LOST: lost})
    progress(total, total, "wrote the other tensors")


def _pruned(blocks: Blocks, index: int, batches: list[Batch] | None, task: Task) -> tuple[dict[str, Tensor], dict[str, float]]:
    """One block pruned, as it is stored, and what its layers have lost (nothing is known without batches).

    The batches have passed through it afterwards.
    """
    stored = blocks.folder.load(blocks.names(index))
    block = blocks.build(index, stored)
    losses: dict[str, float] = {}
    for number, layers in enumerate(GROUPS):
        names = [linear_name(index, layer) for layer in layers]
        weights = [block.get_submodule(layer).weight for layer in layers]
        if batches is None:
            for weight in weights:
                prune_by_magnitude(weight, task.pattern)
        else:
            hessian = sparsegpt.Hessian(weights[0].shape[1], blocks.where)
            blocks.observe(block, number, batches, hessian.add)
            losses |= zip(names, _prune_group(weights, hessian, task, names[0]), strict=True)
        for name, weight in zip(names, weights, strict=True):
            stored[name] = _as_stored(weight, stored[name].dtype, name)
            weight.copy_(stored[name])  # what comes after must see the weights as they are stored
        if batches is not None and number in ENDS:
            blocks.finish(block, number, batches)
    return stored, losses


def _prune_group(weights: list[Tensor], hessian: sparsegpt.Hessian, task: Task, name: str) -> list[float]:
    """Prune layers that share their inputs, in place. Returns what each loses of its outputs."""
    if task.method == "sparsegpt":
        return sparsegpt.prune(weights, hessian.matrix, task.pattern, name)
    losses = []
    for weight in weights:
        before = weight.to(torch.float32, copy=True)
        prune_by_wanda(weight, hessian.mean_squares, task.pattern)
        losses.append(sparsegpt.lost_energy(before, weight.float(), hessian.matrix))
    return losses


def _as_stored(weight: Tensor, dtype: torch.dtype, name: str) -> Tensor:
    """A weight in main memory in the type of the file. Raises CompressionError where that cannot hold it."""
    stored = weight.to("cpu", dtype)
    if not stored.isfinite().all():
        raise CompressionError(f"{name} is not finite as {dtype}.", "Check that the weights are whole, or use another method.")
    return stored


def _check(source: HfFolder, pattern: Pattern) -> None:
    linear = {name: shape for name, shape in source.shapes().items() if is_decoder_linear(name)}
    if not linear:
        raise ModelError(f"{source.path} has no plain linear layers to prune.", "Choose weights that are not quantized.")
    for name, shape in linear.items():
        pattern.check(shape[1], name)


def _begin(target: Path, record: dict[str, object]) -> dict[str, float]:
    """Have a folder that says what it will be, empty or as an earlier try has left it. Returns what was lost so far."""
    with suppress(OSError, ValueError, AttributeError):
        stored = json.loads((target / RECORD).read_text(encoding="utf-8"))
        lost: dict[str, float] = stored.pop(_LOST, {})
        if stored == record:
            return lost
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    _note(target, record)
    return {}


def _note(target: Path, record: dict[str, object]) -> None:
    partly = target / f"{RECORD}{_PARTIAL}"
    partly.write_text(json.dumps(record, indent=2), encoding="utf-8")
    partly.replace(target / RECORD)


def _finished(blocks: Blocks, index: int, file: Path) -> nn.Module | None:
    """The block as an earlier try has written it, or None."""
    try:
        with safe_open(file, "pt") as stored:
            return blocks.build(index, {name: stored.get_tensor(name) for name in stored.keys()})  # noqa: SIM118
    except (OSError, SafetensorError):
        return None


def _error(lost: dict[str, float], index: int) -> str:
    """What the block has lost of its linear layers' outputs, on average, in words."""
    losses = [loss for name, loss in lost.items() if name.startswith(f"model.layers.{index}.")]
    return f", error {sum(losses) / len(losses):.4f}" if losses else ""


def _finish(blocks: Blocks, target: Path) -> None:
    """Everything but the blocks: embeddings and head, the index, tokenizer and config."""
    for left in target.glob(f"*{_PARTIAL}"):
        left.unlink()
    total = blocks.count + 1
    rest = _file_name(blocks.count, total)
    _write(blocks.folder.load(blocks.others()), target / rest)
    places = {name: _file_name(i, total) for i in range(blocks.count) for name in blocks.names(i)}
    places |= dict.fromkeys(blocks.others(), rest)
    size = sum((target / _file_name(i, total)).stat().st_size for i in range(total))
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (target / _INDEX).write_text(json.dumps(index, indent=2, sort_keys=True), encoding="utf-8")
    for file in companions(blocks.folder.path):
        if file.name not in (RECORD, _INDEX):
            shutil.copyfile(file, target / file.name)


def _file_name(index: int, total: int) -> str:
    return f"model-{index + 1:05}-of-{total:05}.safetensors"


def _write(tensors: dict[str, Tensor], file: Path) -> None:
    """Write a safetensors file whole or not at all."""
    partly = file.with_suffix(_PARTIAL)
    try:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partly, {"format": "pt"})
    except SafetensorError as error:
        match = _SYSTEM_ERROR.search(str(error))
        raise OSError(int(match[1]) if match else errno.EIO, str(error), str(partly)) from error
    with partly.open("rb") as written:
        os.fsync(written.fileno())
    partly.replace(file)
