"""Fixtures that several test folders share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers.book import Book

settings.register_profile("untimed", deadline=None)  # a busy machine is no defect
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parent.parent
REAL_DATA = REPOSITORY.parent / "shared" / "data"


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
