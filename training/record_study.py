"""Record the embedded family's study as reference rows: `python -m training.record_study --db runs.db`.

Writes benchmarks/pocket/study.json, in the form of published.toml. Unlike a row of the tables, a recorded one pools the runs of
its seeds, which differ in nothing else. With `--models`, rows of the others stay as they were recorded.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import time
from collections.abc import Collection, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from core.jobs.models import resolve
from core.jobs.study import BENCHMARKS, FAMILY, SEEDS, STUDY_LIMIT
from core.results.rows import SCORE_NAMES, LengthEnd
from core.results.runs import Run, one_picture, shown_runs
from core.results.show.provenance import provenance
from core.results.summary_cache import responses_of
from core.results.tables.lengths import at_end, ends
from core.results.tables.published import RECORDED
from core.results.tables.scores import AVERAGES
from core.store.connection import opened, store_path
from core.store.joins import JOBS

Q = 30.0
WEIGHTS = "model.safetensors"
_RUNS = f"""
SELECT j.id, m.name, a.compression, j.benchmark, j.seed
FROM {JOBS}
WHERE j.kind = 'run' AND j.state = 'done' AND j.item_limit = ?
"""

Recorded = dict[str, Any]
"""A row in the form of published.toml: open data, with benchmarks among its keys."""


class Study(TypedDict):
    """The file: its rows, and by model the hash of the weights that made them."""

    limit: int
    seeds: list[int]
    scores: list[Recorded]
    lengths: list[Recorded]
    sources: dict[str, str]
    weights_sha256: dict[str, str]


def recorded(
    connection: sqlite3.Connection,
    limit: int = STUDY_LIMIT,
    seeds: Sequence[int] = SEEDS,
    models: Sequence[str] = tuple(FAMILY),
) -> Study:
    """The study of these models in a store, or that of some of its seeds. Raises SystemExit where a run of it is missing."""
    done = {tuple(row)[1:]: int(row["id"]) for row in connection.execute(_RUNS, (limit,))}
    cells = [(m, c, b, s) for m in models for c in FAMILY[m] for b in BENCHMARKS for s in seeds]
    if missing := [cell for cell in cells if cell not in done]:
        raise SystemExit(f"{len(missing)} of the study's {len(cells)} runs are not done; one is {missing[0]}.")
    origin = {run["run"]: run for run in provenance(connection, [done[cell] for cell in cells])["runs"]}
    scores: list[Recorded] = []
    lengths: list[Recorded] = []
    sources: dict[str, str] = {}
    asked = f"{limit} questions a benchmark, seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    with one_picture(connection):
        for model in models:
            run = origin[done[model, FAMILY[model][0], BENCHMARKS[0], seeds[0]]]
            date, engine = time.strftime("%Y-%m-%d", time.gmtime(run["finished"])), run["engine_version"] or run["engine"]
            source = f"study of {model}"
            sources[source] = f"the embedded family's study of {model}, recorded {date}: `lrm-tui study`, {asked}, {engine}"
            for compression in FAMILY[model]:
                runs = {b: [shown_runs(connection, done[model, compression, b, s])[0] for s in seeds] for b in BENCHMARKS}
                first = runs[BENCHMARKS[0]][0]
                weights = origin[first.run]["weights_sha256"]
                about = {"edition": "study", "source": source, "model": model, "compression": compression}
                table = 3 if (first.sparsity or 0) >= 1 else 2
                scores.append({**about, "table": table, **_scores(runs), "weights_sha256": weights})
                lengths += [{**about, "table": 4, "benchmark": b, **_lengths(connection, of)} for b, of in runs.items()]
    hashes = {m: sha256((Path(resolve(m).source) / WEIGHTS).read_bytes()).hexdigest() for m in models}
    return {
        "limit": limit,
        "seeds": list(seeds),
        "scores": scores,
        "lengths": lengths,
        "sources": sources,
        "weights_sha256": hashes,
    }


def merged(before: Study, latest: Study) -> Study:
    """The latest rows in place of the same models' rows. Raises SystemExit where the others were asked otherwise."""
    if (before["limit"], before["seeds"]) != (latest["limit"], latest["seeds"]):
        raise SystemExit("The rows that would stay have other questions or seeds. Record the whole family.")
    new = latest["weights_sha256"]
    used = {row["source"] for row in before["scores"] if row["model"] not in new}
    return {
        **latest,
        "scores": _joined(before["scores"], latest["scores"], new),
        "lengths": _joined(before["lengths"], latest["lengths"], new),
        "sources": {name: text for name, text in before["sources"].items() if name in used} | latest["sources"],
        "weights_sha256": {model: (before["weights_sha256"] | new)[model] for model in FAMILY},
    }


def _joined(before: Sequence[Recorded], latest: Sequence[Recorded], new: Collection[str]) -> list[Recorded]:
    """The latest rows and those of the other models, in the order of the family."""
    others = [row for row in before if row["model"] not in new]
    return sorted([*others, *latest], key=lambda row: list(FAMILY).index(row["model"]))


def _scores(runs: dict[str, list[Run]]) -> Recorded:
    """A row: percent over the finished responses of all seeds, and the share that collapsed."""
    one = runs[BENCHMARKS[0]][0]
    cells = {name: _cell(of) for name, of in runs.items()}
    average = sum(cells[name]["accuracy"] for name in AVERAGES[1]) / len(AVERAGES[1])
    facts = {name: getattr(one, name) for name in ("family", "parameters", "bits_per_weight", "sparsity")}
    return {**facts, **cells, "average": round(average, 2), "average_of": list(AVERAGES[1])}


def _cell(runs: list[Run]) -> Recorded:
    summaries = [run.summary for run in runs]
    n = sum(one.finished for one in summaries)
    credit, score, collapsed = (sum(getattr(one, name) for one in summaries) for name in ("credit", "score", "collapsed"))
    scores = {"accuracy": credit} if runs[0].metric == "accuracy" else {"em": credit, "f1": score}
    return {"n": n, **{name: round(100 * total / n, 2) for name, total in {**scores, "collapsed": collapsed}.items()}}


def _lengths(connection: sqlite3.Connection, runs: list[Run]) -> Recorded:
    by_run = responses_of(connection, ((run.run, run.benchmark) for run in runs))
    responses = np.concatenate([by_run[run.run] for run in runs])
    cut = ends(responses["words"], responses["censored"], Q)
    short, long = (_rounded(at_end(runs[0], responses, shares, cut.k)) for shares in (cut.shortest, cut.longest))
    ratio = round(long["words"] / short["words"], 2) if long["words"] and short["words"] else None
    return {"n": len(responses), "short": short, "long": long, "ratio": ratio}


def _rounded(end: LengthEnd) -> LengthEnd:
    rounded: LengthEnd = {"words": _two_digits(end["words"])}
    for name in SCORE_NAMES:
        if name in end:
            rounded[name] = _two_digits(end[name])
    return rounded


def _two_digits(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", type=Path)
    parser.add_argument("--limit", type=int, default=STUDY_LIMIT)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--models", nargs="+", choices=FAMILY, default=tuple(FAMILY))
    parser.add_argument("--out", type=Path, default=RECORDED)
    options = parser.parse_args()
    with opened(store_path(options.db), "reader") as connection:
        study = recorded(connection, options.limit, options.seeds, options.models)
    if set(options.models) != set(FAMILY):
        study = merged(json.loads(options.out.read_text(encoding="utf-8")), study)
    options.out.write_text(json.dumps(study, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
