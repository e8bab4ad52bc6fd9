"""Makes variants as files, step by step: distil, prune, export, quantize. Every step leaves an artifact that later ones reuse.

An artifact is named after its model, the hash of the model's files and the compression. Beside it lies a JSON file
with its facts, written last: an artifact without it, or with another hash than it says, counts as half made.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from core.compress import Progress
from core.compress.artifacts import Artifact, Bench, Facts, Vector, facts, sha256
from core.compress.calibration import Text, text
from core.compress.hf_folder import HfFolder
from core.compress.recipes import Recipe, check
from core.spec import Format

_TOOLS = ("lrm-tui", "torch", "transformers", "gguf", "llama-cpp-python")
_TRAINING_BYTES = 4  # a checkpoint holds the weights and two moments in float32, beside the result in 16 bits


class Workshop:
    """Makes the variants of one model in one folder. `store` is where traces and texts to calibrate on are."""

    def __init__(self, model: Path, out_dir: Path, progress: Progress, store: Path | None = None) -> None:
        self._model = model
        self._progress = progress
        self._store = store
        self._bench = Bench(out_dir)
        self._steps = self._step = 0
        self._hash = self._weighted_by = ""

    def make(self, recipe: Recipe, source: Format, wanted: Format) -> Artifact:
        """The model after `recipe` in the format `wanted`; nothing is made where it exists already.

        Raises UsageError, ModelError, DataError, CompressionError (DiskFull among them) and OSError.
        """
        check(recipe, source, wanted)
        if recipe == Recipe() and wanted == source:
            return Artifact(self._model, facts(self._model))
        self._bench.open()
        HfFolder.open(self._model)
        self._progress(0, 1, "reading the model")
        self._hash = sha256(self._model)
        steps = (recipe.distillation, recipe.pruning, wanted == "gguf", recipe.weighted, recipe.gguf_type)
        self._steps = sum(map(bool, steps))
        made = self._folder(recipe) if wanted == "hf" else self._file(recipe)
        self._bench.close()
        return made

    def abandon(self, *, everything: bool = False) -> None:
        """Remove what this process has half made; with `everything`, also what a later try could have gone on with."""
        self._bench.clear(everything=everything)

    def _folder(self, recipe: Recipe) -> Artifact:
        """The model as a Hugging Face folder: itself, distilled or pruned."""
        if recipe.pruning:
            return self._pruned(recipe)
        if recipe.distillation:
            return self._distilled(recipe)
        return Artifact(self._model, facts(self._model))

    def _distilled(self, recipe: Recipe) -> Artifact:
        from core.compress.distill.distill import distill_folder

        assert recipe.distillation is not None
        folder, distillation = HfFolder.open(self._model), recipe.distillation
        room = _TRAINING_BYTES * 3 * _entries(folder) + _shard_bytes(folder)

        def work(target: Path) -> None:
            distill_folder(folder, target, distillation, self._store, self._report)

        return self._once(recipe, "", room, work, continued=True)

    def _pruned(self, recipe: Recipe) -> Artifact:
        from core.compress.prune.prune import Task, prune_folder
        from core.compress.prune.sparsity import Pattern

        assert recipe.pruning is not None
        parent, pruning = self._folder(recipe.before("pruning")), recipe.pruning
        folder = HfFolder.open(parent.path)

        def work(target: Path) -> None:
            pattern = Pattern.of(pruning.percent, pruning.keep, pruning.group)
            calibration = self._text(folder, recipe) if pruning.calibrated else None
            record: dict[str, object] = {
                "recipe": recipe.name,
                "parent_sha256": parent.facts.sha256,
                "calibration": calibration.record if calibration else None,
            }
            task = Task(pruning.method, pattern, calibration.sequences if calibration else None)
            prune_folder(folder, target, task, record, self._report)

        return self._once(recipe, "", _shard_bytes(folder), work, continued=True)

    def _file(self, recipe: Recipe) -> Artifact:
        """The model as a GGUF file: exported, or exported and quantized."""
        if recipe.gguf_type:
            return self._quantized(recipe)
        from core.compress.gguf.export import export_folder

        folder = HfFolder.open(self._folder(recipe).path)
        room = 2 * _entries(folder)
        return self._once(recipe, ".gguf", room, lambda target: export_folder(folder, target, self._report))

    def _quantized(self, recipe: Recipe) -> Artifact:
        from core.compress.gguf.quantize import Job, predicted_bytes, quantize_file, rules

        assert recipe.gguf_type is not None
        base = self._file(recipe.before("gguf_type"))
        weights = self._importance(recipe) if recipe.weighted else None
        gguf_type, types = rules(base.path, recipe.gguf_type, weights, partial(self._kept, recipe, "damage"))
        job = Job(gguf_type, types, weights)
        room = predicted_bytes(base.path, job)
        self._report(0, 1, f"{recipe.gguf_type} will take {room / 2**20:,.1f} MiB")
        return self._once(recipe, ".gguf", room, lambda to: quantize_file(base.path, to, job, self._report), base.facts)

    def _importance(self, recipe: Recipe) -> dict[str, Vector]:
        """The importance matrix of what is quantized, kept for other types of the same weights."""
        from core.compress.gguf.importance import importance

        parent = self._folder(recipe.before("gguf_type"))
        folder = HfFolder.open(parent.path)
        calibration = self._text(folder, recipe)
        self._weighted_by = f"-{str(calibration.record['sha256'])[:12]}"
        found = self._kept(recipe, "importance", lambda: importance(folder, calibration.sequences, self._report))
        self._step += 1
        return found

    def _kept(self, recipe: Recipe, what: str, work: Callable[[], dict[str, Vector]]) -> dict[str, Vector]:
        """What is the same for all types of the same weights."""
        self._report(0, 1, f"looking for the {what} of each matrix")
        return self._bench.arrays(f"{self._name(recipe.before('gguf_type'))}{self._weighted_by}.{what}.npz", work)

    def _text(self, folder: HfFolder, recipe: Recipe) -> Text:
        self._report(0, 1, "reading the text to calibrate on")
        return text(folder, recipe.calibration, self._store)

    def _once(
        self,
        recipe: Recipe,
        suffix: str,
        room: int,
        work: Callable[[Path], None],
        base: Facts | None = None,
        *,
        continued: bool = False,
    ) -> Artifact:
        """The artifact of one step, made by `work` unless it is there, whole. `base` hands down the sparsity."""

        def measured(path: Path) -> Facts:
            measures = facts(path)
            return measures if base is None else replace(measures, sparsity=base.sparsity)

        def record(found: Facts) -> str:
            content = {
                "model": self._model.name,
                "model_sha256": self._hash,
                "compression": recipe.name,
                "made_with": {tool: version(tool) for tool in _TOOLS},
                "facts": asdict(found),
            }
            return json.dumps(content, indent=2) + "\n"

        made = self._bench.once(f"{self._name(recipe)}{suffix}", room, work, measured, record, continued=continued)
        self._step += 1
        return made

    def _name(self, recipe: Recipe) -> str:
        return f"{self._model.name}-{self._hash[:12]}-{recipe.name.replace(':', '_')}"

    def _report(self, done: int, total: int, message: str) -> None:
        """Progress of one step as progress of all of them."""
        self._progress(self._step * total + done, max(1, self._steps) * total, message)


def _entries(folder: HfFolder) -> int:
    return sum(map(math.prod, folder.shapes().values()))


def _shard_bytes(folder: HfFolder) -> int:
    return sum(file.stat().st_size for file in folder.shards)
