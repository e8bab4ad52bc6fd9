"""Every table as a pandas DataFrame, for notebooks: the columns of `--format csv`, numbers with all their digits.

`frame(scores_rows(connection))` and its like; the tables themselves need no pandas, which takes half a second to import.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

import pandas as pd

from core.results.show.writers import flat
from core.results.tables.collapse_points import points as points_of
from core.results.tables.findings import findings as findings_of
from core.results.tables.lengths import deciles_rows, lengths_rows
from core.results.tables.loops import collapse_cells
from core.results.tables.recovery import with_recovery
from core.results.tables.scores import by_benchmark, scores_rows


def frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Rows as a DataFrame: nested objects become columns, intervals `_low` and `_high`; NaN where something is unknown."""
    return pd.DataFrame([dict(flat(row)) for row in rows])


def scores(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row for each variant, engine and benchmark, with recovery and inflation beside the dense model.

    See `core.results.tables.scores.scores_rows` and `core.results.tables.recovery.with_recovery`.
    """
    return frame(by_benchmark(with_recovery(connection, scores_rows(connection))))


def lengths(connection: sqlite3.Connection, q: float = 30) -> pd.DataFrame:
    """One row for each variant, engine and benchmark; see `core.results.tables.lengths.lengths_rows`."""
    return frame(lengths_rows(connection, q))


def deciles(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row for each variant, engine, benchmark and tenth by length (`decile`, 1 to 10)."""
    return frame(
        [
            {**{name: value for name, value in row.items() if name != "deciles"}, "decile": place, **tenth}
            for row in deciles_rows(connection)
            for place, tenth in enumerate(row["deciles"], 1)
        ]
    )


def collapse(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row for each variant, engine and benchmark; see `core.results.tables.loops.collapse_cells`."""
    return frame(collapse_cells(connection))


def points(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row for each pruned family and benchmark; see `core.results.tables.collapse_points.points`."""
    return frame([{name: value for name, value in row.items() if name != "curve"} for row in points_of(connection)])


def findings(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row a claim; see `core.results.tables.findings.findings`."""
    return frame(findings_of(connection)["claims"])


def ranking(connection: sqlite3.Connection) -> pd.DataFrame:
    """One row a method, the least loss of accuracy first; see `core.results.tables.findings.ranking`."""
    return frame(findings_of(connection)["ranking"])
