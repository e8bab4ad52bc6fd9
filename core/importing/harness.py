"""Sample logs of lm-evaluation-harness: `MODEL/samples_TASK_TIME.jsonl`, a line a question.

A line: {"doc_id": 3, "doc": {"problem": ...}, "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"until": [...],
"max_gen_toks": 32768}}}, "resps": [["output", "second sample"]], "filter": "none"}; older ones write the arguments as lists.
A task with several filters writes each question once a filter; only the first is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import DataError
from core.importing.files import MEND, content, lines, opened, parsed
from core.importing.record import Fields, Record, benchmark_of, from_mapping
from core.importing.sampling import Said, said

_NAME = re.compile(r"samples_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl")


def samples(path: Path, defaults: Fields) -> Iterator[Record]:
    """The outputs of one task. Raises DataError naming file and line."""
    name = _NAME.fullmatch(path.name)
    task = defaults.get("benchmark") or (name["task"] if name else path.stem.removeprefix("samples_"))
    benchmark_of(task, str(path))
    log = _log(path, name["time"] if name else None)
    common = {"model": log.model, **defaults, "benchmark": task}
    first_filter: dict[object, object] = {}
    for source_line, line in lines(path):
        row = parsed(line, source_line)
        try:
            assert isinstance(row, dict) and isinstance(row["resps"], list)
            outputs = row["resps"][0]
            item, doc = row["doc_id"], row.get("doc") or {}
            wanted = first_filter.setdefault(item, row.get("filter"))
        except (AssertionError, KeyError, TypeError, IndexError) as error:
            raise DataError(f"{source_line}: not a sample of lm-evaluation-harness ({error!r}).", MEND) from error
        if wanted != row.get("filter"):
            continue
        question = "\n".join(str(value) for value in doc.values()) if isinstance(doc, dict) else str(doc)
        for output in outputs if isinstance(outputs, list) else [outputs]:
            text = "" if output is None else output  # a request that failed
            record = from_mapping({**common, "item": item, "output": text}, source_line)
            yield replace(record, question=question or None, sampling=_sampling(row.get("arguments"), log.thinking_removed))


@dataclass(frozen=True, slots=True)
class _Log:
    """What stands beside the samples: the model's name, and whether the outputs were stored without their thinking."""

    model: str
    thinking_removed: bool = False


def _log(path: Path, time: str | None) -> _Log:
    """From the results beside the samples; where there are none, the name of the folder, which is named after the model."""
    for results in path.parent.glob(f"results_{time or '*'}.json"):
        try:
            with opened(results) as file:
                found = parsed(content(file, str(results)), str(results))
        except DataError:
            continue
        name, config = (found.get("model_name"), found.get("config")) if isinstance(found, dict) else (None, None)
        if isinstance(name, str) and name:
            return _Log(name.rsplit("/", 1)[-1], "think_end_token" in json.dumps(config))
    return _Log(path.resolve().parent.name.rsplit("__", 1)[-1])


def _sampling(arguments: object, thinking_removed: bool) -> Said:
    """What the settings of a request say. Where thinking was removed, its limit says nothing of the length that is left."""
    first = next(iter(arguments.values()), None) if isinstance(arguments, dict) else arguments
    if isinstance(first, list) and first:
        named = dict(enumerate(first[0] if isinstance(first[0], list) else first)).get(1)
    else:
        named = first.get("arg_1") if isinstance(first, dict) else None
    known = said(named)
    if thinking_removed:
        known.pop("max_tokens", None)
    return known
