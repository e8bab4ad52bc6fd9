"""What a view is, and the choices that its pane makes for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from rich.text import Text

from core.results.show.plots import Plot
from core.results.tables.printed import EDITIONS, Edition
from core.store.filters import ResponseFilter
from tui.widgets.table import Cells, Column

Record = Mapping[str, object]
"""A row of any view."""
RowT = TypeVar("RowT", bound=Record)


@cache
def short_names() -> dict[str, str]:
    """Heads that fit a column at 80 cells, in the registry's order; other benchmarks show their own names."""
    from benchmarks.registry import get, names

    return {name: get(name).short for name in names(training=True)}


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user chose in a pane, handed to every view.

    Two variants, a budget, a share of the shortest and longest, and the edition of the paper to compare with.
    """

    one: str = ""
    other: str = ""
    memory: str = ""
    knowledge: bool = False
    share: float = 30.0
    edition: Edition = EDITIONS[0]


class View(Generic[RowT]):
    """Subclasses say the rest; what they hold is nothing, so that one object serves every pane."""

    name = ""
    plotted = False
    uses: tuple[str, ...] = ()
    """The choices with which the records change."""

    def records(self, connection: sqlite3.Connection, choices: Choices) -> Sequence[RowT]:
        """The records, computed in a thread."""
        raise NotImplementedError

    def title(self, records: Sequence[RowT], choices: Choices) -> str:
        """What the numbers are."""
        raise NotImplementedError

    def nothing(self, choices: Choices) -> str:
        """Why there are no records although responses have finished, and what to do."""
        return "No run has finished enough responses for this table yet.\n\n1 goes to the queue, which says what runs."

    def columns(self, records: Sequence[RowT], width: int) -> Sequence[Column]:
        """The columns for these records on a screen of this width."""
        raise NotImplementedError

    def key(self, record: RowT) -> str:
        """What identifies a record."""
        return "\0".join(str(record.get(part)) for part in ("label", "engine", "benchmark", "origin"))

    def words(self, record: RowT) -> str:
        """What a filter looks into."""
        return " ".join(str(record.get(part) or "") for part in ("label", "benchmark", "family", "origin", "compression"))

    def cells(self, record: RowT, width: int) -> Cells:
        """One line."""
        raise NotImplementedError

    def value(self, record: RowT, column: str) -> float | str | None:
        """What a column is sorted by, as it stands where a view does not say otherwise; None comes last."""
        value = record.get(column)
        return value if isinstance(value, float | int | str) else None

    def about(self, record: RowT) -> Text:
        """More about the record under the cursor."""
        return Text()

    def follow(self, record: RowT, column: str) -> ResponseFilter | None:
        """The responses behind a cell."""
        return None

    def plot(self, record: RowT, records: Sequence[RowT]) -> Plot | None:
        """A plot of the record under the cursor."""
        return None


AnyView = View[Any]
"""A view of whatever rows: a pane hands those that a view has computed back to that view alone."""
