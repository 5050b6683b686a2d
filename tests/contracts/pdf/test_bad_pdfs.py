"""What cannot be rendered is told in one line, and all the rest is rendered: bad files, bad pages, traps."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest

from flows.gateways.pdf.worker import MAX_LOST_PAGES
from tests.contracts.pdf.shelf import (
    SQUARE,
    Shelf,
    blanks,
    by_hand,
    content_bomb,
    encrypted,
    form,
    image,
    jpegs,
    stream,
    typeset,
)
from tests.processes import peak_memory, renderers

DOCUMENT = "CA/Lincoln/1901"
PDF = f"{DOCUMENT}.pdf"
DAMAGED = "it is damaged, has no pages, or is no PDF"


@pytest.fixture
def good(shelf: Shelf) -> Iterator[None]:
    """A neighbour that is rendered whatever happens."""
    typeset(shelf.place("CA/Lincoln/1800.pdf"), 2)
    yield
    assert shelf.pages("CA/Lincoln/1800") == jpegs(2)
    assert shelf.leftovers() == []


@pytest.mark.usefixtures("good")
class TestFiles:
    def check(self, shelf: Shelf, reason: str) -> None:
        assert shelf.scan().left_out == {PDF: reason}
        assert shelf.pages(DOCUMENT) == []
        again = shelf.scan()
        assert again.left_out == {PDF: reason}, "each scan tells it"
        assert again.rendered == [], "without trying again"

    def test_encrypted(self, shelf: Shelf, tmp_path: Path) -> None:
        plain = typeset(tmp_path / "plain.pdf", 2)
        encrypted(plain, shelf.place(PDF), password="secret")
        self.check(shelf, "it is encrypted, and opens with a password only")

    def test_a_file_that_only_may_not_be_changed_is_readable(self, shelf: Shelf, tmp_path: Path) -> None:
        plain = typeset(tmp_path / "plain.pdf", 2)
        encrypted(plain, shelf.place(PDF), password="")
        assert shelf.scan().left_out == {}
        assert shelf.pages(DOCUMENT) == jpegs(2)

    def test_empty(self, shelf: Shelf) -> None:
        shelf.place(PDF).touch()
        self.check(shelf, "it is empty")

    def test_garbage(self, shelf: Shelf) -> None:
        shelf.place(PDF).write_bytes(os.urandom(50_000))
        self.check(shelf, DAMAGED)

    def test_an_image_that_is_called_a_pdf(self, shelf: Shelf) -> None:
        shelf.place(PDF).write_bytes(b"\xff\xd8\xff\xe0" + bytes(1000))
        self.check(shelf, DAMAGED)

    def test_no_pages(self, shelf: Shelf) -> None:
        by_hand(shelf.place(PDF), [])
        self.check(shelf, DAMAGED)

    def test_cut_off_at_its_beginning(self, shelf: Shelf, tmp_path: Path) -> None:
        whole = typeset(tmp_path / "whole.pdf", 5).read_bytes()
        shelf.place(PDF).write_bytes(whole[:300])
        self.check(shelf, DAMAGED)

    def test_cut_off_near_its_end_what_is_there_is_rendered_and_told(self, shelf: Shelf) -> None:
        whole = by_hand(shelf.place(PDF), [SQUARE] * 5).read_bytes()
        shelf.place(PDF).write_bytes(whole[: whole.index(b"startxref\n")])
        scanned = shelf.scan()
        assert scanned.left_out == {}
        assert scanned.notes == {PDF: "it is damaged and was mended, so pages or parts of them may be missing"}
        assert shelf.pages(DOCUMENT) == jpegs(5)
        assert shelf.scan().notes == scanned.notes

    def test_cut_off_in_its_middle(self, shelf: Shelf, tmp_path: Path) -> None:
        with pikepdf.open(typeset(tmp_path / "plain.pdf", 20)) as pdf:
            pdf.save(tmp_path / "web.pdf", linearize=True)
        whole = (tmp_path / "web.pdf").read_bytes()
        shelf.place(PDF).write_bytes(whole[: len(whole) // 2])
        self.check(shelf, DAMAGED)

    def test_many_pages_that_are_only_said(self, shelf: Shelf) -> None:
        path = by_hand(shelf.place(PDF), [SQUARE])
        path.write_bytes(path.read_bytes().replace(b"/Count 1", b"/Count 900000"))
        self.check(shelf, "it says that it has 900000 pages; the most is 20000")

    def test_one_that_may_not_be_read_is_tried_again_by_each_scan(self, shelf: Shelf, tmp_path: Path) -> None:
        shelf.place(PDF).symlink_to(tmp_path / "gone.pdf")
        assert shelf.scan().left_out == {PDF: "unreadable: No such file or directory"}
        typeset(tmp_path / "gone.pdf", 1)
        assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == jpegs(1), "a link to a file elsewhere is read"


@pytest.mark.usefixtures("good")
class TestPages:
    def test_an_image_of_too_many_pixels(self, shelf: Shelf) -> None:
        big = stream("", b"q 600 0 0 700 0 0 cm /X0 Do Q")
        by_hand(shelf.place(PDF), [SQUARE, big, SQUARE], [image(1001, 1000)])
        shelf.settings = replace(shelf.settings, max_image_pixels=1_000_000)
        scanned = shelf.scan()
        assert scanned.left_out == {
            f"{PDF}, page 2": "it holds an image of 1001 x 1000 pixels; safety.max_image_pixels is 1000000"
        }
        assert shelf.pages(DOCUMENT) == ["1.jpg", "3.jpg"]
        assert shelf.scan().left_out == scanned.left_out

        shelf.settings = replace(shelf.settings, max_image_pixels=1_001_000)
        assert shelf.scan().problems == [], "whoever allows it gets it"
        assert shelf.pages(DOCUMENT) == jpegs(3)

    def test_such_an_image_in_forms_in_forms(self, shelf: Shelf) -> None:
        forms = [form(f"X{level}", 2 + level) for level in range(1, 20)]
        content = stream("", b"/X19 Do")
        by_hand(shelf.place(PDF), [SQUARE, content], [image(1001, 1000), *forms])
        shelf.settings = replace(shelf.settings, max_image_pixels=1_000_000)
        assert list(shelf.scan().left_out) == [f"{PDF}, page 2"]
        assert shelf.pages(DOCUMENT) == jpegs(1)

    def test_a_large_image_below_the_limit_is_rendered(self, shelf: Shelf) -> None:
        by_hand(shelf.place(PDF), [stream("", b"q 600 0 0 700 0 0 cm /X0 Do Q")], [image(12_000, 12_000)])
        assert shelf.scan().left_out == {}
        assert shelf.pages(DOCUMENT) == jpegs(1)

    def test_a_page_that_needs_more_memory_than_its_share_gets_it_alone(self, shelf: Shelf) -> None:
        for year in (1901, 1902, 1903):
            by_hand(shelf.place(f"CA/Lincoln/{year}.pdf"), [SQUARE, blanks(300), SQUARE])
        with peak_memory(os.getpid(), renderers) as peak:
            assert shelf.scan().problems == []
        assert shelf.pages(DOCUMENT) == jpegs(3)
        assert shelf.settings.worker_bytes < peak.bytes < 2 * shelf.settings.worker_bytes + 50e6

    def test_a_content_stream_that_explodes(self, shelf: Shelf) -> None:
        by_hand(shelf.place(PDF), [SQUARE, content_bomb(), SQUARE, content_bomb()])
        scanned = shelf.scan()
        assert set(scanned.left_out) == {f"{PDF}, page 2", f"{PDF}, page 4"}
        assert {reason[:44] for reason in scanned.left_out.values()} == {"rendering it ended the program that does it "}
        assert shelf.pages(DOCUMENT) == ["1.jpg", "3.jpg"]
        assert shelf.scan().rendered == []

    def test_forms_that_multiply(self, shelf: Shelf) -> None:
        forms = [
            stream(
                f"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {4 + level} 0 R >> >>",
                b"/X Do " * 10,
            )
            for level in range(14)
        ]
        last = stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9]", b"0 0 m 5 5 l S")
        by_hand(shelf.place(PDF), [stream("", b"/X0 Do"), SQUARE], [*forms, last])
        assert list(shelf.scan().left_out) == [f"{PDF}, page 1"]
        assert shelf.pages(DOCUMENT) == ["2.jpg"]

    def test_a_page_that_is_no_page(self, shelf: Shelf) -> None:
        by_hand(shelf.place(PDF), [SQUARE, SQUARE, SQUARE], kids="3 0 R 99 0 R 7 0 R")
        scanned = shelf.scan()
        assert scanned.left_out == {f"{PDF}, page 2": "it is damaged"}
        assert shelf.pages(DOCUMENT) == ["1.jpg", "3.jpg"]

    def test_a_document_of_nothing_but_traps_comes_to_an_end(self, shelf: Shelf) -> None:
        by_hand(shelf.place(PDF), [SQUARE, *[content_bomb()] * (MAX_LOST_PAGES + 3)])
        left_out = shelf.scan().left_out
        assert list(left_out) == [f"{PDF}, page {page}" for page in range(2, MAX_LOST_PAGES + 5)]
        assert left_out[f"{PDF}, page {MAX_LOST_PAGES + 4}"].endswith("so it was not tried")
        assert shelf.pages(DOCUMENT) == jpegs(1)


# --- workers


@contextmanager
def meanwhile(shelf: Shelf, signals: tuple[signal.Signals, ...]) -> Iterator[None]:
    """Send a signal to a worker that has rendered three pages, and another to the next that comes after it."""

    def send() -> None:
        hit: set[int] = set()
        deadline = time.monotonic() + 60
        while len(hit) < len(signals) and time.monotonic() < deadline:
            workers = [pid for pid in renderers(os.getpid()) if pid not in hit]
            if workers and len(list(shelf.images.rglob("[0-9]*.jpg"))) >= 3:
                os.kill(workers[0], signals[len(hit)])
                hit.add(workers[0])
            time.sleep(0.01)

    thread = threading.Thread(target=send)
    thread.start()
    yield
    thread.join()


def test_one_process_renders_pdf_after_pdf_until_something_is_wrong_with_one(shelf: Shelf) -> None:
    for year in (1901, 1902, 1904, 1905):
        typeset(shelf.place(f"CA/Lincoln/{year}.pdf"), 2)
    typeset(shelf.place("CA/Lincoln/1903.pdf"), 2).write_bytes(b"%PDF-1.7 and nothing else")
    seen: list[int] = []

    def look() -> None:
        seen.extend(renderers(os.getpid()))

    scanned = shelf.scan(processes=1, check=look)
    assert scanned.left_out == {"CA/Lincoln/1903.pdf": DAMAGED}
    assert shelf.pages("CA/Lincoln/1905") == jpegs(2)
    assert len(dict.fromkeys(seen)) == 2, "one before it, and another after it"
    assert renderers(os.getpid()) == []


def test_a_worker_that_is_killed_costs_nothing(shelf: Shelf) -> None:
    typeset(shelf.place(PDF), 60)
    with meanwhile(shelf, (signal.SIGKILL,)):
        scanned = shelf.scan(processes=1)
    assert scanned.problems == []
    assert shelf.pages(DOCUMENT) == jpegs(60)
    assert renderers(os.getpid()) == []


def test_a_worker_that_hangs_is_ended_and_its_page_told(shelf: Shelf) -> None:
    typeset(shelf.place(PDF), 60)
    with meanwhile(shelf, (signal.SIGSTOP,)):
        scanned = shelf.scan(processes=1, page_seconds=2)
    [(path, reason)] = scanned.left_out.items()
    assert reason == "rendering it takes longer than 2 seconds"
    page = int(path.removeprefix(f"{PDF}, page "))
    assert shelf.pages(DOCUMENT) == [name for name in jpegs(60) if name != f"{page}.jpg"]
    assert renderers(os.getpid()) == []


def test_a_page_that_would_never_end(shelf: Shelf) -> None:
    # A colour that takes a hundred thousand steps to compute, for each point of the page.
    steps = b"{ " + b"dup mul sqrt " * 33_000 + b"add 2 div dup dup }"
    function = stream("/FunctionType 4 /Domain [0 1 0 1] /Range [0 1 0 1 0 1]", steps)
    path = by_hand(shelf.place(PDF), [stream("", b"600 0 0 700 0 0 cm /S sh"), SQUARE], [function])
    shading = b"/Shading << /S << /ShadingType 1 /ColorSpace /DeviceRGB /Function 3 0 R >> >> /XObject"
    path.write_bytes(path.read_bytes().replace(b"/Resources << /XObject", b"/Resources << " + shading))
    scanned = shelf.scan(page_seconds=3)
    assert scanned.left_out == {f"{PDF}, page 1": "rendering it takes longer than 3 seconds"}
    assert shelf.pages(DOCUMENT) == ["2.jpg"]
