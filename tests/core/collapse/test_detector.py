"""The repetition detector: what it finds, what it leaves alone, and that the cut of the stream does not matter."""

from __future__ import annotations

import gzip
import json
import random
import string
import tracemalloc
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.collapse import UNIT_CHARACTERS, Detector, Verdict, Windows
from core.collapse.units import CODES

WORDS = [
    *("so", "the", "option", "was", "free", "between", "noon", "and", "then", "he", "walked", "to", "museum", "but"),
    *("seen", "at", "park", "answer", "must", "be", "not", "wait", "check", "again", "time", "closed", "after", "from"),
]


def scan(text: str, limit: int = 32_768) -> Verdict:
    """The verdict on a whole output."""
    detector = Detector(limit)
    detector.feed(text)
    detector.finish()
    return detector.verdict


def prose(words: int, seed: int = 0) -> str:
    """Words in random order: text without any long repetition."""
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words)) + ". "


@cache
def traces(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


# ---- real outputs


EVERY = pytest.mark.parametrize("every", [6, pytest.param(1, marks=pytest.mark.long)])
"""Which of the healthy outputs are read: every sixth, and in the long form all."""


@pytest.mark.slow
@EVERY
def test_every_collapsed_real_output_is_found_and_no_healthy_one_stopped(real_data: Path, every: int) -> None:
    rows = traces(real_data / "traces_shared.jsonl.gz")
    healthy = [row for row in rows if row["label"] == "healthy"][::every]
    verdicts = [(row, scan(row["output"])) for row in (*(r for r in rows if r["label"] == "collapsed"), *healthy)]
    missed = [row["id"] for row, verdict in verdicts if row["label"] == "collapsed" and verdict.state != "collapsed"]
    stopped = [row["id"] for row, verdict in verdicts if row["label"] == "healthy" and verdict.state == "collapsed"]
    assert (missed, stopped) == ([], [])
    assert sum(row["label"] == "collapsed" for row, _ in verdicts) == 35
    assert len(verdicts) == 35 + -(-1_783 // every)


def test_real_positions_are_causal_and_come_soon_after_the_loop_begins(real_data: Path) -> None:
    delays = []
    for row in traces(real_data / "traces_shared.jsonl.gz"):
        if row["label"] != "collapsed":
            continue
        text, position = row["output"], scan(row["output"]).position
        assert position is not None
        assert scan(text[:position]).position == position
        assert scan(text[: position - 200]).state != "collapsed"
        if row.get("loop"):
            delays.append(len(text[row["loop"]["start_char"] : position].split()))
    assert sorted(delays)[len(delays) // 2] <= 512


def test_real_loops_within_a_short_limit_are_found(real_data: Path) -> None:
    """4,000 characters from 500 before a loop's start, about what a run with a limit of 1,024 tokens would hold."""
    found = {}
    for row in traces(real_data / "traces_shared.jsonl.gz"):
        if row.get("loop") and row["loop"]["period_chars"] <= 1_000:
            start = max(0, row["loop"]["start_char"] - 500)
            found[row["id"]] = scan(row["output"][start : start + 4_000], 1_024).state
    assert set(found.values()) == {"collapsed"}
    assert len(found) == 24


@pytest.mark.slow
@EVERY
def test_healthy_real_outputs_are_left_alone_under_a_short_limit(real_data: Path, every: int) -> None:
    """Pieces of 4,000 characters, about 1,024 tokens, from every healthy output."""
    rows = traces(real_data / "traces_shared.jsonl.gz")
    healthy = [row["output"] for row in rows if row["label"] == "healthy"][::every]
    pieces = [text[at : at + 4_000] for text in healthy for at in range(0, len(text), 4_000)]
    assert [piece[:80] for piece in pieces if scan(piece, 1_024).state == "collapsed"] == []
    assert len(pieces) > 5_000 / every / 2


# ---- constructed loops


@pytest.mark.parametrize("limit", [1_024, 32_768])
@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "9",
        "ha ",
        "\n",
        "的",
        "So the answer is B. ",
        "0.3333",
        "| F | F |\n",
        "Wait, let me check again. He was seen at the gym from 5pm to 6pm, so not A. ",
        "これは答えです。",
        "\\frac{1}{2} + ",
    ],
)
def test_exact_loops_of_any_unit_are_found_early(unit: str, limit: int) -> None:
    start = prose(60)
    text = (start + unit * (32_768 // len(unit)))[: 4 * limit]
    verdict = scan(text, limit)
    assert verdict.state == "collapsed"
    assert verdict.position is not None and verdict.onset is not None and verdict.period is not None
    assert abs(verdict.onset - len(start)) <= max(20, len(unit))
    smallest = (unit + unit).find(unit, 1)
    assert verdict.period % smallest == 0
    assert verdict.unit is not None and len(verdict.unit) == verdict.period
    assert verdict.unit in unit * (2 + verdict.period // len(unit) + 1)
    rounds = (len(text) - verdict.onset) // verdict.period
    assert verdict.count is not None
    assert rounds - 17 <= verdict.count <= rounds, "the last unit of text may be cut, and holds up to 16 rounds"


@pytest.mark.parametrize(
    ("words", "limit", "rounds"), [(100, 1_024, 2.7), (400, 32_768, 2.3), (1_000, 32_768, 2), (3_500, 32_768, 1.4)]
)
def test_long_periods_are_found_soon_after_a_second_round(words: int, limit: int, rounds: float) -> None:
    """At once where the second round has gone on for 1,024 units, else when the third has begun."""
    round_ = prose(words)
    verdict = scan(round_ * 4, limit)
    assert verdict.state == "collapsed"
    assert verdict.period == len(round_)
    assert verdict.position is not None and (rounds - 0.7) * len(round_) < verdict.position < rounds * len(round_)
    assert verdict.unit is not None and len(verdict.unit) == min(len(round_), UNIT_CHARACTERS)


def test_loops_whose_rounds_differ_in_a_word_are_found() -> None:
    draw = random.Random(1)
    rounds = "".join(prose(200, seed=5) + f"And {draw.random():.3f}. " for _ in range(40))
    verdict = scan(prose(500) + rounds)
    assert verdict.state == "collapsed"
    assert verdict.period is not None and abs(verdict.period - len(rounds) / 40) < 20


def test_a_loop_that_ends_keeps_its_verdict_and_its_count() -> None:
    loop = "Hm. " + "So the answer is B. " * 100
    short, long = scan(loop + "Wait. "), scan(loop + prose(3_000))
    assert short.state == long.state == "collapsed"
    assert short.count == long.count == 100


def test_an_output_beyond_its_limit_is_still_watched() -> None:
    verdict = scan(prose(9_000) + "So the answer is B. " * 400, 1_024)
    assert verdict.state == "collapsed"


def noisy(units: list[str], length: int, share: float, seed: int) -> str:
    """A loop over `units` of which a share is dropped, replaced, or followed by another word, `length` units in all."""
    draw, out = random.Random(seed), list[str]()
    while len(out) < length:
        for unit in units:
            out += [unit] if draw.random() >= share else draw.choice([[], [draw.choice(OTHERS)], [unit, draw.choice(OTHERS)]])
    return "".join(out[:length])


OTHERS = [f" {word}" for word in ("perhaps", "window", "seven", "blue", "however", "integral", "where", "sum", "proof", "if")]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("period", [2, 9, 40, 200, 700])
def test_loops_under_token_noise_of_5_percent_are_found(period: int, seed: int) -> None:
    units = [f" {word}" for word in prose(period, seed).split()]
    text = prose(500, 9) + noisy(units, 6_000, 0.05, seed)
    verdict = scan(text)
    assert verdict.state == "collapsed"
    assert verdict.position is not None and verdict.onset is not None
    assert verdict.position < len(prose(500, 9)) + 0.7 * (len(text) - len(prose(500, 9)))


@pytest.mark.parametrize("limit", [2_048, 32_768])
@pytest.mark.parametrize(
    "round_",
    [
        "Step {0}, ",
        "Step {0}: the answer is still B.\n",
        "Attempt {0} of {1}: we look at the sightings again, see that he was free between noon and 1 pm, and so take (B). ",
        "{0}\n",
        "x_{0} = {1}; ",
    ],
)
def test_drifting_counters_are_found(round_: str, limit: int) -> None:
    text = prose(60) + "".join(round_.format(n, 7 * n + 100) for n in range(41, 1_400))
    verdict = scan(text[: 4 * limit], limit)
    assert verdict.state == "collapsed"
    assert verdict.rule in ("counter", "near")
    assert verdict.period is not None and abs(verdict.period - len(round_.format(500, 3_600))) < 5


# ---- what is no collapse


def healthy_outputs() -> Iterator[tuple[str, str]]:
    """Honest traces that repeat themselves in form, each short enough for a limit of 1,024 tokens."""
    hours = [f"{h % 12 or 12}{'am' if h < 12 else 'pm'}" for h in range(24)]
    for people in (["Anna"], ["Anna", "Tom", "Maria"]):
        seen = " ".join(f"{p} saw him at the park from {a} to {b}." for p in people for a, b in pairwise(hours[6:18]))
        yield f"sightings {len(people)}", seen
    options = "".join(
        f"({letter}) {a} to {b}: from {a} to {b} he was at the gym, so ({letter}) is not possible.\n"
        for letter, (a, b) in zip(string.ascii_uppercase, pairwise(hours), strict=False)
    )
    yield "options", options
    yield "options restated once", options[:1_200] + "Let me check again.\n" + options[:1_200]
    yield "counting", ", ".join(str(n) for n in range(1, 330))
    yield "counting in steps", "\n".join(f"Step {n}: add 3 to {3 * n}, giving {3 * n + 3}." for n in range(45))
    yield "multiplication table", "\n".join(f"{a} x {b} = {a * b}" for a in range(1, 11) for b in range(1, 11))
    rows = [f"{n:04b}" for n in range(16)]
    yield "truth table", "\n".join("| " + " | ".join("TF"[b == "0"] for b in r) + " |" for r in rows)
    yield "json", json.dumps([{"id": n, "name": f"item {n}", "done": n % 3 == 0} for n in range(60)])
    yield "matrix", "\n".join(" ".join("1" if i == j else "0" for j in range(10)) for i in range(10))
    yield (
        "long division",
        " ".join(f"bring down 0: {r}0 / 7 = {r * 10 // 7}, remainder {r * 10 % 7}." for r in range(1, 7)),
    )
    yield "code", "\n".join(f"    assert add({n}, {n + 1}) == {2 * n + 1}" for n in range(50))
    answer = "First, he was seen at the gym. " + prose(150) + "So the answer is (B). "
    yield "answer restates the thinking", answer + "\n</think>\n" + answer
    yield "underline", "-" * 300 + "\n" + prose(100) + "\n" + "=" * 300
    yield "a word ten times", "no " * 10 + prose(200)
    yield "empty", ""


def long_outputs() -> Iterator[tuple[str, str]]:
    """Honest traces that repeat themselves in form for thousands of tokens."""
    yield "multiplication table", "\n".join(f"{a} x {b} = {a * b}" for a in range(1, 21) for b in range(1, 21))
    yield "squares", "\n".join(f"n = {n}: n^2 = {n * n}, which leaves {n * n % 7} modulo 7, so no." for n in range(1, 120))
    yield "truth table", "\n".join("| " + " | ".join("TF"[b == "0"] for b in f"{n:07b}") + " |" for n in range(128))
    rows = [{"id": n, "name": WORDS[n % 13], "age": n * 37 % 90, "active": n * n % 3 == 0} for n in range(200)]
    yield "json", json.dumps(rows, indent=1)
    yield "long sum", " + ".join(str(n) for n in range(1, 500)) + " = 124750"
    yield "running sum", "\n".join(f"{n * (n - 1) // 2} + {n} = {n * (n + 1) // 2}" for n in range(1, 250))
    primes = [n for n in range(2, 3_000) if all(n % k for k in range(2, int(n**0.5) + 1))]
    yield "primes", ", ".join(map(str, primes))
    draft = prose(700, 4)
    yield "answer restates the whole thinking", draft + "\n</think>\n\n" + draft
    yield "a loop that ends by itself", prose(100) + "So the answer is B. " * 30 + prose(300, 1) + "</think>(B)"


@pytest.mark.parametrize("limit", [16_384, 32_768])
@pytest.mark.parametrize(("name", "text"), list(long_outputs()), ids=[name for name, _ in long_outputs()])
def test_long_honest_repetition_is_left_alone(name: str, text: str, limit: int) -> None:
    assert scan(text, limit).state != "collapsed", name


def test_a_loop_that_goes_through_the_end_of_thinking_is_found() -> None:
    verdict = scan(prose(100) + "So the answer is B.</think>" * 400)
    assert verdict.state == "collapsed"
    assert verdict.unit is not None and (2 * verdict.unit).count("</think>") > 0


@pytest.mark.parametrize("limit", [512, 1_024, 4_096, 32_768])
@pytest.mark.parametrize(("name", "text"), list(healthy_outputs()), ids=[name for name, _ in healthy_outputs()])
def test_honest_repetition_is_left_alone(name: str, text: str, limit: int) -> None:
    assert scan(text, limit).state != "collapsed", name


def test_a_half_shown_loop_is_suspicious_and_recovery_makes_it_healthy() -> None:
    detector = Detector(32_768)
    detector.feed(prose(300) + "So the answer is B. " * 25)
    assert detector.verdict.state == "suspicious"
    assert (detector.verdict.position, detector.verdict.period) == (None, 20)
    detector.feed(prose(300, seed=1))
    assert detector.verdict == Verdict("healthy")


# ---- properties


PIECES = st.sampled_from(["a", " ", "  ", "\n", "12", "3456", "é", "的", "\u0301", "_", "...", "So B. ", "\ud83d", "x" * 20])
LOOPS = st.tuples(st.lists(PIECES, max_size=30), st.lists(PIECES, min_size=1, max_size=8), st.integers(0, 400)).map(
    lambda parts: "".join(parts[0]) + "".join(parts[1]) * parts[2]
)


@given(text=LOOPS, seed=st.integers(0, 1_000), limit=st.sampled_from([256, 1_024, 32_768]))
def test_the_verdict_does_not_depend_on_how_the_stream_is_cut(text: str, seed: int, limit: int) -> None:
    draw = random.Random(seed)
    pieces, at = [], 0
    while at < len(text):
        size = draw.choice([1, 1, 2, 5, 40, 3_000])
        pieces.append(text[at : at + size])
        at += size
    detector = Detector(limit)
    for piece in pieces:
        detector.feed(piece)
    detector.finish()
    assert detector.verdict == scan(text, limit)


@pytest.mark.slow
def test_real_verdicts_do_not_depend_on_the_cut(real_data: Path) -> None:
    draw = random.Random(3)
    for row in traces(real_data / "traces_shared.jsonl.gz")[:250:5]:
        detector, text, at = Detector(), row["output"], 0
        while at < len(text):
            size = draw.randint(1, 400)
            detector.feed(text[at : at + size])
            at += size
        detector.finish()
        assert detector.verdict == scan(text)


@given(text=LOOPS, limit=st.sampled_from([256, 1_024]))
def test_offsets_lie_in_the_text_and_positions_are_causal(text: str, limit: int) -> None:
    verdict = scan(text, limit)
    if verdict.state != "collapsed":
        return
    assert verdict.onset is not None and verdict.position is not None and verdict.period and verdict.count
    assert 0 <= verdict.onset < verdict.position <= len(text)
    assert scan(text[: verdict.position], limit).position == verdict.position
    assert scan(text[: max(0, verdict.position - 20)], limit).state != "collapsed"


def test_windows_shrink_with_the_limit_and_never_outgrow_it() -> None:
    full, short = Windows.of(32_768), Windows.of(1_024)
    assert full == Windows(verbatim=256, near=1024, once=973, twice=922, gram=16, noise=1024, count=2048, check=256)
    assert short == Windows(verbatim=170, near=384, once=385, twice=346, gram=8, noise=256, count=1024, check=96)
    for limit in range(512, 40_000, 97):
        windows = Windows.of(limit)
        assert windows.verbatim < limit / 2 and windows.near < limit / 2


def test_feeding_after_the_end_is_an_error() -> None:
    detector = Detector()
    detector.finish()
    with pytest.raises(ValueError, match="finished"):
        detector.feed("more")


@pytest.mark.slow
def test_a_stream_of_32_768_tokens_takes_less_than_half_a_megabyte() -> None:
    draw = random.Random(7)
    vocabulary = ["".join(draw.choices("etaoinshrdlu", k=draw.randint(2, 9))) for _ in range(5_000)]
    text = "".join(f" {draw.choice(vocabulary)}" + draw.choice(["", "", ",", ".\n", " 42"]) for _ in range(20_400))
    CODES.clear()
    scan(text)  # the codes of units are shared by all streams
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    detector = Detector(32_768)
    for at in range(0, len(text), 100):
        detector.feed(text[at : at + 100])
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(detector._units) > 32_768
    assert used < 500_000
