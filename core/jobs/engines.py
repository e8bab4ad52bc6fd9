"""Which engines there are, which models they take, and with which interpreter their hosts run."""

from __future__ import annotations

from pathlib import Path

from core.engines.host.options import ENGINES
from core.errors import UsageError
from core.settings import Settings
from core.spec import Format

FORMATS: dict[str, Format] = {name: entry.format for name, entry in ENGINES.items()}
WITHOUT_WEIGHTS: tuple[Format, ...] = ("server", "recording")
HOST = Path(__file__).parents[1] / "engines" / "host" / "host.py"


def names() -> list[str]:
    """All engines, the default first."""
    return list(FORMATS)


def format_for(engine: str) -> Format:
    """The format of models that an engine loads. Raises UsageError for an unknown engine."""
    if engine not in FORMATS:
        raise UsageError(f"There is no engine {engine!r}.", f"Choose from {', '.join(FORMATS)}.")
    return FORMATS[engine]


def engine_for(source: Format, engine: str) -> str:
    """The engine that runs a model: the one that is asked for, unless the model leaves no choice."""
    if source in WITHOUT_WEIGHTS:
        return next(name for name, form in FORMATS.items() if form == source)
    return engine


def command(engine: str, settings: Settings, *arguments: str) -> list[str]:
    """The command line of an engine's host. `-P` keeps our folders from shadowing the environment's packages."""
    return [settings.python(engine), "-P", str(HOST), engine, *arguments]
