"""The training recipe, as `make pocket` calls it: from a relative folder, and again where it was stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from benchmarks.pocket import tokenizer, train

REPOSITORY = Path(__file__).parents[3]


def test_training_begins_and_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.pocket.train", "--out", "made/here", "--steps", "1"]
    ran = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "step 1/1 " in ran.stdout
    folder, recipe = tmp_path / "made" / "here", train.Recipe()
    saved = torch.load(folder / "checkpoint.pt", weights_only=True)["model"]
    model = train.new_model(tokenizer.build(), recipe.seed)
    begun = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert train._resume(model, train.optimizers(model, recipe), folder) == 1
    assert all(torch.equal(tensor, saved[name]) for name, tensor in model.state_dict().items())
    assert any(not torch.equal(tensor, saved[name]) for name, tensor in begun.items())
    assert (folder / "model" / "model.safetensors").is_file()
