"""The engine that CONTRIBUTING shows: short, and able to do what every engine owes."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELPERS = ROOT / "tests" / "helpers"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "text.txt"
    file.write_text("the cat sat on the mat, and the naïve dog thought that this was odd.\n\n" * 20)
    return file


def test_it_is_short() -> None:
    lines = (ROOT / "docs" / "example_engine.py").read_text().splitlines()
    assert len(lines) < 150
    assert "docs/example_engine.py" in (ROOT / "CONTRIBUTING.md").read_text()


def test_it_does_what_every_engine_owes(text: Path) -> None:
    from tests.helpers.host_process import generate, running

    with running("example", script=HELPERS / "example_host.py") as host:
        assert host.load(text, slots=2, context=300).resumes
        whole = host.ask("the ", seed=5, max_tokens=60)
        assert whole.text and host.ask("the ", seed=5, max_tokens=60).ids == whole.ids
        rest = host.ask("the ", seed=5, max_tokens=60, prefix=whole.ids[:7])
        assert whole.ids[:7] + rest.ids == whole.ids
        assert host.ask("the ", seed=5, max_tokens=60, stop=(whole.text[8:11],)).text == whole.text[:11]
        host.send(*(generate(f"r{i}", "the", max_tokens=250, chat=True) for i in range(4)))
        host.cancel("r3")
        reasons = [answer.finished.reason for answer in host.wait(*(f"r{i}" for i in range(4))) if answer.finished]
        assert reasons[3] == "cancelled" and set(reasons[:3]) <= {"stop", "length"}


def test_it_says_what_it_cannot_load(tmp_path: Path) -> None:
    from tests.helpers.host_process import running

    with running("example", script=HELPERS / "example_host.py") as host:
        assert host.refuse(tmp_path / "absent.txt").kind == "model"
