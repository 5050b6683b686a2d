"""Images as archives keep them, from the folder to the result: what is scanned, what goes up, what stays as it was."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from assets.plain_rows import plain_rows
from tests.flows.recorded import Recorded
from tests.images import cmyk, deep, gradient, tiff, tiff_of, with_orientation, write
from tests.project import Project

DOCUMENT = "CA:Lincoln:1901"


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


async def test_images_as_archives_keep_them_are_read_and_stay_as_they_are(project: Project) -> None:
    folder = project.root.joinpath("dataset", "page_images", *DOCUMENT.split(":"))
    folder.mkdir(parents=True)
    page = 127 + gradient(600, 800) // 2
    page[100:140, 100:500] = 0
    bilevel, colour = page > 200, np.dstack([page] * 3)
    write(folder / "page-0001.jpg", page)
    (folder / "page-0002.tif").write_bytes(tiff(bilevel, bilevel, bilevel, compression="ccittfax4"))
    write(folder / "page-0005.tif", deep(page))
    write(folder / "page-0006.jpg", cmyk(colour))
    write(folder / "page-0007.jp2", page)
    (folder / "page-0008.jpg").write_bytes(with_orientation(write(folder / "page-0008.jpg", colour).read_bytes(), 6))
    write(folder / "9.jpg", page.repeat(2, axis=0).repeat(2, axis=1))
    (folder / "page-0010.tif").write_bytes(tiff_of(60_000, 60_000))
    (folder / "page-0011.tif").write_bytes(tiff_of(300, 400, bits=8, content=bytes(1000)))
    before = hashes(folder)
    project.configure(
        record={"page_pattern": "(page-)?(?P<page>[0-9]+)"},
        uploads={"max_side_pixels": 1000},
        context={"mode": "none"},
        execution={"batch_size_limit": 20},
    )

    reports = await project.run_until_idle()

    keys = [f"{DOCUMENT}:{number}" for number in range(1, 10)]
    assert [key for key in keys if project.result(key) is None] == []
    assert hashes(folder) == before, "no original was touched"
    rows = plain_rows(pq.read_table(project.manifests / "records.parquet"))
    assert [(row["page"], row["image_frame"], row["image_mime_type"]) for row in rows] == [
        (1, 0, "image/jpeg"),
        (2, 0, "image/tiff"),
        (3, 1, "image/tiff"),
        (4, 2, "image/tiff"),
        (5, 0, "image/tiff"),
        (6, 0, "image/jpeg"),
        (7, 0, "image/jp2"),
        (8, 0, "image/jpeg"),
        (9, 0, "image/jpeg"),
    ]
    assert {(row["image_width"], row["image_height"]) for row in rows[:8]} == {(600, 800)}
    books = project.gemini.books()
    assert set(books["records"]) == set(keys)
    types = [file["mimeType"] for file in books["files"] if file["mimeType"].startswith("image/")]
    assert sorted(types) == ["image/jpeg"] * 6 + ["image/png"] * 3, "the bilevel pages are PNG"
    assert reports[0].submit.unfit == (f"{DOCUMENT}:11",)
    texts = await Recorded(project).texts("WARNING")
    place = "dataset/page_images/CA/Lincoln/1901"
    assert (
        f"Left out: {place}/page-0010.tif: unreadable: 60000 x 60000 pixels, more than safety.max_image_pixels" in texts
    )
    assert any(text.startswith(f"Left out: {place}/page-0011.tif: the image") for text in texts)
    converted = [text for text in await Recorded(project).texts("INFO") if text.startswith("Images converted")]
    assert converted[0].startswith("Images converted for the upload: 8, such as ")
