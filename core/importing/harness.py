"""Sample logs of lm-evaluation-harness: `MODEL/samples_TASK_TIME.jsonl`, a line a question.

A line: {"doc_id": 3, "doc": {"problem": ...}, "arguments": ..., "resps": [["output", "second sample"]], "filter": "none"}.
A task with several filters writes each question once a filter; only the first is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from core.errors import DataError
from core.importing.files import MEND, content, lines, opened, parsed
from core.importing.record import Fields, Record, benchmark_of, from_mapping

_NAME = re.compile(r"samples_(?P<task>.+?)_(?P<time>\d{4}-\d\d-\d\dT[\d.:-]+)\.jsonl")


def samples(path: Path, defaults: Fields) -> Iterator[Record]:
    """The outputs of one task. Raises DataError naming file and line."""
    name = _NAME.fullmatch(path.name)
    task = defaults.get("benchmark") or (name["task"] if name else path.stem.removeprefix("samples_"))
    benchmark_of(task, str(path))
    common = {"model": _model(path, name["time"] if name else None), **defaults, "benchmark": task}
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
            yield replace(record, question=question or None)


def _model(path: Path, time: str | None) -> str:
    """The model's name as the results beside the samples say it, else the folder's, which is named after it."""
    for results in path.parent.glob(f"results_{time or '*'}.json"):
        try:
            with opened(results) as file:
                found = parsed(content(file, str(results)), str(results))
        except DataError:
            continue
        name = found.get("model_name") if isinstance(found, dict) else None
        if isinstance(name, str) and name:
            return name.rsplit("/", 1)[-1]
    return path.resolve().parent.name.rsplit("__", 1)[-1]
