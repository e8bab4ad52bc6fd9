"""The pages made from the code say what the code says."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"


def generate(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, cwd=DOCS.parent, timeout=120
    )


def test_the_pages_are_fresh() -> None:
    done = generate(DOCS / "generate.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_named_and_written_anew(tmp_path: Path) -> None:
    script = Path(shutil.copy(DOCS / "generate.py", tmp_path))
    (tmp_path / "settings.md").write_text("# Settings\n")
    assert "settings.md" in (done := generate(script, "--check")).stdout and done.returncode == 1
    assert generate(script).returncode == 0
    assert (tmp_path / "settings.md").read_text() == (DOCS / "settings.md").read_text()
    assert generate(script, "--check").returncode == 0
