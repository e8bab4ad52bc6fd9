"""A Ray cluster of this machine alone, for the runner that starts it: it says its address, and ends when its stdin does.

`python -m core.runner.cluster.local`: nothing of it can be reached from outside, and nothing of it stays.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile

from core.engines.host.process import take_pipes
from core.runner.cluster.ray import QUIET, sentence

STORE_BYTES = 80 * 2**20  # Ray's least; lines between runner and engines do not go through it


def main() -> int:
    """Start it and wait. Returns the exit status."""
    stdin, stdout = take_pipes()
    os.environ |= QUIET
    import ray

    folder = tempfile.mkdtemp(prefix="lrm-ray-", dir="/tmp")  # a short path: Ray's sockets lie there
    try:
        context = ray.init(
            include_dashboard=False,
            object_store_memory=STORE_BYTES,
            log_to_driver=False,
            logging_level="ERROR",
            _temp_dir=folder,
        )
        stdout.write(json.dumps({"address": context.address_info["gcs_address"]}).encode() + b"\n")
        stdout.flush()
        while os.read(stdin.fileno(), 4096):
            pass
    except Exception as error:  # noqa: BLE001 - Ray raises anything; the runner tells the user
        print(f"Ray does not start: {sentence(error)}", file=sys.stderr)
        return 1
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
