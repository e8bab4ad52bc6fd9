"""Unpacking a GGUF file from the command line."""

from __future__ import annotations

import subprocess
import sys

BLOCKED = """
import runpy, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("gguf", "torch"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Blocker())
sys.argv = ["unpack", "model.gguf", "folder"]
runpy.run_module("core.compress.gguf.unpack", run_name="__main__")
"""


def test_without_the_extra_it_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.startswith("Unpacking a GGUF file needs torch, gguf, which is not installed. Install it:")
