"""prompt: exactly what a run will send to its model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

import click

from core.cli.call import Call
from core.cli.grammar import FILE, QUEUE, benchmarks, command, models, printing
from core.cli.template_options import TemplateValues, options_of, template_options

DETAILS = (
    "Template and special tokens come from the model's files, no weights are loaded; it is rendered by the same code as in a "
    "run. A server renders its own template: for it the body of the request is shown."
)


@command(QUEUE, "lrm-tui prompt --model pocket --benchmark pocket-facts", order=4, details=DETAILS)
@printing
@click.option("--model", required=True, metavar="MODEL", shell_complete=models, help="as in `lrm-tui add`")
@click.option("--benchmark", required=True, metavar="BENCHMARK", shell_complete=benchmarks, help="as in `lrm-tui add`")
@click.option("--item", type=int, default=0, metavar="N", help="which question, from 0 (default 0)")
@click.option("--prompts", type=FILE, metavar="PROMPTS", help="a TOML file of prompts of your own")
@template_options
def prompt(call: Call, model: str, benchmark: str, item: int, prompts: Path | None, **options: Unpack[TemplateValues]) -> int:
    """Print exactly what a run will send for a question."""
    import time

    from core.cli.output import print_json
    from core.jobs.engines import engine_for, names
    from core.jobs.models import resolve
    from core.jobs.prompting import prompt_of
    from core.spec import RunSpec, Sampling

    known = resolve(model)
    sampling = Sampling(max_tokens=known.default_limit)
    engine = engine_for(known.format, names()[0])
    spec = RunSpec(model, "none", benchmark, engine, sampling, options_of(options), data=call.data_folder, prompts=prompts)
    sent = prompt_of(known, spec, item, time.strftime("%Y-%m-%d"))
    facts, marks = sent.facts, sent.facts.marks
    data: dict[str, Any] = {
        "prompt": sent.prompt,
        "thinking": facts.state,
        "opens": marks.opens if marks else None,
        "closes": marks.closes if marks else None,
        "stops": sent.stops,
        "arguments": facts.arguments,
        "notes": facts.notes,
        **({} if sent.request is None else {"request": sent.request}),
    }
    if call.json:
        print_json(data)
    else:
        _print(data)
    return 0


def _print(data: dict[str, Any]) -> None:
    """The prompt as it is, then a line for each fact."""
    import json

    from core.text import printable

    print("\n".join(printable(line) for line in str(data["prompt"]).split("\n")))
    print("────")
    marks = f" ({data['opens']} … {data['closes']})".replace("\n", "\\n") if data["closes"] else ""
    print(f"thinking: {data['thinking']}{printable(marks)}")
    print(f"stops: {printable('  '.join(data['stops']).replace(chr(10), chr(92) + 'n')) or 'none known'}")
    print(f"arguments: {printable(json.dumps(data['arguments'], ensure_ascii=False))}")
    if "request" in data:
        print(f"request: {printable(json.dumps(data['request'], ensure_ascii=False))}")
    for note in data["notes"]:
        print(printable(note))
