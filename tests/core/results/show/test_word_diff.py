"""The blocks of a difference put both texts together again, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.results.show import word_diff as module
from core.results.show.word_diff import Block, word_diff

WORDS = st.lists(st.sampled_from(["a", "b", "the", "cat", "\n", "  ", "x y", "\u202e"]), max_size=40).map(" ".join)


@given(WORDS, WORDS)
def test_blocks_give_both_texts_back(left: str, right: str) -> None:
    blocks = word_diff(left, right)
    assert "".join(block.left for block in blocks) == left
    assert "".join(block.right for block in blocks) == right
    for block in blocks:
        assert not block.equal or block.left.split() == block.right.split()


def test_what_differs_is_told_apart() -> None:
    blocks = word_diff("the cat sat on the mat today", "the cat sat on a red mat today")
    assert blocks == [
        Block(True, "the cat sat on ", "the cat sat on "),
        Block(False, "the ", "a red "),
        Block(True, "mat today", "mat today"),
    ]


def test_a_few_equal_words_between_differences_are_chance() -> None:
    blocks = word_diff("one is two is three", "four is five is six")
    assert blocks == [Block(False, "one is two is three", "four is five is six")]


def test_beyond_the_bound_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WORDS", 3)
    assert word_diff("a 1 2 3 4 5 z", "a 6 7 8 1 2 3 4 9 z") == [
        Block(True, "a ", "a "),
        Block(False, "1 2 3 ", "6 7 8 "),
        Block(False, "4 5 ", "1 2 3 4 9 ", compared=False),
        Block(True, "z", "z"),
    ]


def test_equal_texts_of_any_length_are_equal() -> None:
    text = " ".join(str(number % 977) for number in range(2 * module.MOST_WORDS))
    assert word_diff(text, text) == [Block(True, text, text)]
