"""Text to calibrate layers on, as token ids: C4, a file, traces in the store, or the mini-suite's training split."""

from __future__ import annotations

import hashlib
import re
import shutil
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.pocket import weights_dir
from core.compress.recipes import CALIBRATION, Calibration
from core.engines.thinking import THINK_END
from core.errors import DataError, ModelError, UsageError
from core.store.connection import opened, work_folder

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from core.compress.hf_folder import HfFolder

SAMPLES, LENGTH = 128, 2048
C4 = ("allenai/c4", "en/c4-train.00000-of-01024.json.gz")
_OTHER = "Calibrate on a text file (--calibration FILE) or on traces of this store (@traces)."
_SOURCES = ("c4", "traces", "pocket")
_SIZED = re.compile(r"(.+)(-[0-9]{1,5}x[0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Text:
    """Sequences of token ids, each [tokens] in int64, and a record of their source, number and hash."""

    sequences: list[Tensor]
    record: dict[str, object]


def adopted(compression: str, store: Path) -> str:
    """A compression name without paths: a file after its `@` is copied and named by its hash. Raises UsageError."""
    steps, at, source = compression.partition("@")
    return f"{steps}@{adopt(source.strip(), store)}" if at else compression


def adopt(name: str, store: Path) -> str:
    """The word for a text in a compression name: c4, traces or pocket as it is, a file by its hash, copied beside the store.

    FILE-128x2048 limits it to 128 sequences of 2048 tokens. Raises UsageError where there is no such file.
    """
    if CALIBRATION.fullmatch(name.lower()):
        return name
    file, size = name, ""
    if (match := _SIZED.fullmatch(name)) and not Path(name).expanduser().exists():
        file, size = match[1], match[2]
    path = Path(file).expanduser()
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        copy = _text_file(store, f"text-{digest}")
        copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copyfile(path, copy)
    except OSError as error:
        reason = error.strerror or str(error)
        remedy = f"Name a file that can be read, or one of {', '.join(_SOURCES)}."
        raise UsageError(f"No text to calibrate on at {file!r}: {reason}.", remedy) from error
    return f"text-{digest}{size}"


def uses_hub(model: Path, calibration: Calibration | None) -> bool:
    """Whether the text comes from the Hugging Face hub."""
    return (calibration.source if calibration else _default_source(model)) == "c4"


def text(folder: HfFolder, calibration: Calibration | None, store: Path | None) -> Text:
    """The calibration text of a model: the same for the same model and arguments.

    Raises DataError where there is too little text, ModelError where the tokenizer cannot be read.
    """
    import torch

    source = calibration.source if calibration else _default_source(folder.path)
    samples = calibration.samples if calibration and calibration.samples else SAMPLES
    length = calibration.length if calibration and calibration.length else LENGTH
    length = min(length, int(folder.config.max_position_embeddings))
    tokenizer = load_tokenizer(folder.path)
    if source == "pocket":
        rows = [ids[:length] for ids in _mini_suite(tokenizer, samples)]
    else:
        documents = _documents(source, store)
        rows = _windows((tokenizer(document).input_ids for document in documents), tokenizer.eos_token_id, samples, length)
    if not rows:
        raise DataError(f"{source} has less than {length} tokens of text to calibrate on.", _OTHER)
    digest = hashlib.sha256(b"".join(array("I", row).tobytes() for row in rows)).hexdigest()
    record: dict[str, object] = {"source": source, "sequences": len(rows), "tokens": sum(map(len, rows)), "sha256": digest}
    return Text([torch.tensor(row) for row in rows], record)


def _default_source(model: Path) -> str:
    """`pocket` for the embedded family, which is recognised by its tokenizer; `c4` for any other model."""
    try:
        same = (model / "tokenizer.json").read_bytes() == (weights_dir() / "tokenizer.json").read_bytes()
    except OSError:
        return "c4"
    return "pocket" if same else "c4"


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a model's folder, the one that its engine will use. Raises ModelError."""
    from core.engines import hf_vocabulary
    from core.engines.host.engine import EngineFailure

    try:
        return hf_vocabulary.load_tokenizer(folder)
    except EngineFailure as failure:
        raise ModelError(failure.message, failure.remedy) from failure


def _documents(source: str, store: Path | None) -> Iterator[str]:
    if source == "c4":
        return _c4()
    if store is None:
        raise DataError(f"There is no store to take {source} from.", "Name one with --store.")
    return _traces(store) if source == "traces" else _file(_text_file(store, source))


def _text_file(store: Path, source: str) -> Path:
    return work_folder(store) / "calibration" / f"{source}.txt"


def _file(path: Path) -> Iterator[str]:
    try:
        yield path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"The calibration text {path} cannot be read: {error.strerror}.", "Queue the run again.") from error


def _traces(store: Path) -> Iterator[str]:
    """Prompts with outputs that ended by themselves, ordered by hash so that runs are mixed."""
    with opened(store, "reader") as connection:
        rows = connection.execute(_TRACES).fetchall()
    whole = (row["prompt"] + row["text"] for row in rows)
    yield from sorted(whole, key=lambda trace: hashlib.sha256(trace.encode()).digest())


def _c4() -> Iterator[str]:
    try:
        from datasets import load_dataset

        rows = load_dataset(C4[0], data_files={"train": C4[1]}, split="train", streaming=True)
        for row in rows:
            yield str(row["text"])
    except Exception as error:  # the hub's client fails in a dozen ways, all of which mean this
        raise DataError(f"C4 cannot be read from the hub ({type(error).__name__}).", _OTHER) from error


def _windows(documents: Iterable[list[int]], end: int | None, samples: int, length: int) -> list[list[int]]:
    """Up to `samples` sequences of `length` tokens, cut from the documents joined by an end token."""
    rows: list[list[int]] = []
    buffer: list[int] = []
    for ids in documents:
        buffer += chain(ids, [] if end is None else [end])
        while len(buffer) >= length:
            rows.append(buffer[:length])
            del buffer[:length]
            if len(rows) == samples:
                return rows
    return rows


def _mini_suite(tokenizer: PreTrainedTokenizerBase, samples: int) -> list[list[int]]:
    """Solved questions of the training split, the four kinds in turn."""
    from benchmarks.pocket.sample import draw_many
    from benchmarks.pocket.suite import SUITE
    from benchmarks.prompts import load_template

    each = -(-samples // len(SUITE))
    kinds = []
    for kind in SUITE:
        template = load_template(kind.prompt_key)
        solved = draw_many(kind.generate, 0, "train", each)
        kinds.append([_encoded(tokenizer, template.fill(s.fields), f"{s.thinking}{THINK_END}\n{s.answer}") for s in solved])
    return [ids for together in zip(*kinds, strict=True) for ids in together][:samples]


def _encoded(tokenizer: PreTrainedTokenizerBase, question: str, output: str) -> list[int]:
    turn = [{"role": "user", "content": question}]
    prompt = tokenizer.apply_chat_template(turn, add_generation_prompt=True, tokenize=False)
    ids: list[int] = tokenizer(prompt + output + tokenizer.eos_token, add_special_tokens=False).input_ids
    return ids


_TRACES = """
SELECT t.prompt, t.text FROM responses r JOIN response_texts t ON t.response_id = r.id
WHERE r.state = 'done' AND r.finish_reason = 'stop' AND t.text <> ''
"""
