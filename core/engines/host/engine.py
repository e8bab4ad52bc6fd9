"""What an engine must implement; `serve` drives it. A new engine is one module with one such class.

An engine that batches streams itself starts from `batching.Batching`, one whose library batches them from `tasks.Tasks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from .options import BadOption, chosen
from .wire import Event, Generate, Ready

T = TypeVar("T")
GET_AGAIN = "Get or make the model again."


class EngineFailure(Exception):
    """The engine cannot go on. `kind` is `model`, `memory`, `engine` or `usage`; the host reports it and exits."""

    def __init__(self, kind: str, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.remedy = remedy


def chosen_options(cls: type[T], options: Mapping[str, Any], engine: str) -> T:
    """An engine's options, a dataclass of `options`, from `Load.options`. Raises EngineFailure for invalid ones."""
    try:
        return chosen(cls, options, engine)
    except BadOption as error:
        raise EngineFailure("usage", str(error), error.remedy) from error


class Engine(Protocol):
    """A batch of sequences that advance together, one token a step."""

    def probe(self) -> tuple[str, str]:
        """The version of the library and a sentence about its devices. Raises ImportError where it is missing."""
        ...

    def load(self, model: str, options: Mapping[str, Any]) -> Ready:
        """Load the weights. Raises EngineFailure with a message that a user understands."""
        ...

    def submit(self, request: Generate) -> None:
        """Take a request; it may wait inside the engine until a slot is free."""
        ...

    def cancel(self, request_id: str) -> None:
        """Drop a request, active or waiting; unknown ids are ignored. The next step reports it as cancelled."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        ...

    def step(self) -> Iterable[Event]:
        """Advance every active sequence by one token (or one slice of prefill). Returns the events."""
        ...
