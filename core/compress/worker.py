"""The child process of a compression job: `python -m core.compress.worker --model PATH ... --out-dir DIR`.

It writes JSON lines on stdout: `progress` (done, total, message), and at the end `artifact` (path and facts) with exit
code 0 or `failed` (kind, message, remedy) with exit code 1. When stdin closes it clears away half-made files, but for
those that a later try can go on with, and ends; after the word `cancel` it removes these too. Every step is logged on
stderr.

With `--stay` it does not end after an artifact: each further line of stdin is a job, its arguments as a JSON list. So the
libraries are imported, and llama.cpp's tables computed, once for many variants.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO, get_args

from core.compress.artifacts import DiskFull
from core.compress.calibration import uses_hub
from core.compress.make import Workshop
from core.compress.prune.heap import keep_freed_memory, return_freed_memory
from core.compress.recipes import parse
from core.engines.host.process import leave, take_pipes
from core.errors import NO_ROOM, CompressionError, DataError, LrmError, ModelError, UsageError
from core.spec import Format

_KINDS: tuple[tuple[type[LrmError], str], ...] = (
    (UsageError, "usage"),
    (ModelError, "model"),
    (DataError, "data"),
    (DiskFull, "disk"),
    (CompressionError, "compression"),
)
CANCEL = b"cancel"
"""What the runner says before it closes stdin if the work is called off for good."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one variant, or with `--stay` as many as are asked for. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="core.compress.worker", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--source", choices=get_args(Format), help="format of the model (default: by looking at it)")
    parser.add_argument("--format", choices=get_args(Format), required=True, help="format of the variant")
    parser.add_argument("--compression", required=True)
    parser.add_argument("--out-dir", type=Path, required=True)
    parser.add_argument("--store", type=Path, help="where traces, texts to calibrate on and a teacher's answers are")
    parser.add_argument("--stay", action="store_true", help="go on with the jobs that stdin names")
    options = parser.parse_args(arguments)
    stdin, stdout = take_pipes()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads crawl where other work shares the cores
    keep_freed_memory()
    orders = _Orders(stdin)
    while _make(options, orders, stdout):
        if not options.stay:
            return 0
        gc.collect()
        return_freed_memory()
        options = parser.parse_args(orders.next())
    return 1


def _make(options: argparse.Namespace, orders: _Orders, stdout: BinaryIO) -> bool:
    """Make one variant and say how that ended. Returns whether it is there."""

    def progress(done: int, total: int, message: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {done}/{total}  {message}", file=sys.stderr, flush=True)
        _say(stdout, "progress", done=done, total=total, message=message)

    workshop = orders.workshop = Workshop(options.model, options.out_dir, progress, options.store)
    try:
        source: Format = options.source or ("hf" if options.model.is_dir() else "gguf")
        recipe = parse(options.compression)
        if not (recipe.calibrated and uses_hub(options.model, recipe.calibration)):
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        artifact = workshop.make(recipe, source, options.format)
    except Exception as error:  # noqa: BLE001 - the end of the line: whatever happened, the runner must learn it
        hopeless = isinstance(error, LrmError) and not isinstance(error, DiskFull)
        workshop.abandon(everything=hopeless)
        _say(stdout, "failed", **_failure(error))
        return False
    _say(stdout, "artifact", path=str(artifact.path), **asdict(artifact.facts))
    return True


class _Orders:
    """What stdin says: further jobs, the word `cancel`, and by its end that this process must end, even amid C code."""

    def __init__(self, stdin: BinaryIO) -> None:
        self.workshop: Workshop | None = None
        self._stdin = stdin
        self._jobs: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def next(self) -> list[str]:
        """Wait for the arguments of the next job."""
        return self._jobs.get()

    def _listen(self) -> None:
        cancelled = False
        for line in self._stdin:
            if line.strip() == CANCEL:
                cancelled = True
            else:
                self._jobs.put(json.loads(line))
        if self.workshop is not None:
            self.workshop.abandon(everything=cancelled)
        leave(1)


def _failure(error: Exception) -> dict[str, str]:
    """What to tell about an exception: kind, message, remedy."""
    for cls, kind in _KINDS:
        if isinstance(error, cls):
            return {"kind": kind, "message": error.message, "remedy": error.remedy}
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return {"kind": "disk", "message": f"The disk is full: {error}", "remedy": "Free some space, then requeue."}
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's, of a GPU
        remedy = "Close other programs, or calibrate on shorter sequences (@c4-128x1024), then requeue."
        return {"kind": "memory", "message": f"Memory ran out. {error}".strip(), "remedy": remedy}
    traceback.print_exception(error)
    return {
        "kind": "compression",
        "message": f"{type(error).__name__}: {error}",
        "remedy": "See the log of the compression job.",
    }


def _say(stdout: BinaryIO, kind: str, /, **content: object) -> None:
    stdout.write((json.dumps({"type": kind, **content}) + "\n").encode())
    stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
