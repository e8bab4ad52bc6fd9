"""SparseGPT by llm-compressor, on token ids from a file: `python llm_compressor.py MODEL TOKENS PERCENT OUT THREADS DTYPE`.

Runs in an environment of its own (`make llmcompressor`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.pruning import SparseGPTModifier
from transformers import AutoModelForCausalLM, AutoTokenizer


def main(model: str, tokens: str, percent: str, out: str, threads: str, dtype: str) -> None:
    """Prune every linear layer but the head, with llm-compressor's defaults."""
    torch.set_num_threads(int(threads))
    rows = json.loads(Path(tokens).read_text())
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    oneshot(
        model=loaded,
        tokenizer=AutoTokenizer.from_pretrained(model),
        dataset=Dataset.from_dict({"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows]}),
        recipe=SparseGPTModifier(sparsity=int(percent) / 100, mask_structure="0:0", ignore=["re:.*lm_head"]),
        num_calibration_samples=len(rows),
        max_seq_length=max(map(len, rows)),
        shuffle_calibration_samples=False,
    )
    loaded.save_pretrained(out, save_compressed=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
