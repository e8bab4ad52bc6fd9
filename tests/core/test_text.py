"""printable(): nothing that a terminal acts on gets through, whatever goes in."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from core.text import MAX_MARKS, TAB, json_text, printable

ANY_TEXT = st.text(st.characters(codec=None), max_size=200)
HOSTILE = st.text(st.sampled_from("a[\x1b\x9b\x07\r\n\t\x7f\u202e\u2066\u200b\u0301\u0489\ufe0f\ud800\ue000\u1161é漢😀"))
FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(ANY_TEXT | HOSTILE, st.booleans())
def test_no_character_that_a_terminal_acts_on_gets_through(text: str, keep: bool) -> None:
    shown = printable(text, keep_newlines=keep)
    assert not [c for c in shown if unicodedata.category(c) in FORBIDDEN and not (keep and c == "\n")]


@given(ANY_TEXT | HOSTILE, st.booleans())
def test_printing_twice_changes_nothing_and_the_length_is_bounded(text: str, keep: bool) -> None:
    shown = printable(text, keep_newlines=keep)
    assert printable(shown, keep_newlines=keep) == shown
    assert len(shown) <= len(TAB) * len(text)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_is_untouched(text: str) -> None:
    assert printable(text) == text


def test_every_character_of_unicode_is_shown_safely() -> None:
    for code in range(sys.maxunicode + 1):
        shown = printable(chr(code))
        assert all(unicodedata.category(c) not in FORBIDDEN for c in shown), hex(code)
        if unicodedata.category(chr(code)) in FORBIDDEN and code != 9:
            assert cell_len(shown) == 1, hex(code)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", "␛[2Jgone"),
        ("\x1b]52;c;AAAA\x07", "␛]52;c;AAAA␇"),
        ("\x9b31m", "�31m"),
        ("ok\r\nbad\rover", "ok␍␊bad␍over"),
        ("a\tb", "a    b"),
        ("abc\u202edcba\u202c", "abc�dcba�"),
        ("in\u200bvisible", "in�visible"),
        ("\ud800 half", "� half"),
        ("\ue000\U0010ffff", "��"),
        ("\u2028\u0085", "��"),
        ("\x7f\x00", "␡␀"),
        ("⚠️ careful", "⚠ careful"),
        ("café 漢字 😀 ½ ≤ √2", "café 漢字 😀 ½ ≤ √2"),
        ("[/INST] [red]", "[/INST] [red]"),
        ("", ""),
    ],
)
def test_what_stands_in_for_what(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_newlines_are_kept_on_request_and_no_other_break_is() -> None:
    assert printable("a\r\nb\nc\rd\x0be\x85f", keep_newlines=True) == "a\nb\nc␍d␋e�f"


def test_a_flood_of_marks_is_bounded_and_honest_marks_stay() -> None:
    assert printable("Z" + "\u0301" * 5_000 + "x") == "Z" + "\u0301" * MAX_MARKS + "x"
    assert printable("ệ שָּׁ") == "ệ שָּׁ"


def test_it_reaches_a_rich_text_unchanged() -> None:
    assert Text(printable("[/bold] \x1b[31m")).plain == "[/bold] ␛[31m"


@given(st.text(max_size=50) | st.text(st.sampled_from("a\x1b\x9b\x7f\u202e\ue000\U000e0041😀\u1160\n")))
def test_json_loses_nothing_and_shows_nothing_that_acts(text: str) -> None:
    shown = json_text({"text": text}, indent=1)
    assert json.loads(shown) == {"text": text}
    assert not [c for c in shown if unicodedata.category(c) in FORBIDDEN and c != "\n"]
