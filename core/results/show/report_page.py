"""The report's page: three sentences and a date, the plots, the tables, ten flips with their texts, and the methods."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from core.results.rows import Flip, FlipSide, Provenance
from core.results.show.drawing import svg
from core.results.show.plots import Plot
from core.results.show.sheets import UNKNOWN, Sheet
from core.results.show.writers import contents, escaped, html_page, html_table
from core.results.tables.flips import SHOWN, texts

METHODS = (
    "Each question is asked as its benchmark's prompt says, once a sample. Runs that differ in sampling, prompt, "
    "limit or engine stand in rows of their own; alike ones are pooled, question by question.",
    "The question is the unit of every interval and test: a score is the mean over questions of the mean over their "
    "samples. Intervals are 95 % ones, those of a share of as many independent trials as the questions are worth; "
    "differences on the same questions are paired. Claims are adjusted for each other after Holm.",
    "An output that was cut, or stopped in a repetition loop, counts as wrong. 'Ended' is the score of those that "
    "ended by themselves, 'at most' the score if every cut one were right; 'corrected' counts the stopped ones at the "
    "rate of those that were let run on. Recovery is the score over the dense model's on the same questions.",
    "Under smaller limits a response counts where it ended within the limit, since it would have been the same. None "
    "is forced to answer there.",
)


def page(
    sentences: Sequence[str], sheets: Sequence[Sheet], plots: Sequence[Plot], flips: Sequence[Flip], made: Provenance
) -> str:
    """A page that needs nothing beside it; the last sheet says where the numbers come from."""
    first, later = ([plot for plot in plots if plot.name.startswith("deciles") == late] for late in (False, True))
    names = [("plots", "Plots")] * bool(first) + [(sheet.name, sheet.title) for sheet in sheets[:-1]]
    names += [("tenths", "Plots by tenth of length")] * bool(later) + [("flips", "Flipped questions")] * bool(flips)
    names += [("methods", "Methods"), (sheets[-1].name, sheets[-1].title)]
    parts = [
        f'<p class="summary">{escaped(" ".join(sentences))}</p>',
        f'<p class="made">Made on {time.strftime("%Y-%m-%d")} by lrm-tui {version("lrm-tui")}.</p>',
        contents(names),
        _pictures("plots", "Plots", first),
        *map(html_table, sheets[:-1]),
        _pictures("tenths", "Plots by tenth of length", later),
        _flips(flips),
        _methods(made),
        html_table(sheets[-1]),
    ]
    return html_page("What compression did to reasoning", "\n".join(parts))


def _pictures(name: str, title: str, plots: Sequence[Plot]) -> str:
    if not plots:
        return ""
    pictures = "".join(f"<figure>{svg(plot)}</figure>\n" for plot in plots)
    return f'<section id="{name}"><h2>{title}</h2>\n<div class="plots">{pictures}</div></section>\n'


def _flips(flips: Sequence[Flip]) -> str:
    if not flips:
        return ""
    about = f"Questions that only one side got right, up to {len(flips)}; of each output its last {SHOWN:,} characters."
    return f'<section id="flips"><h2>Flipped questions</h2>\n<p>{about}</p>\n{"".join(map(_flip, flips))}</section>\n'


def _flip(flip: Flip) -> str:
    verb, answers = "gained" if flip["gained"] else "lost", " → ".join(map(_answer, texts(flip)))
    head = f"{flip['compressed']['label']} {verb} {flip['benchmark']} {flip['key']}: {answers}"
    rights = (not flip["gained"], flip["gained"])
    sides = "".join(_side(side, right) for side, right in zip(texts(flip), rights, strict=True))
    question = f"{_pre(flip['question'])}<p>Right answer: <b>{escaped(flip['gold'])}</b></p>"
    return f'<details><summary>{escaped(head)}</summary>{question}<div class="sides">{sides}</div></details>\n'


def _side(side: FlipSide, right: bool) -> str:
    left_out = f" (after {side['left_out']:,} characters)" if side["left_out"] else ""
    word = "right" if right else "wrong"
    ending = side["ending"] or "ending unknown"
    about = f"response {side['response']}: {_answer(side)}, {ending}, {side['words']:,} words{left_out}"
    head = f'<b>{escaped(side["label"])}</b> <b class="{word}">{word}</b><br><small>{escaped(about)}</small>'
    return f"<div>{head}{_pre(side['text'])}</div>"


def _pre(text: str) -> str:
    """Text of several lines as it stands."""
    return f"<pre>{chr(10).join(escaped(line) for line in text.split(chr(10)))}</pre>"


def _answer(side: FlipSide) -> str:
    return UNKNOWN if side["parsed"] is None else side["parsed"]


def _methods(made: Provenance) -> str:
    samplings = dict.fromkeys(_sampling(run["sampling"]) for run in made["runs"])
    engines = dict.fromkeys(run["engine_version"] or run["engine"] for run in made["runs"])
    asked = f"Sampling: {'; '.join(samplings)}. Engines: {', '.join(engines)}." if made["runs"] else ""
    paragraphs = "".join(f"<p>{escaped(text)}</p>" for text in (asked, *METHODS) if text)
    return f'<section id="methods" class="methods"><h2>Methods</h2>{paragraphs}</section>\n'


def _sampling(sampling: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sampling.items() if value not in (None, [], ())) or "unknown"
