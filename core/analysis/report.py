"""A report folder that is read without lrm-tui: one HTML page with plots, every table as CSV and LaTeX, and provenance."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.analysis.collapse_points import points
from core.analysis.findings import findings
from core.analysis.lengths import deciles_rows, lengths_rows
from core.analysis.loops import collapse_cells
from core.analysis.plots import curves, front, svg
from core.analysis.provenance import provenance, provenance_sheet
from core.analysis.published import published_rows, with_differences
from core.analysis.recommend import recommend
from core.analysis.scores import by_benchmark, scores_rows
from core.analysis.sheets import Sheet, collapse_sheet, deciles_sheet, lengths_sheet, scores_sheets
from core.analysis.sheets_findings import findings_sheets, points_sheet
from core.analysis.writers import csv_text, html_page, html_table, latex
from core.errors import StoreError, UsageError
from core.text import json_text

MARK = "provenance.json"
QS = (30.0, 20.0)


def export(connection: sqlite3.Connection, folder: Path, published: bool = True) -> list[Path]:
    """Write the report and return its files. Raises UsageError for a folder with other things in it, StoreError for a disk
    that refuses; an older report in the folder is replaced."""
    before = _older_files(folder)
    files = _files(connection, published)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in set(before) - set(files):
            (folder / Path(name).name).unlink(missing_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}.", "Name another folder.") from error
    return [folder / name for name in files]


def _older_files(folder: Path) -> list[str]:
    """The files of the report that a folder holds; empty for a new or empty folder."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return []
    try:
        return [str(name) for name in json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder} holds other things than a report.", "Name a new or empty folder.") from error


def _files(connection: sqlite3.Connection, published: bool) -> dict[str, str]:
    """Every file by name, the mark last."""
    connection.execute("BEGIN")
    try:
        tables = _tables(connection, published)
        found = points(connection)
        candidates = recommend(connection, float("inf"))["front"]
        runs = sorted({cell["run"] for row in scores_rows(connection) for cell in row["benchmarks"].values()})
        origin = provenance(connection, runs)
    finally:
        connection.execute("ROLLBACK")
    plots = {
        f"sparsity-{number}.svg": svg(f"{family}: score over sparsity", "sparsity in %", "percent", series)
        for number, (family, series) in enumerate(curves(found).items(), 1)
    }
    if candidates:
        plots["size.svg"] = svg("Average over size", "weights in GB", "percent", front(candidates))
    sheets = [sheet for _, some in tables.values() for sheet in some] + [provenance_sheet(origin)]
    pictures = "".join(f"<figure>{text}</figure>\n" for text in plots.values())
    files = {"index.html": html_page("lrm-tui report", pictures + "".join(map(html_table, sheets)))}
    files |= plots
    files |= {f"{name}.csv": csv_text(rows) for name, (rows, _) in tables.items()}
    files |= {f"{sheet.name}.tex": latex(sheet) for sheet in sheets}
    return files | {MARK: json_text(origin | {"files": [*files, MARK]}, indent=2) + "\n"}


def _tables(connection: sqlite3.Connection, published: bool) -> dict[str, tuple[Sequence[Mapping[str, Any]], list[Sheet]]]:
    """By name of file: rows for CSV, and the sheets that show them."""
    scored = scores_rows(connection)
    if published:
        scored = [*with_differences(scored), *published_rows()]
    tables: dict[str, tuple[Sequence[Mapping[str, Any]], list[Sheet]]] = {
        "scores": (by_benchmark(scored), scores_sheets(scored, with_runs=True))
    }
    for q in QS:
        rows = lengths_rows(connection, q)
        tables[f"lengths-{q:g}"] = (rows, [lengths_sheet(rows)])
    tenths, cells, found = deciles_rows(connection), collapse_cells(connection), points(connection)
    tables["deciles"] = (tenths, [deciles_sheet(tenths)])
    tables["collapse"] = (cells, [collapse_sheet(cells)])
    tables["collapse-points"] = (found, [points_sheet(found)])
    claims = findings(connection)
    tables["findings"] = (claims["claims"], findings_sheets(claims))
    tables["ranking"] = (claims["ranking"], [])
    return tables
