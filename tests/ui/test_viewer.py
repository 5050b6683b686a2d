"""What a person finds and does in ``quire view``, in a real browser: looks, turns pages, searches, corrects, marks, and
opens a copy in files.

Not part of `make test`: `make ui-test` runs it. Screenshots of each step are kept in ui-screenshots/.
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Page, expect

from assets.domain.home import HomeFile
from assets.selection import Selection
from assets.sources import PageImage
from flows.demo.corpus import Corpus, make_corpus
from tests.browser import browsing, installed_chromium, keep, seen
from tests.unit.exports.shelf import Shelf, transcript
from tests.unit.viewer.looking import fail
from viewer.static_site import write_static

pytestmark = pytest.mark.ui

ROOT = Path(__file__).parents[2]
HOSTILE = "<img src=x onerror=alert(1)> \u202e reversed"


class TypesetShelf(Shelf):
    """Its images are the demo's."""

    corpus: Corpus

    def _draw(self, fields: tuple[str, ...], label: str) -> PageImage:
        path = self.corpus.pages[":".join((*fields, label))].path
        found = path.stat()
        with Image.open(path) as image:
            width, height = image.size
        relative = path.relative_to(self.root).as_posix()
        size, time = found.st_size, found.st_mtime_ns
        return PageImage(fields, label, relative, 0, "image/jpeg", size, time, width=width, height=height)


def result_of(text: str, number: str) -> dict[str, Any]:
    """The true text of a page, its lines as blocks with boxes, one below the other."""
    lines = [line for line in text.split("\n") if line.strip()][:14]
    kinds = ["running_head", "heading"] + ["paragraph"] * len(lines)
    blocks = [
        {"kind": kind, "text": line, "box_2d": [90 + 58 * at, 120, 90 + 58 * at + 50, 880]}
        for at, (kind, line) in enumerate(zip(kinds, lines, strict=False))
    ]
    return transcript(*blocks, printed_page_number=number)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> TypesetShelf:
    installed_chromium()
    root = tmp_path_factory.mktemp("view")
    shelf = TypesetShelf(root, collection="colleges", schema_options={"boxes": True}, execution={"max_retries": 0})
    shelf.storage.home.create(HomeFile("a" * 32, None))
    shelf.corpus = make_corpus(root / "scans", seed=1849, document_count=2, pages_per_document=4)
    for document in dict.fromkeys(key.rpartition(":")[0] for key in shelf.corpus.pages):
        pages = {key.rpartition(":")[2]: page for key, page in shelf.corpus.pages.items() if key.startswith(document)}
        results = {label: result_of(page.text, page.printed_page_number) for label, page in pages.items()}
        shelf.add(document, {label: result if label != "4" else None for label, result in results.items()})
    fail(shelf, {"CT:Thornbury:1849:4": ("blocked", "SAFETY")})
    return shelf


@pytest.fixture(scope="module")
def address(shelf: TypesetShelf) -> Iterator[str]:
    words = [sys.executable, "-c", "from flows.cli import main; main()", "view", "--edit", "--as", "Ada"]
    words += ["--no-browser", "--port", "0", "--config", str(shelf.config)]
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PREFECT_HOME": str(shelf.root / "prefect")}
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGINT)


@asynccontextmanager
async def at(address: str, within: str | None = None) -> AsyncIterator[Page]:
    """A browser that has opened the viewer, and to which nothing went wrong. ``within``: what it can reach begins with
    this; None: the server."""
    async with browsing(within or address.partition("?")[0]) as page:
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: troubles.append(said.text) if said.type == "error" else None)
        await page.goto(address)
        yield page
        # What a browser says of an answer that tells a person of a conflict is no trouble.
        assert [each for each in troubles if "409" not in each] == []


async def test_a_reader_turns_pages_and_searches(address: str) -> None:
    async with at(address) as page:
        assert "token" not in page.url
        await seen(page.get_by_text("6 of 8 pages read, 75.0 %"))
        await keep(page, "view-1-collection")
        await page.get_by_role("link", name="CT:Thornbury:1849").click()
        await expect(page.locator(".leaf img").first).to_have_js_property("complete", True)
        await keep(page, "view-2-document")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")

        image = page.locator("[data-image]")
        await expect(page).to_have_title(re.compile("^CT:Thornbury:1849:1"))
        await expect(image).to_have_js_property("complete", True)
        assert await image.evaluate("each => each.naturalWidth") > 500
        await expect(page.locator("[data-boxes] rect")).to_have_count(await page.locator("[data-block].block").count())
        await page.locator(".text .block").nth(3).hover()
        await expect(page.locator("[data-boxes] .is-lit")).to_have_count(1)
        await keep(page, "view-3-page")
        before = await page.locator("[data-stage]").bounding_box()
        await page.keyboard.press("r")
        after = await page.locator("[data-stage]").bounding_box()
        assert before is not None
        assert after is not None
        assert (before["height"] > before["width"]) != (after["height"] > after["width"])
        await page.keyboard.press("b")
        await expect(page.locator("[data-boxes]")).to_be_hidden()
        await page.keyboard.press("j")
        await expect(page).to_have_title(re.compile("^CT:Thornbury:1849:2"))

        await page.keyboard.press("/")
        await page.keyboard.type("trustees")
        await page.keyboard.press("Enter")
        await seen(page.locator("mark", has_text=re.compile("trustees", re.IGNORECASE)).first)
        await keep(page, "view-4-search")
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await seen(page.get_by_text(re.compile("trustees", re.IGNORECASE)).first)

        await page.get_by_role("link", name="Failures").click()
        await page.get_by_role("link", name=re.compile("^blocked")).click()
        await seen(page.get_by_role("cell", name="SAFETY"))
        await keep(page, "view-5-failures")


async def test_a_reader_corrects_and_marks(shelf: TypesetShelf, address: str) -> None:
    key = "CT:Thornbury:1849:2"
    async with at(address) as page, at(address) as other:
        for each in (page, other):
            await each.goto(f"page/{key}")
            await each.keyboard.press("e")
            await seen(each.get_by_role("heading", name="Correct the result"))
        text = page.locator('textarea[name="s:blocks/2/text"]')
        await text.fill(HOSTILE)
        await keep(page, "view-6-edit")
        await page.keyboard.press("Control+Enter")
        await seen(page.get_by_text("Saved: corrected by Ada."))
        await seen(page.get_by_role("article").get_by_text("<img src=x onerror=alert(1)>"))
        await expect(page.locator(".text .control")).to_have_text("U+202E")
        await keep(page, "view-7-corrected")
        assert HOSTILE.encode() in (shelf.storage.read_result(key) or b"").replace(b"\\u202e", "\u202e".encode())

        await other.locator('textarea[name="s:blocks/2/text"]').fill("another hand")
        await other.get_by_role("button", name="Save").click()
        await seen(other.get_by_text("Ada has saved another result"))
        await seen(other.get_by_role("heading", name="What you have typed"))
        await keep(other, "view-8-conflict")
        await expect(other.locator('textarea[name="s:blocks/2/text"]')).to_have_value("another hand")

        await page.goto("page/CT:Thornbury:1849:3")
        await page.keyboard.press("c")
        await seen(page.get_by_text("Noted: checked and good, by Ada."))
        await page.goto("document/CT:Thornbury:1849")
        await seen(page.locator(".badge.checked"))
        await seen(page.locator(".badge.corrected"))

        await page.goto("page/CT:Thornbury:1849:4")
        await page.get_by_role("link", name="Type it in").click()
        await page.locator('[data-items="blocks"] > [data-add]').click()
        await page.locator('textarea[name="s:blocks/new0/text"]').fill("Typed by a person.")
        await page.locator('input[name="s:language"]').fill("en")
        await page.get_by_role("button", name="Save").click()
        await seen(page.get_by_role("article").get_by_text("Typed by a person."))


async def test_a_copy_in_files_is_read_without_a_server(shelf: TypesetShelf, tmp_path: Path) -> None:
    to = tmp_path / "copy of the shelf"
    written = await asyncio.to_thread(write_static, str(shelf.config), to, Selection())
    assert written.pages == 8
    async with at((to / "index.html").as_uri(), to.as_uri()) as page:
        await page.get_by_role("link", name="CT:Thornbury:1849").click()
        await expect(page.locator(".leaf img").first).to_have_js_property("complete", True)
        await page.locator(".leaf a").first.click()
        assert await page.locator("[data-image]").evaluate("each => each.naturalWidth") > 500
        await page.keyboard.press("j")
        await expect(page).to_have_title(re.compile("^CT:Thornbury:1849:2"))
        await page.keyboard.press("/")
        await page.keyboard.type("trustees")
        await page.keyboard.press("Enter")
        await seen(page.locator(".hits li").first)
        await keep(page, "view-9-copy")
        await page.locator(".hits [data-open]").first.click()
        await seen(page.get_by_text(re.compile("trustees", re.IGNORECASE)).first)
