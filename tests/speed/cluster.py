"""What the way over Ray costs: `python -m tests.speed.cluster [--seconds 10] [--streams 64]`.

A process on a real cluster of this machine writes lines as a host does, one every 50 ms with new tokens of all its streams;
a relay carries them here. Printed: the time between writing and reading a line (median, 95th percentile), the processor time
of relay, actor and Ray's own processes a message, their memory, and how fast lines come at most; beside it the plain pipe.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median, quantiles

import psutil

from core.engines.host import wire
from core.runner.child import Child
from core.runner.cluster.relay import Order
from tests.helpers.ray_cluster import RayCluster, ray_cluster
from tests.speed.load import words

TALKER = """
import sys, time
body, seconds, pause = sys.stdin.readline().rstrip("\\n"), float(sys.argv[1]), float(sys.argv[2])
end = time.time() + seconds
while time.time() < end:
    sys.stdout.write('{"at": %r, "body": %s}\\n' % (time.time(), body))
    sys.stdout.flush()
    if pause:
        time.sleep(pause)
sys.stdin.read()
"""
TICK_S = 0.05
TOKENS = 4  # of each stream in a tick: 80 tokens/s


def talk(command: Sequence[str], environment: Mapping[str, str], body: str, seconds: float, watched: Sequence[str]) -> None:
    """Start a talker and hear it out."""
    with tempfile.TemporaryDirectory() as name:
        child: Child[dict[str, float]] = Child(command, json.loads, Path(name) / "log", environment, "speed.1")
        child.send(body + "\n")
        while not (first := child.receive(1.0)) or not any("at" in message for message in first if message):
            assert None not in first, child.obituary()
        found: dict[str, list[psutil.Process]] = {word: [] for word in watched}
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                line = " ".join([process.name(), *process.cmdline()[:6]])
                for word in [word for word in watched if word in line]:
                    found[word].append(process)
        before = {word: _used(processes) for word, processes in found.items()}
        delays, count, size, began = [], 0, 0, time.time()
        while time.time() < began + seconds - 1:
            for message in child.receive(0.5):
                if message and "at" in message:
                    delays.append((time.time() - message["at"]) * 1000)
                    count += 1
        passed = time.time() - began
        size = len(body)
        print(
            f"  {count / passed:,.0f} lines/s of {size:,} bytes; delay {median(delays):.1f} ms, 95 % within {quantiles(delays, n=20)[18]:.1f} ms"
        )
        for word, processes in found.items():
            spent = _used(processes) - before[word]
            memory = sum(p.memory_full_info().pss for p in processes) / 2**20
            print(f"  {word}: {spent / count * 1e6:,.0f} microseconds of processor time a line, {memory:.0f} MiB (PSS)")
        child.close()


def loss() -> None:
    """How long it takes until the loss of a machine is noticed, with Ray's own settings."""
    with ray_cluster(soon=False) as cluster, tempfile.TemporaryDirectory() as name:
        for _ in range(3):
            node = cluster.add(cpus=1, gpus=1)
            order = Order(cluster.address, 1.0, 1, 0, False, (), {})
            command, environment = relayed(cluster, [sys.executable, "-S", "-c", TALKER, "600", "0.05"], order)
            child: Child[dict[str, object]] = Child(command, json.loads, Path(name) / "log", environment, "speed.1")
            child.send("{}\n")
            while not any("at" in (message or {}) for message in child.receive(1.0)):
                pass
            cluster.kill(node)
            killed = time.monotonic()
            while not any((message or {}).get("kind") == "lost" for message in child.receive(1.0)):
                pass
            print(f"a machine that is gone was missed after {time.monotonic() - killed:.1f} s")
            child.close()


def _used(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def relayed(cluster: RayCluster, talker: Sequence[str], order: Order) -> tuple[list[str], dict[str, str]]:
    """The command of a relay, and its environment."""
    return [sys.executable, "-P", "-m", "core.runner.cluster.relay", order.text(), *talker], dict(cluster.environment)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--loss", action="store_true", help="only how soon a lost machine is missed")
    given = parser.parse_args()
    if given.loss:
        loss()
        return
    texts = ["".join(words(TOKENS, seed)) for seed in range(given.streams)]
    event = wire.Deltas(tuple(wire.Delta(str(i), text, tuple(range(TOKENS))) for i, text in enumerate(texts)))
    body = wire.encode(event).rstrip("\n")
    with ray_cluster() as cluster:
        for title, pause in (("one line every 50 ms", TICK_S), ("as fast as they come", 0.0)):
            talker = [sys.executable, "-S", "-c", TALKER, str(given.seconds), str(pause)]
            print(f"{title}, {given.streams} streams of {TOKENS} tokens a line:")
            print(" the plain pipe")
            talk(talker, {}, body, given.seconds, ())
            print(" over Ray")
            command, environment = relayed(cluster, talker, Order(cluster.address, 1.0, 0, 0, False, (), {}))
            talk(command, environment, body, given.seconds, ("core.runner.cluster.relay", "ray::Actor", "raylet", "gcs_server"))
    print("load average:", *os.getloadavg())


if __name__ == "__main__":
    main()
