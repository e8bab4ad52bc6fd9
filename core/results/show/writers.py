"""Sheets as Markdown, LaTeX or HTML, and rows as CSV; text from models and files is harmless in each."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from core.results.show.sheets import Cell, Sheet
from core.text import printable

_FORMULA = re.compile(r"^\s*[=+\-@＝＋－＠]")  # ASCII or full width; tabs and returns are white space
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~#])")
_LATEX = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}"},
    **{">": r"\textgreater{}", "–": "--", **{character: "\\" + character for character in "&%$#_{}"}},
}


_PAIRS = ("_ci", "_floor")


def csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows as CSV with all their digits: nested objects become columns, intervals `_low` and `_high`.

    Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    cells = [dict(flat(row)) for row in rows]
    columns = list(dict.fromkeys(name for row in cells for name in row))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_harmless(name) for name in columns])
    writer.writerows([[_harmless(row.get(name)) for name in columns] for row in cells])
    return out.getvalue()


def flat(row: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """The columns of a row: nested objects as `outer_inner`, intervals as `_low` and `_high`, other lists as text."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}_")
        elif name.endswith(_PAIRS):
            low, high = value if isinstance(value, (list, tuple)) else (None, None)
            start = prefix + name.removesuffix("_ci")
            yield from ((f"{start}_low", low), (f"{start}_high", high))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            for place, inner in enumerate(value, 1):
                yield from flat(inner, f"{prefix}{name}_{place}_")
        else:
            yield f"{prefix}{name}", " ".join(map(str, value)) if isinstance(value, list) else value


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if _FORMULA.match(text) else text


def markdown(sheet: Sheet) -> str:
    """A pipe table under its title, small things in brackets."""
    lines = [f"**{_markdown(sheet.title)}**", "", _pipe([_markdown(head) for head in sheet.heads])]
    lines.append(_pipe(["---" if sheet.is_text(at) else "---:" for at in range(len(sheet.heads))]))
    lines += [_pipe([_markdown_cell(cell) for cell in row]) for row in sheet.rows]
    return "\n".join([*lines, "", _markdown(sheet.caption), ""])


def _pipe(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: Cell) -> str:
    text = f"**{_markdown(cell.text)}**" if cell.strong else _markdown(cell.text)
    return text + (f" ({_markdown('; '.join(cell.notes))})" if cell.notes else "")


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", printable(text))


def latex(sheet: Sheet) -> str:
    """A `table` with a booktabs `tabular`; intervals and counts stand small in lines of their own."""
    columns = "".join("l" if sheet.is_text(at) else "r" for at in range(len(sheet.heads)))
    lines = [r"\begin{table}", r"\centering", r"% \usepackage{booktabs}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [" & ".join(_latex(head) for head in sheet.heads) + r" \\", r"\midrule"]
    for at, row in enumerate(sheet.rows):
        lines += [r"\midrule"] if at in sheet.breaks else []
        lines.append(" & ".join(_latex_main(cell) for cell in row) + r" \\")
        for note in range(max(len(cell.notes) for cell in row)):
            below = [cell.notes[note] if note < len(cell.notes) else "" for cell in row]
            lines.append(" & ".join(rf"{{\scriptsize {_latex(text)}}}" if text else "" for text in below) + r" \\")
    end = [r"\bottomrule", r"\end{tabular}", rf"\caption{{{_latex(sheet.title)}. {_latex(sheet.caption)}}}", r"\end{table}", ""]
    return "\n".join(lines + end)


def _latex_main(cell: Cell) -> str:
    return rf"\textbf{{{_latex(cell.text)}}}" if cell.strong else _latex(cell.text)


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in printable(text))


def html_table(sheet: Sheet) -> str:
    """A `<table>` with its caption; small things in `<small>`."""
    head = "".join(f"<th{_left(at, sheet)}>{escaped(text)}</th>" for at, text in enumerate(sheet.heads))
    body = []
    for at, row in enumerate(sheet.rows):
        cells = "".join(f"<td{_left(column, sheet)}>{_html_cell(cell)}</td>" for column, cell in enumerate(row))
        body.append(f'<tr class="break">{cells}</tr>' if at in sheet.breaks else f"<tr>{cells}</tr>")
    return (
        f'<section id="{escaped(sheet.name)}"><h2>{escaped(sheet.title)}</h2>\n<div class="wide"><table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n"
        + "\n".join(body)
        + f"\n</tbody>\n</table></div>\n<p>{escaped(sheet.caption)}</p></section>\n"
    )


def _left(column: int, sheet: Sheet) -> str:
    return ' class="text"' if sheet.is_text(column) else ""


def _html_cell(cell: Cell) -> str:
    text = f"<b>{escaped(cell.text)}</b>" if cell.strong else escaped(cell.text)
    return text + "".join(f"<br><small>{escaped(note)}</small>" for note in cell.notes)


def escaped(text: str) -> str:
    """Text for a page, with nothing in it that a browser or terminal would act on."""
    return html.escape(printable(text))


def contents(links: Sequence[tuple[str, str]]) -> str:
    """A list of the sections of a page, each (id, title)."""
    items = "".join(f'<li><a href="#{escaped(name)}">{escaped(title)}</a></li>' for name, title in links)
    return f"<nav><ul>{items}</ul></nav>\n"


def html_page(title: str, body: str) -> str:
    """A page that needs nothing beside it."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escaped(title)}</title>\n'
        f"<style>{_style()}</style></head>\n<body>\n<h1>{escaped(title)}</h1>\n{body}</body></html>\n"
    )


@cache
def _style() -> str:
    """The style sheet that every page carries."""
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")
