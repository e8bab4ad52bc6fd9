"""Makes variants as files, step by step: distil, prune, export, quantize. Each step's artifact is reused by later jobs.

An artifact is named after its model, the hash of the model's files and the compression. Beside it lies a JSON file
with its facts, written last: an artifact without it, or with another hash, counts as incomplete and is made again.
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
from core.compress.artifacts import Artifact, ArtifactFolder, Vector
from core.compress.calibration import Text, text
from core.compress.facts import Facts, facts
from core.compress.hf_folder import HfFolder
from core.compress.recipes import Recipe, check
from core.errors import ModelError
from core.files.content import sha256, stamp
from core.spec import Format

_TOOLS = ("lrm-tui", "torch", "transformers", "gguf", "llama-cpp-python")
_TRAINING_BYTES = 4  # a checkpoint holds the weights and two moments in float32, beside the result in 16 bits


class VariantMaker:
    """Makes the artifacts of one model in one folder. `store` is where traces and texts to calibrate on are.

    After `make`, `model_sha256` and `model_stamp` (see `core.files.content`) tell from which files of the model.
    """

    def __init__(self, model: Path, out_dir: Path, progress: Progress, store: Path | None = None) -> None:
        self._model = model
        self._progress = progress
        self._store = store
        self._artifacts = ArtifactFolder(out_dir)
        self._steps = self._step = 0
        self.model_sha256 = self.model_stamp = self._weighted_by = ""

    def make(self, recipe: Recipe, source: Format, target: Format) -> Artifact:
        """The model after `recipe` in the format `target`: an existing artifact, or a new one.

        Raises UsageError, ModelError, DataError, CompressionError (DiskFull among them) and OSError.
        """
        check(recipe, source, target)
        if self._model.is_dir():
            HfFolder.open(self._model)
        self.model_stamp = stamp(self._model)
        if recipe == Recipe() and target == source:
            artifact = Artifact(self._model, facts(self._model))
            self.model_sha256 = artifact.facts.sha256
            self._check_unchanged()
            return artifact
        self._artifacts.open()
        self._progress(0, 1, "reading the model")
        self.model_sha256 = sha256(self._model)
        self._check_unchanged()
        steps = (recipe.distillation, recipe.pruning, target == "gguf", recipe.weighted, recipe.gguf_type)
        self._steps = sum(map(bool, steps))
        artifact = self._folder(recipe) if target == "hf" else self._file(recipe)
        self._artifacts.close()
        return artifact

    def abandon(self, *, everything: bool = False) -> None:
        """Remove this process's partial files; with `everything`, also the unfinished artifact, which could be resumed."""
        self._artifacts.clear(everything=everything)

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

        return self._make_step(recipe, "", room, work, resumable=True)

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

        return self._make_step(recipe, "", _shard_bytes(folder), work, resumable=True)

    def _file(self, recipe: Recipe) -> Artifact:
        """The model as a GGUF file: exported, or exported and quantized."""
        if recipe.gguf_type:
            return self._quantized(recipe)
        from core.compress.gguf.export import export_folder

        folder = HfFolder.open(self._folder(recipe).path)
        room = 2 * _entries(folder)
        return self._make_step(recipe, ".gguf", room, lambda target: export_folder(folder, target, self._report))

    def _quantized(self, recipe: Recipe) -> Artifact:
        from core.compress.gguf.quantize import Job, predicted_bytes, quantize_file, rules

        assert recipe.gguf_type is not None
        base = self._file(recipe.before("gguf_type"))
        weights = self._importance(recipe) if recipe.weighted else None
        gguf_type, types = rules(base.path, recipe.gguf_type, weights, partial(self._saved, recipe, "damage"))
        job = Job(gguf_type, types, weights)
        room = predicted_bytes(base.path, job)
        self._report(0, 1, f"{recipe.gguf_type} will take {room / 2**20:,.1f} MiB")
        return self._make_step(recipe, ".gguf", room, lambda to: quantize_file(base.path, to, job, self._report), base.facts)

    def _importance(self, recipe: Recipe) -> dict[str, Vector]:
        """The importance matrix of the weights to quantize, each vector [columns]; saved, since all types share it."""
        from core.compress.gguf.importance import importance

        parent = self._folder(recipe.before("gguf_type"))
        folder = HfFolder.open(parent.path)
        calibration = self._text(folder, recipe)
        self._weighted_by = f"-{str(calibration.record['sha256'])[:12]}"
        vectors = self._saved(recipe, "importance", lambda: importance(folder, calibration.sequences, self._report))
        self._step += 1
        return vectors

    def _saved(self, recipe: Recipe, what: str, work: Callable[[], dict[str, Vector]]) -> dict[str, Vector]:
        """Vectors that all types of the same weights share, from their file or from `work`."""
        self._report(0, 1, f"looking for the {what} of each matrix")
        return self._artifacts.arrays(f"{self._name(recipe.before('gguf_type'))}{self._weighted_by}.{what}.npz", work)

    def _text(self, folder: HfFolder, recipe: Recipe) -> Text:
        self._report(0, 1, "reading the text to calibrate on")
        return text(folder, recipe.calibration, self._store)

    def _make_step(
        self,
        recipe: Recipe,
        suffix: str,
        room: int,
        work: Callable[[Path], None],
        base: Facts | None = None,
        *,
        resumable: bool = False,
    ) -> Artifact:
        """The artifact of one step, made by `work` unless it exists. `base`: facts of the file before quantization."""

        def measured(path: Path) -> Facts:
            measures = facts(path)
            return measures if base is None else replace(measures, sparsity=base.sparsity)

        def record(measures: Facts) -> str:
            content = {
                "model": self._model.name,
                "model_sha256": self.model_sha256,
                "compression": recipe.name,
                "made_with": {tool: version(tool) for tool in _TOOLS},
                "facts": asdict(measures),
            }
            return json.dumps(content, indent=2) + "\n"

        def work_on_unchanged(target: Path) -> None:
            work(target)
            self._check_unchanged()

        name = f"{self._name(recipe)}{suffix}"
        artifact = self._artifacts.make(name, room, work_on_unchanged, measured, record, resumable=resumable)
        self._step += 1
        return artifact

    def _check_unchanged(self) -> None:
        """Raise ModelError where the model's files were written since `make` began, so that no artifact mixes two models."""
        if stamp(self._model) != self.model_stamp:
            raise ModelError(f"{self._model} was changed while it was read.", "Requeue the job when the files are complete.")

    def _name(self, recipe: Recipe) -> str:
        return f"{self._model.name}-{self.model_sha256[:12]}-{recipe.name.replace(':', '_')}"

    def _report(self, done: int, total: int, message: str) -> None:
        """Report `done` of `total` of the current step as progress of all steps."""
        self._progress(self._step * total + done, max(1, self._steps) * total, message)


def _entries(folder: HfFolder) -> int:
    return sum(map(math.prod, folder.shapes().values()))


def _shard_bytes(folder: HfFolder) -> int:
    return sum(file.stat().st_size for file in folder.shards)
