"""What a child leaves behind when it ends."""

import signal
import sys
from pathlib import Path

import pytest

from core.child import Child


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
