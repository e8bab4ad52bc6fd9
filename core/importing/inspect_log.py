"""Logs of Inspect: a JSON document, or an `.eval` archive with `header.json` and `samples/*.json`.

A sample: {"id": 1, "epoch": 1, "input": "...", "output": {"choices": [{"message": {"content": ...}, "stop_reason": "stop"}]}};
content is text, or a list of parts of which {"type": "reasoning"} ones are thinking.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from core.errors import DataError
from core.importing.files import MEND, content, opened, parsed
from core.importing.record import Fields, Record, from_mapping
from core.importing.sampling import Said, said

CONVERT = "Convert it with `inspect log convert --to json`; nothing was imported."
LONGEST_LOG = 2**30


class Part(TypedDict, total=False):
    """A part of a message."""

    type: str
    text: str
    reasoning: str


class Message(TypedDict):
    """What the model answered."""

    content: str | list[Part | str]


class Choice(TypedDict):
    """An answer and how it ended."""

    message: Message
    stop_reason: NotRequired[str]


class Output(TypedDict):
    """The answers to one sample; the first one counts."""

    choices: list[Choice]


class Sample(TypedDict):
    """A question with its answer, as Inspect promises it; a log that breaks the promise is caught where it is read."""

    id: int | str
    input: str | list[object]
    output: Output


class Eval(TypedDict):
    """What a log is of."""

    model: str
    task: str


def document(path: Path, defaults: Fields) -> Iterator[Record]:
    """The outputs of a log that is one JSON document. Raises DataError naming the file and the sample."""
    with opened(path) as file:
        log = parsed(content(file, str(path), LONGEST_LOG), str(path))
    if not isinstance(log, dict) or not isinstance(log.get("eval"), dict) or not isinstance(log.get("samples"), list):
        raise DataError(f"{path} is no log of Inspect with samples.", "Rows of your own go into a .jsonl file.")
    for number, sample in enumerate(log["samples"], 1):
        yield from _sample(sample, log["eval"], f"{path}, sample {number}", defaults, _sampling(log))


def archive(path: Path, defaults: Fields) -> Iterator[Record]:
    """The outputs of an `.eval` archive."""
    try:
        with opened(path) as file, zipfile.ZipFile(file) as log:
            names = sorted(name for name in log.namelist() if name.startswith("samples/") and name.endswith(".json"))
            header = cast(dict[str, Eval], _member(log, "header.json", path))
            about, drawn = header["eval"], _sampling(header)
            for name in names:
                yield from _sample(cast(Sample, _member(log, name, path)), about, f"{path}, {name}", defaults, drawn)
    except (NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is compressed in a way that Python cannot read ({error}).", CONVERT) from error
    except (OSError, zlib.error, EOFError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is no finished log of Inspect: {error!r}.", CONVERT) from error


def _member(log: zipfile.ZipFile, name: str, path: Path) -> object:
    with log.open(name) as member:
        return parsed(content(member, f"{path}, {name}"), f"{path}, {name}")


def _sample(sample: Sample, about: Eval, source_line: str, defaults: Fields, drawn: Said) -> Iterator[Record]:
    try:
        choice = sample["output"]["choices"][0]
        content, reason = choice["message"]["content"], choice.get("stop_reason")
        output, reasoning = _parts(content)
        question = sample["input"] if isinstance(sample["input"], str) else json.dumps(sample["input"], ensure_ascii=False)
        row = {
            "model": str(about["model"]).rsplit("/", 1)[-1],
            "benchmark": str(about["task"]).rsplit("/", 1)[-1],
            **defaults,
            **{"item": sample["id"], "output": output, "reasoning": reasoning},
            "finish_reason": reason if reason in ("stop", "max_tokens", "model_length") else None,
        }
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(f"{source_line}: no sample with an output ({error!r}).", MEND) from error
    yield replace(from_mapping(row, source_line), question=question, sampling=drawn)


def _sampling(log: Mapping[str, object]) -> Said:
    """What a log says of the sampling: the model's settings, and over them those that the plan ended with."""
    about, plan = log.get("eval"), log.get("plan")
    models = about.get("model_generate_config") if isinstance(about, dict) else None
    plans = plan.get("config") if isinstance(plan, dict) else None
    settings = [config for config in (models, plans) if isinstance(config, dict)]
    return said({name: value for config in settings for name, value in config.items() if value is not None})


def _parts(content: str | list[Part | str]) -> tuple[str, str]:
    """Answer and thinking."""
    if isinstance(content, str):
        return content, ""
    parts = [Part(type="text", text=part) if isinstance(part, str) else part for part in content]
    texts = [part.get("text", "") for part in parts if part.get("type") == "text"]
    thoughts = [part.get("reasoning", "") for part in parts if part.get("type") == "reasoning"]
    return "\n".join(texts), "\n".join(thoughts)
