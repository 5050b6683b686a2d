"""The pages of a demo: its corpus on disk with the true text of each page, which two pages are made to fail, and what
the OCR engine reads on the same pages before they were degraded, to compare with.

How pages are made stands in `corpus`; how errors are counted, in `accuracy`.
"""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assets.domain.errors import QuireError
from assets.domain.record import document_of
from flows.demo.corpus import make_corpus
from flows.demo.place import DemoFolder
from flows.demo.typeset import FontsMissingError

SEED = 1849


@dataclass(frozen=True, slots=True)
class DemoPages:
    """``images``: record key -> its image, below the folder of page images. ``texts``: record key -> its true text.
    ``dead``: the page that fails each time; ``flaky``: the one whose second try succeeds."""

    images: dict[str, str]
    texts: dict[str, str]
    dead: str
    flaky: str

    @property
    def size(self) -> tuple[int, int]:
        """Documents, and pages of each."""
        documents = len({document_of(key) for key in self.images})
        return documents, len(self.images) // documents

    def provoked_failures(self, *, max_retries: int) -> dict[str, int]:
        """Record key -> how often it is made to fail."""
        return {self.dead: max_retries + 1, self.flaky: 1}


def check_size(folder: DemoFolder, *, documents: int, pages: int) -> None:
    """Raises QuireError if the folder holds a demo of another size."""
    if folder.corpus.exists():
        size = json.loads(folder.corpus.read_text(encoding="utf-8"))["size"]
        if size != [documents, pages]:
            raise QuireError(
                f"{folder.path} holds a demo of {size[0]} documents with {size[1]} pages each: ask for the same "
                f"(--documents {size[0]} --pages {size[1]}), or give another --folder"
            )


def make_pages(folder: DemoFolder, *, documents: int, pages: int) -> DemoPages:
    """The demo's pages, made unless an earlier demo has. ``pages``: of each document; 2 or more.

    Raises QuireError without the fonts to set them with.
    """
    if folder.corpus.exists():
        found = json.loads(folder.corpus.read_text(encoding="utf-8"))
    else:
        found = _make(folder, documents, pages)
    images = {key: str(page["image"]) for key, page in found["pages"].items()}
    texts = {key: str(page["text"]) for key, page in found["pages"].items()}
    keys = list(images)
    # Early pages of two documents, so that pages depend on both; two documents fail side by side, in the same waves.
    return DemoPages(images, texts, dead=keys[pages % len(keys) + min(2, pages - 1)], flaky=keys[min(1, pages - 2)])


def _make(folder: DemoFolder, documents: int, pages: int) -> dict[str, Any]:
    try:
        corpus = make_corpus(folder.page_images, seed=SEED, document_count=documents, pages_per_document=pages)
        clean = folder.undegraded_images
        make_corpus(clean, seed=SEED, degrade=False, document_count=documents, pages_per_document=pages)
    except FontsMissingError as error:
        raise QuireError(str(error)) from None
    found = {
        "size": [documents, pages],
        "pages": {
            key: {"image": str(page.path.relative_to(folder.page_images)), "text": page.text}
            for key, page in corpus.pages.items()
        },
    }
    _write(folder.corpus, json.dumps(found, ensure_ascii=False, indent=1))
    return found


class UndegradedReading:
    """A process that reads the undegraded pages beside the demo, at a low priority; nothing if it was done before."""

    def __init__(self, folder: DemoFolder, pages: DemoPages) -> None:
        self._folder = folder
        self._pages = pages
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if self._folder.undegraded_texts.exists():
            return
        with self._unfinished.open("wb") as output, (self._folder.logs / "undegraded.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own engine on our own files
                [sys.executable, "-m", "emulator.engines.ocr_cli", *self._pages.images.values()],
                cwd=self._folder.undegraded_images,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
            )
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, self._process.pid, 10)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def texts(self) -> dict[str, str]:
        """Record key -> the text read on its undegraded image. Raises QuireError if they could not be read."""
        if self._process is not None:
            if self._process.wait() != 0:
                raise QuireError(f"the undegraded pages could not be read: see {self._folder.logs / 'undegraded.log'}")
            self._unfinished.replace(self._folder.undegraded_texts)
            self._process = None
        lines = map(json.loads, self._folder.undegraded_texts.read_text(encoding="utf-8").splitlines())
        read = {line["path"]: str(line["text"]) for line in lines}
        return {key: read[image] for key, image in self._pages.images.items()}

    def end(self) -> None:
        """Stop reading; a later demo starts it anew."""
        if self.is_running and self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def _unfinished(self) -> Path:
        return self._folder.undegraded_texts.with_suffix(".unfinished")


def _write(path: Path, text: str) -> None:
    """As a whole or not at all: a demo can be interrupted at any time."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
