"""Throughput of one run on one engine and on two: `python -m tests.speed.replicas [--executor ray] [--engine llama.cpp]`.

With the engine "replay" the pace is the clock's, so that cores do not matter: what is measured is whether runner, pipes and,
with ray, the cluster keep two engines busy. With llama.cpp each engine has as many threads as --threads says. Printed: tokens a
second from the first response's start to the last one's end, and the ratio.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from core.jobs import queue
from core.runner.client import ensure_runner, stop_runner
from core.spec import RunSpec, Sampling
from core.store.connection import connect
from tests.speed.load import BENCHMARK, record

PACE = """
SELECT sum(length(t.token_ids)) / 4, max(r.finished) - min(r.started), count(*)
FROM responses r JOIN response_texts t ON t.response_id = r.id WHERE r.job_id = ? AND r.state = 'done'
"""


def pace(path: Path, spec: RunSpec) -> float:
    """Tokens a second of one run."""
    writer = connect(path, "user")
    (job,) = queue.add(writer, [spec])
    ensure_runner(path)
    while (row := writer.execute("SELECT state, error FROM jobs WHERE id = ?", (job,)).fetchone())[0] not in ("done", "failed"):
        time.sleep(0.2)
    assert row[0] == "done", row[1]
    tokens, seconds, count = writer.execute(PACE, (job,)).fetchone()
    writer.close()
    print(
        f"{spec.replicas} engine{'s' * (spec.replicas > 1)}: {tokens / seconds:,.0f} tokens/s ({count} responses in {seconds:.1f} s)"
    )
    return float(tokens / seconds)


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--executor", choices=("local", "ray"), default="local")
    parser.add_argument("--engine", choices=("replay", "llama.cpp"), default="replay")
    parser.add_argument("--model", default="pocket", help="for llama.cpp")
    parser.add_argument("--threads", type=int, default=1, help="of each llama.cpp")
    parser.add_argument("--questions", type=int, default=192)
    parser.add_argument("--tokens", type=int, default=500)
    parser.add_argument("--rate", type=float, default=200.0, help="tokens a second of each replayed response")
    given = parser.parse_args()
    os.environ |= {
        "LRM_EXECUTOR": given.executor, "LRM_REPLAY_ANY": "1", "LRM_REPLAY_TOKENS_PER_SECOND": str(given.rate),
        "LRM_LLAMA_CPP_THREADS": str(given.threads),
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "runs.db"
        model = given.model
        if given.engine == "replay":
            record(Path(name) / "recorded.db", given.tokens)
            model = f"replay:{Path(name) / 'recorded.db'}"
        sampling = Sampling(max_tokens=given.tokens)
        try:
            paces = [
                pace(path, RunSpec(model, "none", BENCHMARK, given.engine, sampling, limit=given.questions, replicas=count))
                for count in (1, 2)
            ]
        finally:
            stop_runner(path)
    print(f"two engines against one, {given.engine} on {given.executor}: {paces[1] / paces[0]:.2f}")


if __name__ == "__main__":
    main()
