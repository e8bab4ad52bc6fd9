"""One preparation: a child makes a variant's weights (or only looks at them) and reports on lines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from core.child import TRIES, Child, ChildDied
from core.compress.recipes import parse
from core.errors import CompressionError, ModelError
from core.places import Place
from core.settings import load
from core.store.writes import RunnerStore


def prepare(store: RunnerStore, job: dict[str, Any], out: Path, logs: Path, place: Place) -> str:
    """Run the worker to its end in its place. Returns the state the job ends in.

    Raises ModelError, CompressionError, or EngineError where no place can be had.
    """
    for _ in range(TRIES):
        try:
            return _once(store, job, out, logs, place)
        except ChildDied as death:
            last = death
            store.notice("warning", f"The worker of job {job['id']} died and is started again.", job=job["id"])
    raise CompressionError(
        f"The worker died {TRIES} times ({last}).",
        "See its log beside the store, then requeue.",
    )


def _once(store: RunnerStore, job: dict[str, Any], out: Path, logs: Path, place: Place) -> str:
    command = [
        *(sys.executable, "-P", "-m", "core.compress.worker", "--model", job["source"]),
        *("--format", job["format"], "--compression", job["compression"], "--out-dir", str(out)),
        *("--store", str(store.path)),
    ]
    command, environment = place.child(command, {}, (command[0], job["source"]), here=_here(job))
    child: Child[dict[str, Any]] = Child(
        command, _message, logs / f"prepare-{job['id']}.log", environment, store.run_id(job["id"])
    )
    try:
        store.host_started(child.process.pid, child.started, job["id"])
        return _follow(store, job, child, place)
    finally:
        child.close()
        store.host_ended(child.process.pid)


def variants(folder: Path) -> Path:
    """Where the weights of variants are made: in the folder that is set, else in a store's work folder."""
    shared = load().general.variants_folder
    return Path(shared).expanduser() if shared else folder / "variants"


def _here(job: dict[str, Any]) -> bool:
    """Whether the store's machine alone has what the worker reads or writes: variants beside the store, or the store itself.

    SQLite's log is shared by memory, so that a store can be read on its own machine only.
    """
    recipe = parse(job["compression"])
    text = recipe.calibration.source if recipe.calibration else ""
    reads_store = recipe.distillation is not None or text == "traces" or text.startswith("text-")
    return reads_store or not load().general.variants_folder


def _message(line: str) -> dict[str, Any]:
    """A worker's line. Raises ValueError where it is none."""
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError(f"no message of a worker: {line[:200]!r}")
    return found


def _follow(store: RunnerStore, job: dict[str, Any], child: Child[dict[str, Any]], place: Place) -> str:
    while True:
        for message in child.receive(0.5):
            if message is None:
                raise ChildDied(child.obituary())
            if message.get("type") == "waiting":
                place.waits = bool(message["message"])
                store.say(job["id"], message["message"])
            elif message.get("type") == "progress":
                total = message.get("total")
                store.progress(job["id"], int(message["done"]), None if total is None else int(total), message["message"])
            elif message.get("type") == "artifact":
                keys = ("path", "sha256", "bytes", "parameters", "bits_per_weight", "sparsity")
                store.variant_ready(job["id"], job["variant_id"], {key: message.get(key) for key in keys})
                return "done"
            elif message.get("kind") == "lost":
                raise ChildDied(message["message"])
            elif message.get("type") == "failed":
                kind = ModelError if message.get("kind") == "model" else CompressionError
                raise kind(message["message"], message.get("remedy", ""))
        store.beat()
        stop, wanted = store.wishes(job["id"])
        if wanted == "cancel":
            child.send("cancel\n")
        if stop or wanted:
            return {"cancel": "cancelled", "pause": "paused", None: "queued"}[wanted]
