"""doctor --fix says what it does before it does it, and leaves alone what is in order."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from core.cli.doctor import fix
from tests.helpers.book import Book


def mended(path: Path) -> list[str]:
    """What is done for a store, in order."""
    done = []
    for repair in fix.repairs(path):
        done.append(repair.what)
        repair.do()
    return done


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "runs.db"
    assert mended(path) == [f"make the folder {path.parent}"]
    assert path.parent.is_dir()
    assert mended(path) == []


def test_a_store_becomes_its_owners_alone_again(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    Book(path)
    path.chmod(0o444)
    log = path.parent / ".lrm-tui" / "runs" / "runner.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch(mode=0o644)
    assert mended(path) == [f"let you read and write {path}", f"keep {path} and what lies beside it from other users"]
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(log.stat().st_mode) == 0o600
    assert mended(path) == []


def test_work_that_waits_gets_its_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Path] = []
    monkeypatch.setattr(fix, "ensure_runner", started.append)
    path = tmp_path / "runs.db"
    book = Book(path)
    assert mended(path) == []
    book.run(book.variant(), "pocket-facts", [{}])
    assert mended(path) == ["start the runner, for which work is waiting"] and started == [path]


def test_what_fails_is_said_and_the_rest_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(requirements: list[str]) -> None:
        raise subprocess.CalledProcessError(1, ["pip", *requirements])

    monkeypatch.setattr(fix, "missing_packages", lambda: ["nothing-of-that-name>=1"])
    monkeypatch.setattr(fix, "install", refused)
    fix.fix(tmp_path / "new" / "runs.db")
    said = capsys.readouterr().err
    assert "fix  install nothing-of-that-name>=1\n     that failed" in said
    assert (tmp_path / "new").is_dir()


def test_packages_are_those_that_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fix.missing_packages() == []
    monkeypatch.setattr(fix, "requires", lambda _: ["textual>=8", "no-such-thing>=2", 'other; extra == "dev"'])
    assert fix.missing_packages() == ["no-such-thing>=2"]
