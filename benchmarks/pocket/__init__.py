"""The mini-suite and the reasoning models that lrm-tui carries inside: no download, no GPU."""

from __future__ import annotations

from pathlib import Path


def weights_dir(name: str = "teacher") -> Path:
    """The folder of an embedded model, `teacher` or `student`, in Hugging Face format."""
    return Path(__file__).parent / "weights" / name
