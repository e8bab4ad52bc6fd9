"""Hostile text in every column, through every pane, command and export: `python -m tests.e2e.hostile_text --strings 10000`.

A store is filled with strings that would move the cursor, set titles and clipboards, close markup, turn the direction of
writing, start formulas or scripts. The app walks through its panes in a pseudo-terminal, the commands print, and whatever
comes out is taken apart: no control sequence may be of a kind that harmless text never causes, and nobody may fail.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import csv
import io
import json
import logging
import os
import random
import re
import sqlite3
import tempfile
import threading
import time
import unicodedata
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

from core import cli
from core.files.logs import CleanFormatter, Keeper
from core.store.connection import connect
from tests.helpers.commands import Terminal

MARK = "31337"  # stands in every sequence, so that none can pass for one of the app's own
CORPUS = (
    f"\x1b[{MARK}m", f"\x1b[{MARK};1H", "\x1b[2J\x1b[3J", f"\x1b]0;{MARK}\x07", f"\x1b]52;c;{MARK}\x1b\\", "\x1bc", "\x1b(0",
    f"\x1bP{MARK}\x1b\\", f"\x9b{MARK}m", f"\x9d0;{MARK}\x9c", f"\x1b_{MARK}\x1b\\", f"\x1b[?{MARK}h", "\x1b[6n", "\x07", "\x08",
    "\x00", "\r", "\r\n", "\n", "\t", "\x0b", "\x0c", "\x0e", "\x7f", "\x85", "\u202e", "\u2066", "\u2069", "\u200b", "\ufeff",
    "\u2028", "\ufff9", "\U000e0041", "[/]", "[/foo]", "[red]", "[@click=app.quit]x[/]", "[link=file:///etc/passwd]", "[[", "]", "\\[",
    "$x", "{{7*7}}", "%s%n", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=x>', "&lt;", "=1+1",
    "@SUM(A1)", "-2+3", "+cmd|' /C calc'!A0", "|", "`", "\\input{x}", "Z" + "\u0301" * 40, "👩‍👩‍👧‍👦", "⚠️", "\u1160", "漢字", "é",
    "</think>", "<|im_end|>", "'", '"', ",", ";", "\ue000", "\U0010ffff", "\ufffe", "x" * 300, " ", "",
)  # fmt: skip
"""Pieces; a string is some of them in a row."""

ROWS = 16
BEFORE = 200  # bytes that are shown of what came before a foreign one
LOGGED = 50  # strings a round that go into logs
KEPT = {
    "state", "kind", "format", "level", "policy", "wanted", "benchmark", "engine", "sampling", "finish_reason", "sql", "summary",
    "migration_set", "applied_at", "verdict", "loop_rule", "name_of_step", "usage",
    "thinking", "effort", "ending", "prompt_thinking",
}  # fmt: skip
"""Columns of text whose values are ours or checked by the schema."""
OWN_TABLES = (
    "models",
    "artifacts",
    "variants",
    "jobs",
    "items",
    "responses",
    "response_texts",
    "chunks",
    "notices",
    "reviews",
    "former_grades",
)
JSON_COLUMNS = {"fields": lambda text: {"question": text}, "gold": lambda text: [text], "arguments": lambda text: {"a": text}}

ESCAPE, ENTER = "\x1b", "\r"
WALK = (
    ("1", "e", ESCAPE, "j", ENTER, ESCAPE, "1", "c", ESCAPE, "d", ESCAPE, "n", ESCAPE),
    ("2", "j", ENTER, "l", "/", "a", ENTER, "n", "]", "[", "y"),
    ("3", "j", ENTER, ESCAPE, "3", *"vvvvvv", "a", "j", "c", "x", "]", ENTER, ESCAPE, "/", "a", ENTER, ESCAPE, "o", "y", "V"),
    ("4", "c", "t", *"vvv", "o", ENTER),
    ("5", "a", "j", ENTER, *"]tapzl[/", "a", ENTER, *"ny", "m", ESCAPE, "v", "]", "y", ESCAPE, ESCAPE),
    ("5", "v", ESCAPE, "f", "f", "o", "a", "/", "a", ENTER, "a", "m", ESCAPE),
    ("!", ESCAPE, "?", ESCAPE, "\x10", ESCAPE, "T", ESCAPE),
)
"""Keys that open every pane, and from each what it can open: dialogs, views, searches, copies, comparisons, verdicts, notices."""
CLIPBOARD = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)(?:\x07|\x1b\\)")
SEQUENCE = re.compile(
    rb"\x1b\[([<=>?]?)([0-9;:]*)([ -/]*[@-~])|\x1b([\]P_^X])(.*?)(?:\x07|\x1b\\)|\x1b([ -/]*[0-~])|([\x00-\x09\x0b\x0c\x0e-\x1f\x7f])",
    re.DOTALL,
)


class Foreign(AssertionError):
    """Text acted on a terminal, or brought something down."""


def string(rng: random.Random) -> str:
    """One hostile string."""
    return "".join(
        rng.choice(CORPUS) if rng.random() < 0.7 else chr(rng.randrange(32, 0x2FA0)) for _ in range(rng.randint(1, 6))
    )


def make_store(path: Path) -> None:
    """A store with rows of every kind and harmless words in them."""
    with closing(connect(path, "user")) as c:
        c.execute(
            "INSERT INTO models (id, name, source, format, family) VALUES (1, 'one', '/m', 'hf', 'one'), (2, 'two', '/h', 'gguf', 'two')"
        )
        for number, model, compression in ((1, 1, "none"), (2, 1, "q8_0"), (3, 2, "none")):
            c.execute(
                "INSERT INTO artifacts (id, model_id, compression, format, ready_at, bits_per_weight, sha256, path) "
                "VALUES (?, ?, ?, 'gguf', 1, 16, 'abc', '/p')", (number, model, compression))  # fmt: skip
        c.execute("INSERT INTO variants (id, artifact_id) SELECT id, id FROM artifacts")
        states = ("running", "queued", "failed", "done", "done", "paused")
        for number, state in enumerate(states, 1):
            c.execute(
                "INSERT INTO jobs (id, kind, state, position, variant_id, benchmark, engine, sampling, item_limit, created, "
                "error, remedy, message) VALUES (?, 'run', ?, ?, ?, 'pocket-facts', 'llama.cpp', '{}', 4, 1, 'e', 'r', 'm')",
                (number, state, number, 1 + number % 3))  # fmt: skip
        for number in range(1, ROWS + 1):
            c.execute("INSERT INTO items VALUES (?, 'pocket-facts', ?, ?, '{}', '[]')", (number, f"q{number}", f"r{number}"))
            for job, shift in ((4, 0), (5, ROWS)):
                _add_response(c, number + shift, job, number, done=True)
            c.execute("INSERT INTO notices (at, level, message, remedy) VALUES (1, 'warning', 'm', 'r')")
        for number in (1, 2):
            _add_response(c, 2 * ROWS + number, 1, number, done=False)
            row = (2 * ROWS + number, 0, "stream", array("I", range(4)).tobytes())
            c.execute("INSERT INTO chunks VALUES (?, ?, ?, ?)", row)
        for response in (1, 2, ROWS + 1):
            c.execute("INSERT INTO reviews (response_id, at, verdict, flagged, note) VALUES (?, 1, 1, 1, 'n')", (response,))
            sql = "INSERT INTO former_grades (response_id, until, replaced_by, parsed, rule) VALUES (?, 1, 'v', 'x', 'bold')"
            c.execute(sql, (response,))
        c.execute("UPDATE runner SET pid = 42, beat = ?, state = 'serving'", (time.time() + 36_000,))


def _add_response(c: sqlite3.Connection, number: int, job: int, item: int, done: bool) -> None:
    c.execute(
        "INSERT INTO responses (id, job_id, item_id, position, seed, state, finish_reason, answer_start, thinking_words, "
        "answer_words, thinking_tokens, answer_tokens, parsed, rule, f1, em, collapsed, loop_onset, loop_position, loop_period, "
        "loop_unit, loop_count, loop_rule, audited, started, finished, error, token_limit) VALUES (?, ?, ?, ?, 1, ?, ?, 3, 6, 4, "
        "9, 9, 'x', 'statement', ?, ?, ?, 0, 30, 9, 'u', 6, 'verbatim', 0, 1, 2, 'e', 1024)",
        (number, job, item, item, "done" if done else "active", ("repetition" if item % 4 == 0 else "stop") if done else None,
         item % 2, item % 2, int(item % 4 == 0)))  # fmt: skip
    c.execute("INSERT INTO response_texts VALUES (?, 'prompt', 'a text of words', NULL)", (number,))


def infect(path: Path, made: Callable[[], str]) -> int:
    """Put a string into every cell of free text. Returns how many there are."""
    count = 0
    with closing(connect(path, "user")) as c:
        c.execute("BEGIN IMMEDIATE")
        for table in OWN_TABLES:
            columns = [row["name"] for row in c.execute(f"PRAGMA table_info({table})") if row["type"] == "TEXT"]
            key = "response_id" if table in ("chunks", "response_texts") else "id"
            for (row,) in c.execute(f"SELECT {key} FROM {table}").fetchall():
                for column in columns:
                    if column not in KEPT:
                        unique = f"{row}" if column in ("name", "compression", "key", "revision") else ""
                        text = made() + unique
                        shape = JSON_COLUMNS.get(column)
                        value = json.dumps(shape(text)) if shape else text
                        c.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (value, row))
                        count += 1
        c.execute("COMMIT")
    return count


def walk(path: Path, made: Callable[[], str] | None, rounds: int, quiet_s: float) -> tuple[bytes, int]:
    """Open the app, and walk through it after each change of the store. Returns what it wrote, and how many strings."""
    terminal, count = Terminal(path), 0
    terminal.read(1.0, 60.0, want=b"lrm-tui")
    for _ in range(rounds):
        count += infect(path, made) if made else 0
        terminal.read(quiet_s + 0.4, 5.0)
        for key in (key for pane in WALK for key in pane):
            terminal.press(key.encode(), quiet_s)
    code = terminal.quit()
    if code or b"Traceback" in terminal.raw:
        raise Foreign(f"the app ended with code {code}: {terminal.raw[-2000:].decode(errors='replace')}")
    return terminal.raw, count


def kinds(raw: bytes) -> set[bytes]:
    """The kinds of control sequences: introducer and final byte, without the numbers."""
    return {_kind(match) for match in SEQUENCE.finditer(raw)}


def _kind(match: re.Match[bytes]) -> bytes:
    private, _, final, string_kind, _, escape, control = match.groups()
    if final is not None:
        return b"CSI" + private + final
    return b"string " + string_kind if string_kind else (b"ESC " + escape if escape else b"C0 " + control)


def foreign(raw: bytes, known: set[bytes]) -> list[str]:
    """What does not belong into a terminal: kinds not in `known`, our own marks within a sequence, unsafe characters.

    What is put into the clipboard counts too, since it may be pasted into a terminal.
    """
    found = [
        f"{_kind(m)!r}: {m.group()!r}" for m in SEQUENCE.finditer(raw) if _kind(m) not in known or MARK.encode() in m.group()
    ]
    text = SEQUENCE.sub(b"", raw).decode("utf-8", "backslashreplace")
    text += "".join(base64.b64decode(m.group(1)).decode() for m in CLIPBOARD.finditer(raw))
    return found + [f"U+{ord(c):04X}" for c in sorted(set(text) - set("\r\n")) if unicodedata.category(c) in _UNSAFE]


_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
FORMATS = ("table", "csv", "markdown", "latex", "html", "json")
TABLES = ("scores", "lengths", "collapse", "findings", "recommend --memory 1TB", "compare 4 5")


def commands() -> Iterator[list[str]]:
    """Every command that prints what stands in a store."""
    yield from (
        line.split()
        for line in (
            "ls",
            "ls --json",
            "show 4",
            "show 4 --json",
            "show --response 1",
            "show 3",
            "scan 4",
            "responses",
            "responses --json",
        )
    )
    for table in TABLES:
        for form in FORMATS:
            yield [*table.split(), "--format", form]


def printed(path: Path) -> Iterator[tuple[str, str]]:
    """What each command prints, and the files of an export; by name."""
    for command in commands():
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = cli.main([*command, "--db", str(path)])
        if code not in (0, 1, 3):
            raise Foreign(f"{command} ended with code {code}: {errors.getvalue()}")
        yield " ".join(command), out.getvalue() + errors.getvalue()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        cli.main(["export", f"{folder}/report", "--db", str(path)])
        for file in sorted(Path(folder, "report").iterdir()):
            if file.suffix != ".png":
                yield f"export/{file.name}", file.read_bytes().decode()


class Tags(HTMLParser):
    """Which tags and attributes a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {tag, *(f"{tag} {name}" for name, _ in attrs)}


def tags(text: str) -> set[str]:
    parser = Tags()
    parser.feed(text)
    return parser.found


def check_printed(path: Path, harmless: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    """Raise Foreign where what is printed acts on a terminal, a browser or a spreadsheet. Returns the tags of each page."""
    pages: dict[str, set[str]] = {}
    for name, text in printed(path):
        if strange := foreign(text.encode("utf-8", "surrogateescape"), set()):
            raise Foreign(f"{name}: {strange[:5]}")
        if name.endswith(("html", "svg")):
            pages[name] = tags(text)
            if harmless is not None and (new := pages[name] - harmless.get(name, pages[name])):
                raise Foreign(f"{name} has tags that harmless text never makes: {new}")
        if name.endswith("csv"):
            formulas = [
                c for row in csv.reader(io.StringIO(text)) for c in row if re.match(r"\s*[=+\-@]", c) and not _number(c)
            ]
            if formulas:
                raise Foreign(f"{name} holds formulas: {formulas[:3]}")
        if "json" in name:
            for line in [text] if not name.startswith("scan") else text.splitlines():
                json.loads(line)
    return pages


def surroundings(raw: bytes, known: set[bytes]) -> bytes:
    """What was written around the first sequence that does not belong there, or else around the first such character."""
    strange = (m.start() for m in SEQUENCE.finditer(raw) if _kind(m) not in known or MARK.encode() in m.group())
    unsafe = [
        raw.find(c.encode())
        for c in set(raw.decode("utf-8", "replace"))
        if unicodedata.category(c) in _UNSAFE and c not in "\r\n\x1b"
    ]
    at = next(strange, min([place for place in unsafe if place >= 0], default=0))
    return raw[max(0, at - 3 * BEFORE) : at + BEFORE]


def _number(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(float(text)) or True
    return False


def check_log(folder: Path, made: Callable[[], str]) -> int:
    """Raise Foreign where what a child says, or what is logged of it, acts in a log. Returns how many strings were said."""
    said = [made() for _ in range(LOGGED)]
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as child:
        keeper = threading.Thread(target=Keeper(folder / "host.log").keep, args=(pipe,))
        keeper.start()
        child.write("\n".join(said).encode("utf-8", "surrogateescape"))
        child.close()
        keeper.join()
    records = [CleanFormatter().format(logging.LogRecord("lrm", logging.INFO, "", 0, "%s", (text,), None)) for text in said]
    for raw in ((folder / "host.log").read_bytes(), "\n".join(records).encode()):
        if strange := foreign(raw, set()):
            raise Foreign(f"a log: {strange[:5]}")
    return len(said)


def torture(folder: Path, strings: int, seed: int, quiet_s: float = 0.15) -> tuple[int, int]:
    """Returns how many strings went through, and how many bytes the app wrote meanwhile; raises Foreign."""
    rng, path = random.Random(seed), folder / "runs.db"
    make_store(path)
    raw, _ = walk(path, None, 1, quiet_s)
    known, harmless = kinds(raw), check_printed(path)
    done = written = 0
    while done < strings:
        raw, count = walk(path, lambda: string(rng), 1 if strings < 2000 else 4, quiet_s)
        done, written = done + count, written + len(raw)
        if strange := foreign(raw, known):
            raise Foreign(f"the screen: {strange[:5]}, first in {surroundings(raw, known)!r}")
        check_printed(path, harmless)
        done += check_log(folder, lambda: string(rng))
    return done, written


def main() -> None:
    """Run the long form and print what went through."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strings", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done, written = torture(Path(folder), given.strings, given.seed)
    print(f"{done:,} hostile strings through panes, commands, exports and logs, {written:,} bytes on the screen: "
          f"0 foreign control bytes, 0 exceptions; {time.monotonic() - began:.0f} s")  # fmt: skip


if __name__ == "__main__":
    main()
