"""Which extras a run needs on this machine, so that what is missing is refused before anything is queued."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from benchmarks.registry import generates_questions
from core.compress.recipes import NONE
from core.engines.host.options import ENGINES
from core.files.extras import require
from core.jobs.engines import WITHOUT_WEIGHTS, engine_for
from core.settings import Settings
from core.spec import Format, Model, RunSpec

Checked = tuple[RunSpec, Model, Format, str]
"""A run with its model, the format that its engine loads and its compression's name."""


def check_extras(runs: Iterable[Checked], settings: Settings) -> None:
    """Raise MissingExtra for the first extra that runs need and that is not installed.

    On a cluster (executor ray) engines and compressions use the installations of its machines, which are not looked at.
    """
    needs: dict[str, str] = {}
    for spec, model, _format, compression in runs:
        if settings.general.executor == "local":
            needs |= _needs(spec, model, compression, settings)
        if spec.data is None and not generates_questions(spec.benchmark):
            needs.setdefault("hub", f"The benchmark {spec.benchmark}, without a folder of its files (--data, LRM_DATA),")
    if "compress" in needs:
        needs.pop("local")  # which it brings
    for extra, need in needs.items():
        require(extra, need)


def check_preparation(compression: str, settings: Settings) -> None:
    """Raise MissingExtra where this machine shall make or measure a variant and cannot."""
    if settings.general.executor == "local":
        extra, need = ("local", "Measuring a model") if compression == NONE else ("compress", f"The compression {compression}")
        require(extra, need)


def _needs(spec: RunSpec, model: Model, compression: str, settings: Settings) -> dict[str, str]:
    """Extra and what needs it, for the engine and the weights of one run."""
    if model.format in WITHOUT_WEIGHTS:
        return {}
    engine = engine_for(model.format, spec.engine)
    needs = {"local": f"The engine {engine}"}  # another interpreter's too, since weights are measured in this one
    extra = ENGINES[engine].extra
    if extra and extra != "local" and settings.python(engine) == sys.executable:
        needs[extra] = f"The engine {engine}"
    if compression != NONE:
        needs["compress"] = f"The compression {compression}"
    return needs
