"""Which format a path has, and its records: JSONL rows, a folder of numbered texts, lm-evaluation-harness and Inspect logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from core.errors import DataError, UsageError
from core.importing import harness, inspect_log
from core.importing.files import MEND, identity, lines, parsed, text
from core.importing.record import Fields, Record, benchmark_of, from_mapping, number_of, parameters_of, reason_of


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
    if not path.exists():
        raise UsageError(f"There is no {path}.", "Name files or folders of outputs.")
    yield from _records(path, defaults, {identity(path)})


def _records(path: Path, defaults: Defaults, seen: set[tuple[int, int]]) -> Iterator[Record]:
    """The outputs under a path that is in `seen` already, where other links to the same folder or log add nothing."""
    if path.is_dir():
        yield from _folder(path, defaults, seen)
    elif path.suffix == ".eval":
        yield from inspect_log.archive(path, defaults.fields())
    elif path.suffix == ".json":
        yield from inspect_log.document(path, defaults.fields())
    elif path.name.startswith("samples_") and _is_harness(path):
        yield from harness.samples(path, defaults.fields())
    else:
        yield from _rows(path, defaults)


def _folder(folder: Path, defaults: Defaults, seen: set[tuple[int, int]]) -> Iterator[Record]:
    """Numbered texts, or a folder of logs, or of folders of either."""
    numbered = sorted((p for p in folder.glob("*.txt") if p.stem.isdecimal()), key=lambda p: int(p.stem))
    if numbered:
        yield from _numbered(folder, numbered, defaults)
        return
    inner = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    logs = [p for p in inner if not p.is_dir() and (p.suffix in (".eval", ".json") or p.name.endswith((".jsonl", ".jsonl.gz")))]
    sources = [p for p in logs if not p.name.startswith("results_")] + [p for p in inner if p.is_dir()]
    if not sources:
        raise DataError(f"{folder} holds no outputs.", "Name a folder of 0.txt, 1.txt, ..., or of logs; nothing was imported.")
    for path in sources:
        if (this := identity(path)) not in seen:
            seen.add(this)
            yield from _records(path, defaults, seen)


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
            text(file),
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
    for source_line, line in lines(path):
        row = parsed(line, source_line)
        if not isinstance(row, dict):
            raise DataError(f"{source_line}: not a JSON object.", MEND)
        yield source_line, row


def _is_harness(path: Path) -> bool:
    first = next((row for _, row in _objects(path)), {})
    return "doc_id" in first and "resps" in first
