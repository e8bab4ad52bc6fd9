"""What is freed stays with the process, or goes back, as it is told."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from core.compress.prune.heap import keep_freed_memory, return_freed_memory
import torch
keep_freed_memory()
before = 0
for turn in range(12):
    if turn == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    pieces = [torch.ones(2**20) for _ in range(8)]  # 32 MiB
    del pieces
    if sys.argv[1] == "given back":
        return_freed_memory()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 10 * 32 * 2**20 // 4096
"""Of 10 turns."""


@pytest.mark.skipif(sys.platform != "linux", reason="the heap of the GNU C library")
def test_freed_memory_is_used_again_or_given_back() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, text=True, check=True).stdout)
        for how in ("kept", "given back")
    }
    assert faults["kept"] < PAGES / 20, faults  # as the C library is set by itself, a tenth
    assert faults["given back"] > PAGES / 2, faults
