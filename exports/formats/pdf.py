"""Searchable PDF: the image of each page with its text under it, that no eye sees, and bookmarks of the headings.

A block that has a box lies where it stands; the rest of a page's text lies on it as a whole. JPEGs go in as they are;
what a PDF cannot hold, or what is not upright, is decoded and packed without loss. A part of the pages at a time is
written into a file, and the parts are joined at the end: a book of a thousand scans is larger than the memory.
"""

import io
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assets.domain.errors import ImageError, QuireError
from exports.escaping import plain
from exports.pages import Document, Page
from exports.pdf_text import font_file, text_layer
from exports.registry import DocumentFormat, Job, Need
from flows.gateways.images.preparing import prepare
from flows.gateways.ports import Prepared

if TYPE_CHECKING:
    import pikepdf  # of the extra

PAGES_AT_ONCE = 20
POINTS_PER_PIXEL = 72 / 300
"""Scans seldom say truly how dense they are. At 300 dots an inch a page of a book has about its own size."""
LONGEST_POINTS = 14_400
"""What a page may measure (PDF 1.7, annex C)."""


@dataclass(frozen=True)
class Pdf(DocumentFormat):
    def write(self, path: Path, job: Job, document: Document) -> None:
        import pikepdf

        pages, headings = document.texts(), list[tuple[int, int, str]]()
        with _parts_folder(path) as folder:
            parts = list[Path]()
            while chunk := list(islice(pages, PAGES_AT_ONCE)):
                part = folder / f"{len(parts)}.pdf"
                headings += _write_part(part, job, document, chunk, first=len(parts) * PAGES_AT_ONCE)
                parts.append(part)
            with pikepdf.new() as pdf:
                sources = [pikepdf.open(part) for part in parts]
                try:
                    for source in sources:
                        pdf.pages.extend(source.pages)
                    _bookmarks(pdf, headings)
                    _labels(pdf, document)
                    pdf.docinfo["/Title"] = plain(str(document.about.get("label") or document.name))
                    pdf.docinfo["/Creator"] = f"Quire {job.version}"
                    # Without the time of the day and a random id, so that the same pages give the same bytes.
                    pdf.save(path, deterministic_id=True, object_stream_mode=pikepdf.ObjectStreamMode.generate)
                finally:
                    for source in sources:
                        source.close()


@contextmanager
def _parts_folder(path: Path) -> Iterator[Path]:
    """Beside the file; what an export that was killed has left in it goes."""
    folder = path.with_name(".quire-parts")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_part(
    path: Path, job: Job, document: Document, pages: list[Page], *, first: int
) -> list[tuple[int, int, str]]:
    """Returns the headings: number of the page from 0, rank, words."""
    import pikepdf

    headings = []
    with pikepdf.new() as pdf:
        font = pdf.make_indirect(_font(pdf))
        for at, page in enumerate(pages, first):
            _add_page(pdf, job, document, page, font)
            found = (block for block in page.content.blocks if block.kind == "heading" and block.text.strip())
            headings += [(at, block.level or 1, " ".join(block.text.split())) for block in found]
        pdf.save(path, deterministic_id=True)
    return headings


def _add_page(pdf: "pikepdf.Pdf", job: Job, document: Document, page: Page, font: Any) -> None:
    import pikepdf

    try:
        image, (width, height) = _image(pdf, document, page, job)
    except (ImageError, OSError) as error:
        raise QuireError(f"{page.key}: its image {page.row['image_path']} cannot be put in: {error}") from None
    scale = min(POINTS_PER_PIXEL, LONGEST_POINTS / max(width, height))
    across, down = width * scale, height * scale
    drawn = f"q {across:.3f} 0 0 {down:.3f} 0 0 cm /Scan Do Q\n".encode()
    text = text_layer(page.content, across, down) if page.is_read else b""
    resources = {"/XObject": {"/Scan": image}, "/Font": {"/Text": font}}
    new = pikepdf.Dictionary(
        Type=pikepdf.Name.Page,
        MediaBox=[0, 0, round(across, 3), round(down, 3)],
        Resources=pikepdf.Dictionary(resources),
        Contents=pdf.make_stream(zlib.compress(text + drawn), {"/Filter": pikepdf.Name.FlateDecode}),
    )
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(new)))


def _image(pdf: "pikepdf.Pdf", document: Document, page: Page, job: Job) -> tuple[Any, tuple[int, int]]:
    """The upright image as a PDF has it. Raises ImageError, OSError."""
    prepared = prepare(
        document.image_path(page.row["image_path"]),
        page.row["image_frame"],
        max_side_pixels=None,
        jpeg_quality=job.jpeg_quality,
        max_pixels=job.max_image_pixels,
        send_blank=True,
    )
    content = prepared.source.read_bytes() if isinstance(prepared.source, Path) else prepared.source
    return pdf.make_indirect(_stream(pdf, prepared, content)), (prepared.width, prepared.height)


def _stream(pdf: "pikepdf.Pdf", prepared: Prepared, content: bytes) -> Any:
    import pikepdf
    from PIL import Image

    about: dict[str, Any] = {"/Type": pikepdf.Name.XObject, "/Subtype": pikepdf.Name.Image}
    about |= {"/Width": prepared.width, "/Height": prepared.height}
    with Image.open(io.BytesIO(content)) as opened:
        image: Image.Image = opened
        is_jpeg = opened.format == "JPEG" and opened.mode in ("L", "RGB")
        if not is_jpeg:
            image = opened if opened.mode in ("1", "L", "RGB") else opened.convert("RGB")
            content = zlib.compress(image.tobytes())
        mode = image.mode
    about["/ColorSpace"] = pikepdf.Name.DeviceRGB if mode == "RGB" else pikepdf.Name.DeviceGray
    about["/BitsPerComponent"] = 1 if mode == "1" else 8
    about["/Filter"] = pikepdf.Name.DCTDecode if is_jpeg else pikepdf.Name.FlateDecode
    return pikepdf.Stream(pdf, content, about)


def _font(pdf: "pikepdf.Pdf") -> Any:
    """One whose codes are UTF-16, and whose shapes are empty: a glyph for all, half as wide as it is high."""
    import pikepdf

    content = font_file()
    file = pdf.make_stream(zlib.compress(content), {"/Filter": pikepdf.Name.FlateDecode, "/Length1": len(content)})
    descriptor = pikepdf.Dictionary(
        Type=pikepdf.Name.FontDescriptor, FontName=pikepdf.Name.QuireText, Flags=4, FontBBox=[0, 0, 500, 1000],
        ItalicAngle=0, Ascent=1000, Descent=0, CapHeight=1000, StemV=80, FontFile2=pdf.make_indirect(file),
    )  # fmt: skip
    descendant = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.CIDFontType2, BaseFont=pikepdf.Name.QuireText, DW=500,
        CIDSystemInfo=pikepdf.Dictionary(Registry=b"Adobe", Ordering=b"Identity", Supplement=0),
        FontDescriptor=pdf.make_indirect(descriptor),
        CIDToGIDMap=pdf.make_stream(zlib.compress(b"\0\1" * 65536), {"/Filter": pikepdf.Name.FlateDecode}),
    )  # fmt: skip
    return pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type0, BaseFont=pikepdf.Name.QuireText,
        Encoding=pikepdf.Name("/Identity-H"), DescendantFonts=[pdf.make_indirect(descendant)],
        ToUnicode=pdf.make_stream(_TO_UNICODE),
    )  # fmt: skip


_TO_UNICODE = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
1 beginbfrange
<0000> <FFFF> <0000>
endbfrange
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""


def _bookmarks(pdf: "pikepdf.Pdf", headings: list[tuple[int, int, str]]) -> None:
    import pikepdf

    with pdf.open_outline() as outline:
        above = list[tuple[int, Any]]()
        for at, level, words in headings:
            item = pikepdf.OutlineItem(plain(words), at)
            while above and above[-1][0] >= level:
                above.pop()
            (above[-1][1].children if above else outline.root).append(item)
            above.append((level, item))


def _labels(pdf: "pikepdf.Pdf", document: Document) -> None:
    """What viewers call the pages."""
    import pikepdf

    numbers = list[Any]()
    for at, label in enumerate(_page_labels(document)):
        numbers += [at, pikepdf.Dictionary(P=plain(label))]
    pdf.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array(numbers))


def _page_labels(document: Document) -> Iterator[str]:
    yield from document.rows["page_label"].to_pylist()


FORMAT = Pdf(
    "searchable PDF, its scans with the text under them, a file a document",
    ".pdf",
    need=Need.TEXT,
    packages=("fontTools", "pikepdf"),
)
