"""What a child leaves behind when it ends."""

import signal
import sys
from pathlib import Path

import pytest

from core.compress.messages import decode
from core.runner.child import Child


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", "ended by SIGSEGV, without a word"),
        ("import sys; sys.exit('no such device')", "exit status 1; its last words: no such device"),
    ],
)
def test_the_obituary_of_a_child_names_how_it_ended(code: str, said: str, tmp_path: Path) -> None:
    child: Child[str] = Child([sys.executable, "-c", code], str, tmp_path / "child.log", {}, "test.1")
    assert child.receive(10.0) == [None]
    assert child.obituary() == said
    child.close()


def test_lines_that_are_no_messages_stop_no_reader(tmp_path: Path) -> None:
    """Nor do those that no parser gets through; what comes after them still comes, and the end is told."""
    code = "print('chatter'); print('[' * 200_000); print('3'); print('{\"type\": \"progress\"}')"
    child = Child([sys.executable, "-c", code], decode, tmp_path / "child.log", {}, "test.1")
    said: list[object] = []
    while None not in said:
        said += child.receive(10.0) or [None]
    assert said == [{"type": "progress"}, None]
    child.close()
