"""An empty collection."""

from pathlib import Path

import pytest

from flows.gateways.files.storage import Storage
from tests.unit.assets.tables import FIELDS


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(
        root=tmp_path, manifests=tmp_path / "manifests", output_results=tmp_path / "results", document_fields=FIELDS
    )
