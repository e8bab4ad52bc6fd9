"""A folder in Hugging Face format by its config and the names of its files, before a slow library is imported for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .host.engine import GET_AGAIN, EngineFailure


def check_folder(folder: Path) -> None:
    """Raise EngineFailure for what is no folder of safetensors."""
    if not (folder / "config.json").is_file():
        raise EngineFailure("model", f"{folder} has no config.json.", "Name a folder in Hugging Face format.")
    if not any(folder.glob("*.safetensors")):
        if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
            message = f"{folder} holds pickle checkpoints, which can run code when loaded."
            raise EngineFailure("model", message, "Get the safetensors version.")
        raise EngineFailure("model", f"{folder} holds no safetensors.", GET_AGAIN)


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises EngineFailure where it cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("it holds no object")
        return config
    except (OSError, ValueError, RecursionError) as error:
        raise EngineFailure("model", f"{folder / 'config.json'} cannot be read: {error}.", GET_AGAIN) from error


def quantization_config(folder: Path) -> dict[str, Any]:
    """How the folder's weights are packed, by its config; empty where they are not. Raises EngineFailure."""
    settings = read_config(folder).get("quantization_config")
    return settings if isinstance(settings, dict) else {}


def listed_files(folder: Path) -> list[Path]:
    """The safetensors files that make up the model, whether they are there or not: those of its index, else model.safetensors.

    Other copies of the weights may lie beside them, as consolidated.safetensors does in the folders of some families.
    Raises ValueError for an index that cannot be read.
    """
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        return [folder / name for name in names]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{index} cannot be read.") from error


def weight_files(folder: Path) -> list[Path]:
    """The listed files that are there; of a folder without any, all of its safetensors."""
    try:
        here = [file for file in listed_files(folder) if file.is_file()]
    except ValueError:
        here = []
    return here or sorted(folder.glob("*.safetensors"))


def not_loaded(folder: Path, words: str) -> EngineFailure:
    """The failure to load a folder, from a library's words on it; those on code of the model's own ask for trust."""
    if "trust_remote_code" in words:
        message = f"{folder} cannot be loaded without running Python code that came with it."
        remedy = "Read that code; if you trust it, name the folder in the setting `trusted_models`."
        return EngineFailure("model", message, remedy)
    return EngineFailure("model", f"{folder} cannot be loaded: {words}", GET_AGAIN)
