"""A document's folder of images that were fetched: what is kept beside them, in `FETCHED_FOLDER`, which walks pass
over. What is fetched is decided in `assets.fetching`, by whom and how in `flows.fetch`.

``manifest.json``: the manifest as it came, byte by byte. ``document.json``: where it came from, its label and its
rights. ``pages.jsonl``: a line for each image that was fetched (`assets.fetching.FetchedPage`); the last line of a
page counts. ``SHA256SUMS``: the same sums for ``sha256sum -c``, run in that folder.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from assets.domain.errors import ManifestError
from assets.fetching import FetchedPage
from assets.sources import IMAGE_SUFFIXES
from flows.gateways.files.atomic import naming, replace_file, replace_text, sync_file
from flows.gateways.files.presence import is_there
from flows.gateways.ports import FETCHED_FOLDER

MAX_LINE_BYTES = 100_000
_NAMES = frozenset(each.name for each in fields(FetchedPage))


class FetchedFolder:
    """The folder of one document. Raises OSError, and ManifestError for a file that cannot be understood."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._notes = folder / FETCHED_FOLDER
        self._pages = self._notes / "pages.jsonl"

    def stems(self) -> set[str]:
        """The names of the images that lie there, without endings."""
        try:
            names = os.listdir(self.folder)  # noqa: PTH208 - names alone
        except FileNotFoundError:
            return set()
        found = {Path(name) for name in names if not name.startswith(".")}
        return {each.stem for each in found if each.suffix[1:].lower() in IMAGE_SUFFIXES}

    def document(self) -> Mapping[str, Any] | None:
        """What ``document.json`` says; None if nothing was fetched into this folder."""
        path = self._notes / "document.json"
        if not is_there(path):
            return None
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise ManifestError(path, "cannot be understood; move the folder away, and it is fetched anew")
        return said

    def pages(self) -> dict[int, FetchedPage]:
        """By page, what was fetched. A line that is torn, or of a later version, counts as none: its image is taken for
        a file that was not fetched, and stays."""
        found: dict[int, FetchedPage] = {}
        if not is_there(self._pages):
            return found
        with self._pages.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                try:
                    said = json.loads(line)
                    page = FetchedPage(**{name: said[name] for name in _NAMES})
                except (ValueError, TypeError, KeyError, RecursionError):
                    continue
                if isinstance(page.page, int) and Path(str(page.file)).name == page.file:
                    found[page.page] = page
        return found

    def is_whole(self, page: FetchedPage) -> bool | None:
        """Whether the image is byte by byte what was fetched; None if it is not there. Reads all of it."""
        path = self.folder / page.file
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size != page.bytes:
                    return False
                return hashlib.file_digest(file, "sha256").hexdigest() == page.sha256
        except FileNotFoundError:
            return None

    def write_document(self, manifest: bytes, document: Mapping[str, Any]) -> None:
        """The manifest first: a folder that has its ``document.json`` is one that was fetched."""
        replace_file(self._notes / "manifest.json", lambda path: _write(path, manifest))
        text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        replace_text(self._notes / "document.json", text)

    def put_image(self, page: FetchedPage, content: bytes) -> None:
        """Note the image, then let it take its place: a note without its image means that it is to be fetched."""
        line = (json.dumps(asdict(page), ensure_ascii=False) + "\n").encode()

        def write(path: Path) -> None:
            _write(path, content)
            with naming(self._pages), self._pages.open("ab") as file:
                # A torn last line would swallow this one.
                file.write(line if _ends_with_line(self._pages) else b"\n" + line)
                file.flush()
                sync_file(file)

        replace_file(self.folder / page.file, write)

    def remove_image(self, name: str) -> None:
        """An image of ours that has another ending now."""
        (self.folder / name).unlink(missing_ok=True)

    def write_sums(self) -> None:
        """``SHA256SUMS`` of all images that were fetched, in their order."""
        pages = [page for _, page in sorted(self.pages().items())]
        replace_text(self._notes / "SHA256SUMS", "".join(f"{page.sha256}  ../{page.file}\n" for page in pages))


def _ends_with_line(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
