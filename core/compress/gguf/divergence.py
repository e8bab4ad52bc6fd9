"""How far compressed GGUF files are from their original: `python -m core.compress.gguf.divergence BASE.gguf FILE.gguf...`.

For each file: perplexity, mean Kullback-Leibler divergence of its next-token distribution from the original's (nats a token),
share of tokens on which both put the same first, and true bits per weight.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from core.compress.facts import facts
from core.engines.llamacpp.native import LlamaContext, LlamaModel

WINDOW = 512


@dataclass(frozen=True, slots=True)
class Distance:
    """One file against its original."""

    file: str
    bytes: int
    bits_per_weight: float
    perplexity: float
    divergence: float
    divergence_error: float
    same_first: float


def windows(model: LlamaModel, text: str, tokens: int) -> list[list[int]]:
    """Token ids of the first `tokens` tokens of a text, in windows of up to WINDOW, each with a context of its own."""
    ids = model.tokenize(text, add_special=False)[:tokens]
    return [ids[at : at + WINDOW] for at in range(0, len(ids), WINDOW) if len(ids[at : at + WINDOW]) > 1]


def log_probabilities(model: LlamaModel, rows: Sequence[Sequence[int]], threads: int) -> Iterator[NDArray[np.float32]]:
    """For each window the log probabilities of what follows each token but the last, [tokens - 1, vocabulary]."""
    context = LlamaContext(model, 1, WINDOW, WINDOW, threads)
    for row in rows:
        context.forget_all()
        for position, token in enumerate(row[:-1]):
            context.add(0, [token], position, want_logits=True)
        logits = context.decode().astype(np.float32)
        logits -= logits.max(-1, keepdims=True)
        yield logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def distances(base: Path, others: Sequence[Path], text: str, tokens: int, threads: int = 2) -> Iterator[Distance]:
    """Each file against `base`, which comes first, on the same windows.

    The original's log probabilities are cached in a temporary file: 4 bytes a token and vocabulary entry.
    """
    original = LlamaModel(base, 0)
    rows = windows(original, text, tokens)
    with TemporaryFile() as file:
        for row in log_probabilities(original, rows, threads):
            row.tofile(file)
        width = original.vocab_size
        del original
        cached = np.memmap(file, np.float32, "r").reshape(-1, width)
        for path in (base, *others):
            yield _distance(path, rows, cached, threads)


def _distance(path: Path, rows: Sequence[Sequence[int]], cached: NDArray[np.float32], threads: int) -> Distance:
    surprises, gaps, same = [], [], []
    at = 0
    for row, theirs in zip(rows, log_probabilities(LlamaModel(path, 0), rows, threads), strict=True):
        ours = cached[at : at + len(theirs)]
        at += len(theirs)
        surprises.append(-theirs[np.arange(len(theirs)), row[1:]])
        gaps.append((np.exp(ours) * (ours - theirs)).sum(-1))
        same.append(ours.argmax(-1) == theirs.argmax(-1))
    gap = np.concatenate(gaps)
    known = facts(path)
    return Distance(
        path.name,
        known.bytes,
        known.bits_per_weight,
        float(np.exp(np.concatenate(surprises).mean())),
        float(gap.mean()),
        float(gap.std() / len(gap) ** 0.5),
        float(np.concatenate(same).mean()),
    )


def main() -> None:
    """Print a table, or with --json a line a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--text", type=Path, required=True, help="a text that nothing was calibrated on")
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    text = options.text.read_text(encoding="utf-8", errors="replace")
    for row in distances(options.base, options.files, text, options.tokens):
        if options.json:
            print(json.dumps(asdict(row)), flush=True)
        else:
            size = f"{row.bytes / 2**20:8.1f} MiB {row.bits_per_weight:6.3f} bits"
            gap = f"KL {row.divergence:.4f} ± {row.divergence_error:.4f}  same first {100 * row.same_first:5.1f} %"
            print(f"{row.file:60} {size}  perplexity {row.perplexity:9.3f}  {gap}", flush=True)


if __name__ == "__main__":
    main()
