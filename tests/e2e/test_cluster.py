"""Runs on a real Ray cluster of two nodes on this machine: nodes, actors and relays that die, and no room."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.cli.doctor.checks import executor
from core.engines.host import wire
from core.jobs import queue
from core.runner.child import Child
from core.runner.cluster.relay import Order
from core.runner.processes import marked, owner
from core.spec import RunSpec
from core.store.connection import connect, runner_lock
from tests.e2e.kill import check, finished, stored
from tests.helpers.runs import ended, notices, queued, spec
from tests.helpers.waiting import until
from tests.speed.load import record

pytest.importorskip("ray", reason="Ray is an optional extra: pip install 'lrm-tui[ray]'")

from tests.helpers.ray_cluster import RayCluster, ray_cluster

QUESTIONS = 24
TOKENS = 400


@pytest.fixture(scope="module")
def started() -> Iterator[RayCluster]:
    """One cluster for the tests of this module, with one processor on its first node."""
    with ray_cluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(started: RayCluster, monkeypatch: pytest.MonkeyPatch) -> RayCluster:
    """The cluster, set as the executor."""
    for name, value in started.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LRM_EXECUTOR", "ray")
    monkeypatch.setenv("LRM_RAY_ADDRESS", started.address)
    monkeypatch.setenv("LRM_REPLAY_ANY", "1")
    monkeypatch.setenv("LRM_REPLAY_TOKENS_PER_SECOND", "300")
    monkeypatch.setenv("LRM_REPLAY_SLOTS", "4")
    return started


@pytest.fixture
def replayed(tmp_path: Path) -> RunSpec:
    """A run of some seconds that takes no processor to speak of."""
    record(tmp_path / "recorded.db", TOKENS)
    return spec(f"replay:{tmp_path / 'recorded.db'}", limit=QUESTIONS, max_tokens=TOKENS)


def hosts(path: Path) -> list[psutil.Process]:
    """The engines of a store that are at work on the cluster's nodes, not the relays that stand for them."""
    found = []
    for pid in marked(owner(runner_lock(path))):
        try:
            process = psutil.Process(pid)
            if any(part.endswith("host.py") for part in process.cmdline()[:4]):
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def message(store: sqlite3.Connection, job: int) -> str:
    return str(store.execute("SELECT message FROM jobs WHERE id = ?", (job,)).fetchone()[0])


def written(store: sqlite3.Connection) -> list[int]:
    """The stored tokens of each response under way."""
    return [tokens for (tokens,) in store.execute("SELECT sum(length(token_ids)) / 4 FROM chunks GROUP BY response_id")]


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def whole(store: sqlite3.Connection, job: int, questions: int = QUESTIONS) -> None:
    """The run is done, and every response is there as long as it was recorded."""
    row = ended(store, job)
    assert row["state"] == "done", row["error"]
    rows = store.execute(
        "SELECT length(t.token_ids) / 4 FROM responses r JOIN response_texts t ON t.response_id = r.id WHERE r.job_id = ?",
        (job,),
    ).fetchall()
    assert [length for (length,) in rows] == [TOKENS] * questions


def test_a_node_is_lost_in_the_middle_of_a_run(
    cluster: RayCluster, replayed: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRM_REPLAY_TOKENS_PER_SECOND", "100")  # so that none of the eight ends before the node is lost
    node = cluster.add(cpus=1)
    with queued(tmp_path, replace(replayed, replicas=2)) as (store, (job,)):
        until(lambda: len(written(store)) == 8 and max(written(store)) < 0.75 * TOKENS, 60)
        engines = hosts(tmp_path / "runs.db")
        assert len(engines) == 2
        before, begun = finished(store), stored(store)
        cluster.kill(node)
        until(lambda: "waits for room on the cluster: it needs 1 CPU on one machine" in message(store, job), 60)
        assert len(hosts(tmp_path / "runs.db")) == 1 and ended(store, job)["message"] == ""
        check(store, before, begun)
        whole(store, job)
        assert "died and is started again" in notices(store)
        assert store.execute("SELECT count(*) FROM responses WHERE resumed_at > 0").fetchone()[0] >= 4
    assert gone(engines)


@pytest.mark.long
def test_actors_and_relays_are_killed(cluster: RayCluster, replayed: RunSpec, tmp_path: Path) -> None:
    with queued(tmp_path, replayed) as (store, (job,)):
        until(lambda: len(written(store)) >= 4, 60)
        (engine,) = hosts(tmp_path / "runs.db")
        before, begun = finished(store), stored(store)
        actor = engine.parent()
        assert actor is not None and actor.name().startswith("ray::Actor")
        actor.send_signal(signal.SIGKILL)
        until(lambda: gone([engine]), 10)
        until(lambda: notices(store), 30)
        check(store, before, begun)
        until(lambda: hosts(tmp_path / "runs.db"), 30)
        relay = until(lambda: store.execute("SELECT pid FROM hosts").fetchone())[0]
        (second,) = hosts(tmp_path / "runs.db")
        second.send_signal(signal.SIGSTOP)  # it hangs, and does not see that its stdin has ended
        os.kill(relay, signal.SIGKILL)
        until(lambda: gone([second]), 30)
        whole(store, job)
        assert len(finished(store)) == QUESTIONS


@pytest.mark.long
def test_a_full_cluster_is_waited_for_in_the_order_of_the_queue(cluster: RayCluster, replayed: RunSpec, tmp_path: Path) -> None:
    short = replace(replayed, limit=4)
    with queued(tmp_path, replace(replayed, limit=200), short, replace(short, gpus=16)) as (store, (first, second, greedy)):
        until(lambda: "it needs 1 CPU on one machine; free: 0 of 1 CPUs" in message(store, second), 60)
        until(lambda: message(store, greedy) == "waits for room on the cluster, behind another job", 60)
        assert store.execute("SELECT state FROM jobs WHERE id = ?", (greedy,)).fetchone()[0] == "queued"
        assert store.execute("SELECT count(*) FROM responses WHERE job_id = ?", (second,)).fetchone()[0] == 0
        node = cluster.add(cpus=1)
        whole(store, second, 4)
        until(lambda: "No machine of it has that many" in message(store, greedy), 60)
        assert "it needs 16 GPUs and 1 CPU on one machine; free: 0 of 0 GPUs" in message(store, greedy)
        assert store.execute("SELECT state FROM jobs WHERE id = ?", (first,)).fetchone()[0] == "running"
        writer = connect(tmp_path / "runs.db", "user")
        for job in (first, greedy):
            queue.cancel(writer, job)
        writer.close()
        until(lambda: store.execute("SELECT count(*) FROM jobs WHERE state = 'cancelled'").fetchone()[0] == 2, 60)
        assert not notices(store)
    assert not marked(owner(runner_lock(tmp_path / "runs.db")))
    cluster.kill(node)


@pytest.mark.long
def test_a_waiting_run_takes_over_the_engine_of_its_variant(cluster: RayCluster, replayed: RunSpec, tmp_path: Path) -> None:
    with queued(tmp_path, replace(replayed, limit=40), replace(replayed, limit=4)) as (store, (first, second)):
        until(lambda: "it needs 1 CPU on one machine" in message(store, second), 60)
        (engine,) = hosts(tmp_path / "runs.db")
        whole(store, first, 40)
        whole(store, second, 4)
        assert hosts(tmp_path / "runs.db") == [engine]


SHOW = "import json, os, sys; print(json.dumps(dict(os.environ)), flush=True); sys.stdin.read()"


def relay(cluster: RayCluster, **ordered: Any) -> list[str]:
    """The command of a relay whose process shows its environment."""
    fields: dict[str, Any] = {
        "cpus": 0,
        "gpus": None,
        "span": 0,
        "local_only": False,
        "files": (),
        "environment": {},
        **ordered,
    }
    order = Order(cluster.address, **fields).text()
    return [sys.executable, "-m", "core.runner.cluster.relay", order, sys.executable, "-c", SHOW]


def started_with(cluster: RayCluster, log: Path, **ordered: Any) -> tuple[dict[str, str], list[str]]:
    """The environment of a process that a relay has Ray start, and what it was told while it waited."""
    child: Child[dict[str, str]] = Child(relay(cluster, **ordered), json.loads, log, cluster.environment, "test.1")
    said: list[str] = []
    try:
        while True:
            for message in child.receive(60):
                assert message is not None, child.obituary()
                assert message.get("type") != "failed", message
                if "type" not in message:
                    return message, said
                said.append(message["message"])
    finally:
        child.close()


def test_ray_decides_which_gpus_a_process_sees(cluster: RayCluster, tmp_path: Path) -> None:
    """The GPUs are numbers that the nodes were started with; nothing computes on them."""
    nodes = [cluster.add(cpus=1, gpus=2), cluster.add(cpus=1, gpus=2)]
    try:
        one, _ = started_with(cluster, tmp_path / "log")
        assert one["CUDA_VISIBLE_DEVICES"] in ("0", "1"), "one, since there are any"
        two, _ = started_with(cluster, tmp_path / "log", gpus=2)
        assert two["CUDA_VISIBLE_DEVICES"] == "0,1"
        none, _ = started_with(cluster, tmp_path / "log", gpus=0)
        assert none["CUDA_VISIBLE_DEVICES"] == ""
        here, _ = started_with(cluster, tmp_path / "log", local_only=True)
        assert here["CUDA_VISIBLE_DEVICES"] == "", "this node has none"
        wide, said = started_with(cluster, tmp_path / "log", gpus=0, span=4)
        assert "CUDA_VISIBLE_DEVICES" not in wide and wide["RAY_ADDRESS"] == cluster.address and said[-1] == ""
    finally:
        for node in nodes:
            cluster.kill(node)


def test_a_file_that_a_machine_lacks_is_named(cluster: RayCluster, tmp_path: Path) -> None:
    model = str(tmp_path / "model.gguf")
    child = Child(
        relay(cluster, gpus=0, local_only=True, files=(sys.executable, model)),
        wire.decode,
        tmp_path / "log",
        cluster.environment,
        "test.1",
    )
    failed = until(lambda: next((said for said in child.receive(1.0) if isinstance(said, wire.Failed)), None), 60)
    child.close()
    assert failed.kind == "model" and f"has no {model}." in failed.message
    assert "variants_folder" in failed.remedy


def test_doctor_reaches_the_cluster(cluster: RayCluster) -> None:
    found = executor()
    assert found.ok and found.detail.endswith(f"at {cluster.address}: 1 machines, 0 GPUs, 1 CPUs")


def test_a_cluster_of_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compression and run of the embedded model; nothing listens outside; a killed runner leaves nothing, and goes on."""
    monkeypatch.setenv("LRM_EXECUTOR", "ray")
    path = tmp_path / "runs.db"
    with queued(tmp_path, spec(limit=8, max_tokens=300)) as (store, (job,)):
        until(lambda: stored(store), 120)
        ours = [psutil.Process(pid) for pid in marked(owner(runner_lock(path)))]
        assert any("raylet" in process.name() for process in ours)
        ports = [c.laddr.ip for p in ours for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN]
        assert ports and all(ip.removeprefix("::ffff:").startswith("127.") for ip in ports), ports
        before, begun = finished(store), stored(store)
        os.kill(store.execute("SELECT pid FROM runner").fetchone()[0], signal.SIGKILL)
        until(lambda: gone(ours), 60)
        row = ended(store, job)
        assert row["state"] == "done", row["error"]
        check(store, before, begun)
    assert not marked(owner(runner_lock(path)))
