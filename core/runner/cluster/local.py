"""A Ray cluster on this machine alone: it prints its address as a JSON line, and ends when its stdin closes.

The runner starts it as `python -m core.runner.cluster.local`. It listens on loopback only and removes its files at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile

from core.engines.host.process import take_pipes
from core.runner.cluster.ray import NO_TELEMETRY, first_line

STORE_BYTES = 80 * 2**20  # Ray's least; lines between runner and engines do not go through it


def main() -> int:
    """Start the cluster, wait until stdin closes, then end it. Returns the exit status."""
    stdin, stdout = take_pipes()
    os.environ |= NO_TELEMETRY
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
        print(f"Ray does not start: {first_line(error)}", file=sys.stderr)
        return 1
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
