"""The lines of a compression worker survive the pipe; anything else on it is refused."""

from __future__ import annotations

import pytest

from core.compress.messages import Failed, Made, Message, Progress, Waiting, decode, encode


@pytest.mark.parametrize(
    "message",
    [
        Progress(type="progress", done=1, total=2, message="half"),
        Waiting(type="waiting", message=""),
        Made(type="artifact", path="/m", sha256="a", bytes=1, parameters=2, bits_per_weight=16.0, sparsity=None),
        Failed(type="failed", kind="lost", message="gone"),
    ],
)
def test_a_message_is_the_same_after_the_pipe(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n") and line.count(b"\n") == 1
    assert decode(line.decode()) == message


@pytest.mark.parametrize("line", ["", "Traceback", "[1]", '{"type": "other"}', "{}"])
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(line)
