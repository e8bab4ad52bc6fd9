"""Text comes in whole characters, and is exactly what its ids decode to."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from core.engines.decode.text import ByteDecoder, Piece, TextDecoder, WindowDecoder

pieces = st.lists(st.binary(min_size=1, max_size=3) | st.text(min_size=1, max_size=2).map(str.encode), max_size=20)
torn = st.lists(st.sampled_from([bytes([byte]) for byte in "a日😀".encode()] + ["日😀".encode()[2:4]]), max_size=30)


def feed(decoder: TextDecoder, count: int) -> list[Piece]:
    found = [decoder.push(i) for i in range(count)] + [decoder.flush()]
    return [piece for piece in found if piece]


@given(pieces | torn)
@example([b"\xe6", b"\x97", b"\xa5\xf0", *[b"\x97", b"\x97", b"\xa5\xf0"] * 6, b"\x97", b"\x97", b"\x97"])
def test_bytes_of_any_kind(vocabulary: list[bytes]) -> None:
    def decode(ids: Sequence[int]) -> str:
        return b"".join(vocabulary[i] for i in ids).decode("utf-8", "replace")

    decoders: list[TextDecoder] = [ByteDecoder(lambda i: vocabulary[i]), WindowDecoder(decode)]
    for decoder in decoders:
        found = feed(decoder, len(vocabulary))
        assert "".join(text for text, _ in found) == decode(range(len(vocabulary)))
        assert [i for _, ids in found for i in ids] == list(range(len(vocabulary)))


def test_undecodable_text_is_not_held_back_for_long() -> None:
    decoder = WindowDecoder(lambda ids: "\N{REPLACEMENT CHARACTER}" * len(ids))
    pushed = [decoder.push(i) for i in range(100)]
    assert sum(len(piece[1]) for piece in pushed if piece) > 90


def test_tokens_that_never_end_with_a_character_are_not_held_back_for_ever() -> None:
    straddling = [b"\xe6", b"\x97", *[b"\xa5\xe6", b"\x97"] * 100]
    decoder = WindowDecoder(lambda ids: b"".join(straddling[i] for i in ids).decode("utf-8", "replace"))
    pushed = [decoder.push(i) for i in range(len(straddling))]
    assert sum(len(piece[1]) for piece in pushed if piece) > len(straddling) - 70


@given(st.text(min_size=1, max_size=8), st.data())
def test_a_piece_never_ends_within_a_character(text: str, data: st.DataObject) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)))) | {0, len(raw)})
    vocabulary = [raw[a:b] for a, b in pairwise(cuts)]

    def decode(ids: Sequence[int]) -> str:
        return b"".join(vocabulary[i] for i in ids).decode("utf-8", "replace")

    decoders: list[TextDecoder] = [ByteDecoder(lambda i: vocabulary[i]), WindowDecoder(decode)]
    for decoder in decoders:
        found = feed(decoder, len(vocabulary))
        assert "".join(part for part, _ in found) == text
        for part, ids in found:
            assert part == b"".join(vocabulary[i] for i in ids).decode()


def test_what_is_unfinished_at_the_end_becomes_a_replacement_character() -> None:
    vocabulary = [b"a", "é".encode()[:1]]
    assert feed(ByteDecoder(lambda i: vocabulary[i]), 2) == [("a", (0,)), ("\ufffd", (1,))]
