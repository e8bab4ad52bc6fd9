"""Distil the embedded student and train its control: `python -m training.student --teacher DIR --base DIR --out DIR`.

The teacher answers training questions, what its graders find correct is kept, and the base model learns from it. The control
learns from the right answers to the same questions, without reasoning. All of it by the commands that a user has, in a store
of its own in the output folder; called again, it goes on where it stood.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pocket.suite import SUITE, TRAINING
from core.cli.follow import follow
from core.engines.thinking import THINK_END
from core.runner.client import ensure_runner

QUESTIONS: Mapping[str, int] = {
    "pocket-temporal-train": 1000,
    "pocket-logic-train": 3000,
    "pocket-arithmetic-train": 5000,
    "pocket-facts-train": 3000,
}
OPTIONS = ":epochs=4:rate=0.002:batch=16"
LIMIT = 200
TOKENS = ("--max-tokens", 1024)


def main() -> None:
    """Sample, distil, score; print the scores of both."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("teacher", "base", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    store = options.out / "runs.db"
    taught = [
        run
        for name, count in QUESTIONS.items()
        for run in _queued(store, name, "--model", options.teacher, "--benchmark", name, "--limit", count)
    ]
    _done(store, taught)
    asked = [word for suite in SUITE for word in ("--benchmark", suite.name)]
    for name, runs in (("student", taught), ("control", _answers(store, options.out / "answers.jsonl"))):
        recipe = f"distill-{'.'.join(map(str, runs))}{OPTIONS}"
        _done(store, _queued(store, name, "--model", options.base, "--compression", recipe, *asked, "--limit", LIMIT))
    print(_lrm(store, "scores"))


def _queued(store: Path, name: str, *arguments: object) -> list[int]:
    """The runs of this name."""
    return [int(run) for run in _once(store, name, "add", *arguments, *TOKENS)["jobs"]]


def _answers(store: Path, file: Path) -> list[int]:
    """The right answers to the questions that the teacher was asked, as runs."""
    with file.open("w", encoding="utf-8") as out:
        for suite in TRAINING:
            for sample in suite().samples(0)[: QUESTIONS[suite.name]]:
                output = f"{THINK_END}\n{sample.answer}"
                row = {"model": "answers", "benchmark": suite.name, "item": sample.item().key, "output": output}
                out.write(json.dumps({**row, "finish_reason": "stop"}) + "\n")
    return [int(run["job"]) for run in _once(store, "answers", "import", file)]


def _once(store: Path, name: str, command: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever it says
    """The output of a command, cached in a file of this name: called again, the command does not run."""
    cache = store.with_name(f"{name}.json")
    if not cache.exists():
        cache.write_text(_lrm(store, command, *arguments, "--json"), encoding="utf-8")
    return json.loads(cache.read_text(encoding="utf-8"))


def _done(store: Path, runs: Sequence[int]) -> None:
    """Wait for runs."""
    ensure_runner(store)
    if not follow(store, runs):
        raise SystemExit(f"Not all runs are done. See `lrm-tui ls --db {store}`, requeue what failed and call this again.")


def _lrm(store: Path, command: str, *arguments: object) -> str:
    """A command's output. Its progress goes to the terminal; where it fails, so does this."""
    call = [str(Path(sys.executable).with_name("lrm-tui")), command, *map(str, arguments), "--db", str(store)]
    return subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
