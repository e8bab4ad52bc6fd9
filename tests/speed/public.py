"""What speed and quality scripts share: SmolLM2-135M as a folder, and text that Python carries."""

from __future__ import annotations

from pathlib import Path
from pydoc_data.topics import topics

from core.compress.gguf.unpack import unpack
from core.jobs.models import resolve

BUILD = Path(__file__).parents[2] / "build"


def smollm2(build: Path) -> Path:
    """SmolLM2-135M-Instruct in 16 bits as a Hugging Face folder (first: make smollm2)."""
    folder = build / "smollm2"
    if not folder.is_dir():
        build.mkdir(exist_ok=True)
        unpack(Path(resolve("smollm2").source), folder)
    return folder


def smollm2_gguf(build: Path, compression: str) -> Path:
    """SmolLM2-135M-Instruct as a GGUF file: "none" in 16 bits, or a quantization of those."""
    from core.compress.make import VariantMaker
    from core.compress.recipes import parse

    shop = VariantMaker(smollm2(build), build / "variants", lambda _done, _total, _message: None, build / "runs.db")
    return shop.make(parse(compression), "hf", "gguf").path


def texts() -> tuple[str, str]:
    """What to calibrate on, and what is held out: the reference in `pydoc_data.topics`, every fifth topic held out."""
    pages = [topics[name] for name in sorted(topics)]
    return "\n\n".join(page for i, page in enumerate(pages) if i % 5), "\n\n".join(pages[::5])
