"""Which format a path has, and its records: JSONL rows, a folder of numbered texts, lm-evaluation-harness and Inspect logs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from core.errors import DataError, UsageError
from core.importing import harness, inspect_log
from core.importing.record import MEND, Fields, Record, benchmark_of, from_mapping, number_of, parameters_of, reason_of


@dataclass(frozen=True, slots=True)
class Defaults:
    """Values from the command line for fields that a path or row does not name itself."""

    model: str | None = None
    benchmark: str | None = None
    compression: str | None = None
    parameters: str | None = None
    reason: str | None = None
    bits: float | None = None

    def fields(self) -> Fields:
        """The fields of a JSON row that are set."""
        fields: dict[str, object] = {"model": self.model, "benchmark": self.benchmark, "compression": self.compression}
        fields |= {"parameters": self.parameters, "finish_reason": self.reason, "bits_per_weight": self.bits}
        return cast(Fields, {name: value for name, value in fields.items() if value is not None})


def records(path: Path, defaults: Defaults) -> Iterator[Record]:
    """Every output under a path, one after another. Raises DataError naming file and line, UsageError for no such path."""
    if path.is_dir():
        yield from _folder(path, defaults)
    elif not path.is_file():
        raise UsageError(f"There is no {path}.", "Name files or folders of outputs.")
    elif path.suffix == ".eval":
        yield from inspect_log.archive(path, defaults.fields())
    elif path.suffix == ".json":
        yield from inspect_log.document(path, defaults.fields())
    elif path.name.startswith("samples_") and _is_harness(path):
        yield from harness.samples(path, defaults.fields())
    else:
        yield from _rows(path, defaults)


def _folder(folder: Path, defaults: Defaults) -> Iterator[Record]:
    """Numbered texts, or a folder of logs, or of folders of either."""
    numbered = sorted((p for p in folder.glob("*.txt") if p.stem.isdigit()), key=lambda p: int(p.stem))
    if numbered:
        yield from _numbered(folder, numbered, defaults)
        return
    inner = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    logs = [p for p in inner if p.is_file() and (p.suffix in (".eval", ".json") or p.name.endswith((".jsonl", ".jsonl.gz")))]
    sources = [p for p in logs if not p.name.startswith("results_")] + [p for p in inner if p.is_dir()]
    if not sources:
        raise DataError(f"{folder} holds no outputs.", "Name a folder of 0.txt, 1.txt, ..., or of logs; nothing was imported.")
    for path in sources:
        yield from records(path, defaults)


def _numbered(folder: Path, files: list[Path], defaults: Defaults) -> Iterator[Record]:
    """`MODEL/BENCHMARK/12.txt` is the answer to row 12."""
    name = str(folder)
    benchmark = benchmark_of(defaults.benchmark or folder.resolve().name, name)
    model = defaults.model or folder.resolve().parent.name
    for file in files:
        yield Record(
            str(file),
            model,
            benchmark,
            _read(file),
            int(file.stem),
            reason=reason_of(defaults.reason, name),
            compression=defaults.compression or "none",
            parameters=parameters_of(defaults.parameters, name),
            bits_per_weight=number_of(defaults.fields(), "bits_per_weight", name),
        )


def _rows(path: Path, defaults: Defaults) -> Iterator[Record]:
    empty = True
    for source_line, row in _objects(path):
        empty = False
        yield from_mapping({**defaults.fields(), **row}, source_line)
    if empty:
        raise DataError(f"{path} holds no outputs.", "Every line is one JSON object; nothing was imported.")


def _objects(path: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """(source_line, object) for each line that is not empty."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    source_line = f"{path}, line {number}"
                    yield source_line, _object(line, source_line)
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read: {error}.", "Replace the file; nothing was imported.") from error


def _object(line: bytes, source_line: str) -> dict[str, object]:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{source_line}: not UTF-8.", MEND) from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"{source_line}: not JSON ({error}).", MEND) from error
    if not isinstance(row, dict):
        raise DataError(f"{source_line}: not a JSON object.", MEND)
    return row


def _is_harness(path: Path) -> bool:
    first = next((row for _, row in _objects(path)), {})
    return "doc_id" in first and "resps" in first


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read: {error}.", MEND) from error
