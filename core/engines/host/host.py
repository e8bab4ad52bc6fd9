"""The child process of an engine: `python -P host.py ENGINE [--probe]`, run by the interpreter that has the engine.

With `--templates` alone it is the child of such a child, which renders chat templates.

This project need not be installed there: the folder above this one is loaded as a package of a neutral name, and no
folder of ours enters `sys.path`, so that none can shadow a package of that environment.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path

PACKAGE = "lrm_engines"


def load_package(folder: Path) -> None:
    """Make `folder` importable as `PACKAGE`, whose modules use relative imports only."""
    spec = importlib.util.spec_from_file_location(PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise ImportError(f"no package in {folder}")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


if __name__ == "__main__":
    load_package(Path(__file__).resolve().parents[1])
    if sys.argv[1:] == ["--templates"]:
        sys.exit(importlib.import_module(f"{PACKAGE}.decode.chat").serve_templates())
    sys.exit(importlib.import_module(f"{PACKAGE}.host.serve").main(sys.argv[1:]))
