"""Main rows with their answers question by question, as findings compare them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.registry import get
from core.compress.methods import Kind, Method, method
from core.results.questions import Questions
from core.results.runs import Run, main_runs, one_picture, responses_of

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Measured:
    """A row, its finished responses (dtype `ROW`), the means of its questions, and what was done to the model."""

    run: Run
    responses: np.ndarray
    questions: Questions
    method: Method

    @classmethod
    def of(cls, run: Run, responses: np.ndarray) -> Measured:
        """From a row and its responses."""
        return cls(run, responses, Questions.of(responses), method(run.compression))

    @property
    def kind(self) -> Kind:
        """Dense, quantized, pruned or both."""
        return self.method.kind

    @property
    def scores(self) -> np.ndarray:
        """The mean score of each question, accuracy or F1, 0 to 1, [questions]."""
        return self.questions.score

    @property
    def about(self) -> tuple[str, str, str]:
        """What variants share that may be compared with each other: model, origin and sampling."""
        return self.run.model, self.run.origin, self.run.protocol.sampling

    @property
    def same(self) -> Hashable:
        """The same for variants of a model on one benchmark under one protocol."""
        return (*self.about, self.run.benchmark, self.run.protocol)

    @property
    def asks(self) -> str:
        """Whether its benchmark asks for reasoning or for knowledge."""
        return get(self.run.benchmark).kind


def measured(connection: sqlite3.Connection) -> list[Measured]:
    """The main rows of a store with finished responses."""
    with one_picture(connection):
        runs = [run for run in main_runs(connection) if run.summary.n]
        responses = responses_of(connection, runs)
    return [Measured.of(run, responses[run.run]) for run in runs]


def grouped(items: Iterable[T], of: Callable[[T], K]) -> dict[K, list[T]]:
    """Items by a key, in the order of their first."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(of(item), []).append(item)
    return groups


def on_questions(cells: Sequence[Measured]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of rows of one benchmark over the union of their questions, [rows, questions], and which were asked."""
    union = np.unique(np.concatenate([cell.questions.items for cell in cells]))
    scores, asked = np.zeros((len(cells), len(union))), np.zeros((len(cells), len(union)), dtype=bool)
    for row, cell in enumerate(cells):
        places = np.searchsorted(union, cell.questions.items)
        scores[row, places], asked[row, places] = cell.scores, True
    return scores, asked
