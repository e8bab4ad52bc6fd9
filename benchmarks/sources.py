"""Reading the original files: rows with their place, so that a broken one is named by number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.base import DataSource
from core.errors import DataError
from core.files.extras import require

Row = Mapping[str, Any]


def rows(source: DataSource, folder: str, files: Sequence[str], hub: tuple[str, str | None, str]) -> list[Row]:
    """The rows of a benchmark: the first of `files` in the data folder (or its subfolder `folder`), else from the hub.

    `hub` is (dataset, configuration, split). Raises DataError naming the file and the row, or what to download; MissingExtra
    where the hub is asked without its extra.
    """
    if source.folder is None:
        return _from_hub(*hub)
    places = [source.folder / folder / name for name in files] + [source.folder / name for name in files]
    for path in places:
        if path.is_file():
            return read(path)
    raise DataError(
        f"{source.folder} holds none of {', '.join(files)} (nor does its subfolder {folder}).",
        "Point --data (or LRM_DATA) to the folder of original benchmark files.",
    )


def read(path: Path) -> list[Row]:
    """The rows of a .jsonl, .json or .parquet file. A .jsonl that is one JSON array is read as such."""
    if path.suffix == ".parquet":
        return _parquet(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", "Replace the file.") from error
    if path.suffix == ".jsonl" and not text.lstrip().startswith("["):
        return [_line(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: {error.msg}.", "Mend that line or fetch the file again.") from error
    questions = body.get("examples", body) if isinstance(body, dict) else body
    if not isinstance(questions, list):
        raise DataError(f"{path} holds no list of questions.", "Fetch the original file again.")
    return questions


def field(row: Row, name: str, where: str) -> Any:  # noqa: ANN401 - as JSON has it
    """A field that every row must have. Raises DataError with the row's place."""
    if not isinstance(row, Mapping) or row.get(name) is None:
        raise DataError(f"{where}: the field {name!r} is missing.", "Mend that row or fetch the file again.")
    return row[name]


def numbered(questions: Iterable[Row], label: str) -> Iterable[tuple[str, Row]]:
    """(place, row) pairs for messages."""
    return ((f"{label}, row {number}", row) for number, row in enumerate(questions, 1))


def _line(path: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {number}: {error.msg}.", "Mend that line or fetch the file again.") from error
    if not isinstance(row, dict):
        raise DataError(f"{path}, line {number}: not a JSON object.", "Mend that line or fetch the file again.")
    return row


def _parquet(path: Path) -> list[Row]:
    import pandas as pd

    try:
        return [{str(k): v for k, v in row.items()} for row in pd.read_parquet(path).to_dict("records")]
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no readable Parquet file: {error}.", "Fetch the file again.") from error


def _from_hub(dataset: str, configuration: str | None, split: str) -> list[Row]:
    require("hub", f"{dataset}, from the Hugging Face hub,")
    import datasets

    try:
        return [dict(row) for row in datasets.load_dataset(dataset, configuration, split=split)]
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise DataError(
            f"{dataset} could not be loaded from the Hugging Face hub: {reason}.",
            "Give a folder of original files with --data or LRM_DATA; a gated dataset wants `hf auth login` first.",
        ) from error
