"""SparseGPT here beside llm-compressor's, in one run: `python -m tests.speed.prune` (first: make smollm2 llmcompressor).

Both prune SmolLM2-135M to the same sparsity on the same token ids, each from the start of its process to weights on disk,
with as many threads. Then both are measured alike: sparsity of every layer, perplexity on text that neither has seen. The
text is the reference that Python carries in `pydoc_data.topics`; every fifth topic is held out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from core.compress.calibration import adopt, load_tokenizer, text
from core.compress.hf_folder import HfFolder, is_decoder_linear
from core.compress.recipes import Calibration
from tests.speed.public import BUILD, smollm2, texts

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WINDOW = 512


def sparsities(folder: Path) -> list[float]:
    """The share of zeros in each linear layer of the blocks."""
    layers = ((name, tensor) for name, tensor in HfFolder.open(folder).tensors() if is_decoder_linear(name))
    return [float((tensor == 0).float().mean()) for _name, tensor in layers]


@torch.no_grad()  # type: ignore[untyped-decorator]
def perplexity(folder: Path, ids: list[int]) -> float:
    """On token ids, in windows with a context of their own."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    rows = [torch.tensor([ids[at : at + WINDOW]]) for at in range(0, len(ids) - 1, WINDOW)]
    losses = [float(model(row, labels=row).loss) * (row.shape[1] - 1) for row in rows]
    return float(torch.tensor(sum(losses) / sum(row.shape[1] - 1 for row in rows)).exp())


@contextmanager
def measured(name: str, found: dict[str, tuple[float, float]]) -> Iterator[None]:
    """Note seconds on the clock and of the processor, children included."""
    begun, used = time.monotonic(), _used()
    yield
    found[name] = time.monotonic() - begun, _used() - used
    print(f"{name}: {found[name][0]:.1f} s, of the processor {found[name][1]:.1f} s", flush=True)


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True)
class Setting:
    """What both are given: the model, the token ids as a compression name and as a file, and how many threads."""

    model: Path
    work: Path
    percent: int
    compression: str
    environment: dict[str, str]

    def ours(self) -> Path:
        """Prune with the compression job, as the runner starts it."""
        command = [sys.executable, "-P", "-m", "core.compress.worker", "--model", str(self.model), "--format", "hf"]
        command += [
            "--compression",
            self.compression,
            "--out-dir",
            str(self.work / "ours"),
            "--store",
            str(self.work / "runs.db"),
        ]
        lines = self._run(command, "ours.log")
        return Path(json.loads(lines[-1])["path"])

    def theirs(self, interpreter: str, threads: int, dtype: str) -> Path:
        """Prune with llm-compressor in its own environment."""
        out = self.work / "theirs"
        script = str(HERE / "peers" / "llm_compressor.py")
        tokens = str(self.work / "tokens.json")
        options = [str(self.percent), str(out), str(threads), dtype]
        self._run([interpreter, script, str(self.model), tokens, *options], "theirs.log")
        return out

    def _run(self, command: list[str], log: str) -> list[str]:
        with (self.work / log).open("w") as stderr:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": stderr}
            with subprocess.Popen(command, env=self.environment, text=True, **pipes) as process:  # type: ignore[call-overload]
                lines = process.stdout.read().splitlines()
        if process.returncode:
            sys.exit(f"{command[0]} failed, see {self.work / log}: {lines[-1:]}")
        return list(lines)


def prepared(given: argparse.Namespace) -> tuple[Setting, str]:
    """The setting, and the text that is held out."""
    model, (known, held_out) = smollm2(given.build), texts()
    work = given.build / f"prune-{time.strftime('%Y%m%d-%H%M%S')}"
    work.mkdir()
    (work / "known.txt").write_text(known)
    source = adopt(str(work / "known.txt"), work / "runs.db")
    wanted = Calibration(source, given.samples, given.tokens)
    rows = text(HfFolder.open(model), wanted, work / "runs.db").sequences
    (work / "tokens.json").write_text(json.dumps([row.tolist() for row in rows]))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(given.threads))
    environment = {**os.environ, **threads, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return Setting(model, work, given.percent, f"sparsegpt-{given.percent}@{wanted.name}", environment), held_out


def main() -> None:
    """Prune with both, measure both, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--percent", type=int, default=50)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=256, help="of each sample")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--held-out", type=int, default=16384, help="tokens to measure perplexity on")
    parser.add_argument("--peer", default=str(ROOT / ".venv-llmcompressor" / "bin" / "python"), help="its interpreter")
    parser.add_argument(
        "--peer-dtype",
        default="float32",
        help="of its weights and maths: float32, the fastest on a CPU; auto, as they are stored",
    )
    parser.add_argument("--build", type=Path, default=BUILD)
    parser.add_argument("--only-ours", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    setting, held_out = prepared(given)
    seconds: dict[str, tuple[float, float]] = {}
    folders = {"dense": setting.model}
    with measured("lrm-tui", seconds):
        folders["lrm-tui"] = setting.ours()
    if not given.only_ours:
        with measured("llm-compressor", seconds):
            folders["llm-compressor"] = setting.theirs(given.peer, given.threads, given.peer_dtype)
        clock, processor = (seconds["llm-compressor"][i] / seconds["lrm-tui"][i] for i in (0, 1))
        print(f"lrm-tui is {clock:.1f} times faster on the clock, {processor:.1f} times in processor seconds")
    ids = load_tokenizer(setting.model)(held_out).input_ids[: given.held_out]
    for name, folder in folders.items():
        zeros = sparsities(folder)
        said = f"zeros in each of {len(zeros)} layers {100 * min(zeros):.4f} to {100 * max(zeros):.4f} %"
        print(f"{name}: {said}, perplexity {perplexity(folder, ids):.3f}", flush=True)


if __name__ == "__main__":
    main()
