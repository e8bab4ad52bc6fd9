"""A report that is read without lrm-tui: an HTML page, alone or in a folder with every table as CSV and LaTeX."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import StoreError, UsageError
from core.results.runs import one_picture, shown_runs
from core.results.show.drawing import png, svg
from core.results.show.plots import Plot, budgets, curves, front, tenths
from core.results.show.provenance import provenance, provenance_sheet
from core.results.show.report_page import page
from core.results.show.sheets import Sheet, collapse_sheet, deciles_sheet, lengths_sheet, scores_sheets
from core.results.show.sheets_findings import findings_sheets, points_sheet
from core.results.show.sheets_recovery import recovery_sheet
from core.results.show.summary import summary
from core.results.show.writers import csv_text, latex
from core.results.tables.budgets import budget_rows
from core.results.tables.collapse_points import points
from core.results.tables.differences import lengths_with_differences, with_differences
from core.results.tables.findings import findings
from core.results.tables.flips import flips
from core.results.tables.lengths import deciles_rows, lengths_rows
from core.results.tables.loops import collapse_cells
from core.results.tables.printed import Edition
from core.results.tables.published import published_lengths, published_rows
from core.results.tables.recommend import recommend
from core.results.tables.recovery import with_recovery
from core.results.tables.scores import by_benchmark, scores_rows
from core.text import json_text

MARK = "provenance.json"
TOP = 4_096
"""Bytes at the start of a page within which it says what made it."""
QS = (30.0, 20.0)
Rows = Sequence[Mapping[str, object]]


def export(connection: sqlite3.Connection, folder: Path, edition: Edition | None = None) -> list[Path]:
    """Write the report, beside an edition of the paper or (None) without printed numbers, and return its files.

    An older report in the folder is replaced. Raises UsageError for a folder with other things in it, StoreError for a disk
    that refuses.
    """
    before = _older_files(folder)
    files = _files(connection, edition)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in set(before) - set(files):
            (folder / Path(name).name).unlink(missing_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.", "Name another folder.") from error
    return [folder / name for name in files]


def export_page(connection: sqlite3.Connection, file: Path, edition: Edition | None = None) -> Path:
    """Write the page alone, which needs nothing beside it. Raises UsageError for a file that is no such page, StoreError."""
    if file.exists() and not (file.is_file() and b"lrm-tui" in file.read_bytes()[:TOP]):
        raise UsageError(f"{file} is there already and is no report.", "Name another file.")
    page = _files(connection, edition)["index.html"]
    assert isinstance(page, str)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}.", "Name another file.") from error
    return file


def _older_files(folder: Path) -> list[str]:
    """The files of the report that a folder holds; empty for a new or empty folder."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    try:
        return [str(name) for name in json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder} holds other things than a report.", "Name a new or empty folder.") from error


def _files(connection: sqlite3.Connection, edition: Edition | None) -> dict[str, str | bytes]:
    """Every file by name, the mark last."""
    with one_picture(connection):
        tables = _tables(connection, edition)
        plots = _plots(connection)
        origin = provenance(connection, [run.run for run in shown_runs(connection)])
        sentences = summary(shown_runs(connection), with_recovery(connection, scores_rows(connection)), findings(connection))
        flipped = flips(connection)
    sheets = [sheet for _, some in tables.values() for sheet in some] + [provenance_sheet(origin)]
    files: dict[str, str | bytes] = {"index.html": page(sentences, sheets, plots, flipped, origin)}
    for plot in plots:
        files |= {f"{plot.name}.svg": svg(plot), f"{plot.name}.png": png(plot)}
    files |= {f"{name}.csv": csv_text(rows) for name, (rows, _) in tables.items()}
    files |= {f"{sheet.name}.tex": latex(sheet) for sheet in sheets}
    return files | {MARK: json_text({**origin, "files": [*files, MARK]}, indent=2) + "\n"}


def _plots(connection: sqlite3.Connection) -> list[Plot]:
    candidates = recommend(connection, float("inf"))["front"]
    sizes = [front(candidates)] if candidates else []
    by_limit = budgets(budget_rows(connection))
    return [*sizes, *curves(points(connection)), *by_limit, *tenths(deciles_rows(connection))]


def _tables(
    connection: sqlite3.Connection, edition: Edition | None
) -> dict[str, tuple[Sequence[Mapping[str, object]], list[Sheet]]]:
    """By name of file: rows for CSV, and the sheets that show them; nothing stands for what has no rows."""
    scored = with_recovery(connection, scores_rows(connection))
    beside = [recovery_sheet(scored)] if any("dense" in cell for row in scored for cell in row["benchmarks"].values()) else []
    if edition:
        scored = [*with_differences(scored, edition), *published_rows(edition)]
    tables: dict[str, tuple[Rows, list[Sheet]]] = {
        "scores": (by_benchmark(scored), [*scores_sheets(scored, with_runs=True), *beside])
    }
    for q in QS:
        rows = lengths_rows(connection, q)
        if edition and rows:
            rows = [*lengths_with_differences(rows, edition), *published_lengths(q, edition)]
        tables[f"lengths-{q:g}"] = (rows, [lengths_sheet(rows)])
    tenths, cells, collapses = deciles_rows(connection), collapse_cells(connection), points(connection)
    tables["deciles"] = (tenths, [deciles_sheet(tenths)])
    tables["collapse"] = (cells, [collapse_sheet(cells)])
    tables["collapse-points"] = (collapses, [points_sheet(collapses)])
    tables["budgets"] = (_flat_budgets(connection), [])
    claims = findings(connection)
    tables["findings"] = (claims["claims"], findings_sheets(claims))
    tables["ranking"] = (claims["ranking"], [])
    return {name: table for name, table in tables.items() if table[0]}


def _flat_budgets(connection: sqlite3.Connection) -> Rows:
    """One row a point of a budget curve, as CSV wants them."""
    return [
        {"label": row["label"], "benchmark": row["benchmark"], "run": row["run"], "unit": row["unit"], **point}
        for row in budget_rows(connection)
        for point in row["points"]
    ]
