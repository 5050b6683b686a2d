"""Files of an export, one after the other: which are whole already, and the others written. What is in them stands in
`exports.formats`, where they lie in `exports.places`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assets.domain.errors import QuireError
from exports.choosing import Chosen
from exports.images import upright_size
from exports.names import label_names, names_of
from exports.pages import Document, Page
from exports.places import Place, parsed_lines
from exports.registry import DocumentFormat, Format, Job, Need, PageFormat, RowFormat
from exports.report import Exported
from flows.runtime.progress import tell_step

CARD = "README.md"


@dataclass
class Work:
    """``how``: all that decides the bytes besides the pages; ``done``: what is told at the end, counted on here."""

    format: Format
    job: Job
    place: Place
    chosen: Chosen
    how: str
    done: Exported

    def run(self) -> None:
        """Raises OSError. What concerns a single document is noted."""
        if isinstance(self.format, RowFormat):
            self._write_rows(self.format)
            return
        for document, names in self._documents():
            try:
                if isinstance(self.format, DocumentFormat):
                    self._write_document(self.format, document, names)
                elif isinstance(self.format, PageFormat):
                    self._write_pages(self.format, document, names)
            except QuireError as error:
                document.faults.append(f"{document.name}: {error}")
            self._end(document)
        if isinstance(self.format, DocumentFormat) and (card := self.format.card(self.job, self.done)) is not None:
            self.place.put(CARD, str, lambda path: _write(path, card.encode()))

    def look(self) -> None:
        """Only count what `run` would write."""
        if isinstance(self.format, RowFormat):
            inputs = [each.input_hash(self.how) for each in self.chosen.units()]
            is_whole = self.place.is_whole("", self._sum(inputs))
            self.done.whole, self.done.files = int(is_whole), int(not is_whole)
        for document, names in self._documents():
            if not isinstance(self.format, RowFormat):
                input_hash = document.input_hash(self.how)
                whole = sum(self.place.is_whole(at, input_hash) for at in self._files(document, names))
                self.done.whole += whole
                self.done.files += len(self._files(document, names)) - whole
            self._end(document)

    def _documents(self) -> "zip[tuple[Document, tuple[str, ...]]]":
        names = names_of(self.chosen.documents)
        units = list(self.chosen.units())
        for each in units:
            each.names = names[each.fields]
        return zip(units, (each.names for each in units), strict=True)

    def _end(self, document: Document) -> None:
        self.done.documents += 1
        self.done.pages += document.with_result
        self.done.textless += document.textless
        self.done.unplaced += document.unplaced if self.format.need is Need.BOXES else 0
        self.done.faults += document.faults
        if self.format.need is Need.RESULTS:
            rights = document.rights
            self.done.rights[rights] = self.done.rights.get(rights, 0) + 1
        tell_step("Exporting pages", self.done.pages, self.chosen.with_result)

    def _files(self, document: Document, names: tuple[str, ...]) -> list[str]:
        place = "/".join(names)
        if isinstance(self.format, PageFormat):
            return [f"{place}/{name}{self.format.suffix}" for name in self._labels(document).values()]
        if isinstance(self.format, DocumentFormat):
            place = f"{self.format.folder}/{place}" if self.format.folder else place
            place = f"{place}/{self.format.file_name}" if self.format.file_name else place + self.format.suffix
        return [place]

    def _labels(self, document: Document) -> dict[str, str]:
        """Label -> name of its file, of the pages with a result."""
        names = label_names(document.rows["page_label"].to_pylist())
        read = document.rows.filter(document.rows["result_bytes"].is_valid())
        return {label: names[label] for label in read["page_label"].to_pylist()}

    # --- a file for each document, or for each page

    def _write_document(self, format_: DocumentFormat, document: Document, names: tuple[str, ...]) -> None:
        files = self._files(document, names)
        if not self._is_whole(files, document):
            self._put(files[0], document, lambda path: format_.write(path, self.job, document))

    def _write_pages(self, format_: PageFormat, document: Document, names: tuple[str, ...]) -> None:
        files, labels = self._files(document, names), self._labels(document)
        if self._is_whole(files, document):
            return
        places = dict(zip(labels, files, strict=True))
        for page in document.texts():
            if page.is_read:
                try:
                    self._write_page(format_, document, page, places[page.label])
                except QuireError as error:
                    document.faults.append(f"{page.key}: {error}")

    def _write_page(self, format_: PageFormat, document: Document, page: Page, at: str) -> None:
        size = upright_size(document.image_path(page.row["image_path"]), page.row)
        content = format_.content(self.job, document, page, size)
        self._put(at, document, lambda path: _write(path, content))

    def _is_whole(self, files: list[str], document: Document) -> bool:
        input_hash = document.input_hash(self.how)
        if not all(self.place.is_whole(at, input_hash) for at in files):
            return False
        self.done.whole += len(files)
        return True

    def _put(self, at: str, document: Document, write: Callable[[Path], None]) -> None:
        # One with a fault is made once more next time: it is noted as of no input.
        def input_hash() -> str:
            return "" if document.faults else document.input_hash(self.how)

        self.done.bytes += self.place.put(at, input_hash, write)
        self.done.files += 1

    # --- one file for all

    def _write_rows(self, format_: RowFormat) -> None:
        """The file grows document by document. One that was cut off goes on behind the last document up to which all
        is as it was."""
        documents = list(self.chosen.units())
        inputs = [document.input_hash(self.how) for document in documents]
        if self.place.is_whole("", self._sum(inputs)):
            self.done.whole = 1
            for document in documents:
                self._end(document)
            return
        head = format_.head(self.job)
        ends = self._ends_so_far(inputs)
        with (
            self.place.part.open("r+b" if ends else "wb") as part,
            # Anew, as its last line may be torn.
            self.place.journal.open("w") as log,
        ):
            log.writelines(_line(at, inputs[at], end) for at, end in enumerate(ends))
            if ends:
                part.truncate(ends[-1])
                part.seek(ends[-1])
            else:
                part.write(head)
            for at, document in enumerate(documents):
                if at >= len(ends):
                    for page in document.pages():
                        if page.is_read:
                            part.write(format_.row(self.job, page))
                    part.flush()
                    inputs[at] = inputs[at] if not document.faults else ""
                    log.write(_line(at, inputs[at], part.tell()))
                    log.flush()
                self._end(document)
        self.done.bytes = self.place.take("", self._sum(inputs), self.place.part)
        self.done.files = 1
        self.place.journal.unlink()

    def _ends_so_far(self, inputs: list[str]) -> list[int]:
        """Where each of the first documents ends in what is written so far, as far as that is as it would be now."""
        lines = {line.get("number"): line for line in parsed_lines(self.place.journal)}
        ends: list[int] = []
        size = self.place.part.stat().st_size if self.place.part.exists() else -1
        for at, input_hash in enumerate(inputs):
            line = lines.get(at, {})
            if line.get("input") != input_hash or not isinstance(line.get("end"), int) or line["end"] > size:
                break
            ends.append(line["end"])
        return ends

    def _sum(self, inputs: list[str]) -> str:
        return hashlib.sha256("\n".join([self.how, *inputs]).encode()).hexdigest()


def _line(number: int, input_hash: str, end: int) -> str:
    return json.dumps({"number": number, "input": input_hash, "end": end}) + "\n"


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
