"""A report folder that is read without lrm-tui: one HTML page with plots, every table as CSV and LaTeX, and provenance."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import StoreError, UsageError
from core.results.runs import one_picture, shown_runs
from core.results.show.drawing import png, svg
from core.results.show.plots import Plot, curves, front, tenths
from core.results.show.provenance import provenance, provenance_sheet
from core.results.show.sheets import Sheet, collapse_sheet, deciles_sheet, lengths_sheet, scores_sheets
from core.results.show.sheets_findings import findings_sheets, points_sheet
from core.results.show.sheets_recovery import recovery_sheet
from core.results.show.writers import contents, csv_text, html_page, html_table, latex
from core.results.tables.collapse_points import points
from core.results.tables.differences import lengths_with_differences, with_differences
from core.results.tables.findings import findings
from core.results.tables.lengths import deciles_rows, lengths_rows
from core.results.tables.loops import collapse_cells
from core.results.tables.printed import Edition
from core.results.tables.published import FIRST, published_lengths, published_rows
from core.results.tables.recommend import recommend
from core.results.tables.recovery import with_recovery
from core.results.tables.scores import by_benchmark, scores_rows
from core.text import json_text

MARK = "provenance.json"
QS = (30.0, 20.0)
Rows = Sequence[Mapping[str, object]]


def export(connection: sqlite3.Connection, folder: Path, edition: Edition | None = FIRST) -> list[Path]:
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
    sheets = [sheet for _, some in tables.values() for sheet in some] + [provenance_sheet(origin)]
    files: dict[str, str | bytes] = {"index.html": _page(sheets, plots)}
    for plot in plots:
        files |= {f"{plot.name}.svg": svg(plot), f"{plot.name}.png": png(plot)}
    files |= {f"{name}.csv": csv_text(rows) for name, (rows, _) in tables.items()}
    files |= {f"{sheet.name}.tex": latex(sheet) for sheet in sheets}
    return files | {MARK: json_text({**origin, "files": [*files, MARK]}, indent=2) + "\n"}


def _plots(connection: sqlite3.Connection) -> list[Plot]:
    candidates = recommend(connection, float("inf"))["front"]
    sizes = [front(candidates)] if candidates else []
    return [*curves(points(connection)), *tenths(deciles_rows(connection)), *sizes]


def _page(sheets: Sequence[Sheet], plots: Sequence[Plot]) -> str:
    """Contents, tables and plots; every picture stands in the page itself."""
    links = [(sheet.name, sheet.title) for sheet in sheets] + ([("plots", "Plots")] if plots else [])
    pictures = "".join(f"<figure>{svg(plot)}</figure>\n" for plot in plots)
    section = f'<section id="plots"><h2>Plots</h2>\n<div class="plots">{pictures}</div></section>\n' if plots else ""
    return html_page(
        "lrm-tui report", contents(links) + "".join(map(html_table, sheets[:-1])) + section + html_table(sheets[-1])
    )


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
    claims = findings(connection)
    tables["findings"] = (claims["claims"], findings_sheets(claims))
    tables["ranking"] = (claims["ranking"], [])
    return {name: table for name, table in tables.items() if table[0]}
