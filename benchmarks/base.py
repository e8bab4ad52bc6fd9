"""What a benchmark is: items to ask, a prompt, an extraction rule and a grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, Protocol

Metric = Literal["accuracy", "em_f1"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question: the fields its prompt template names, and the accepted answers, best first."""

    key: str
    fields: Mapping[str, str]
    gold: Sequence[str]


@dataclass(frozen=True, slots=True)
class Extraction:
    """An answer found in an answer part, with the rule that found it and its span in characters."""

    answer: str
    rule: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Grade:
    """What one response is worth. Scores run from 0 to 1; `strict_*` grade the whole answer part as it stands."""

    extraction: Extraction | None
    correct: bool | None = None
    em: float | None = None
    f1: float | None = None
    strict_em: float | None = None
    strict_f1: float | None = None


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where items come from: a folder of original files, or (None) the Hugging Face hub; `seed` draws samples."""

    folder: Path | None = None
    seed: int = 0
    options: Mapping[str, str] = field(default_factory=dict)


class Benchmark(Protocol):
    """One task. Implementations stand one a file and are listed in `benchmarks.registry`.

    `questions` is how many there are, where none has been loaded yet.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    metric: ClassVar[Metric]
    chance: ClassVar[float]
    prompt_key: ClassVar[str]
    questions: ClassVar[int]

    def load(self, source: DataSource) -> list[Item]:
        """All items in their published order. Raises `core.errors.DataError` naming file, line and remedy."""
        ...

    def extract(self, answer_part: str, item: Item) -> Extraction | None:
        """The first rule that yields an answer, or None (the response is then *unparsed*)."""
        ...

    def grade(self, answer_part: str, item: Item) -> Grade:
        """Extraction and score of one answer part (an empty string where the output never answered)."""
        ...
