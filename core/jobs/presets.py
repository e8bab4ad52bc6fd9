"""Grids that are asked for again and again, by name."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.registry import of
from core.compress.recipes import FAMILIES, NONE
from core.jobs.study import BENCHMARKS as POCKET_BENCHMARKS
from core.jobs.study import FAMILY
from core.spec import Policy

PAPER_BENCHMARKS = of("paper")


@dataclass(frozen=True, slots=True)
class Preset:
    """What to choose. `models` is empty where they are the user's own; `hint` says which are meant.

    `max_tokens` None: each model's own limit.
    """

    title: str
    hint: str
    compressions: tuple[str, ...]
    benchmarks: tuple[str, ...]
    models: tuple[str, ...] = ()
    policy: Policy = "observe"
    max_tokens: int | None = 32_768
    limit: int | None = None


PRESETS = {
    "table-2": Preset(
        "Paper, Table 2: quantized",
        "Choose DeepSeek-R1 as a Hugging Face folder. The paper's distilled models run with compression `none`.",
        (NONE, "dynamic-2.51", "dynamic-1.73", "dynamic-1.58"),
        PAPER_BENCHMARKS,
    ),
    "table-3": Preset(
        "Paper, Table 3: pruned",
        "Choose R1-Distill-Llama-70B or R1-Distill-Qwen-32B as a Hugging Face folder.",
        (NONE, *FAMILIES["pruned"]),
        PAPER_BENCHMARKS,
    ),
    "pocket": Preset(
        "Embedded family",
        "The embedded teacher and its variants over the mini-suite, which a laptop does in minutes.",
        FAMILY["pocket"],
        POCKET_BENCHMARKS,
        ("pocket",),
        "audit",
        None,
        40,
    ),
}
"""What the form of a new run offers. Those that repeat the paper observe, and stop nothing."""
