"""A response as the parts that a reader shows: verdict, prompt, thinking, answer part, origin."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence

from rich.style import Style

from core.engines.thinking import THINK_END
from core.store.columns import ResponseRow
from core.store.shown import gold, graded
from tui.shown import UNKNOWN, number
from tui.widgets.reader import Kind, Part
from tui.widgets.styled import Mark

SPAN = Style(bold=True, underline=True, color="green")


def parts(row: ResponseRow, reviews: Sequence[sqlite3.Row], folded: bool) -> list[Part]:
    """The parts of a response in reading order; `folded` shows a verbatim loop once, with a count."""
    text = row["text"] or ""
    at = len(text) if row["answer_start"] is None else min(row["answer_start"], len(text))
    thinking_end = at - len(THINK_END) if text[:at].endswith(THINK_END) else at
    answer = f"Answer part · {_count(row['answer_words'], row['answer_tokens'])}"
    thinking = f"Thinking · {_count(row['thinking_words'], row['thinking_tokens'])}"
    return [
        Part("verdict", "Verdict", "\n".join(_verdict(row, reviews)), "plain"),
        Part("prompt", *_prompt(row), "plain"),
        *_body("thinking", thinking, row, (0, thinking_end), folded),
        *_body("answer", answer, row, (at, len(text)), folded),
        Part("origin", "Where from", "\n".join(_origin(row)), "plain"),
    ]


def _count(words: int | None, tokens: int | None) -> str:
    return f"{words or 0:,} words" + (f", {tokens:,} tokens" if tokens is not None else "")


def _prompt(row: ResponseRow) -> tuple[str, str]:
    """The prompt as it was sent, or the question where the prompt of an imported output is not known: (head, text)."""
    if row["prompt"]:
        return "Prompt", row["prompt"]
    fields = json.loads(row["fields"])
    return "Question (the prompt is not known)", "\n".join(str(value) for value in fields.values()) or UNKNOWN


def _body(name: str, head: str, row: ResponseRow, ends: tuple[int, int], folded: bool) -> Iterator[Part]:
    """The parts of a passage of the text: its loop is a part of its own, and the parsed span is marked."""
    text = row["text"] or ""
    start, end = ends
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    kind: Kind = "thinking" if name == "thinking" else "answer"
    if start >= end:
        yield Part(name, head, UNKNOWN, kind)
        return
    marks: tuple[Mark, ...] = ()
    first, last = row["span_start"], row["span_end"]
    if name == "answer" and row["answer_start"] is not None and first is not None and last is not None:
        marks = ((row["answer_start"] + first, row["answer_start"] + last, SPAN),)

    def piece(name: str, head: str, start: int, end: int, kind: Kind) -> Part:
        return Part(name, head, text[start:end], kind, tuple((a - start, b - start, style) for a, b, style in marks))

    onset, period = row["loop_onset"] if row["collapsed"] else None, row["loop_period"]
    if onset is None or period is None or not start <= onset < end:
        yield piece(name, head, start, end, kind)
        return
    yield piece(name, head, start, onset, kind)
    stop = min(loop_end(text, onset, period), end)
    rounds, verbatim = (stop - onset) // max(1, period), row["loop_rule"] in (None, "verbatim")
    what = f"LOOP ({row['loop_rule'] or 'verbatim'}) from character {onset:,}, every {period:,} characters"
    seen = f"{rounds:,} rounds" if verbatim else f"seen {row['loop_count'] or 0:,} times"
    shown = onset + period if folded and verbatim else stop if verbatim else min(onset + period, end)
    hidden = " · z shows all" if folded and verbatim and rounds > 1 else ""
    yield piece("loop", f"{what} · {seen}{hidden}", onset, shown, "unit")
    after = stop if verbatim else shown
    if after < end:
        yield piece("", "after the loop" if verbatim else "", after, end, kind)


def loop_end(text: str, onset: int, period: int) -> int:
    """The end of a verbatim loop, including the part of a last round that breaks off."""
    unit, at = text[onset : onset + period], onset + period
    while unit and text.startswith(unit, at):
        at += period
    while at < len(text) and unit and text[at] == unit[(at - onset) % period]:
        at += 1
    return min(at, len(text))


def _verdict(row: ResponseRow, reviews: Sequence[sqlite3.Row]) -> Iterator[str]:
    parsed = "nothing could be parsed" if row["parsed"] is None else f"parsed {row['parsed']!r} by rule {row['rule']}"
    yield f"{graded(row)} · {parsed} · gold {gold(row['gold'])}"
    if row["em"] is not None:
        strict = f" · whole answer part: EM {number(row['strict_em'], 0)}, F1 {number(row['strict_f1'], 2)}"
        yield f"EM {number(row['em'], 0)}, F1 {number(row['f1'], 2)}{strict}"
    for review in reviews:
        verdict = {None: "the grader's verdict counts", 1: "correct", 0: "wrong"}[review["verdict"]]
        flag = ", flagged" if review["flagged"] else ""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(review["at"]))
        yield f"by hand, {when}: {verdict}{flag}" + (f" · {review['note']}" if review["note"] else "")
    limit = f" (limit {row['token_limit']:,} tokens)" if row["token_limit"] else ""
    audit = " · let run on for the audit" if row["audited"] and row["engine"] != "imported" else ""
    yield f"finished by {row['finish_reason']}{limit}{' · LOOP' if row['collapsed'] else ''}{audit}"


def _origin(row: ResponseRow) -> Iterator[str]:
    sampling = json.loads(row["sampling"] or "{}")
    yield f"run {row['job_id']} · {row['engine']} {row['engine_version'] or ''}".rstrip()
    yield f"sampling {', '.join(f'{name} {value}' for name, value in sampling.items()) or UNKNOWN} · seed {row['seed']}"
    resumed = f" · resumed at token {row['resumed_at']}" if row["resumed_at"] is not None else ""
    seconds = f" · {row['seconds']:.1f} s" if row["seconds"] is not None else ""
    yield f"sample {row['sample']} · attempt {row['attempt']}{resumed}{seconds}"
    yield f"prompt {row['prompt_version'] or UNKNOWN} · weights sha256 {row['sha256'] or UNKNOWN}"
