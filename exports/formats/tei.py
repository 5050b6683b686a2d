"""TEI P5: a file a document, its text in divisions by its headings, with page breaks that point to the images.

A heading opens a division below those of a higher rank; what stands before the first heading is a division by itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pyarrow.compute as pc

from assets.plain_rows import plain_rows
from exports.choosing import models_of
from exports.flow import Item, PageBreak, Piece, flowing
from exports.pages import CHUNK, Document
from exports.registry import DocumentFormat, Job, Need
from exports.xml import Xml

NAMESPACE = "http://www.tei-c.org/ns/1.0"
BEFORE_HEADINGS = 7
"""Below any rank of a heading, so that each of them ends it."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_VERSION = re.compile(r"\d+(\.\d+){0,3}")
_SIMPLE = {
    "footnote": ("note", {"place": "foot"}),
    "marginalia": ("note", {"place": "margin"}),
    "running_head": ("fw", {"type": "header"}),
    "page_number": ("fw", {"type": "pageNum"}),
    "entry": ("ab", {"type": "entry"}),
    "other": ("ab", {"type": "other"}),
}


@dataclass(frozen=True)
class Tei(DocumentFormat):
    def write(self, path: Path, job: Job, document: Document) -> None:
        with path.open("wb") as file:
            xml = Xml(file)
            xml.start("TEI", {"xmlns": NAMESPACE})
            _header(xml, job, document)
            _facsimile(xml, document)
            with xml.element("text", ends_line=True), xml.element("body"):
                _Body(xml).write(flowing(document.texts()))
            xml.end("TEI")
            xml.close()


def _header(xml: Xml, job: Job, document: Document) -> None:
    title = str(document.about.get("label") or document.name)
    with xml.element("teiHeader", ends_line=True):
        with xml.element("fileDesc", ends_line=True):
            with xml.element("titleStmt", ends_line=True):
                xml.leaf("title", title)
            with xml.element("publicationStmt", ends_line=True):
                xml.leaf("p", f"An export by Quire {job.version} of results of {job.schema_name}.")
            with xml.element("sourceDesc", ends_line=True):
                _source(xml, document)
        with xml.element("encodingDesc", ends_line=True):
            version = _VERSION.match(job.version)
            with xml.element("appInfo", ends_line=True):
                attributes = {"ident": "quire", "version": version[0] if version else "0"}
                with xml.element("application", attributes, ends_line=True):
                    xml.leaf("label", "Quire")
            with xml.element("editorialDecl", ends_line=True):
                for line in _provenance(document):
                    xml.leaf("p", line)


def _source(xml: Xml, document: Document) -> None:
    with xml.element("bibl", ends_line=True):
        xml.leaf("idno", document.name, {"type": "quire"})
        for name, kind in (("id", "manifest"), ("address", "address")):
            if said := document.about.get(name):
                xml.leaf("idno", str(said), {"type": kind})
        if document.rights:
            xml.leaf("note", document.rights, {"type": "rights"})


def _provenance(document: Document) -> list[str]:
    lines = ["The text was read from images of the pages by a language model, and not proofread."]
    lines += [f"{pages:,} pages by {name}." for name, pages in models_of(document.rows).items()]
    first, last = (getattr(pc, name)(document.rows["settled_at"]).as_py() for name in ("min", "max"))
    if first is not None:
        lines.append(f"The results are of {first:%Y-%m-%d} to {last:%Y-%m-%d}.")
    lines.append("Divisions follow the headings; the end of a line within a paragraph is not kept.")
    return lines


def _facsimile(xml: Xml, document: Document) -> None:
    """A surface for each page: `_facs` points to it."""
    with xml.element("facsimile", ends_line=True):
        for at in range(0, len(document.rows), CHUNK):
            for row in plain_rows(document.rows.slice(at, CHUNK)):
                fetched = document.fetched.get(Path(row["image_path"]).name)
                size = {"width": f"{row['image_width']}px", "height": f"{row['image_height']}px"}
                url = fetched[1] if fetched else quote(row["image_path"])
                with xml.element("surface", {"xml:id": _facs(row["number"])}, ends_line=True):
                    xml.empty("graphic", {"url": re.sub(r"\s", "%20", url), **size})


def _facs(number: int) -> str:
    return f"page-{number}"


class _Body:
    def __init__(self, xml: Xml) -> None:
        self._xml = xml
        self._levels: list[int] = []

    def write(self, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, PageBreak):
                self._open(BEFORE_HEADINGS)
                self._break(item)
            else:
                self._block(item)
        if not self._levels:
            self._open(BEFORE_HEADINGS)
        while self._levels:
            self._close()

    def _open(self, level: int) -> None:
        """A division for what follows: any that is open will do, but for a heading."""
        if self._levels and level == BEFORE_HEADINGS:
            return
        while self._levels and self._levels[-1] >= level:
            self._close()
        self._xml.start("div")
        self._levels.append(level)

    def _close(self) -> None:
        self._levels.pop()
        self._xml.end("div")

    def _block(self, piece: Piece) -> None:
        self._open(piece.block.level or 1 if piece.kind == "heading" else BEFORE_HEADINGS)
        language = piece.page.content.language
        lang = {"xml:lang": language} if _LANGUAGE.fullmatch(language) and language != "und" else {}
        if piece.kind == "heading":
            self._with_text("head", lang, piece)
        elif piece.kind == "list":
            self._list(lang, piece)
        elif piece.kind == "table":
            self._table(lang, piece)
        elif piece.kind in ("caption", "illustration"):
            with self._xml.element("figure", ends_line=True):
                self._with_text("head" if piece.kind == "caption" else "ab", lang, piece)
        else:
            name, attributes = _SIMPLE.get(piece.kind, ("p", {}))
            self._with_text(name, {**attributes, **lang}, piece)

    def _with_text(self, name: str, attributes: dict[str, str], piece: Piece) -> None:
        with self._xml.element(name, attributes, ends_line=True):
            for part in piece.parts:
                if isinstance(part, PageBreak):
                    self._break(part)
                else:
                    self._lines(part)

    def _lines(self, text: str) -> None:
        for at, line in enumerate(text.split("\n")):
            if at:
                self._xml.empty("lb")
            self._xml.text(line)

    def _list(self, attributes: dict[str, str], piece: Piece) -> None:
        with self._xml.element("list", attributes, ends_line=True):
            for page_break, line in piece.lines():
                with self._xml.element("item", ends_line=True):
                    self._break(page_break)
                    self._xml.text(line)

    def _table(self, attributes: dict[str, str], piece: Piece) -> None:
        with self._xml.element("table", attributes, ends_line=True):
            for page_break, line in piece.lines():
                with self._xml.element("row", ends_line=True):
                    for at, cell in enumerate(line.split("\t")):
                        with self._xml.element("cell"):
                            self._break(page_break if at == 0 else None)
                            self._xml.text(cell)

    def _break(self, page_break: PageBreak | None) -> None:
        if page_break is None:
            return
        row = page_break.page.row
        attributes = {"n": page_break.page.label, "facs": f"#{_facs(row['number'])}"}
        if page_break.in_word:
            attributes["break"] = "no"
        self._xml.empty("pb", attributes)
        if not page_break.page.is_read:
            self._xml.empty("gap", {"reason": "not-read", "unit": "page", "quantity": "1"})


FORMAT = Tei("TEI P5, a file a document", ".xml", need=Need.TEXT)
