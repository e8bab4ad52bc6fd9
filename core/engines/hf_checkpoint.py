"""What is refused of a folder in Hugging Face format before a slow library is imported for it."""

from __future__ import annotations

from pathlib import Path

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


def not_loaded(folder: Path, words: str) -> EngineFailure:
    """The failure to load a folder, from a library's words on it; those on code of the model's own ask for trust."""
    if "trust_remote_code" in words:
        message = f"{folder} cannot be loaded without running Python code that came with it."
        remedy = "Read that code; if you trust it, name the folder in the setting `trusted_models`."
        return EngineFailure("model", message, remedy)
    return EngineFailure("model", f"{folder} cannot be loaded: {words}", GET_AGAIN)
