"""Which runs of an older store may have had other weights than their row says: told from what the store and the disk know."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from sqlite_utils import Database

from core.errors import ModelError
from core.files.content import model_files
from core.files.content import sha256 as hash_of

HASHED_BYTES = 2**30
"""Models of up to so many bytes are hashed when a store is brought up to date, larger ones take too long."""


def mark_doubtful(db: Database) -> None:
    """Mark the runs of every model whose source is known to have changed, and give the other models their hash."""
    for (model,) in db.execute("SELECT id FROM models WHERE format IN ('hf', 'gguf')").fetchall():
        if len(hashes := _hashes_of_sources(db, model)) > 1:
            _mark(db, model, "its compressed variants were made from different weights")
        elif hashes:
            db.execute("UPDATE models SET sha256 = ? WHERE id = ?", (*hashes, model))
    for model, *measured in db.execute(_MEASURED).fetchall():
        if doubt := _doubt(*measured):
            _mark(db, model, doubt)


def _mark(db: Database, model: int, doubt: str) -> None:
    db.execute(
        "UPDATE jobs SET doubt = ? WHERE kind = 'run' AND engine <> 'imported' AND variant_id IN "
        "(SELECT v.id FROM variants v JOIN artifacts a ON a.id = v.artifact_id WHERE a.model_id = ?)",
        (doubt, model),
    )


def _hashes_of_sources(db: Database, model: int) -> set[str]:
    """The hashes of the weights that a model's artifacts were made from: its own, and what the records beside them say."""
    hashes = {row[0] for row in db.execute("SELECT sha256 FROM models WHERE id = ? AND sha256 IS NOT NULL", (model,))}
    for (path,) in db.execute("SELECT path FROM artifacts WHERE model_id = ? AND path IS NOT NULL", (model,)).fetchall():
        with suppress(OSError, ValueError, KeyError, TypeError):
            hashes.add(str(json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))["model_sha256"]))
    return hashes


def _doubt(source: str, read: str, sha256: str, ready: float) -> str | None:
    """Why it is unknown which weights the runs of a model had: it was measured at `read` at the time `ready`."""
    place = Path(source)
    try:
        files = model_files(place)
        status = [file.stat() for file in files]
        same = sum(one.st_size for one in status) <= HASHED_BYTES and hash_of(place) == sha256
    except (ModelError, OSError):
        return None if source == read else f"the model was read from {read} before, and from {source} later"
    if same:
        return None
    if source != read:
        return f"the model was read from {read} before, and from {source} later"
    written = max(one.st_mtime for one in status)
    return f"{source} was written after it was measured" if written > ready else None


_MEASURED = """
SELECT m.id, m.source, a.path, a.sha256, a.ready_at FROM models m JOIN artifacts a ON a.model_id = m.id
WHERE a.compression = 'none' AND a.format = m.format AND m.format IN ('hf', 'gguf') AND a.ready_at IS NOT NULL
"""
