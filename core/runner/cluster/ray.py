"""Connecting to a Ray cluster: for relays, for the process of the local cluster, and for `doctor` (as a command)."""

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
NO_TELEMETRY = {"RAY_USAGE_STATS_ENABLED": "0"}
"""Environment of every process that imports Ray: it sends no usage statistics."""


def check_installed() -> None:
    """Raise UsageError where Ray is not installed."""
    if find_spec("ray") is None:
        raise UsageError("The executor is ray, and Ray is not installed.", INSTALL)


def loopback_environment(token_file: Path) -> dict[str, str]:
    """The environment of a cluster on this machine alone: it listens on loopback only and requires the token of `token_file`.

    The file is created with a random token if it does not exist.
    """
    if not token_file.exists():
        private_folder(token_file.parent)
        with open_private(token_file, append=False) as file:
            file.write(secrets.token_hex(32).encode())
    # Ray binds to loopback where it supports no clusters (Windows, macOS); this variable makes it do so on any system.
    loopback_only = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    return {**loopback_only, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file)}


def connect(address: str) -> ModuleType:
    """The module `ray`, connected to the cluster.

    Raises UsageError where a retry cannot help (no Ray, wrong address or token), EngineError where nothing answers yet.
    """
    check_installed()
    os.environ |= NO_TELEMETRY
    if "://" in address:
        raise UsageError(
            f"{address} is an address of Ray's client, through which an engine would be lost with every broken line.",
            "Make this machine a node of the cluster (`ray start --address=HOST:PORT`), and set ray_address to auto.",
        )
    if address != AUTO:
        _check_port(address)
    import ray
    from ray.exceptions import AuthenticationError

    remedy = f"See `ray status`, and the setting ray_address ({address})."
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except AuthenticationError as error:
        remedy = "Set RAY_AUTH_MODE=token and the cluster's token for the runner too; see docs/cluster.md."
        raise UsageError(f"Ray at {address} refuses us: {first_line(error)}", remedy) from error
    except ConnectionError as error:
        raise EngineError(f"No Ray answers at {address}: {first_line(error)}", remedy) from error
    except Exception as error:
        raise UsageError(f"Ray at {address} cannot be used: {first_line(error)}", remedy) from error
    return ray  # type: ignore[no-any-return]


def _check_port(address: str) -> None:
    """Raise EngineError where nothing listens, which Ray itself reports much later, and UsageError for a malformed address."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"{address!r} is no address of a Ray cluster.", 'Write HOST:PORT, "auto", or nothing.')
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except OSError as error:
        raise EngineError(
            f"No Ray answers at {address}: {error}", "Start it (`ray start --head`), or correct ray_address."
        ) from error


def first_line(error: BaseException) -> str:
    """The first line with text of one of Ray's long messages; the error's type where there is none."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def reason(error: BaseException) -> str:
    """The line of Ray's report that says why an actor died."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "because" in line), first_line(error))[:300]


def main() -> int:
    """`python -m core.runner.cluster.ray ADDRESS`: print the cluster's resources, or the error, as one JSON line."""
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
