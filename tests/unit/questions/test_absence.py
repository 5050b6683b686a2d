"""Which file that the scan left out is the page that a person asks for."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from config.settings import Settings
from flows.questions.absence import why_left_out
from flows.runtime.wiring import make_storage

KEY = "CA:Peñón:1901:7"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings.model_validate({"record": {"page_pattern": "(p-)?(?P<page>[0-9]+)"}}).anchored(tmp_path)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/records.parquet").touch()
    return settings


def reason(settings: Settings, *paths: str) -> str:
    reasons = [f"reason {at}" for at in range(len(paths))]
    table = pa.table({"path": list(paths), "reason": reasons, "left_out": [True] * len(paths)})
    pq.write_table(table, settings.paths.manifests / "left_out.parquet")
    return why_left_out(settings, make_storage(settings), KEY)


@pytest.mark.parametrize(
    "path",
    [
        "dataset/page_images/CA/Peñón/1901/7.gif",
        "dataset/page_images/CA/Pen\u0303o\u0301n/1901/p-0007.jpg",
        "CA/Peñón/1901/7.jpg",
        "dataset/source_documents/CA/Peñón/1901.pdf",
        "dataset/source_documents/CA/Peñón/1901.pdf, page 7",
        "CA/Peñón/1901",
        "CA/Peñón",
        "CA",
    ],
)
def test_a_file_of_the_page_or_around_it_is_found(settings: Settings, path: str) -> None:
    assert reason(settings, "CA/Peñón/1902/7.jpg", path) == f"the scan left out {path}: reason 1"


@pytest.mark.parametrize(
    "path",
    [
        "x/CA/Peñón/1901/8.gif",
        "x/CA/Peñón/1901.pdf, page 8",
        "x/CA/Peñón/1901/cover.gif",
        "x/TX/Peñón/1901/7.gif",
        "Peñón",
        "1901",
        "",
        "/",
        "7.jpg",
    ],
)
def test_another_file_is_not(settings: Settings, path: str) -> None:
    assert "and was quire scan run since?" in reason(settings, path)


def test_where_no_file_tells_it_the_places_to_look_are_named(settings: Settings, tmp_path: Path) -> None:
    said = why_left_out(settings, make_storage(settings), KEY)

    place = tmp_path / "dataset/page_images/CA/Peñón/1901/7.jpg"
    assert said == f"is its image there ({place} or alike), and was quire scan run since?"
