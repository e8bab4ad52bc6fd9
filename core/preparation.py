"""One preparation: a child makes a variant's weights (or only looks at them) and reports on lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.child import TRIES, Child, ChildDied
from core.errors import CompressionError, ModelError
from core.store.writes import RunnerStore


def prepare(store: RunnerStore, job: dict[str, Any], out: Path, logs: Path, devices: Mapping[str, str]) -> str:
    """Run the worker to its end, with `devices` in its environment. Returns the state the job ends in.

    Raises ModelError or CompressionError.
    """
    for _ in range(TRIES):
        try:
            return _once(store, job, out, logs, devices)
        except ChildDied as death:
            last = death
            store.notice("warning", f"The worker of job {job['id']} died and is started again.", job=job["id"])
    raise CompressionError(
        f"The worker died {TRIES} times ({last}).",
        "See its log beside the store, then requeue.",
    )


def _once(store: RunnerStore, job: dict[str, Any], out: Path, logs: Path, devices: Mapping[str, str]) -> str:
    command = [
        *(sys.executable, "-P", "-m", "core.compress.worker", "--model", job["source"]),
        *("--format", job["format"], "--compression", job["compression"], "--out-dir", str(out)),
        *("--store", str(store.path)),
    ]
    child: Child[dict[str, Any]] = Child(
        command, json.loads, logs / f"prepare-{job['id']}.log", devices, store.run_id(job["id"])
    )
    try:
        store.host_started(child.process.pid, child.started, job["id"])
        return _follow(store, job, child)
    finally:
        child.close()
        store.host_ended(child.process.pid)


def _follow(store: RunnerStore, job: dict[str, Any], child: Child[dict[str, Any]]) -> str:
    while True:
        for message in child.receive(0.5):
            if message is None:
                raise ChildDied(child.obituary())
            if message.get("type") == "progress":
                total = message.get("total")
                store.progress(job["id"], int(message["done"]), None if total is None else int(total), message["message"])
            elif message.get("type") == "artifact":
                keys = ("path", "sha256", "bytes", "parameters", "bits_per_weight", "sparsity")
                store.variant_ready(job["id"], job["variant_id"], {key: message.get(key) for key in keys})
                return "done"
            elif message.get("type") == "failed":
                kind = ModelError if message.get("kind") == "model" else CompressionError
                raise kind(message["message"], message.get("remedy", ""))
        store.beat()
        stop, wanted = store.wishes(job["id"])
        if wanted == "cancel":
            child.send("cancel\n")
        if stop or wanted:
            return {"cancel": "cancelled", "pause": "paused", None: "queued"}[wanted]
