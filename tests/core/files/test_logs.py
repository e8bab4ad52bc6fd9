"""Logs hold no control characters, no secrets and no more than they may, and belong to their owner alone."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.files import logs
from core.files.logs import CleanFormatter, Keeper
from core.files.private import open_private, private_folder
from core.files.redact import PLACEHOLDER, mask
from core.runner.child import Child

CANARY = "sk-canary-0123456789"
ENVIRONMENT = {
    "OPENAI_API_KEY": CANARY,
    "HF_TOKEN": "hf_x",
    "MY_PASSWORD": "correct horse",
    "LRM_OPENAI_KEY_VARIABLE": "MY_OWN_KEY",
}


def test_values_that_are_named_like_secrets_are_masked() -> None:
    text = f"Incorrect API key provided: {CANARY}; correct horse; hf_x; set MY_OWN_KEY"
    assert mask(text, ENVIRONMENT) == f"Incorrect API key provided: {PLACEHOLDER}; {PLACEHOLDER}; hf_x; set MY_OWN_KEY"


def test_what_a_child_says_on_stderr_is_kept_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    words = f"key {CANARY}\x1b]0;owned\x07\r50 %\r100 %\n\udcff last"
    code = f"import os, sys; os.write(2, {words!r}.encode('utf-8', 'surrogateescape')); sys.exit(3)"
    child: Child[str] = Child([sys.executable, "-c", code], str, tmp_path / "new" / "child.log", {}, "test.1")
    assert child.receive(20) == [None]
    assert child.obituary() == f"exit status 3; its last words: key {PLACEHOLDER}␛]0;owned␇\n50 %\n100 %\n� last"
    child.close()


def test_what_threads_and_warnings_say_is_kept_clean() -> None:
    code = (
        "import os, threading, warnings; from core.files.logs import log_cleanly; log_cleanly()\n"
        "def fail(): raise ValueError('\\x1b]0;owned\\x07' + os.environ['SOME_KEY'])\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "warnings.warn('\\x1b[2J' + os.environ['SOME_KEY'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "SOME_KEY": CANARY})
    assert f"ValueError: ␛]0;owned␇{PLACEHOLDER}" in done.stderr and f"␛[2J{PLACEHOLDER}" in done.stderr
    assert CANARY not in done.stderr and "\x1b" not in done.stderr


def test_a_log_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 100_000)
    code = "import sys; [print('x' * 999, file=sys.stderr) for _ in range(1000)]; print('end', file=sys.stderr)"
    child: Child[str] = Child([sys.executable, "-c", code], str, tmp_path / "child.log", {}, "test.1")
    assert child.receive(30) == [None]
    assert child.last_words().endswith("end")
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 400_000
    child.close()


def test_a_full_disk_stops_no_writer(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path / "log")
    keeper._log.close()
    keeper._log = open("/dev/full", "wb", buffering=0)  # type: ignore[assignment]  # noqa: SIM115 - the keeper closes it
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb") as child:
        thread = threading.Thread(target=keeper.keep, args=(pipe,))
        thread.start()
        child.write(b"0123456789\n" * 20_000)
        child.close()
        thread.join(30)
        assert not thread.is_alive()


def test_records_and_tracebacks_are_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    try:
        raise ValueError(f"\x1b[2J{CANARY}")
    except ValueError:
        record = logging.LogRecord("n", logging.ERROR, "f", 1, "a\x07%s", ("\x9b31m",), sys.exc_info())
    said = CleanFormatter("%(message)s").format(record)
    assert said.startswith("a␇�31m\nTraceback") and said.endswith(f"ValueError: ␛[2J{PLACEHOLDER}")


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_files_and_folders_are_their_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        private_folder(tmp_path / "a" / "b")
        open_private(tmp_path / "a" / "b" / "log", append=True).close()
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in sorted((tmp_path / "a").rglob("*"))] == [0o700, 0o600]
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
