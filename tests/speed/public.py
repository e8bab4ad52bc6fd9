"""What speed and quality scripts share: SmolLM2-135M as a folder, and text that Python carries."""

from __future__ import annotations

from pathlib import Path
from pydoc_data.topics import topics

from core.compress.unpack import unpack
from core.models import resolve

BUILD = Path(__file__).parents[2] / "build"


def smollm2(build: Path) -> Path:
    """SmolLM2-135M-Instruct in 16 bits as a Hugging Face folder (first: make smollm2)."""
    folder = build / "smollm2"
    if not folder.is_dir():
        build.mkdir(exist_ok=True)
        unpack(Path(resolve("smollm2").source), folder)
    return folder


def texts() -> tuple[str, str]:
    """What to calibrate on, and what is held out: the reference in `pydoc_data.topics`, every fifth topic held out."""
    pages = [topics[name] for name in sorted(topics)]
    return "\n\n".join(page for i, page in enumerate(pages) if i % 5), "\n\n".join(pages[::5])
