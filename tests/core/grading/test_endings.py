"""How outputs end: a case a class and rule, through the columns that every finished output gets; then what siblings tell."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.base import DataSource, Item
from benchmarks.registry import get
from core.collapse import HEALTHY, Detector
from core.engines.thinking import HARMONY
from core.grading.endings import CUT, ENDED, ENDINGS, Ending, state_of_prompt
from core.grading.grade import Thinking, columns
from core.grading.settle import settle
from core.importing import save
from core.importing.match import grade
from core.importing.record import from_mapping
from core.store.columns import OutputColumns
from tests.helpers.book import Book

ITEM = Item("q", {"problem": "How many?"}, ("72",))
LOOP = "But wait, maybe I should count the crew once more. " * 400


def judged(text: str, reason: str = "stop", prompt: str | None = None, **known: object) -> OutputColumns:
    """The columns of an AIME output; its loops are what the detector sees."""
    detector = Detector()
    detector.feed(text)
    detector.finish()
    verdict = detector.verdict if detector.verdict.state == "collapsed" else HEALTHY
    filtered, stops = bool(known.get("filtered")), tuple(known.get("stops", ()))  # type: ignore[call-overload]
    return columns(get("aime"), ITEM, text, [], reason, Thinking(prompt=prompt), loop=verdict, filtered=filtered, stops=stops)


@pytest.mark.parametrize(
    ("expected", "text", "reason", "prompt"),
    [
        ("error", "24+48</think>\\boxed{72}", "error", "opened"),
        ("error", "", "error", None),
        (None, "24+48</think>\\boxed{72}", "cancelled", "opened"),
        ("empty", "", "stop", "opened"),
        ("empty", " \n", "length", None),
        ("empty", "24+48.</think>\n\n", "stop", "opened"),
        ("empty", "24+48.</think>\n<|im_end|>", "stop", "opened"),
        ("loop", LOOP, "repetition", "opened"),
        ("loop", LOOP, "length", "opened"),
        ("loop", f"24+48.</think>{LOOP}", "length", "opened"),
        ("loop", f"{LOOP}</think>{LOOP}", "length", "opened"),
        ("answered", f"{LOOP}</think>\\boxed{{72}}", "stop", "opened"),
        ("cut_in_answer", f"{LOOP}</think>The crews meet, and so", "length", "opened"),
        ("cut_in_thinking", "24+48. The answer is 72. Or", "length", "opened"),
        ("cut_in_thinking", "24+48. The answer is 72. Or", "length", None),
        ("cut_in_thinking", "<think>24+48. The answer is 72. Or", "length", "left to the model"),
        ("cut_in_answer", "24+48.</think>The crews meet, and so", "length", "opened"),
        ("cut_in_answer", "The crews meet, and so", "length", "closed"),
        ("cut_in_answer", "The crews meet, and so", "length", "none"),
        ("ended_in_thinking", "24+48. The answer is \\boxed{72}.", "stop", "opened"),
        ("ended_in_thinking", "<think>24+48. The answer is \\boxed{72}.", "stop", None),
        ("refused", "24+48.</think>I cannot answer this.", "stop", "opened"),
        ("malformed", "24+48.</think>They are many.", "stop", "opened"),
        ("no_thinking", "\\boxed{72}", "stop", "closed"),
        ("no_thinking", "\\boxed{72}", "stop", "none"),
        ("no_thinking", "\\boxed{72}", "stop", "left to the model"),
        ("no_thinking", "\\boxed{72}", "stop", None),
        ("no_thinking", "<think>\n\n</think>\n\n\\boxed{72}", "stop", None),
        ("no_thinking", "</think>\\boxed{72}", "stop", "opened"),
        ("answered", "24+48.</think>\\boxed{72}", "stop", "opened"),
        ("answered", "24+48.</think>\\boxed{72}</think>", "stop", "opened"),
    ],
)
def test_the_first_class_that_holds(expected: Ending | None, text: str, reason: str, prompt: str | None) -> None:
    row = judged(text, reason, prompt)
    assert row["ending"] == expected and row["prompt_thinking"] == prompt
    if expected in ("answered", "no_thinking"):
        assert row["correct"] == 1
    elif expected is not None and expected != "error":
        assert row["correct"] == 0


def test_every_class_is_of_those_that_ended_or_of_those_that_were_cut_but_an_error() -> None:
    assert {*ENDED, *CUT, "error"} == {*ENDINGS} and not {*ENDED} & {*CUT}


def test_a_loop_that_recovered_is_none() -> None:
    assert judged(f"{LOOP}</think>\\boxed{{72}}", "stop", "opened")["ending"] == "answered"
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=7)) for _ in range(3_000)]
    long = LOOP + " ".join(draw.choice(words) for _ in range(4_000))
    assert judged(long, "length", "opened")["ending"] == "cut_in_thinking"


def test_what_a_filter_refused_earns_nothing() -> None:
    row = judged("24+48.</think>\\boxed{72}", "stop", "opened", filtered=True)
    assert (row["ending"], row["correct"]) == ("refused", 0)
    assert judged("", "stop", "opened", filtered=True)["ending"] == "refused"


@pytest.mark.parametrize(
    ("expected", "text", "prompt"),
    [
        ("cut_in_thinking", "First, 24.\n\n", "opened"),
        ("cut_in_thinking", "First I add 24 and", "opened"),  # a server leaves the text that stopped it out
        ("cut_in_thinking", "First I add.\n\n", None),
        ("cut_in_answer", "First.</think>So I add.\n\n", "opened"),
        ("cut_in_answer", "So I add.\n\n", "closed"),
        ("answered", "First.</think>The answer is \\boxed{72}.\n\n", "opened"),
        ("ended_in_thinking", "First, 24.", "opened"),
    ],
)
def test_a_stop_string_that_fires_before_an_answer_cuts(expected: Ending, text: str, prompt: str | None) -> None:
    assert judged(text, "stop", prompt, stops=("\n\n",))["ending"] == expected


def test_what_ended_in_its_thinking_is_graded_both_ways() -> None:
    row = judged("24+48. The answer is \\boxed{72}.", "stop", "opened")
    assert (row["correct"], row["lenient_credit"], row["lenient_score"]) == (0, 1.0, 1.0)
    wrong = judged("24+48. The answer is \\boxed{71}.", "stop", "opened")
    assert (wrong["correct"], wrong["lenient_credit"]) == (0, 0.0)
    assert judged("24+48.</think>\\boxed{72}")["lenient_credit"] is None
    span = columns(get("musique"), Item("q", {"question": "Who?"}, ("Apple Corps",)), "Answer: Apple Corps of London", [], "stop",
                   Thinking(prompt="opened"))  # fmt: skip
    assert (span["f1"], span["lenient_credit"]) == (0.0, 0.0) and span["lenient_score"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("text", "correct"),
    [
        ("24.</think>The answer is \\boxed{72}, since", 1),
        ("24.</think>The answer is \\boxed{72}? Wait, let me", 0),
        ("24.</think>Half of the crew is 72", 0),
        ("24.</think>So **72** are", 0),
    ],
)
def test_of_a_cut_answer_only_what_was_stated_counts(text: str, correct: int) -> None:
    row = judged(text, "length", "opened")
    assert (row["ending"], row["correct"]) == ("cut_in_answer", correct)


def test_families_are_told_by_their_engine_or_by_their_text() -> None:
    text = "<|channel|>analysis<|message|>24+48.<|end|><|start|>assistant<|channel|>final<|message|>\\boxed{72}"
    by_engine = columns(get("aime"), ITEM, text, [], "stop", Thinking(HARMONY, (), "left to the model"))
    assert by_engine["ending"] == judged(text)["ending"] == "answered"
    cut = text.split("<|end|>")[0]
    assert judged(cut)["ending"] == "ended_in_thinking" and judged(cut, "length")["ending"] == "cut_in_thinking"


@pytest.mark.parametrize(
    ("prompt", "state"),
    [
        ("<|user|>How many?<|assistant|><think>\n", "opened"),
        ("<|user|>How many?<|assistant|><think>\n\n</think>\n\n", "closed"),
        ("<think> is a tag. How many?", None),
        ("", None),
    ],
)
def test_a_prompt_as_it_was_sent_tells_where_it_left_the_thinking(prompt: str, state: str | None) -> None:
    assert state_of_prompt(prompt) == state


def row(text: str, reason: str = "stop", **more: object) -> dict[str, object]:
    return {**judged(text, reason), "thinking_tokens": 0, "answer_tokens": 100, "text": text, **more}


def after_settling(book: Book, rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    with book.writer:
        run = book.run(book.variant(), "aime", rows)
        book.writer.execute("UPDATE items SET gold = '[\"72\"]'")
        settle(book.writer, run)
    sql = "SELECT ending, finish_reason, correct, lenient_credit, thinking_tokens, answer_tokens FROM responses ORDER BY id"
    return [tuple(found) for found in book.reader.execute(sql)]


def test_a_server_whose_other_responses_think_answers_nothing_without_a_closing_mark(book: Book) -> None:
    thinking, open_, short = "24+48.</think>\\boxed{72}", "24+48, so the answer is \\boxed{72}.", "\\boxed{72}"
    first, second, third = after_settling(book, [row(thinking), row(open_), row(short, prompt_thinking="closed")])
    assert first[:3] == ("answered", "stop", 1)
    assert second == ("ended_in_thinking", "stop", 0, 1.0, 100, 0)
    assert third[:3] == ("no_thinking", "stop", 1)  # its prompt closed the thinking


def test_where_no_response_thinks_all_of_it_is_answer(book: Book) -> None:
    endings = after_settling(book, [row("24+48, so \\boxed{72}."), row("It is \\boxed{72}.")])
    assert [ending[:3] for ending in endings] == [("no_thinking", "stop", 1)] * 2


def test_a_cut_that_no_log_says_is_inferred_from_the_others(book: Book) -> None:
    closes, piled = "24+48.</think>\\boxed{72}", "24 and 48 are 72 people. " * 40
    rows = [row(closes, inferred=1), row("24+48, so the answer is \\boxed{72}. Or maybe", inferred=1)]
    rows += [row(piled, inferred=1), row(piled, inferred=1), row("It is \\boxed{72}.", inferred=1), row(piled)]
    found = [ending[:3] for ending in after_settling(book, rows)]
    assert found[:2] == [("answered", "stop", 1), ("cut_in_thinking", "length", 0)]
    assert found[2:4] == [("cut_in_thinking", "length", 0)] * 2  # several of the longest have one length
    assert found[4:] == [("ended_in_thinking", "stop", 0)] * 2  # of the last the log says how it ended


def test_where_most_outputs_of_a_log_break_off_the_others_were_cut_too(book: Book) -> None:
    broken = "24 and 48 make 72 people in all, so that the answer should be 72, unless somebody left the"
    whole = "24 and 48 make 72 people. The answer is \\boxed{72}."
    found = after_settling(book, [*[row(broken, "length", inferred=1)] * 3, row(whole, inferred=1)])
    assert [ending[:3] for ending in found] == [("cut_in_thinking", "length", 0)] * 4


def outputs(folder: Path, task: str | None = None) -> list[tuple[str, int, str]]:
    """(task, row, output) of the outputs that the paper's authors published."""
    path = folder / "traces_shared.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"the published outputs are not at {path}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [one for one in map(json.loads, lines) if "/AWQ_R1_Distill_Llama_8B/" in one["path"]]
    return [(r["task"], int(Path(r["path"]).stem), r["output"]) for r in rows if task in (None, r["task"])]


def imported(book: Book, folder: Path, texts: list[tuple[str, int, str]]) -> Counter[tuple[str, str, bool]]:
    """How many responses have each benchmark, ending and credit after an import without finish reasons."""
    about = {"model": "R1", "compression": "awq-4bit"}
    records = [
        from_mapping({**about, "benchmark": task, "item": item, "output": text}, str(item)) for task, item, text in texts
    ]
    save.store(book.writer, [(run, "published") for run in grade(records, DataSource(folder))])
    sql = "SELECT j.benchmark, r.ending, coalesce(r.correct, r.f1) > 0 FROM responses r JOIN jobs j ON j.id = r.job_id"
    return Counter((benchmark, ending, bool(credit)) for benchmark, ending, credit in book.reader.execute(sql))


def test_published_outputs_that_never_close_their_thinking_earn_nothing(book: Book, real_data: Path) -> None:
    counts = imported(book, real_data, outputs(real_data)[::5])
    assert counts.total() == 117
    assert not [key for key in counts if key[1] in (*CUT, "ended_in_thinking") and key[2]]
    assert sum(counts[key] for key in counts if key[1] == "loop")


@pytest.mark.long
def test_all_published_outputs_that_never_close_their_thinking_earn_nothing(book: Book, real_data: Path) -> None:
    counts = imported(book, real_data, outputs(real_data))
    assert counts.total() == 583
    assert not [key for key in counts if key[1] in (*CUT, "ended_in_thinking") and key[2]]
    loops = {benchmark: counts[benchmark, "loop", False] for benchmark in ("aime", "folio", "temporal", "musique")}
    assert loops == {"aime": 1, "folio": 0, "temporal": 18, "musique": 9}
    assert counts["aime", "answered", True] == 16 and counts["folio", "answered", True] == 143


@pytest.mark.parametrize(
    ("share", "closing"), [(0.3, 3), (0.8, 0), *(pytest.param(*c, marks=pytest.mark.long) for c in ((0.3, 0), (0.8, 3)))]
)
def test_outputs_that_were_cut_in_their_thinking_earn_nothing(book: Book, real_data: Path, share: float, closing: int) -> None:
    whole = sorted(outputs(real_data, "FOLIO"))
    thoughts = [(task, item, text.split("</think>")[0]) for task, item, text in whole]
    cut = [(task, item, text[: int(share * len(text))]) for task, item, text in thoughts]
    counts = imported(book, real_data, [*whole[:closing], *cut[closing:]])
    assert sum(count for (_, _, credit), count in counts.items() if credit) <= closing
    assert counts["folio", "cut_in_thinking", False] > 185
