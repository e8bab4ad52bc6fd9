"""The child process of a compression job: `python -m core.compress.worker --model PATH ... --out-dir DIR`.

It writes the JSON lines of `core.compress.messages` to stdout: `progress`, and at the end `artifact` with exit code 0 or
`failed` with exit code 1. When stdin closes it removes partial files, except those that a later attempt can resume, and
exits; after the line `cancel` it removes these too. Every step is logged on stderr.

With `--stay` it does not exit after an artifact: each further line of stdin is a job, its arguments as a JSON list. So the
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
from pathlib import Path
from typing import BinaryIO, get_args

from core.compress.artifacts import Artifact, DiskFull
from core.compress.calibration import uses_hub
from core.compress.make import VariantMaker
from core.compress.messages import CANCEL, Failed, FailureKind, Made, Message, Progress, encode
from core.compress.prune.heap import keep_freed_memory, return_freed_memory
from core.compress.recipes import parse
from core.engines.host.process import leave, take_pipes
from core.errors import NO_ROOM, CompressionError, DataError, LrmError, ModelError, UsageError
from core.files.content import stamp
from core.spec import Format

_KINDS: tuple[tuple[type[LrmError], FailureKind], ...] = (
    (UsageError, "usage"),
    (ModelError, "model"),
    (DataError, "data"),
    (DiskFull, "disk"),
    (CompressionError, "compression"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make one variant, or with `--stay` as many as are asked for. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="core.compress.worker", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--source", choices=get_args(Format), help="format of the model (default: by looking at it)")
    parser.add_argument("--format", choices=get_args(Format), required=True, help="format of the variant")
    parser.add_argument("--compression", required=True)
    parser.add_argument("--out-dir", type=Path, required=True)
    parser.add_argument("--store", type=Path, help="where traces, texts to calibrate on and a teacher's answers are")
    parser.add_argument("--stay", action="store_true", help="then do the jobs that stdin names")
    options = parser.parse_args(arguments)
    stdin, stdout = take_pipes()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # spinning threads crawl where other work shares the cores
    keep_freed_memory()
    requests = _Requests(stdin)
    while _make(options, requests, stdout):
        if not options.stay:
            return 0
        gc.collect()
        return_freed_memory()
        options = parser.parse_args(requests.next())
    return 1


def _make(options: argparse.Namespace, requests: _Requests, stdout: BinaryIO) -> bool:
    """Make one variant and send `artifact` or `failed`. Returns whether it was made."""

    def progress(done: int, total: int, message: str) -> None:
        print(f"{time.strftime('%H:%M:%S')}  {done}/{total}  {message}", file=sys.stderr, flush=True)
        _send(stdout, Progress(type="progress", done=done, total=total, message=message))

    maker = requests.maker = VariantMaker(options.model, options.out_dir, progress, options.store)
    try:
        source: Format = options.source or ("hf" if options.model.is_dir() else "gguf")
        recipe = parse(options.compression)
        if not (recipe.calibrated and uses_hub(options.model, recipe.calibration)):
            os.environ.setdefault("HF_HUB_OFFLINE", "1")
        artifact = maker.make(recipe, source, options.format)
    except Exception as error:  # noqa: BLE001 - the outermost frame: the runner must learn of every error
        permanent = isinstance(error, LrmError) and not isinstance(error, DiskFull)
        maker.abandon(everything=permanent)
        _send(stdout, _failure(error))
        return False
    _send(stdout, _made(artifact, maker))
    return True


def _made(artifact: Artifact, maker: VariantMaker) -> Made:
    facts = artifact.facts
    return Made(
        type="artifact",
        path=str(artifact.path),
        stamp=stamp(artifact.path),
        model_stamp=maker.model_stamp,
        model_sha256=maker.model_sha256,
        sha256=facts.sha256,
        bytes=facts.bytes,
        parameters=facts.parameters,
        bits_per_weight=facts.bits_per_weight,
        sparsity=facts.sparsity,
    )


class _Requests:
    """Reads stdin in a thread: further jobs and `cancel`. At its end the process exits, even in the middle of C code."""

    def __init__(self, stdin: BinaryIO) -> None:
        self.maker: VariantMaker | None = None
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
        if self.maker is not None:
            self.maker.abandon(everything=cancelled)
        leave(1)


def _failure(error: Exception) -> Failed:
    """The message about an exception."""
    for cls, kind in _KINDS:
        if isinstance(error, cls):
            return Failed(type="failed", kind=kind, message=error.message, remedy=error.remedy)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return Failed(type="failed", kind="disk", message=f"The disk is full: {error}", remedy="Free some space, then requeue.")
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's, of a GPU
        remedy = "Close other programs, or calibrate on shorter sequences (@c4-128x1024), then requeue."
        return Failed(type="failed", kind="memory", message=f"Memory ran out. {error}".strip(), remedy=remedy)
    traceback.print_exception(error)
    message = f"{type(error).__name__}: {error}"
    return Failed(type="failed", kind="compression", message=message, remedy="See the log of the compression job.")


def _send(stdout: BinaryIO, message: Message) -> None:
    stdout.write(encode(message))
    stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
