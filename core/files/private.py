"""Files and folders for their owner alone, whatever the umask of whoever starts us."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for its owner alone."""
    for missing in reversed([place for place in (folder, *folder.parents) if not place.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def open_private(file: Path, *, append: bool) -> BinaryIO:
    """Open a file for writing, made for its owner alone; one that is there keeps its mode."""
    how = os.O_APPEND if append else os.O_TRUNC
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | how, 0o600), "ab" if append else "wb")
