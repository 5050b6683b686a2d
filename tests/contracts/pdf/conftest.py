"""A shelf of its own for each test."""

from pathlib import Path

import pytest

from tests.contracts.pdf.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.images.mkdir()
    return shelf
