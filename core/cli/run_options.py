"""The options of commands that queue runs, and the queueing itself: `add` and `sweep` differ in what they ask for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from core.cli.call import Call
from core.cli.grammar import FILE, F
from core.cli.template_options import TemplateValues, options_of, template_options
from core.engines.host.options import KV_TYPES
from core.engines.host.wire import Sampling
from core.errors import UsageError
from core.jobs.engines import names as engines
from core.spec import AUDIT_SHARE, POLICIES, Policy

if TYPE_CHECKING:
    from core.jobs.estimate import Estimate
    from core.results.show.sheets import Sheet
    from core.spec import Model, RunSpec

USUAL = Sampling()
DRAWN = ("temperature", "top_p", "top_k", "min_p")
CALIBRATION = (
    "what to calibrate on where a compression names nothing: c4, traces, pocket or a file, traces-128x2048 how much (c4; for "
    "the embedded model pocket)"
)
SAMPLING = "temperature, top-p, top-k and min-p as in the paper (default) or as the model's makers set them"
POLICY = "on a repetition collapse: stop, but let a drawn share run on (audit, the default); stop; observe to the limit"


class RunOptions(TemplateValues):
    """The values of the options below."""

    calibration: str
    engine: str
    name: str | None
    kv_type: str | None
    sampling: Literal["paper", "model"]
    limit: int | None
    samples: int
    max_tokens: int | None
    temperature: float
    top_p: float
    top_k: int
    min_p: float
    stop: tuple[str, ...]
    gpus: int | None
    replicas: int
    seed: int
    policy: Policy
    audit_share: float
    prompts: Path | None
    wait: bool
    dry_run: bool


ENGINE = click.Choice(engines())
OPTIONS = (
    click.option("--calibration", default="", metavar="TEXT", help=CALIBRATION),
    click.option("--engine", type=ENGINE, default=engines()[0], help=f"what runs the model (default {engines()[0]})"),
    click.option("--name", metavar="NAME", help="what tables call the model (default: after its folder, file or address)"),
    click.option(
        "--kv-type", type=click.Choice(KV_TYPES), metavar="TYPE", help=f"type of llama.cpp's KV cache: {', '.join(KV_TYPES)}"
    ),
    click.option("--limit", type=int, metavar="LIMIT", help="ask only the first N questions"),
    click.option("--samples", type=int, default=1, metavar="K", help="responses to each question, for pass@k and majority (1)"),
    click.option(
        "--max-tokens", type=int, metavar="MAX_TOKENS", help=f"limit on new tokens (default {USUAL.max_tokens}; pocket 1024)"
    ),
    click.option("--sampling", type=click.Choice(("paper", "model")), default="paper", help=SAMPLING),
    click.option(
        "--temperature",
        type=float,
        default=USUAL.temperature,
        metavar="TEMPERATURE",
        help=f"0 takes the likeliest token (default {USUAL.temperature:g})",
    ),
    click.option(
        "--top-p",
        type=float,
        default=USUAL.top_p,
        metavar="TOP_P",
        help=f"probability mass that is drawn from (default {USUAL.top_p:g})",
    ),
    click.option(
        "--top-k", type=int, default=USUAL.top_k, metavar="TOP_K", help="draw from the K likeliest tokens (0: from all)"
    ),
    click.option(
        "--min-p", type=float, default=USUAL.min_p, metavar="MIN_P", help="drop what is less likely than P times the likeliest"
    ),
    click.option("--stop", multiple=True, metavar="TEXT", help="end a response at this text (repeatable)"),
    click.option("--gpus", type=int, metavar="N", help="GPUs that each engine takes (default: 1 where there are any)"),
    click.option(
        "--replicas", type=int, default=1, metavar="N", help="engines that share a run's questions, each on GPUs of its own (1)"
    ),
    click.option("--seed", type=int, default=0, metavar="SEED", help="start of the random numbers (default 0)"),
    click.option("--policy", type=click.Choice(POLICIES), default=POLICIES[0], help=POLICY),
    click.option(
        "--audit-share",
        type=float,
        default=AUDIT_SHARE,
        metavar="SHARE",
        help=f"share of the collapsed responses that run on (default {AUDIT_SHARE:g})",
    ),
    click.option("--prompts", type=FILE, metavar="PROMPTS", help="a TOML file of prompts of your own"),
    click.option("--wait", is_flag=True, help="follow until the runs have ended; exit 0 only if all finished"),
    click.option("--dry-run", is_flag=True, help="queue nothing: say sizes, whether they fit, and how long it takes"),
)
FORETOLD = ("benchmark", "compression", "engine", "limit", "seed")
"""What of a run's specification tells it from the others of one forecast."""


def run_options(function: F) -> F:
    """Add the options that every run has."""
    function = template_options(function)
    for option in reversed(OPTIONS):
        function = option(function)
    return function


def queue_runs(
    call: Call, models: Iterable[str], compressions: Iterable[str], benchmarks: Iterable[str], options: RunOptions
) -> int:
    """Queue a grid of runs and make sure that a runner serves them, or only foretell them. Returns the exit code."""
    from core.cli.follow import follow
    from core.cli.output import print_json
    from core.jobs import queue
    from core.jobs.models import resolve
    from core.runner.client import ensure_runner

    models = list(models)
    if options["name"] and len(models) > 1:
        raise UsageError("One --name cannot name several models.", "Add them one by one.")
    specs = _specs(call, models, list(compressions), list(benchmarks), options)
    if options["dry_run"]:
        return _foretell(call, specs)
    with call.writing() as connection:
        ids = queue.add(connection, specs)
        names = queue.names(connection, ids)
    ensure_runner(call.store)
    wait = options["wait"]
    if call.json and not wait:
        print_json({"jobs": ids})
    elif not call.json:
        print(f"queued: {', '.join(f'#{i}' for i in ids)}")
        usual = {resolve(model).name for model in models}
        for name, source in names:
            if name not in usual and name != options["name"]:
                print(f"{source} is called {name} here: another model has the shorter name (--name gives one).")
    if not wait:
        return 0
    done = follow(call.store, ids)
    if call.json:
        print_json({"jobs": ids, "done": done})
    return 0 if done else 1


def _specs(
    call: Call, models: Iterable[str], compressions: list[str], benchmarks: list[str], options: RunOptions
) -> list[RunSpec]:
    """Every run of the grid, each model with the limit on tokens that it has by default."""
    from core.compress.recipes import expand
    from core.jobs import queue
    from core.jobs.models import resolve
    from core.spec import RunSpec

    specs = []
    for model in models:
        resolved = resolve(model)
        limit = resolved.default_limit if options["max_tokens"] is None else options["max_tokens"]
        template = RunSpec(
            model,
            "none",
            "",
            options["engine"],
            _sampling(resolved, limit, options),
            options_of(options),
            seed=options["seed"],
            limit=options["limit"],
            samples=options["samples"],
            policy=options["policy"],
            audit_share=options["audit_share"],
            data=call.data_folder,
            prompts=options["prompts"],
            gpus=options["gpus"],
            replicas=options["replicas"],
            kv_type=options["kv_type"],
            name=options["name"],
        )
        specs += queue.grid([model], expand(compressions, options["calibration"]), benchmarks, template)
    return specs


def _sampling(model: Model, limit: int, options: RunOptions) -> Sampling:
    """The paper's sampling or the model's own; what stands on the command line goes before either."""
    from core.jobs.prompting import model_sampling

    drawn = Sampling(options["temperature"], options["top_p"], options["top_k"], options["min_p"], limit, options["stop"])
    if options["sampling"] == "paper":
        return drawn
    context = click.get_current_context()
    typed = [n for n in DRAWN if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]
    return replace(model_sampling(model, drawn), **{name: getattr(drawn, name) for name in typed})


def _foretell(call: Call, specs: list[RunSpec]) -> int:
    """Print what the runs would take, and queue nothing."""
    from dataclasses import asdict

    from core.cli.output import console, print_json, print_sheets
    from core.jobs.estimate import estimate
    from core.jobs.models import resolve
    from core.jobs.prompting import check_template
    from core.store.connection import opened
    from core.text import printable

    try:
        with opened(call.store, "reader") as connection:
            forecasts = estimate(connection, specs)
    except FileNotFoundError:
        forecasts = estimate(None, specs)
    templates = [check_template(resolve(spec.model), spec) for spec in specs]
    if call.json:
        named = [{name: getattr(one.spec, name) for name in FORETOLD} for one in forecasts]
        thinking = [{"thinking": facts.state, "notes": facts.notes} for facts in templates]
        print_json([{**asdict(one), "spec": spec, **more} for one, spec, more in zip(forecasts, named, thinking, strict=True)])
        return 0
    print_sheets([_sheet(forecasts)])
    for line in dict.fromkeys(
        " ".join((f"{one.model}: thinking {facts.state}.", *facts.notes))
        for one, facts in zip(forecasts, templates, strict=True)
    ):
        console().print(printable(line))
    return 0


def _sheet(forecasts: list[Estimate]) -> Sheet:
    """What is foretold, a row a run."""
    from core.results.show.sheets import Cell, Sheet

    rows = []
    for one in forecasts:
        weights = "" if one.size is None else f"{'' if one.made else 'about '}{one.size / 2**30:.2f} GiB"
        minutes = "unknown" if one.seconds is None else f"{one.seconds / 60:.0f}"
        fits = "" if one.slots is None else str(one.slots) if one.slots else "does not fit"
        name = f"{one.model} {one.spec.compression}"
        rows.append(tuple(map(Cell, (name, one.spec.benchmark, str(one.questions), weights, fits, minutes))))
    return Sheet(
        "forecast", "", "", ("variant", "benchmark", "questions", "weights", "side by side", "minutes"), tuple(rows), texts=2
    )
