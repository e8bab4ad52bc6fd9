"""Fixtures that several test folders share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers.book import Book
from tests.helpers.ready_model import remove_ready_model

settings.register_profile("short", deadline=None, max_examples=25)  # no deadline: a busy machine is no defect
settings.register_profile("long", deadline=None, max_examples=500)  # of `make torture`
settings.load_profile("short")

REPOSITORY = Path(__file__).resolve().parent.parent
REAL_DATA = REPOSITORY.parent / "shared" / "data"


SLOW = (
    "tests/core/compress/test_worker.py", "tests/e2e", "tests/tui/test_reading_screens.py", "tests/core/engines/test_transformers.py",
    "tests/core/engines/test_prompt.py", "tests/training", "tests/core/engines/test_memory.py", "tests/tui/test_reading.py",
    "tests/tui/test_pictures.py", "tests/core/engines/test_engines.py", "tests/core/compress/test_calibration.py",
    "tests/benchmarks/pocket", "tests/core/compress/test_make.py", "tests/core/store/test_wal.py",
    "tests/core/engines/test_hostile_models.py", "tests/tui/test_app.py", "tests/tui/test_keys.py", "tests/tui/test_every_key.py",
    "tests/tui/test_mends.py",
    "tests/core/compress/distill", "tests/core/compress/prune/test_prune.py", "tests/core/compress/gguf/test_export.py",
    "tests/core/engines/test_llamacpp.py", "tests/core/engines/test_openai.py", "tests/core/engines/test_chat.py",
    "tests/core/engines/test_vllm.py", "tests/core/runner/test_prepare.py", "tests/core/cli/doctor",
    "tests/docs/test_example_engine.py", "tests/test_bootstrap.py", "tests/simulator",
)  # fmt: skip
"""Folders and files that load models, start processes or drive whole screens. `make quick` leaves them out, as it leaves out
single tests with the mark `slow`; `make test` starts with them in this order, about the longest first."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove what the tests of a session share, once its last worker has ended."""
    if not hasattr(session.config, "workerinput"):
        remove_ready_model()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, and run it first, in the order of `SLOW`, so that no worker ends with the longest file."""
    places: dict[pytest.Item, int] = {}
    for item in items:
        file = item.path.relative_to(REPOSITORY).as_posix()
        places[item] = next((place for place, prefix in enumerate(SLOW) if file.startswith(prefix)), len(SLOW))
        if places[item] < len(SLOW):
            item.add_marker(pytest.mark.slow)
        elif item.get_closest_marker("slow") is None:
            places[item] += 1
    items.sort(key=places.__getitem__)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of original benchmark files, which stay outside the repository."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real benchmark files are not at {REAL_DATA}")
    return REAL_DATA


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A store to fill by hand."""
    book = Book(tmp_path / "runs.db")
    yield book
    book.reader.close()
    book.writer.close()
