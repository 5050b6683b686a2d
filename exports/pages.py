"""What an export has of a page and of a document: where it stands, what its result says, what made it, what it cost.
Which pages are meant is decided in `exports.choosing`; what text is in a result, in `assets.reading`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.domain.errors import ManifestError, words_of
from assets.domain.record import SEPARATOR
from assets.domain.result_form import result_in
from assets.plain_rows import plain_rows
from assets.reading import Content, content_of
from flows.gateways.files.fetched import FetchedFolder
from flows.gateways.files.storage import Storage

CHUNK = 1_000
"""So many rows stand as Python values at a time."""


@dataclass(frozen=True)
class Page:
    """``row``: of the table of `exports.choosing`; ``result``: as it is written, parsed; None where there is none;
    ``sha256``: of its bytes, in hex."""

    row: Mapping[str, Any]
    result: Any = None
    sha256: str | None = None

    @property
    def key(self) -> str:
        return str(self.row["record_key"])

    @property
    def label(self) -> str:
        return str(self.row["page_label"])

    @property
    def is_read(self) -> bool:
        return self.sha256 is not None

    @property
    def is_edited(self) -> bool:
        """Whether a person has edited its result, or put it there."""
        return self.is_read and self.row["result_sha256"] != self.sha256 and not self._is_of_before

    @property
    def _is_of_before(self) -> bool:
        """It was made here, by a version of Quire that kept no hash of it."""
        return self.row["submission_id"] is not None and self.row["result_sha256"] is None

    @cached_property
    def content(self) -> Content:
        return content_of(self.result)


@dataclass
class Document:
    """The pages of a document that are exported. ``fields``: its values of the document fields; ``rows``: see
    `exports.choosing`, in the order of the pages; ``names``: of its folders in the export; ``faults``: gets a line for
    each result that cannot be read; ``textless``, ``unplaced``: count the results in which nothing is text, and in
    which no text has a box, of those whose text was asked for."""

    fields: tuple[str, ...]
    rows: pa.Table
    storage: Storage
    names: tuple[str, ...] = ()
    faults: list[str] = field(default_factory=list)
    textless: int = 0
    unplaced: int = 0
    _hashes: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return SEPARATOR.join(self.fields)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def with_result(self) -> int:
        return len(self.rows) - int(self.rows["result_bytes"].null_count)

    def texts(self) -> Iterator[Page]:
        """The same for whoever takes nothing but their text."""
        for page in self.pages():
            self.textless += page.is_read and not page.content.has_text
            blocks = page.content.blocks if page.is_read else ()
            self.unplaced += bool(blocks) and not any(block.box for block in blocks)
            yield page

    @property
    def rights(self) -> str:
        """What was said of them where its images come from, "" if nothing was."""
        said = (self.about.get(name) for name in ("rights", "attribution"))
        return "; ".join(dict.fromkeys(each for each in said if isinstance(each, str) and each))

    def pages(self) -> Iterator[Page]:
        """One after the other, each read when its turn comes."""
        for at in range(0, len(self.rows), CHUNK):
            for row in plain_rows(self.rows.slice(at, CHUNK)):
                yield self._page(row)

    def _page(self, row: Mapping[str, Any]) -> Page:
        if row["result_bytes"] is None:
            return Page(row)
        key = row["record_key"]
        try:
            content = self.storage.read_result(key)
        except OSError as error:
            self._note(f"{self.storage.result_path(key)} cannot be read: {words_of(error)}")
            return Page(row)
        except ManifestError as error:
            self._note(str(error))
            return Page(row)
        if content is None:
            self._note(f"{self.storage.result_path(key)} is gone since the export began")
            return Page(row)
        result, problem = result_in(content)
        if problem:
            self._note(f"{self.storage.result_path(key)} {problem}; correct it, or delete it")
            return Page(row)
        return Page(row, result, hashlib.sha256(content).hexdigest())

    def _note(self, line: str) -> None:
        if line not in self.faults:
            self.faults.append(line)

    @cached_property
    def about(self) -> Mapping[str, Any]:
        """What the IIIF manifest said that its images come from (docs/iiif.md); {} where they come from elsewhere."""
        return self._fetched.document() or {} if len(self.rows) else {}

    @cached_property
    def fetched(self) -> Mapping[str, tuple[str, str]]:
        """Name of an image that was fetched -> addresses of its canvas and of the image."""
        return {each.file: (each.canvas, each.image) for each in self._fetched.pages().values()}

    @property
    def _fetched(self) -> FetchedFolder:
        return FetchedFolder(self.image_path(self.rows["image_path"][0].as_py()).parent)

    def image_path(self, relative: str) -> Path:
        return self.storage.root / relative

    def input_hash(self, how: str) -> str:
        """Tells whether what goes in is what it was: of ``how`` it is written, and of all that is known of each page
        without reading it."""
        if how in self._hashes:
            return self._hashes[how]
        sums = hashlib.sha256(how.encode())
        for at in range(0, len(self.rows), CHUNK):
            rows = plain_rows(self.rows.slice(at, CHUNK))
            sums.update(json.dumps([list(row.values()) for row in rows], default=str).encode())
        sums.update(json.dumps(dict(self.about), default=str, sort_keys=True).encode())
        self._hashes[how] = sums.hexdigest()
        return self._hashes[how]
