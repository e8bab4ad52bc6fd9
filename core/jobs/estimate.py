"""Estimates for runs before they are queued: size of the weights, whether they fit the memory, and the duration.

Sizes and times come from similar runs of the store; without those, sizes from the bits of the types.
Nothing here loads a model.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from core.compress.recipes import parse
from core.engines import ggml_types, memory
from core.engines.host.engine import EngineFailure
from core.engines.host.options import ENGINES, LlamaCppOptions
from core.engines.model_shape import Shape, folder_shape, gguf_shape, stored_type, weight_count
from core.engines.processors import threads, usual_slots
from core.errors import ModelError
from core.jobs.engines import WITHOUT_WEIGHTS, engine_for, format_for
from core.jobs.models import resolve
from core.settings import load
from core.spec import PROMPT_ROOM, Model, RunSpec
from core.store.joins import MODEL_OF_ARTIFACT, VARIANT_OF_JOB

HALF = 16.0
_PURE = (
    "q8_0", "q6_k", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl", "iq4_xs", "iq3_s", "iq3_xxs", "iq2_xs", "iq2_xxs", "iq1_m",
    "iq1_s",
)  # fmt: skip
BITS = {kind: round(ggml_types.bits(kind), 2) for kind in _PURE} | {
    "q5_k_m": 5.67, "q5_k_s": 5.51, "q4_k_m": 4.83, "q4_k_s": 4.56, "q3_k_l": 4.26, "q3_k_m": 3.89, "q3_k_s": 3.48,
    "iq3_m": 3.66, "q2_k": 3.34, "iq2_m": 2.7, "iq2_s": 2.5,
    "dynamic-2.51": 2.51, "dynamic-2.22": 2.22, "dynamic-1.73": 1.73, "dynamic-1.58": 1.58,
}  # fmt: skip
"""Bits per weight: of a pure type those of its blocks, to two digits; of a mixture those that llama.cpp lists for Llama 2 13B.

Small models get more, since their embeddings weigh more.
"""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimate of one run; None where a value is unknown.

    `size` is bytes of weights, `made` says that they exist and were measured; `slots` is how many sequences fit side by
    side, 0 where not even one does; `seconds` is based on `past` earlier runs.
    """

    spec: RunSpec
    model: str
    size: int | None
    made: bool
    slots: int | None
    budget: int | None
    questions: int
    seconds: float | None
    past: int


@dataclass(frozen=True, slots=True)
class _EarlierRun:
    """A finished run of the store, and its pace."""

    source: str
    compression: str
    benchmark: str
    engine: str
    pace: float  # seconds a question of one engine


def estimate(connection: sqlite3.Connection | None, specs: Sequence[RunSpec]) -> list[Estimate]:
    """One estimate a run, in their order; `connection` None: there is no store yet. Raises UsageError or ModelError."""
    runs = _earlier_runs(connection) if connection else []
    bits = _measured_bits(connection) if connection else {}
    return [_estimate(connection, spec, runs, bits) for spec in specs]


def _estimate(
    connection: sqlite3.Connection | None, spec: RunSpec, runs: Sequence[_EarlierRun], bits: dict[str, float]
) -> Estimate:
    from benchmarks.registry import get

    model = resolve(spec.model)
    engine = engine_for(model.format, spec.engine)
    compression = _without_file(spec.compression)
    questions = min(spec.limit or 10**9, get(spec.benchmark).questions) * spec.samples
    pace, similar_runs = _pace(runs, (str(model.source), compression, spec.benchmark, engine))
    size, made, slots, budget = None, False, None, None
    if model.format not in WITHOUT_WEIGHTS:
        size = _measured_size(connection, model, compression, format_for(engine)) if connection else None
        made = size is not None
        shape = _shape(model)
        size = size or _predicted(model, shape, compression, engine, bits)
        slots, budget = _fit(engine, model, shape, size, spec.sampling.max_tokens)
    seconds = pace * questions / spec.replicas if pace is not None else None
    return Estimate(spec, model.name, size, made, slots, budget, questions, seconds, similar_runs)


def _without_file(compression: str) -> str:
    """The compression's name without the file to calibrate on, which changes neither size nor time."""
    steps, at, source = compression.partition("@")
    return parse(steps if at and Path(source).expanduser().is_file() else compression).name


def _shape(model: Model) -> Shape:
    try:
        source = Path(model.source)
        return gguf_shape(source) if model.format == "gguf" else folder_shape(source)
    except EngineFailure as failure:
        raise ModelError(str(failure), failure.remedy) from failure


def _predicted(model: Model, shape: Shape, compression: str, engine: str, bits: dict[str, float]) -> int:
    """Bytes of weights that do not exist yet: pruning keeps the size, quantization changes it by the bits of its type."""
    if model.format == "gguf" or format_for(engine) == "hf":
        return shape.weights
    kind = parse(compression).gguf_type
    type_bits = bits.get(kind, BITS[kind]) if kind else HALF
    folder = Path(model.source)
    count = weight_count(folder) or 8 * shape.weights / _stored_bits(folder)
    return int(count * type_bits / 8)


def _stored_bits(folder: Path) -> float:
    """Bits of a number in a folder whose headers cannot be read."""
    kind = stored_type(folder, "bfloat16")
    return 8.0 if "8" in kind.removesuffix("16") else 32.0 if kind == "float32" else HALF


def _fit(engine: str, model: Model, shape: Shape, size: int, max_tokens: int) -> tuple[int, int]:
    """How many sequences fit side by side, and the memory budget in bytes; `size` is bytes of the variant's weights."""
    options = ENGINES[engine].options(**load().options(engine))
    context = min(options.context, shape.context, max_tokens + PROMPT_ROOM)
    device = getattr(options, "device", None) or "cuda"
    gpus = memory.free_gpu_memory() if getattr(options, "gpu_layers", -1) != 0 and device.startswith("cuda") else []
    if isinstance(options, LlamaCppOptions):
        need = memory.llama_need(replace(shape, weights=size), options.batch, options.kv_type)
    else:
        estimated = memory.vllm_need if engine == "vllm" else memory.transformers_need
        need = estimated(Path(model.source), options.dtype, on_gpu=bool(gpus))
        need = replace(need, weights=need.weights * size // max(1, shape.weights))  # as of a distilled model, which is smaller
    memory_gib = getattr(options, "memory_gib", None)
    budget = int(memory_gib * memory.GIB) if memory_gib else int((sum(gpus) or memory.free_memory()) * memory.MEMORY_SHARE)
    slots = options.slots or usual_slots(0 if gpus else threads(options.threads), size)
    alone = engine == "transformers" and not shape.cache.uniform  # its rows cannot join where layers keep windows or states
    return min(1 if alone else slots, need.slots(budget, context)), budget


def _measured_size(connection: sqlite3.Connection, model: Model, compression: str, form: str) -> int | None:
    """Bytes of the variant's weights; None where they do not exist yet."""
    row = connection.execute(
        f"SELECT a.bytes FROM artifacts a {MODEL_OF_ARTIFACT} "
        "WHERE m.source = ? AND a.compression = ? AND a.format = ? AND a.ready_at IS NOT NULL ORDER BY a.id DESC",
        (str(model.source), compression, form),
    ).fetchone()
    return int(row[0]) if row and row[0] else None


def _measured_bits(connection: sqlite3.Connection) -> dict[str, float]:
    """Bits per weight of the GGUF types that this store has made."""
    rows = connection.execute(
        "SELECT compression, bits_per_weight FROM artifacts WHERE format = 'gguf' AND bits_per_weight > 0"
    )
    return {kind: bits for name, bits in rows if (kind := name.partition("@")[0].rpartition("+")[2]) in BITS}


def _earlier_runs(connection: sqlite3.Connection) -> list[_EarlierRun]:
    rows = connection.execute(_PACES).fetchall()
    return [_EarlierRun(*row) for row in rows if row[4]]


def _pace(runs: Iterable[_EarlierRun], run: tuple[str, str, str, str]) -> tuple[float | None, int]:
    """Median seconds a question over similar runs, and their number.

    Similar: of the same variant on the same benchmark, else of the model on it, else of the model.
    """
    source, compression, benchmark, engine = run
    same_model = [p for p in runs if p.source == source and p.engine == engine]
    same_benchmark = [p for p in same_model if p.benchmark == benchmark]
    same_variant = [p for p in same_benchmark if p.compression == compression]
    similar = same_variant or same_benchmark or same_model
    return (median(p.pace for p in similar), len(similar)) if similar else (None, 0)


_PACES = f"""
SELECT m.source, a.compression, j.benchmark, j.engine, (max(r.finished) - min(r.started)) * j.replicas / count(*)
FROM (SELECT * FROM jobs WHERE kind = 'run' AND state = 'done' ORDER BY id DESC LIMIT 200) j
JOIN responses r ON r.job_id = j.id {VARIANT_OF_JOB}
GROUP BY j.id
"""
