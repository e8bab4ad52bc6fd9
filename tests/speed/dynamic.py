"""Dynamic recipes beside plain types of the same size: `python -m tests.speed.dynamic [MODEL] [--recipe ...]`.

Each recipe is made as a compression job makes it, beside the plain type that is nearest in size (by what llama.cpp predicts).
Then `core.compress.gguf.divergence` holds all of them against the 16-bit file on text that nothing was calibrated on. Without MODEL:
SmolLM2-135M (first: make smollm2), on the reference that Python carries.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import gguf
import numpy as np

from core.compress.calibration import adopt
from core.compress.gguf.divergence import Distance, distances
from core.compress.gguf.quantize import Job, predicted_bytes
from core.compress.make import VariantMaker
from core.compress.recipes import DYNAMIC, PLAIN_TYPES, WEIGHTED_TYPES, parse
from tests.speed.public import BUILD, smollm2, texts


def predicted(base: Path) -> dict[str, int]:
    """Bytes of the tensors of a 16-bit file in each plain type."""
    matrices = [tensor for tensor in gguf.GGUFReader(base).tensors if len(tensor.shape) > 1]
    evenly = {str(tensor.name): np.ones(int(tensor.shape[0]), np.float32) for tensor in matrices}
    return {kind: predicted_bytes(base, Job(kind, importance=evenly)) for kind in (*PLAIN_TYPES, *WEIGHTED_TYPES)}


def line(row: Distance) -> str:
    """One row of the table."""
    size = f"{row.bytes / 2**20:8.2f} MiB {row.bits_per_weight:6.3f} bits"
    return f"{size}  perplexity {row.perplexity:8.3f}  KL {row.divergence:.4f} ± {row.divergence_error:.4f}"


def main() -> None:
    """Make pairs, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, help="a folder in Hugging Face format")
    parser.add_argument("--recipe", action="append", choices=DYNAMIC)
    parser.add_argument("--text", type=Path, help="a text that is held out (default: part of Python's reference)")
    parser.add_argument("--calibration", help="as after @ in a compression (default: the other part)")
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=4096, help="to measure on")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--build", type=Path, default=BUILD)
    given = parser.parse_args()
    model = given.model or smollm2(given.build)
    known, held_out = texts()
    (given.build / "known.txt").write_text(known)
    store = given.build / "runs.db"
    source = given.calibration or adopt(str(given.build / "known.txt"), store) + f"-{given.samples}x{given.length}"
    shop = VariantMaker(model, given.build / "variants", lambda done, total, message: None, store)

    def made(name: str) -> Path:
        calibrated = parse(name).calibrated
        return shop.make(parse(f"{name}@{source}" if calibrated else name), "hf", "gguf").path

    base = made("none")
    sizes = predicted(base)
    pairs = {}
    for recipe in given.recipe or DYNAMIC:
        file = made(recipe)
        tensors = sum(int(tensor.n_bytes) for tensor in gguf.GGUFReader(file).tensors)
        nearest = min(sizes, key=lambda kind: abs(sizes[kind] - tensors))
        pairs[recipe] = file, nearest, made(nearest)
    files = {file: None for _recipe, (file, _kind, plain) in pairs.items() for file in (file, plain)}
    text = given.text.read_text(encoding="utf-8") if given.text else held_out
    rows = {row.file: row for row in distances(base, list(files), text, given.tokens, given.threads)}
    print(f"{'16 bits':14} {line(rows[base.name])}")
    for recipe, (file, kind, plain) in pairs.items():
        print(f"{recipe:14} {line(rows[file.name])}\n  {kind:12} {line(rows[plain.name])}")


if __name__ == "__main__":
    main()
