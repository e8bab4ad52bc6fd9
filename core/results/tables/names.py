"""One spelling for the models and compressions that a store, the paper and its readers write in several ways."""

from __future__ import annotations

import re
from functools import cache

_BITS = r"(?:int)?([1-8](?:\.[0-9]+)?)[ -]?(?:bits?)?"
_SPELLINGS = (
    (re.compile(r"-|dense|none|distillation"), "none"),
    (re.compile(r"(?:distillation *& *)?([0-9]{1,2}) ?% sparse|sparsegpt[ -]([0-9]{1,2}) ?%?"), r"sparsegpt-\1\2"),
    (re.compile(r"(?:dynamic[ -])?(2\.51|2\.22|1\.73|1\.58)[ -]?(?:bits?)?"), r"dynamic-\1"),
    (re.compile(rf"(awq|gptq|gptaq)[ -]{_BITS}"), r"\1-\2bit"),
    (re.compile(rf"{_BITS}[ -](awq|gptq|gptaq)"), r"\2-\1bit"),
)
"""What the whole of a name may look like, and what it is called here."""


@cache
def compression_name(name: str) -> str:
    """What a compression is called here: `2.51-bit` and `dynamic-2.51bit` are `dynamic-2.51`, a name unknown stays as it is.

    The paper's `-` is the model itself, its `Distillation` the distilled model itself, and what it calls sparse was pruned
    by SparseGPT.
    """
    plain = name.strip().lower().replace("_", "-")
    for pattern, ours in _SPELLINGS:
        if match := pattern.fullmatch(plain):
            return match.expand(ours)
    return name


@cache
def plain_model(name: str) -> str:
    """One spelling: `deepseek-ai/DeepSeek-R1-Distill-Llama-8B` and `R1-Distill-Llama-8B` are one model."""
    plain = re.sub(r"[^a-z0-9.]", "", name.rsplit("/", 1)[-1].lower())
    return plain if plain == "deepseekr1" else plain.removeprefix("deepseek")


@cache
def plain_compression(name: str) -> str:
    """`compression_name` without case and signs, to compare names by; `@c4` is what a name without a text means.

    Any other text to calibrate on makes another compression, which no printed row has.
    """
    steps, at, text = name.partition("@")
    plain = re.sub(r"[^a-z0-9.]", "", compression_name(steps).lower())
    return plain if not at or text.lower() == "c4" else f"{plain}@{text.lower()}"
