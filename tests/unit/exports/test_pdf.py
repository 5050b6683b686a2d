"""``quire export pdf``: searched, looked at and rendered by pdfium."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2 as pdfium
import pytest
from PIL import Image

from exports.formats.pdf import PAGES_AT_ONCE
from tests.unit.exports.shelf import HEIGHT, WIDTH, Shelf, block, transcript
from tests.unit.exports.test_text import HOSTILE


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, ("book",), images={"min_side_pixels": 0})


def pdf_of(shelf: Shelf, to: str = "out") -> pdfium.PdfDocument:
    done = shelf.export("pdf", shelf.root / to)
    assert done.faults == []
    return pdfium.PdfDocument((shelf.root / to / "b.pdf").read_bytes())


def words(page: Any) -> list[str]:
    text: str = page.get_textpage().get_text_range()
    return text.split()


def test_the_text_is_found_on_its_page_and_where_it_stands(shelf: Shelf) -> None:
    first = transcript(
        block("Straße 東京 𝔘nder", box_2d=[500, 500, 600, 1000]), block("anywhere on the page"), block("", "paragraph")
    )
    shelf.add("b", {"12r": first, "12v": None, "13": transcript(block("thirteen"))})

    found = pdf_of(shelf)

    assert [words(page) for page in found] == [
        ["Straße", "東京", "𝔘nder", "anywhere", "on", "the", "page"],
        [],
        ["thirteen"],
    ]
    width, height = found[0].get_size()
    searched = found[0].get_textpage().search("東京").get_next()
    assert searched is not None
    left, bottom, right, top = found[0].get_textpage().get_charbox(searched[0], loose=True)
    assert width / 2 <= left < right <= width
    assert height * 0.4 - 1 <= bottom < top <= height * 0.5 + 1
    assert [found.get_page_label(at) for at in range(3)] == ["12r", "12v", "13"]


def test_the_image_is_as_it_was_and_the_text_is_not_seen(shelf: Shelf) -> None:
    shelf.add("b", {"1": transcript(block("seen by nobody\n" * 20))})

    (page,) = pdf_of(shelf)

    drawn = page.render(scale=WIDTH / page.get_width()).to_pil().convert("RGB")
    with Image.open(shelf.root / "dataset/page_images/b/1.jpg") as image:
        wanted = image.convert("RGB")
    assert drawn.size == (WIDTH, HEIGHT)
    assert np.abs(np.asarray(drawn, int) - np.asarray(wanted, int)).mean() < 1


def test_headings_are_bookmarks(shelf: Shelf) -> None:
    first = transcript(block("Part", "heading", level=1), block("Chapter\nI", "heading", level=2))
    shelf.add("b", {"1": first, "2": transcript(block("Next", "heading", level=1))})

    found = pdf_of(shelf)

    bookmarks = [(each.level, each.get_title(), each.get_dest().get_index()) for each in found.get_toc()]
    assert bookmarks == [(0, "Part", 0), (1, "Chapter I", 0), (0, "Next", 1)]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "CMYK", "I;16"])
def test_any_kind_of_image_is_upright_and_shown(shelf: Shelf, mode: str) -> None:
    shelf.add("b", {"1": transcript(block("one"))})
    path = shelf.root / "dataset/page_images/b/1.jpg"
    left = np.zeros((HEIGHT, WIDTH), np.uint16 if mode == "I;16" else np.uint8)
    left[:, WIDTH // 2 :] = 65535 if mode == "I;16" else 255
    image = Image.fromarray(left) if mode == "I;16" else Image.fromarray(left).convert("RGB").convert(mode)
    exif = Image.Exif()
    exif[274] = 6
    image.save(path, "TIFF", exif=exif)

    (page,) = pdf_of(shelf)

    drawn = np.asarray(page.render(scale=1).to_pil().convert("L"), int)
    assert page.get_width() > page.get_height(), "turned by a quarter"
    assert drawn[: len(drawn) // 3].mean() < 20
    assert drawn[-len(drawn) // 3 :].mean() > 235
    assert words(page) == ["one"]


def test_a_book_of_many_pages_is_the_same_bytes_again(shelf: Shelf) -> None:
    pages = 2 * PAGES_AT_ONCE + 1
    shelf.add("b", {str(at): transcript(block(f"page {at}", "heading", level=1)) for at in range(1, pages + 1)})

    found = pdf_of(shelf)
    pdf_of(shelf, "again")

    assert [words(page)[-1] for page in found] == [str(at) for at in range(1, pages + 1)]
    assert len(list(found.get_toc())) == pages
    assert (shelf.root / "out/b.pdf").read_bytes() == (shelf.root / "again/b.pdf").read_bytes()
    assert sorted(path.name for path in (shelf.root / "out").iterdir()) == [".quire-export", "b.pdf"]


def test_hostile_text_is_text(shelf: Shelf) -> None:
    shelf.add("b", {"1": transcript(*(block(text, "heading") for text in HOSTILE))})

    found = pdf_of(shelf)

    assert "<script>alert(1)</script>" in " ".join(words(found[0]))
    assert next(each.get_title() for each in found.get_toc()) == "<script>alert(1)</script>"


def test_an_image_that_is_gone_is_a_fault_of_its_document(shelf: Shelf) -> None:
    shelf.add("a", {"1": transcript(block("one"))})
    shelf.add("b", {"1": transcript(block("one"))})
    (shelf.root / "dataset/page_images/a/1.jpg").unlink()

    done = shelf.export("pdf", shelf.root / "out")

    assert ["a:1: its image dataset/page_images/a/1.jpg cannot be put in: " in line for line in done.faults] == [True]
    assert [path.name for path in (shelf.root / "out").glob("[!.]*")] == ["b.pdf"]


def test_without_its_extra_it_says_which_is_missing(shelf: Shelf) -> None:
    shelf.add("b", {"1": transcript(block("one"))})
    (shelf.root / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'pikepdf' else found(name, *more)\n"
    )
    run = "from flows.cli import main; main()"
    environment = {"PYTHONPATH": f"{shelf.root}:{Path(__file__).parents[3]}", "PATH": "/usr/bin:/bin", "HOME": "/"}
    ended = subprocess.run(
        [sys.executable, "-c", run, "export", "pdf", "--to", "out"],
        cwd=shelf.root, env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr == 'quire: pikepdf is not installed; install with: pip install "quire[export]"\n'
