"""Optional parts of the installation: the modules of each extra of pyproject.toml, and the error when one is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from core.errors import MissingExtra

_HUB = ("datasets", "huggingface_hub")
_LOCAL = ("torch", "transformers", "tokenizers", "safetensors", "llama_cpp", "gguf")
MODULES = {
    "hub": _HUB,
    "local": _LOCAL,
    "compress": (*_LOCAL, *_HUB, "trl", "peft"),
    "ray": ("ray",),
    "vllm": ("vllm",),
}
"""For each extra the modules that are imported from its packages; it counts as installed when all are found."""
PURPOSE = {
    "hub": "benchmarks from the Hugging Face hub",
    "local": "the engines llama.cpp and transformers, and the embedded models",
    "compress": "quantizing, pruning and distilling",
    "ray": "several machines (docs/cluster.md)",
    "vllm": "the engine vllm, in an environment of its own (LRM_PYTHON_VLLM)",
}
"""What each extra is for, as `doctor` prints it."""


def missing(extra: str) -> list[str]:
    """The modules of an extra that are not installed for this interpreter; nothing is imported."""
    return [module for module in MODULES[extra] if not _is_installed(module)]


def require(extra: str, need: str) -> None:
    """Raise MissingExtra if the extra is not installed. `need` is the subject of its message: "NEED needs torch, ..."."""
    if modules := missing(extra):
        raise MissingExtra(f"{need} needs {', '.join(modules)}, which is not installed.", extra)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a broken installation, or an import hook that refuses
        return False
