"""The users' operations on the queue: short transactions that never touch a generated response."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from core.engines.host.options import ENGINES
from core.errors import UsageError
from core.files import address_space
from core.files.content import model_files
from core.jobs.engines import WITHOUT_WEIGHTS, engine_for, format_for
from core.jobs.identity import model_row
from core.jobs.models import named, resolve
from core.settings import Settings, load
from core.spec import AUDIT_SHARE, Format, Model, Policy, RunSpec, Sampling
from core.store import batches
from core.store.connection import file_of, transaction
from core.store.joins import JOBS, MODEL
from core.store.protocol import canonical_json
from core.store.queue_writes import template_options
from core.store.variants import artifact_row, prepare_first, variant_row

if TYPE_CHECKING:
    from core.engines.decode.facts import TemplateFacts

Checked = tuple[RunSpec, Model, Format, str]
"""A run with its model, the format that it needs and the name of its compression."""
MOST_TEMPERATURE = 2.0
"""Servers refuse more, and from there on a model's words are nearly drawn at random."""


def grid(models: Iterable[str], compressions: Iterable[str], benchmarks: Iterable[str], template: RunSpec) -> list[RunSpec]:
    """Every combination, variant by variant, so that one loaded model serves all its benchmarks."""
    from core.compress.recipes import expand

    cells = product(models, expand(compressions), benchmarks)
    return [replace(template, model=model, compression=compression, benchmark=name) for model, compression, name in cells]


def add(connection: sqlite3.Connection, specs: Iterable[RunSpec]) -> list[int]:
    """Queue runs (all or none), each behind the preparation of its variant where that is not ready. Returns run ids.

    Raises UsageError (MissingExtra among them), ModelError or DataError before anything is written.
    """
    from core.compress.calibration import adopted

    address_space.check()
    store = file_of(connection)
    settings = load()
    settled = [replace(spec, compression=adopted(spec.compression, store), kv_type=_kv_type(spec, settings)) for spec in specs]
    checked = check(settled)
    for _spec, _model, _format, compression in checked:
        _check_teachers(connection, compression)
    for abandoned in batches.left(connection):
        batches.remove(connection, abandoned)
    if len(checked) <= batches.LARGEST or connection.in_transaction:
        with transaction(connection):
            return _added(connection, checked)
    return _add_batch(connection, checked)


def _add_batch(connection: sqlite3.Connection, checked: Sequence[Checked]) -> list[int]:
    """Add more runs than one transaction shall hold; none of them can start before all are there."""
    batch = batches.begin(connection)
    ids: list[int] = []
    try:
        for at in range(0, len(checked), batches.LARGEST):
            with transaction(connection):
                batches.require(connection, batch)
                ids += _added(connection, checked[at : at + batches.LARGEST], batch)
        batches.end(connection, batch)
    except BaseException:
        with suppress(Exception):  # else the next one that adds jobs, or the runner, removes what is there
            batches.remove(connection, batch)
        raise
    return ids


def _kv_type(spec: RunSpec, settings: Settings) -> str | None:
    """The type of the KV cache that a variant is named after; None for the usual one, and where the engine sets none."""
    engine = "llama.cpp"
    usual = ENGINES[engine].options().kv_type
    kind = spec.kv_type or (settings.options(engine).get("kv_type") if spec.engine == engine else None)
    return None if kind == usual else kind


def names(connection: sqlite3.Connection, runs: Iterable[int]) -> list[tuple[str, str]]:
    """Name and source of the models of runs."""
    marks = json.dumps(list(runs))
    sql = f"SELECT DISTINCT m.name, m.source FROM {JOBS} WHERE j.id IN (SELECT value FROM json_each(?)) ORDER BY m.id"
    return [(row["name"], row["source"]) for row in connection.execute(sql, (marks,))]


def check(specs: Iterable[RunSpec]) -> list[Checked]:
    """What `add` would queue: each run with its model, the format it needs and its compression's name. Raises as `add` does."""
    from core.jobs.prompting import check_template
    from core.jobs.requirements import check_extras

    found: dict[str, Checked] = {}
    each = [(spec, repr(replace(spec, seed=0))) for spec in specs]  # what holds for a run holds for it with any other seed
    for spec, kind in each:
        if kind not in found:
            found[kind] = (spec, *_checked(spec))
    check_extras(list(found.values()), load())
    facts = {kind: check_template(model, spec) for kind, (spec, model, _, _) in found.items()}
    return [(_settled(spec, facts[kind]), *found[kind][1:]) for spec, kind in each]


def _settled(spec: RunSpec, facts: TemplateFacts) -> RunSpec:
    """A run whose variant says that its thinking is on, where nothing was asked of a template that can switch it."""
    if facts.switch is None or spec.template_options.thinking is not None:
        return spec
    return replace(spec, template_options=replace(spec.template_options, thinking="on"))


def _checked(spec: RunSpec) -> tuple[Model, Format, str]:
    from benchmarks.registry import get
    from core.compress import recipes

    model = resolve(spec.model)
    get(spec.benchmark)
    form = format_for(engine_for(model.format, spec.engine))
    recipe = recipes.parse(spec.compression)
    if model.format in WITHOUT_WEIGHTS and recipe.name != "none":
        raise UsageError(f"{model.name} holds no weights here, so nothing can be compressed.", "Choose compression `none`.")
    if form in WITHOUT_WEIGHTS and form != model.format:
        raise UsageError(f"The engine {spec.engine} takes no weights.", "Name a model as openai:URL#NAME or replay:RUNS_DB.")
    if model.format not in WITHOUT_WEIGHTS:
        model_files(Path(model.source))  # refuses a model of which a part is missing
        recipes.check(recipe, model.format, form)
    if spec.limit is not None and spec.limit < 1:
        raise UsageError(f"A limit of {spec.limit} questions makes no run.", "Give 1 or more.")
    if spec.samples < 1:
        raise UsageError(f"{spec.samples} samples of each question make no run.", "Give 1 or more.")
    if spec.samples > 1 and spec.sampling.temperature == 0:
        raise UsageError(
            "At temperature 0 every sample of a question is the same.", "Ask for one sample, or give a temperature above 0."
        )
    if not 0 <= spec.sampling.temperature <= MOST_TEMPERATURE:
        problem = f"A temperature of {spec.sampling.temperature:g} makes no sensible text."
        raise UsageError(problem, f"Give 0 to {MOST_TEMPERATURE:g}.")
    if not 0 < spec.sampling.top_p <= 1 or spec.sampling.max_tokens < 1:
        raise UsageError(f"Sampling is out of range: {spec.sampling}.", "0 < top-p <= 1, tokens >= 1.")
    if not spec.sampling.top_k >= 0 or not 0 <= spec.sampling.min_p < 1:
        raise UsageError(f"Sampling is out of range: {spec.sampling}.", "top-k >= 0, 0 <= min-p < 1.")
    if spec.kv_type is not None and engine_for(model.format, spec.engine) != "llama.cpp":
        raise UsageError(f"The engine {spec.engine} has no KV cache of type {spec.kv_type}.", "Choose the engine llama.cpp.")
    if spec.name is not None and not spec.name.strip():
        raise UsageError("A model's name cannot be empty.", "Give another --name.")
    if spec.gpus is not None and spec.gpus < 0:
        raise UsageError(f"No run takes {spec.gpus} GPUs.", "Give 0 or more.")
    if spec.replicas < 1:
        raise UsageError(f"{spec.replicas} replicas make no run.", "Give 1 or more.")
    if spec.replicas > 1 and model.format == "server":
        raise UsageError("A server's model has no replicas here.", "Ask it more at once: the setting openai.slots.")
    if spec.policy == "audit" and not 0 < spec.audit_share < 1:
        remedy = "Give more than 0 and less than 1, or choose the policy stop or observe."
        raise UsageError(f"An audit of {spec.audit_share:g} is no share.", remedy)
    return model, form, recipe.name


def _check_teachers(connection: sqlite3.Connection, compression: str) -> None:
    """Raise UsageError where a distillation names a job that is not a run of this store."""
    from core.compress.recipes import parse

    distillation = parse(compression).distillation
    runs = dict(connection.execute("SELECT id, kind FROM jobs").fetchall()) if distillation else {}
    for run in distillation.runs if distillation else ():
        if runs.get(run) != "run":
            problem = f"Job {run} only prepares a variant" if run in runs else f"There is no run {run}"
            known = ", ".join(str(job) for job, kind in runs.items() if kind == "run") or "none yet"
            raise UsageError(f"{problem}: {compression} has nothing to learn from.", f"Runs of this store: {known}.")


def _added(connection: sqlite3.Connection, checked: Iterable[Checked], batch: int | None = None) -> list[int]:
    """Add runs within the caller's transaction. Returns their ids."""
    variants: dict[str, int] = {}
    ids = []
    for spec, model, form, compression in checked:
        kind = repr((spec.name, model, form, compression, spec.template_options, spec.kv_type))
        if kind not in variants:
            artifact = artifact_row(connection, model_row(connection, model, spec.name), form, compression)
            variants[kind] = variant_row(connection, artifact, spec.template_options, spec.kv_type)
            prepare_first(connection, variants[kind], _next_position(connection), batch)
        ids.append(_add_one(connection, spec, model, variants[kind], batch))
    return ids


def _add_one(connection: sqlite3.Connection, spec: RunSpec, model: Model, variant: int, batch: int | None) -> int:
    row = {
        "kind": "run",
        "batch": batch,
        "position": _next_position(connection),
        "variant_id": variant,
        "benchmark": spec.benchmark,
        "engine": engine_for(model.format, spec.engine),
        "sampling": canonical_json(asdict(spec.sampling)),
        "seed": spec.seed,
        "item_limit": spec.limit,
        "samples": spec.samples,
        "policy": "observe" if spec.policy == "observe" else "stop",
        "audit_share": spec.audit_share if spec.policy == "audit" else 0.0,
        "data_folder": _text(spec.data),
        "prompts_file": _text(spec.prompts),
        "gpus": spec.gpus,
        "replicas": spec.replicas,
        "created": time.time(),
    }
    marks = ", ".join(f":{key}" for key in row)
    cursor = connection.execute(f"INSERT INTO jobs ({', '.join(row)}) VALUES ({marks})", row)
    return int(cursor.lastrowid or 0)


def _next_position(connection: sqlite3.Connection) -> float:
    return float(connection.execute("SELECT coalesce(max(position), 0) + 1 FROM jobs").fetchone()[0])


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def cancel(connection: sqlite3.Connection, job: int) -> None:
    """Cancel a job: a waiting one at once, a running one when the runner reads it. Finished responses stay.

    Raises UsageError for an unknown job or one that has ended.
    """
    with transaction(connection):
        state = _state(connection, job)
        if state in ("queued", "paused"):
            now = time.time()
            connection.execute("UPDATE jobs SET state = 'cancelled', finished = ? WHERE id = ?", (now, job))
        elif state == "running":
            connection.execute("UPDATE jobs SET wanted = 'cancel' WHERE id = ?", (job,))
        else:
            raise UsageError(f"Job {job} is {state} already.", _next_step(connection, job, state))


def pause(connection: sqlite3.Connection, job: int) -> None:
    """Pause a job; a running one releases its engine and keeps its responses.

    Raises UsageError for an unknown job or one that is neither queued nor running.
    """
    with transaction(connection):
        state = _state(connection, job)
        if state == "queued":
            connection.execute("UPDATE jobs SET state = 'paused' WHERE id = ?", (job,))
        elif state == "running":
            sql = "UPDATE jobs SET wanted = 'pause' WHERE id = ? AND wanted IS NOT 'cancel'"
            if not connection.execute(sql, (job,)).rowcount:
                raise UsageError(f"Job {job} is being cancelled.", "Requeue it afterwards to let it go on.")
        else:
            raise UsageError(f"Job {job} is {state}, and cannot be paused.", _next_step(connection, job, state))


def requeue(connection: sqlite3.Connection, job: int) -> None:
    """Queue a paused, failed or cancelled job again; only its unfinished responses are generated.

    Raises UsageError for an unknown job or one in another state.
    """
    with transaction(connection):
        state = _state(connection, job)
        if state not in ("paused", "failed", "cancelled"):
            raise UsageError(f"Job {job} is {state} already.", _next_step(connection, job, state))
        _prepare_again(connection, job)
        connection.execute(
            "UPDATE jobs SET state = 'queued', wanted = NULL, error = NULL, remedy = NULL, finished = NULL WHERE id = ?",
            (job,),
        )


def _prepare_again(connection: sqlite3.Connection, job: int) -> None:
    """Queue the preparation of a run's variant again, before the run, where the variant is not ready."""
    row = connection.execute("SELECT kind, position, variant_id FROM jobs WHERE id = ?", (job,)).fetchone()
    if row["kind"] == "run":
        prepare_first(connection, row["variant_id"], row["position"] - 0.5)


def toggle(connection: sqlite3.Connection, job: int) -> None:
    """Pause a job, or queue a paused one again. Raises UsageError as those do."""
    (requeue if _state(connection, job) == "paused" else pause)(connection, job)


def spec_of(connection: sqlite3.Connection, job: int) -> RunSpec:
    """The specification that a run was queued with. Raises UsageError for a preparation or a job that is not there."""
    _state(connection, job)
    row = connection.execute(
        "SELECT j.*, m.name AS model, m.source, m.format AS source_format, a.compression, v.kv_type, v.thinking, v.effort, "
        f"v.budget, v.arguments FROM {JOBS} WHERE j.id = ?",
        (job,),
    ).fetchone()
    if row["kind"] != "run":
        raise UsageError(f"Job {job} is a preparation.", "Clone one of its variant's runs; the variant is made when missing.")
    if row["engine"] not in ENGINES:
        raise UsageError(f"Job {job} was {row['engine']}, so there is no run to repeat.", "Queue a run of the model itself.")
    policy: Policy = "observe" if row["policy"] == "observe" else "audit" if row["audit_share"] else "stop"
    return RunSpec(
        model=named(row["model"], row["source"], row["source_format"]),
        compression=row["compression"],
        benchmark=row["benchmark"],
        engine=row["engine"],
        sampling=Sampling(**json.loads(row["sampling"])),
        seed=row["seed"],
        limit=row["item_limit"],
        samples=row["samples"],
        policy=policy,
        audit_share=row["audit_share"] or AUDIT_SHARE,
        data=Path(row["data_folder"]) if row["data_folder"] else None,
        prompts=Path(row["prompts_file"]) if row["prompts_file"] else None,
        gpus=row["gpus"],
        replicas=row["replicas"],
        template_options=template_options(row),
        kv_type=row["kv_type"],
    )


def models(connection: sqlite3.Connection) -> list[str]:
    """The models that runs were queued for, as `resolve` takes them."""
    rows = connection.execute(
        "SELECT name, source, format FROM models WHERE id IN (SELECT model_id FROM artifacts) ORDER BY id"
    )
    return list(dict.fromkeys(named(*row) for row in rows))


def teachers(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    """Finished runs with correct answers to distill from: (id, "MODEL COMPRESSION on BENCHMARK"), the latest first."""
    rows = connection.execute(
        f"SELECT j.id, {MODEL}, a.compression, j.benchmark FROM {JOBS} "
        "WHERE j.kind = 'run' AND j.state = 'done' AND EXISTS "
        "(SELECT 1 FROM responses r WHERE r.job_id = j.id AND r.correct = 1) ORDER BY j.id DESC LIMIT 50"
    )
    return [(job, f"{model} {compression} on {benchmark}") for job, model, compression, benchmark in rows]


def move(connection: sqlite3.Connection, job: int, step: int) -> None:
    """Swap a waiting job with its neighbour in the queue: -1 up, +1 down. At either end nothing changes.

    Raises UsageError for an unknown job or one that is not waiting.
    """
    with transaction(connection):
        if _state(connection, job) not in ("queued", "paused"):
            raise UsageError(f"Job {job} is not waiting.", "Only waiting jobs can be moved.")
        rows = connection.execute(
            "SELECT id, position FROM jobs WHERE state IN ('queued', 'paused') ORDER BY position"
        ).fetchall()
        at = next(i for i, row in enumerate(rows) if row["id"] == job)
        other = at + step
        if 0 <= other < len(rows):
            swap = [(rows[other]["position"], job), (rows[at]["position"], rows[other]["id"])]
            connection.executemany("UPDATE jobs SET position = ? WHERE id = ?", swap)


def _next_step(connection: sqlite3.Connection, job: int, state: str) -> str:
    """What can be done with a job that is asked for what its state does not allow; nothing is named that would be refused."""
    if state in ("paused", "failed", "cancelled"):
        return "Requeue it to let it go on."
    if state != "done":
        return "It needs nothing; cancel or pause it to stop it."
    try:
        spec_of(connection, job)
    except UsageError as error:
        return error.remedy
    return "Clone it to run the same again."


def _state(connection: sqlite3.Connection, job: int) -> str:
    row = connection.execute("SELECT state FROM jobs WHERE id = ?", (job,)).fetchone()
    if row is None:
        raise UsageError(f"There is no job {job}.", "`lrm-tui ls` lists them.")
    return str(row["state"])
