"""Images in no folder of their own are a collection of one document."""

import json
import shutil
from pathlib import Path

import pytest

from config.settings import load_settings
from flows.runtime.home import told_settings
from tests.command import run_quire
from tests.contracts.pdf.shelf import typeset
from tests.flows.terminal.test_scan_command import nothing
from tests.project import Project


@pytest.mark.detached
async def test_images_in_no_folder_are_read_as_one_document(project: Project) -> None:
    images = project.root / "dataset/page_images"
    project.add_pages("CA", [1])
    for name in ("0001.jpg", "0002.JPG", "3.jfif"):
        shutil.copyfile(images / "CA/1.jpg", images / name)
    shutil.rmtree(images / "CA")
    project.configure(record={"document_fields": [], "document": "minutes"}, context={"mode": "none"})

    reports = await project.run_until_idle()

    assert [reports[0].scan.records, reports[0].exit_status] == [3, 0]
    for page in (1, 2, 3):
        assert (project.root / f"dataset/output_results/minutes/{page}.json").exists()
    assert {row["record_key"] for row in project.outcomes()} == {"minutes:1", "minutes:2", "minutes:3"}


def test_another_name_of_the_document_is_another_collection(tmp_path: Path) -> None:
    told = []
    for name in ("minutes", "letters"):
        (tmp_path / "quire.yaml").write_text(f"record: {{document_fields: [], document: {name}}}")
        told.append(told_settings(load_settings(tmp_path / "quire.yaml", environ={})))
    assert told[0] != told[1]


async def test_what_the_commands_say_of_it(tmp_path: Path) -> None:
    """As in a folder that somebody was sent: images beside the configuration, and a PDF."""
    settings = "{record: {document_fields: []}, paths: {page_images: ., source_documents: p}}"
    (tmp_path / "quire.yaml").write_text(settings)
    nowhere = await run_quire("scan", env=nothing(), cwd=tmp_path)
    assert nowhere.code == 1
    assert "0 records" in nowhere.out
    assert "not one image lies there or below; paths.page_images names the folder" in nowhere.out
    (tmp_path / "p").mkdir()
    typeset(tmp_path / "p/book.pdf", 1)
    image = tmp_path / "12.jpg"
    shutil.copyfile(Path(__file__).parents[2] / "docs/images/batch-report.png", image)

    found = await run_quire("scan", "--json", env=nothing(), cwd=tmp_path)

    assert found.code == 0
    assert json.loads(found.out)["records"] == 1
    left_out = await run_quire("scan", env=nothing(), cwd=tmp_path)
    assert "1 records, 0 new, 0 gone, 1 files left out" in left_out.out
    told = "p/book.pdf: a PDF is a document: name a field in record.document_fields, and give the images a folder"
    assert told in found.err


async def test_a_scan_of_folders_that_are_one_level_off_has_status_1_and_the_way(tmp_path: Path) -> None:
    (tmp_path / "quire.yaml").write_text("{record: {document_fields: [box, folder]}, paths: {page_images: scans}}")
    for name in ("a/1.jpg", "a/2.jpg"):
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(__file__).parents[2] / "docs/images/batch-report.png", path)

    found = await run_quire("scan", env=nothing(), cwd=tmp_path)

    assert found.code == 1
    told = "2 images lie 1 folder deep, such as a/1.jpg, 1 level too high: set record.document_fields, which is [box"
    assert told in found.out
