"""The memory that transformers takes for a step over a long compressed cache, beyond the cache: `python -m ... TOKENS`.

The heads are R1's, in two layers; prints bytes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from tests.helpers.published import R1

SMALL = {
    "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "q_lora_rank": 16, "vocab_size": 1000,
    "first_k_dense_replace": 2,
}  # fmt: skip


def main() -> None:
    """Fill a cache, then watch the peak of a step."""
    tokens = int(sys.argv[1])
    sizes = R1 | SMALL
    config = AutoConfig.for_model(**{key: value for key, value in sizes.items() if key != "quantization_config"})
    model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    cache = DynamicCache(config=config)
    for layer in range(2):
        latent = (torch.zeros(1, 1, tokens, width, dtype=torch.bfloat16) for width in (512, 64))
        cache.update(*latent, layer)
    resident = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    with torch.inference_mode():
        model(input_ids=torch.zeros((1, 1), dtype=torch.long), cache=cache, use_cache=True)
    print(status("VmHWM") - resident)


def status(key: str) -> int:
    """A figure of the kernel's about this process, in bytes."""
    line = re.search(rf"{key}:\s+(\d+)", Path("/proc/self/status").read_text())
    assert line is not None
    return int(line[1]) * 1024


if __name__ == "__main__":
    main()
