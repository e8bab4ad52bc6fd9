"""What a benchmark is: items to ask, a prompt, an extraction rule and a grade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

Metric = Literal["accuracy", "em_f1"]
Kind = Literal["reasoning", "knowledge"]
Suite = Literal["paper", "pocket", "training", "own"]
"""The paper's four, the embedded models' four, the questions that teach a student, and what a user adds."""


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


class Benchmark(Protocol):
    """One task: one file an implementation, listed in `benchmarks.registry`. What others must know of it stands here.

    `title` heads its column in a report, `short` (up to 7 characters) on a screen. `kind` is what it asks for. `chance` is
    the score of guessing, 0 to 1. `prompt_key` names its table in prompts.toml. `questions` is how many `load` returns.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    short: ClassVar[str]
    suite: ClassVar[Suite]
    kind: ClassVar[Kind]
    metric: ClassVar[Metric]
    chance: ClassVar[float]
    prompt_key: ClassVar[str]
    questions: ClassVar[int]

    def load(self, source: DataSource) -> list[Item]:
        """All items in their published order. Raises `core.errors.DataError` naming file, line and remedy."""
        ...

    def extract(self, answer_part: str, item: Item, cut: bool = False) -> Extraction | None:
        """The first rule that yields an answer, or None (the response is then *unparsed*); `cut`: the answer was cut off."""
        ...

    def grade(self, answer_part: str, item: Item, cut: bool = False) -> Grade:
        """Extraction and score of one answer part (an empty string where the output never answered)."""
        ...
