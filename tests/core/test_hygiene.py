"""What importing core brings along: never the screens, nor their library; and patterns that every Python matches soundly."""

from __future__ import annotations

import importlib
import pkgutil
import re
import re._parser as parser
import subprocess
import sys
from pathlib import Path

import benchmarks

REPOSITORY = Path(__file__).resolve().parents[2]
IMPORT_ALL = """
import importlib, pkgutil, sys
import benchmarks, core
failed = []
for package in (core, benchmarks):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if module.name.endswith("__main__") or module.name.startswith(("core.engines.vllm.",)):
            continue  # the one runs the runner, the others need an environment of their own
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed.append(f"{module.name}: {error}")
print(failed, sorted(name for name in sys.modules if name.partition(".")[0] in ("textual", "tui")))
"""


def test_core_imports_no_screen() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "[] []", done.stdout + done.stderr


def test_no_pattern_of_a_grader_is_possessive_or_atomic() -> None:
    """Those of CPython 3.11 can end a match with SystemError, which would fail a whole run."""
    names = [module.name for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")]
    patterns = [
        (f"{name}.{place}", value)
        for name in names
        for place, value in vars(importlib.import_module(name)).items()
        if isinstance(value, re.Pattern)
    ]
    assert len(patterns) > 30
    for place, pattern in patterns:
        parsed = str(parser.parse(pattern.pattern, pattern.flags))
        assert "POSSESSIVE" not in parsed and "ATOMIC" not in parsed, place
