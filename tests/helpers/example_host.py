"""A host like `core/engines/host/host.py` that knows one engine more: the example of the docs."""

import importlib
import importlib.util
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
host = runpy.run_path(str(ROOT / "core" / "engines" / "host" / "host.py"))
package = host["PACKAGE"]
host["load_package"](ROOT / "core" / "engines")
spec = importlib.util.spec_from_file_location(f"{package}.example", ROOT / "docs" / "example_engine.py")
assert spec and spec.loader
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
serve = importlib.import_module(f"{package}.host.serve")
options = importlib.import_module(f"{package}.host.options")
serve.ENGINES["example"] = options.Entry("..example", "Bigrams", "gguf", options.ReplayOptions)
sys.exit(serve.main(sys.argv[1:]))
