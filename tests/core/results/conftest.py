"""The fixture of the tests of the analysis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.book import Book


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book(tmp_path / "runs.db")
    yield book
    book.reader.close()
    book.writer.close()
