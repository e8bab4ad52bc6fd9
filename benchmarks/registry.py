"""All benchmarks by name."""

from __future__ import annotations

from functools import cache

from benchmarks.aime import Aime
from benchmarks.base import Benchmark
from benchmarks.folio import Folio
from benchmarks.musique import Musique
from benchmarks.temporal import Temporal
from core.errors import UsageError


@cache
def _all() -> dict[str, Benchmark]:
    from benchmarks.pocket.suite import SUITE, TRAINING

    return {b.name: b for b in (Aime(), Folio(), Temporal(), Musique(), *(cls() for cls in (*SUITE, *TRAINING)))}


def names(training: bool = False) -> list[str]:
    """Every benchmark, the real ones first; with `training` also the questions that only a student is taught with."""
    from benchmarks.pocket.suite import TRAINING

    hidden = () if training else {kind.name for kind in TRAINING}
    return [name for name in _all() if name not in hidden]


def get(name: str) -> Benchmark:
    """The benchmark of a name. Raises UsageError with the names that exist."""
    try:
        return _all()[name]
    except KeyError:
        raise UsageError(f"There is no benchmark {name!r}.", f"Choose from {', '.join(names())}.") from None


def generates_questions(name: str) -> bool:
    """Whether a benchmark makes its questions itself, without files or the hub."""
    from benchmarks.pocket.suite import SUITE, TRAINING

    return any(kind.name == name for kind in (*SUITE, *TRAINING))
