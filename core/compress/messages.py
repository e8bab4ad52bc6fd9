"""The JSON lines that a compression worker writes to its stdout, and the word that it reads from its stdin."""

from __future__ import annotations

import json
from typing import Literal, NotRequired, TypedDict, cast

FailureKind = Literal["usage", "model", "data", "disk", "memory", "compression", "engine", "lost"]
"""Why a job failed. On a cluster: `engine`, no allocation could be made; `lost`, the allocation ended under the worker."""
CANCEL = b"cancel"
"""What the runner writes to stdin, before it closes it, if the job is cancelled for good."""


class Progress(TypedDict):
    """How far the job is: `done` of `total`, and a message for people."""

    type: Literal["progress"]
    done: int
    total: int
    message: str


class Waiting(TypedDict):
    """What an allocation waits for before the worker can start; empty once it waits no more."""

    type: Literal["waiting"]
    message: str


class Made(TypedDict):
    """The end of a job that succeeded: the artifact's path and its facts (see `core.compress.facts.Facts`).

    Stamp and hash (see `core.files.content`) are given for the artifact's files and for those of the model it was made from.
    """

    type: Literal["artifact"]
    path: str
    stamp: str
    sha256: str
    model_stamp: str
    model_sha256: str
    bytes: int
    parameters: int
    bits_per_weight: float
    sparsity: float | None


class Failed(TypedDict):
    """The end of a job that failed: what happened, and what to do next."""

    type: Literal["failed"]
    kind: FailureKind
    message: str
    remedy: NotRequired[str]


Message = Progress | Waiting | Made | Failed


def encode(message: Message) -> bytes:
    """One line for stdout."""
    return (json.dumps(message) + "\n").encode()


def decode(line: str) -> Message:
    """The message of a worker's line. Raises ValueError where it is none."""
    message = json.loads(line)
    if not isinstance(message, dict) or message.get("type") not in ("progress", "waiting", "artifact", "failed"):
        raise ValueError(f"no message of a worker: {line[:200]!r}")
    return cast(Message, message)
