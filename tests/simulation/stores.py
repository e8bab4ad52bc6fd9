"""Rows of simulated stores: variants of models on benchmarks whose true scores and lengths are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from core.engines.host.wire import Sampling
from core.results.responses import ROW, Planned
from core.results.run_summary import summarise
from core.results.runs import Protocol, Run
from core.results.tables.measured import Measured
from core.store.protocol import canonical_json

PROTOCOL = Protocol(canonical_json(asdict(Sampling())), "p", "b")
COMPRESSIONS = (
    "none", "q8_0", "q4_0", "awq-4bit", "gptq-4bit", "dynamic-2.51", "dynamic-1.58", "sparsegpt-10", "sparsegpt-30",
    "sparsegpt-50", "sparsegpt-60", "sparsegpt-70", "sparsegpt-80", "magnitude-10", "magnitude-30", "magnitude-50",
    "magnitude-60", "magnitude-70", "wanda-10", "wanda-30", "wanda-50", "wanda-60", "wanda-70",
)  # fmt: skip
QUESTIONS = {"aime": 30, "folio": 203, "temporal": 250, "musique": 100}


@dataclass(frozen=True, slots=True)
class Design:
    """How large a store is; `shared`: how much questions have in common for all variants, `length_shared` likewise (0 to 1)."""

    variants: int
    samples: int
    families: int
    shared: float = 0.6
    length_shared: float = 0.6


def logistic(values: np.ndarray) -> np.ndarray:
    """Chances from log odds."""
    result: np.ndarray = 1 / (1 + np.exp(-values))
    return result


def row(
    number: int, model: str, compression: str, benchmark: str, items: np.ndarray, credit: np.ndarray, words: np.ndarray
) -> Measured:
    """A row with these outcomes and lengths, each [questions, samples]."""
    count, samples = credit.shape
    rows = np.zeros(count * samples, dtype=ROW)
    rows["item"], rows["credit"] = np.repeat(items, samples), credit.ravel()
    rows["score"], rows["answer"], rows["onset"], rows["period"] = credit.ravel(), words.ravel(), np.nan, np.nan
    summary = summarise(Planned(len(rows), count, 0, 0), rows)
    run = Run(
        run=number, runs=(number,), variant_id=number, variant=f"{model} {compression}", label=f"{model} {compression}",
        model=model, family=model, parameters=None, compression=compression, bytes=None, bits_per_weight=None, sparsity=None,
        engine="vllm", benchmark=benchmark, created=0.0, doubt=None, protocol=PROTOCOL, limit=None, source="", rank=0, main=True,
        summary=summary,
    )  # fmt: skip
    return Measured.of(run, rows)


def simulated(
    rng: np.random.Generator,
    design: Design,
    ability: dict[tuple[str, str], float],
    slope: float = 0.0,
    knowledge: dict[str, float] | None = None,
) -> list[Measured]:
    """A store of a design. `ability`: log odds by benchmark and compression; `slope`: log odds a standard deviation of length.

    With slope 0 a question's length says nothing about its outcome, but both are shared by all variants and models.
    """
    cells, number = [], 0
    for benchmark, count in QUESTIONS.items():
        items = 1000 * list(QUESTIONS).index(benchmark) + np.arange(count)
        difficulty, length = rng.normal(size=count), rng.normal(size=count)
        for family in range(design.families):
            for compression in COMPRESSIONS[: design.variants]:
                number += 1
                shape = (count, design.samples)
                lengths = design.length_shared**0.5 * length[:, None] + (1 - design.length_shared) ** 0.5 * rng.normal(
                    size=shape
                )
                odds = ability.get((benchmark, compression), 0.5) + (knowledge or {}).get(compression, 0.0) * (
                    benchmark == "musique"
                )
                noise = 2 * (
                    design.shared**0.5 * difficulty[:, None] + (1 - design.shared) ** 0.5 * rng.normal(size=(count, 1))
                )
                credit = rng.random(shape) < logistic(odds + noise - slope * lengths)
                words = np.exp(6 + 0.7 * lengths).astype(int)
                cells.append(row(number, f"m{family}", compression, benchmark, items, credit.astype(float), words))
    return cells


def flat() -> dict[tuple[str, str], float]:
    """The same ability of every variant: compression does nothing."""
    return {}


def falling(rng: np.random.Generator, points: Sequence[str] = tuple(QUESTIONS)) -> dict[tuple[str, str], float]:
    """Pruning ends each benchmark at a sparsity drawn for it, whatever it asks for; the same point in all models."""
    where = {benchmark: rng.uniform(25, 75) for benchmark in points}
    level = {benchmark: rng.uniform(-0.5, 2.0) for benchmark in points}
    return {
        (benchmark, compression): level[benchmark] - (8.0 if share > where[benchmark] else 0.0)
        for benchmark in points
        for compression in COMPRESSIONS
        for share in [
            float(compression.rpartition("-")[2])
            if compression.rpartition("-")[0] in ("sparsegpt", "magnitude", "wanda")
            else 0.0
        ]
    }
