"""All benchmarks by name."""

from __future__ import annotations

from functools import cache

from benchmarks.aime import Aime
from benchmarks.base import Benchmark, Kind, Suite
from benchmarks.folio import Folio
from benchmarks.musique import Musique
from benchmarks.temporal import Temporal
from core.errors import UsageError
from core.text import nearest


@cache
def _all() -> dict[str, Benchmark]:
    from benchmarks.pocket.suite import SUITE, TRAINING

    return {b.name: b for b in (Aime(), Folio(), Temporal(), Musique(), *(cls() for cls in (*SUITE, *TRAINING)))}


def names(training: bool = False) -> list[str]:
    """Every benchmark, the paper's first; with `training` also the questions that only a student is taught with."""
    return [name for name, benchmark in _all().items() if training or benchmark.suite != "training"]


def of(suite: Suite, kind: Kind | None = None) -> tuple[str, ...]:
    """The names of a suite's benchmarks, or of those of one kind, in the order of the registry."""
    return tuple(name for name, b in _all().items() if b.suite == suite and kind in (None, b.kind))


def find(name: str) -> Benchmark | None:
    """The benchmark of a name, or None where the name is another's (an import may bring any)."""
    return _all().get(name)


def get(name: str) -> Benchmark:
    """The benchmark of a name. Raises UsageError with the names that exist."""
    try:
        return _all()[name]
    except KeyError:
        raise UsageError(
            f"There is no benchmark {name!r}.{nearest(name, names())}", f"Choose from {', '.join(names())}."
        ) from None


def generates_questions(name: str) -> bool:
    """Whether a benchmark makes its questions itself, without files or the hub."""
    return get(name).suite in ("pocket", "training")
