"""A scan that finds no page says what lies there, at which depth, and which setting to look at."""

from pathlib import Path

import pytest

from config.settings import load_settings
from flows.terminal.nothing_found import why_no_pages


@pytest.mark.parametrize(
    ("config", "files", "said"),
    [
        ("{}", [], ["no page was found in", "not one image lies there or below; paths.page_images names the folder"]),
        (
            "paths: {page_images: scans}",
            ["scans/a/1.jpg", "scans/a/2.jpg", "scans/b/c/1.jpg"],
            [
                "2 images lie 1 folder deep, such as a/1.jpg, 2 levels too high: set record.document_fields, which is "
                "[state, school, year], to 1 name, such as [year]",
                "1 image lies 2 folders deep, such as b/c/1.jpg, 1 level too high: set record.document_fields, which "
                "is [state, school, year], to 2 names, such as [school, year]",
            ],
        ),
        (
            "{paths: {page_images: scans}, record: {document_fields: [book]}}",
            ["scans/1.jpg", "scans/a/b/1.jpg"],
            [
                "1 image lies 0 folders deep, such as 1.jpg, 1 level too high: set record.document_fields, which is "
                "[book], to [], for images in no folder",
                "1 image lies 2 folders deep, such as a/b/1.jpg, 1 level too deep: set record.document_fields, which "
                "is [book], to 2 names, one for each folder above an image",
            ],
        ),
        (
            "{paths: {page_images: scans}, record: {document_fields: []}}",
            ["scans/a/1.jpg"],
            ["1 image lies 1 folder deep, such as a/1.jpg, 1 level too deep: set record.document_fields, which is []"],
        ),
        (
            "{paths: {page_images: scans}, record: {document_fields: [book]}, filters: {book: [z]}}",
            ["scans/a/left-1.jpg"],
            [
                "1 image lies 1 folder deep, such as a/left-1.jpg",
                "filters let through book of certain values only",
                "the name 'left-1.jpg' must match record.page_pattern, which is (?P<page>[0-9]+",
            ],
        ),
        (
            "paths: {page_images: scans}",
            ["scans/a.pdf"],
            ["1 PDFs lie there, such as a.pdf: paths.source_documents is"],
        ),
    ],
)
def test_what_lies_there_is_told(tmp_path: Path, config: str, files: list[str], said: list[str]) -> None:
    (tmp_path / "quire.yaml").write_text(config)
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    lines = why_no_pages(load_settings(tmp_path / "quire.yaml", environ={}))

    for words in said:
        assert [line for line in lines if words in line], lines
    assert str(tmp_path / "quire.yaml") in lines[0]
