"""A real Ray cluster of several nodes on this machine, in a process of its own: `python ray_cluster.py`.

Every line on its stdin is a command, every line on its stdout the answer: `add CPUS GPUS` gives a name, `kill NAME` ends a
node as a power cut would. Nothing listens outside loopback, and all ends with its stdin.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_AUTH_MODE": "token",
}
SOON = {  # a node that is gone is missed
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "3",
}


class RayCluster:
    """The cluster, as a test sees it. `environment` is what whoever connects must have."""

    def __init__(self, process: subprocess.Popen[str], environment: dict[str, str]) -> None:
        self._process = process
        self.environment = environment
        self.address = self._answer()

    def add(self, cpus: int, gpus: int = 0) -> str:
        return self._ask("add", cpus, gpus)

    def kill(self, name: str) -> None:
        self._ask("kill", name)

    def _ask(self, *words: object) -> str:
        assert self._process.stdin is not None
        print(*words, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the cluster has ended"
        return str(json.loads(line))


@contextmanager
def ray_cluster(cpus: int = 1, soon: bool = True) -> Iterator[RayCluster]:
    """A cluster whose first node has so many processors; `soon`: a lost node is missed sooner than by Ray's own settings."""
    environment = {**ENVIRONMENT, **(SOON if soon else {}), "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    process = subprocess.Popen(
        [sys.executable, __file__, str(cpus)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
    )
    try:
        yield RayCluster(process, environment)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def main() -> None:
    """Serve commands."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder = tempfile.mkdtemp(prefix="lrm-ray-", dir="/tmp")
    # Ray notes a cluster's address in a folder that it expects to find, the user's own unless this says otherwise.
    os.environ["RAY_TMPDIR"] = folder
    Path(folder, "ray").mkdir()
    from ray.cluster_utils import Cluster

    least = {"object_store_memory": 80 * 2**20, "include_dashboard": False, "temp_dir": folder}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": int(sys.argv[1]), **least})
    nodes: dict[str, object] = {}
    print(json.dumps(cluster.address), file=answers, flush=True)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "add":
            name = f"node-{len(nodes)}"
            nodes[name] = cluster.add_node(num_cpus=int(words[0]), num_gpus=int(words[1]), **least)
        else:
            name = words[0]
            cluster.remove_node(nodes.pop(name), allow_graceful=False)
        print(json.dumps(name), file=answers, flush=True)
    cluster.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
