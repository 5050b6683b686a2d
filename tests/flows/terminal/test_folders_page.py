"""What a scan makes of folders and files as archives have them: the table of docs/collections.md, made from scans. To
renew it after a change:

python -m tests.flows.terminal.test_folders_page
"""

import asyncio
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings

from assets.plain_rows import plain_rows
from config.settings import load_settings
from flows.terminal.nothing_found import why_no_pages
from flows.terminal.scanning import scan_text
from tests.contracts.pdf.shelf import typeset
from tests.images import avif, gradient, heic, jpeg, png, tiff

DOCS = Path(__file__).parents[3] / "docs" / "collections.md"
BEGIN, END = "<!-- folders and files, by their test -->\n", "<!-- end of folders and files -->"
PORTRAIT, COPY, LANDSCAPE = gradient(240, 360), gradient(200, 300), gradient(360, 240)
SETTINGS: dict[str, object] = {"paths": {"page_images": "scans", "source_documents": "pdfs"}}
RECORD: dict[str, object] = {"document_fields": ["book"]}

Content = bytes | int
"""Of a file; a number: a PDF of so many pages."""
SHELF: dict[str, tuple[dict[str, Content], dict[str, object]]] = {
    "images in a folder for each document": (
        {"scans/kent/0001.jpg": jpeg(PORTRAIT), "scans/kent/0002.jpg": jpeg(PORTRAIT)},
        {},
    ),
    "images in no folder": (
        {"scans/0001.jpg": jpeg(PORTRAIT), "scans/0002.jpg": jpeg(PORTRAIT)},
        {"document_fields": [], "document": "minutes"},
    ),
    "the same, with a field that is not there": (
        {"scans/0001.jpg": jpeg(PORTRAIT), "scans/0002.jpg": jpeg(PORTRAIT)},
        {},
    ),
    "a folder more than the settings know of": ({"scans/kent/box 1/0001.jpg": jpeg(PORTRAIT)}, {}),
    "the same beside one that is right": (
        {"scans/kent/box 1/0001.jpg": jpeg(PORTRAIT), "scans/kent/0002.jpg": jpeg(PORTRAIT)},
        {},
    ),
    "a master and an access copy": (
        {"scans/kent/0001.tif": tiff(PORTRAIT), "scans/kent/0001.jpg": jpeg(COPY)},
        {},
    ),
    "two files of a page that may be different pictures": (
        {"scans/kent/0001.tif": tiff(PORTRAIT), "scans/kent/0001.jpg": jpeg(LANDSCAPE)},
        {},
    ),
    "two files of one kind": (
        {"scans/kent/0001.jpg": jpeg(PORTRAIT), "scans/kent/1.jpg": jpeg(PORTRAIT)},
        {},
    ),
    "endings of all kinds, and none": (
        {
            "scans/kent/1.jfif": jpeg(PORTRAIT),
            "scans/kent/2.JPE": jpeg(PORTRAIT),
            "scans/kent/3.jpg": png(PORTRAIT),
            "scans/kent/4": jpeg(PORTRAIT),
            "scans/kent/5.heic": heic(PORTRAIT),
            "scans/kent/6.avif": avif(PORTRAIT),
        },
        {},
    ),
    "a PDF or a DjVu file among the images": (
        {
            "scans/kent/1.jpg": jpeg(PORTRAIT),
            "scans/kent/2.pdf": b"%PDF-1.7",
            "scans/kent/3.djvu": b"AT&TFORM",
            "scans/kent/4.jpg": b"%PDF-1.7",
        },
        {},
    ),
    "a PDF of two pages, and images that are none of them": (
        {"pdfs/kent.pdf": 2, "scans/kent/3.jpg": jpeg(PORTRAIT), "scans/kent/4r.jpg": jpeg(PORTRAIT)},
        {},
    ),
    "a PDF of two pages, and an image of its second": (
        {"pdfs/kent.pdf": 2, "scans/kent/2.jpg": jpeg(PORTRAIT)},
        {},
    ),
}


def scanned(folder: Path, files: dict[str, Content], record: dict[str, object]) -> tuple[list[str], list[str]]:
    """The record keys that a scan finds, and what it tells."""
    folder.mkdir()
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            typeset(path, content)
        else:
            path.write_bytes(content)
    settings = {**SETTINGS, "record": {**RECORD, **record}}
    (folder / "quire.yaml").write_text(yaml.safe_dump(settings))
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        text, is_there = asyncio.run(scan_text(str(folder / "quire.yaml"), as_json=True))
    keys = pq.read_table(folder / "manifests/records.parquet")["record_key"].to_pylist()
    assert is_there == bool(keys)
    told = list(json.loads(text)["notes"])
    if not keys:
        lines = why_no_pages(load_settings(folder / "quire.yaml", environ={}))
        told += [line.strip() for line in lines if " lies " in line or " lie " in line]
    left_out = folder / "manifests/left_out.parquet"
    rows = plain_rows(pq.read_table(left_out)) if left_out.exists() else []
    told += [f"{row['path'].removeprefix('scans/')}: {row['reason']}" for row in rows if row["left_out"]]
    return keys, told


def table(folder: Path) -> str:
    lines = ["| what lies there | settings | pages | what is told |", "|---|---|---|---|"]
    for number, (name, (files, record)) in enumerate(SHELF.items()):
        keys, told = scanned(folder / str(number), files, record)
        there = ", ".join(f"`{path}`" for path in files)
        setting = yaml.safe_dump(record or RECORD, default_flow_style=True, sort_keys=True).strip()
        said = [_cell(line, folder / str(number)) for line in told]
        cells = [f"{name}: {there}", f"`record: {setting}`", ", ".join(f"`{key}`" for key in keys) or "none"]
        lines.append(f"| {' | '.join([*cells, '<br>'.join(said) or 'nothing'])} |")
    return "\n".join(lines) + "\n"


def _cell(line: str, folder: Path) -> str:
    return line.replace(f"{folder}/", "").replace("|", "\\|")


def test_what_a_scan_makes_of_each_folder_is_what_the_page_says(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert text.partition(BEGIN)[2].partition(END)[0] == table(tmp_path)


def renew(write: Callable[[str], object]) -> None:
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
    with tempfile.TemporaryDirectory() as folder:
        write(before + BEGIN + table(Path(folder)) + END + rest.partition(END)[2])


if __name__ == "__main__":
    renew(lambda text: DOCS.write_text(text, encoding="utf-8"))
