"""Seconds a layer and peak memory of SparseGPT at the widths of real models: `python -m tests.speed.layers 7b` or `70b`.

The weights are random, of true shape and type, and go through `prune_folder` as any model does: read from safetensors one
layer at a time, pruned, written. On a GPU the peak is that of its allocator; else only the process's is told.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import torch

from core.compress.hf_folder import HfFolder
from core.compress.prune.blocks import device
from core.compress.prune.prune import Task, prune_folder
from core.compress.prune.sparsity import Pattern

SHAPES = {"small": (512, 1536, 8, 2), "7b": (4096, 11008, 32, 32), "8b": (4096, 14336, 32, 8), "70b": (8192, 28672, 64, 8)}
"""Width, width of the feed-forward, heads, heads of keys and values."""
VOCABULARY = 1024


def random_model(folder: Path, shape: str, layers: int) -> Path:
    """A Llama of so many layers with random weights in bfloat16, made one tensor at a time where it will be pruned."""
    from safetensors.torch import save_file
    from transformers import LlamaConfig, LlamaForCausalLM

    width, inner, heads, shared = SHAPES[shape]
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=shared,
        architectures=["LlamaForCausalLM"],
    )
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in LlamaForCausalLM(config).state_dict().items()}
    where = device()
    tensors = {
        name: (torch.ones(size) if len(size) == 1 else torch.randn(size, device=where).mul_(0.02)).to("cpu", torch.bfloat16)
        for name, size in shapes.items()
    }
    config.save_pretrained(folder)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def main() -> None:
    """Prune a random model and tell how long each layer took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=2048, help="of each sample")
    parser.add_argument("--sparsity", default="50", help="percent, or n:m")
    given = parser.parse_args()
    keep, _, group = given.sparsity.partition(":")
    pattern = Pattern.of(None, int(keep), int(group)) if group else Pattern.of(int(keep), None, None)
    sequences = list(torch.randint(0, VOCABULARY, (given.samples, given.tokens)))
    with tempfile.TemporaryDirectory() as place:
        source = HfFolder.open(random_model(Path(place) / "model", given.shape, given.layers))
        began = time.perf_counter()

        def tell(_done: int, _total: int, message: str) -> None:
            nonlocal began
            print(f"{message}: {time.perf_counter() - began:.2f} s", flush=True)
            began = time.perf_counter()

        prune_folder(source, Path(place) / "pruned", Task("sparsegpt", pattern, sequences), {"recipe": given.sparsity}, tell)
    if torch.cuda.is_available():
        print(f"peak on {torch.cuda.get_device_name()}: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
    print(f"peak of the process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
