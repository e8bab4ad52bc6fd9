"""The mini-suite: the four benchmarks with questions that are generated, asked and graded as the real ones are."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from benchmarks.aime import Aime
from benchmarks.base import DataSource, Item, Suite
from benchmarks.folio import Folio
from benchmarks.musique import Musique
from benchmarks.pocket import arithmetic, facts, logic, temporal
from benchmarks.pocket.sample import Sample, Split, draw_many
from benchmarks.temporal import Temporal

COUNT = 1000
LESSONS = 5000


class _Generated:
    """Loads fresh test questions for the source's seed instead of a file."""

    generate: ClassVar[staticmethod[[Random], Sample]]
    suite: ClassVar[Suite] = "pocket"
    split: ClassVar[Split] = "test"
    questions: ClassVar[int] = COUNT

    def samples(self, seed: int) -> list[Sample]:
        """Up to `questions` with their solutions; the facts have fewer compositions that were held out."""
        return draw_many(self.generate, seed, self.split, self.questions, tries=60_000)

    def load(self, source: DataSource) -> list[Item]:
        """The questions alone."""
        return [sample.item() for sample in self.samples(source.seed)]


class PocketTemporal(_Generated, Temporal):
    """Temporal Sequences with generated days."""

    name: ClassVar[str] = "pocket-temporal"
    title: ClassVar[str] = name
    short: ClassVar[str] = "p-temp"
    generate = staticmethod(temporal.generate)


class PocketLogic(_Generated, Folio):
    """FOLIO with generated premises."""

    name: ClassVar[str] = "pocket-logic"
    title: ClassVar[str] = name
    short: ClassVar[str] = "p-logic"
    generate = staticmethod(logic.generate)


class PocketArithmetic(_Generated, Aime):
    """AIME's integers with generated sums."""

    name: ClassVar[str] = "pocket-arithmetic"
    title: ClassVar[str] = name
    short: ClassVar[str] = "p-arith"
    generate = staticmethod(arithmetic.generate)


class PocketFacts(_Generated, Musique):
    """MuSiQue about a fictional world that the embedded model has memorised."""

    name: ClassVar[str] = "pocket-facts"
    title: ClassVar[str] = name
    short: ClassVar[str] = "p-facts"
    generate = staticmethod(facts.generate)


class _Lessons:
    """The same questions, drawn from the training split: a teacher answers them for its student."""

    suite: ClassVar[Suite] = "training"
    split: ClassVar[Split] = "train"
    questions: ClassVar[int] = LESSONS


class TemporalLessons(_Lessons, PocketTemporal):
    """Days to learn from."""

    name: ClassVar[str] = "pocket-temporal-train"
    title: ClassVar[str] = name
    short: ClassVar[str] = "t-temp"


class LogicLessons(_Lessons, PocketLogic):
    """Premises to learn from."""

    name: ClassVar[str] = "pocket-logic-train"
    title: ClassVar[str] = name
    short: ClassVar[str] = "t-logic"


class ArithmeticLessons(_Lessons, PocketArithmetic):
    """Sums to learn from."""

    name: ClassVar[str] = "pocket-arithmetic-train"
    title: ClassVar[str] = name
    short: ClassVar[str] = "t-arith"


class FactsLessons(_Lessons, PocketFacts):
    """The fictional world to learn."""

    name: ClassVar[str] = "pocket-facts-train"
    title: ClassVar[str] = name
    short: ClassVar[str] = "t-facts"


SUITE = (PocketTemporal, PocketLogic, PocketArithmetic, PocketFacts)
TRAINING = (TemporalLessons, LogicLessons, ArithmeticLessons, FactsLessons)
