"""Connecting to Ray, for the processes that do: relays, the local cluster's own, and doctor's look."""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from core.errors import EngineError, UsageError
from core.files.private import open_private, private_folder

AUTO = "auto"
CONNECT_S = 5.0
INSTALL = "Install it: pip install 'lrm-tui[ray]' (all machines of a cluster need the same version of Ray and of Python)."
QUIET = {"RAY_USAGE_STATS_ENABLED": "0"}
"""The environment of every process of ours that imports Ray: it tells nobody of its use."""


def check_installed() -> None:
    """Raise UsageError where Ray is not installed."""
    if find_spec("ray") is None:
        raise UsageError("The executor is ray, and Ray is not installed.", INSTALL)


def loopback(token_file: Path) -> dict[str, str]:
    """The environment of a cluster of this machine alone: nothing listens outside, and its doors ask for a token of its own.

    The token is made where there is none.
    """
    if not token_file.exists():
        private_folder(token_file.parent)
        with open_private(token_file, append=False) as file:
            file.write(secrets.token_hex(32).encode())
    # Ray listens at loopback alone on systems on which it forms no clusters, and this variable makes any system one of them.
    bound = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    return {**bound, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file)}


def connect(address: str) -> ModuleType:
    """The module `ray`, connected. Raises UsageError for what cannot work, EngineError where nobody answers (yet)."""
    check_installed()
    os.environ |= QUIET
    if "://" in address:
        raise UsageError(
            f"{address} is an address of Ray's client, through which an engine would be lost with every broken line.",
            "Make this machine a node of the cluster (`ray start --address=HOST:PORT`), and set ray_address to auto.",
        )
    if address != AUTO:
        _answers(address)
    import ray
    from ray.exceptions import AuthenticationError

    remedy = f"See `ray status`, and the setting ray_address ({address})."
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except AuthenticationError as error:
        remedy = "Set RAY_AUTH_MODE=token and the cluster's token for the runner too; see docs/cluster.md."
        raise UsageError(f"Ray at {address} refuses us: {sentence(error)}", remedy) from error
    except ConnectionError as error:
        raise EngineError(f"No Ray answers at {address}: {sentence(error)}", remedy) from error
    except Exception as error:
        raise UsageError(f"Ray at {address} cannot be used: {sentence(error)}", remedy) from error
    return ray  # type: ignore[no-any-return]


def _answers(address: str) -> None:
    """Raise EngineError where nobody listens, which Ray would find out much later."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"{address!r} is no address of a Ray cluster.", 'Write HOST:PORT, "auto", or nothing.')
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except OSError as error:
        raise EngineError(
            f"No Ray answers at {address}: {error}", "Start it (`ray start --head`), or correct ray_address."
        ) from error


def sentence(error: BaseException) -> str:
    """The first line that says something of one of Ray's long messages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def reason(error: BaseException) -> str:
    """Why an actor has died, out of Ray's report of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "because" in line), sentence(error))[:300]


def main() -> int:
    """Print what a cluster has as one JSON line, or what is wrong with it: `python -m core.runner.cluster.ray ADDRESS`."""
    try:
        ray = connect(sys.argv[1])
    except (UsageError, EngineError) as error:
        print(json.dumps({"error": error.message, "remedy": error.remedy}))
        return 1
    total = ray.cluster_resources()
    nodes = sum(node["Alive"] for node in ray.nodes())
    print(json.dumps({"nodes": nodes, "gpus": total.get("GPU", 0), "cpus": total.get("CPU", 0), "version": ray.__version__}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
