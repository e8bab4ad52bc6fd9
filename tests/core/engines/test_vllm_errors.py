"""The cause of a failure is found in what a library's own processes say, on whichever of their two streams."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
HOST = """
import os, subprocess, sys, time
from core.engines.vllm.errors import Overheard
answer = os.dup(1)
os.dup2(2, 1)  # as in a host, whose stdout belongs to the protocol
words = Overheard()
subprocess.run([sys.executable, "-c", sys.argv[1]])
time.sleep(0.5)
failure = words.failure("It cannot load x", RuntimeError("Engine core initialization failed."))
os.write(answer, f"{failure.kind}|{failure.message}".encode())
"""
LAST = "print('Exception: WorkerProc initialization failed due to an exception', file=sys.stderr)"


@pytest.mark.parametrize(
    ("said", "kind", "cause"),
    [
        ("print('ERROR 11-27 a.SafetensorError: incomplete metadata')", "model", "incomplete metadata"),
        ("print('torch.OutOfMemoryError: CUDA out of memory', file=sys.stderr)", "memory", "CUDA out of memory"),
        ("print('RuntimeError: no such device')", "engine", "no such device"),
        (
            """print("AttributeError: '_OpNamespace' '_C' object has no attribute 'cpu_gemm_wna16'")""",
            "model",
            "it has no kernel cpu_gemm_wna16 for this processor",
        ),
        ("pass", "engine", "Engine core initialization failed"),
    ],
)
def test_the_cause_is_told_and_not_its_consequences(said: str, kind: str, cause: str) -> None:
    child = f"import sys; {said}; sys.stdout.flush(); {LAST}"
    command = [sys.executable, "-c", HOST, child]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith(f"{kind}|It cannot load x: ") and cause in done.stdout
    assert "WorkerProc initialization failed" in done.stderr  # the log has all of it
