"""``quire view --static``: the same pages as files, for somebody without Quire. Addresses stand in `static_links`.

The folder is whole or absent: it is written beside its place, and put there at the end.
"""

import asyncio
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from assets.domain.errors import ImageError, QuireError, words_of
from assets.numbering import IntArray
from assets.selection import Selection
from config.settings import Settings, load_settings
from flows.questions.selection import select_records
from flows.runtime.progress import tell_step
from flows.runtime.wiring import config_path, make_storage
from flows.tables.derived import results_table
from flows.tables.paid import answers_of
from viewer.blocks import searchable
from viewer.collection import collection_page, failure_counts, failure_page
from viewer.document import document_page
from viewer.narrowing import narrowed
from viewer.page import page_view, read_result
from viewer.pictures import AT_ONCE
from viewer.rendering import FRONT, FRONT_FILES, Surroundings, moment, no_picture, render
from viewer.room import Room
from viewer.standing import Standing
from viewer.static_links import FAILURES, SEARCH, SEARCH_TEXT, Site, StaticLinks

SIDE = 1_800
"""Pixels of an image's longer side."""
MOST_TEXT_BYTES = 30_000_000
"""So much text a browser still looks through while somebody types; with more there is no search."""
PART = ".quire-view-part"
STEP = "Writing pages"


@dataclass
class Written:
    """``faults``: a line for each image that cannot be shown; ``has_search``: whether its text can be searched."""

    to: Path
    documents: int = 0
    pages: int = 0
    bytes: int = 0
    has_search: bool = True
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        pages, documents = (f"{count:,}" for count in (self.pages, self.documents))
        said = f"{pages} pages of {documents} documents, {self.bytes / 1e6:,.1f} MB: open {self.to / 'index.html'}"
        without = "" if self.has_search else "\nTheir text is too much for a search in a file; quire view has one."
        return "\n".join([said + without, *self.faults])


def write_static(config: str | None, to: Path, selection: Selection) -> Written:
    """``to``: a folder that is not there, or is empty. Raises QuireError, OSError; an image that cannot be shown is
    told at the end."""
    settings = load_settings(config_path(config))
    to = to.absolute()
    _expect_place(settings, to)
    room = Room.of(settings, make_storage(settings))
    try:
        asyncio.run(room.keeper.refresh())
        room.indexing.wait()
        standing = room.keeper.standing
        numbers = _selected(settings, room, standing, selection)
        room.selected = narrowed(standing, numbers, _paid(room, standing, numbers))
        with _in_its_place(to) as folder:
            return _Writer(room, folder, Written(to)).write()
    finally:
        room.close()


def _selected(settings: Settings, room: Room, standing: Standing, selection: Selection) -> IntArray:
    if selection.entries or selection.narrows:
        keys = select_records(settings, room.storage, standing.ledger, selection)
        numbers = standing.records.known(keys)
    else:
        numbers = np.arange(len(standing))
    if not len(numbers):
        raise QuireError("no page of the record manifest is meant; nothing is written")
    return numbers


def _paid(room: Room, standing: Standing, numbers: IntArray) -> float | None:
    keys = standing.records.keys(numbers).to_pylist()
    made = results_table(room.storage, ["record_key", "submission_id"], keys=keys, write=False)
    found: float | None = pc.sum(answers_of(room.storage, made)["usd"]).as_py()
    return found


def _expect_place(settings: Settings, to: Path) -> None:
    paths = settings.paths
    for own in (paths.page_images, paths.output_results, paths.manifests, paths.source_documents):
        if own is not None and to.resolve().is_relative_to(own.resolve()):
            raise QuireError(f"{to} lies in {own}, which is the collection's own; name another place with --static")
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise QuireError(f"{to} is there already; name a new folder with --static")


@contextmanager
def _in_its_place(to: Path) -> Iterator[Path]:
    """A folder beside it that becomes it at the end."""
    part = to.with_name(f"{to.name}{PART}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        part.replace(to)
    finally:
        shutil.rmtree(part, ignore_errors=True)


class _Writer:
    def __init__(self, room: Room, folder: Path, done: Written) -> None:
        self._room, self._folder, self._done = room, folder, done
        standing = room.standing
        title = room.settings.collection or room.settings.root.name
        self._around = Surroundings(title, is_static=True, as_of=f"a copy as of {moment(standing.at)}")
        self._keys: list[str] = standing.records.keys(np.arange(len(standing))).to_pylist()
        self._names: list[str] = standing.records.pages.documents.to_pylist()

    def write(self) -> Written:
        for name in FRONT_FILES:
            self._put(f"front/{name}", (FRONT / name).read_bytes())
        self._put("front/no_picture.svg", no_picture("it is not in this copy").encode())
        site = Site(
            documents={name: place for place, name in enumerate(self._names, 1)},
            pages={key: number for number, key in enumerate(self._keys, 1)},
            pictures=self._write_pictures(),
            kinds=frozenset(failure_counts(self._room.standing)),
            has_search=self._write_search_text(),
        )
        for at, key in enumerate(self._keys, 1):
            self._render(
                StaticLinks(site, "../"), site.page_file(key), "page.html", view=page_view(self._room, key), said=""
            )
            tell_step(STEP, at, len(self._keys))
        for name in self._names:
            this = site.document_file(name).removesuffix(".html")
            self._write_parts(StaticLinks(site, "../", this), "document.html", partial(document_page, self._room, name))
        self._write_parts(StaticLinks(site), "collection.html", partial(collection_page, self._room), pages_of=_listed)
        kinds = failure_counts(self._room.standing)
        self._render(StaticLinks(site), FAILURES, "failures.html", view=None, kinds=kinds)
        for kind in kinds:
            links = StaticLinks(site, "../", f"failures/{kind}")
            self._write_parts(links, "failures.html", partial(failure_page, self._room, kind), kinds=kinds)
        if site.has_search:
            self._render(StaticLinks(site), SEARCH, "static_search.html", text=SEARCH_TEXT)
        self._done.documents, self._done.pages = len(self._names), len(self._keys)
        self._done.has_search = site.has_search
        return self._done

    def _write_parts(self, links: StaticLinks, template: str, look: Any, pages_of: Any = None, **more: Any) -> None:
        """A list as one file, or as several."""
        page, pages = 1, 1
        while page <= pages:
            view = look({"page": str(page)})
            pages = (pages_of or _pages)(view)
            self._render(links, links.listed(page=page).removeprefix(links.up), template, view=view, **more)
            page += 1

    def _write_pictures(self) -> dict[int, str]:
        """Number -> ending, of those that can be shown."""
        found: dict[int, str] = {}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="quire-view") as pool:
            for number, ending, problem in pool.map(self._write_picture, range(1, len(self._keys) + 1)):
                if ending:
                    found[number] = ending
                else:
                    self._done.faults.append(f"{self._keys[number - 1]}: {problem}")
                tell_step("Writing images", number, len(self._keys))
        return found

    def _write_picture(self, number: int) -> tuple[int, str, str]:
        room = self._room
        row = room.image_row(room.standing, number - 1)
        try:
            full, small = room.pictures.full(row, SIDE), room.pictures.small(row)
        except ImageError as error:
            return number, "", str(error)
        except OSError as error:
            return number, "", f"its image cannot be read: {words_of(error)}"
        ending = "png" if full.mime_type == "image/png" else "jpg"
        self._put(f"full/{number}.{ending}", full.content)
        # Browsers go by what an image is, and not by its name.
        self._put(f"small/{number}.jpg", small.content)
        return number, ending, ""

    def _write_search_text(self) -> bool:
        """The text of all pages as a script that only holds it: a page that is a file may read no other one. False:
        there is too much of it."""
        path, size = self._folder / SEARCH_TEXT, 0
        with path.open("w", encoding="utf-8") as file:
            file.write("window.quireText = [\n")
            for number, key in enumerate(self._keys, 1):
                line = json.dumps([number, key, self._text_of(key)], ensure_ascii=True) + ",\n"
                size += len(line)
                if size > MOST_TEXT_BYTES:
                    break
                file.write(line)
            file.write("];\n")
        if size > MOST_TEXT_BYTES:
            path.unlink()
            return False
        self._done.bytes += size
        return True

    def _text_of(self, key: str) -> str:
        result = read_result(self._room, key).result
        return "" if result is None else searchable(result)

    def _render(self, links: StaticLinks, at: str, template: str, **context: Any) -> None:
        self._put(at, render(template, links, self._around, **context).encode(errors="replace"))

    def _put(self, at: str, content: bytes) -> None:
        path = self._folder / at
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self._done.bytes += len(content)


def _pages(view: Any) -> int:
    return int(view.pages)


def _listed(view: Any) -> int:
    return int(view.listed.pages)
