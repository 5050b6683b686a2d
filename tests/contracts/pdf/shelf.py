"""PDFs made with other tools than those under test, and a shelf of them that is rendered as a scan renders it.

Tools: reportlab, img2pdf, and qpdf in pikepdf. What a page must look like is drawn once more with Pillow, from the same
numbers. What no tool makes, since it is broken or a trap, is written by hand.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pikepdf
import reportlab
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from assets.sources import SourceProblem
from config.settings import Settings
from flows.gateways.files import atomic
from flows.gateways.pdf.rendering import Document, Progress, SourceFolders, plan_rendering, render_all
from flows.gateways.pdf.tree import walk_pdfs
from flows.gateways.pdf.worker import PAGE_SECONDS, RenderSettings
from flows.gateways.ports import TEMPORARY_PREFIX
from flows.runtime.sources import page_reader, source_tree

SETTINGS = RenderSettings(dpi=100, max_side_pixels=3072, jpeg_quality=85, max_image_pixels=150_000_000)


FONT, FONT_FILE, FONT_SIZE, LINE_WIDTH = "Vera", "Vera.ttf", 36, 4
"""The font comes with reportlab. Sizes in points, as all numbers of a page."""
BLUE = (0.2, 0.5, 0.8)
BLUE_IN_GRAY = round(255 * (0.299 * BLUE[0] + 0.587 * BLUE[1] + 0.114 * BLUE[2]))


def typeset(path: Path, pages: int | Sequence[str], *, size: tuple[int, int] = (612, 792)) -> Path:
    """A PDF by reportlab: a line of text, a frame and a blue box on each page. ``pages``: how many, or the texts."""
    texts = [f"Page {number}" for number in range(1, pages + 1)] if isinstance(pages, int) else pages
    width, height = size
    pdfmetrics.registerFont(TTFont(FONT, FONT_FILE))
    canvas = Canvas(str(path), pagesize=size)
    for text in texts:
        canvas.setFont(FONT, FONT_SIZE)
        canvas.drawString(72, height - 108, text)
        canvas.setLineWidth(LINE_WIDTH)
        canvas.rect(60, 60, width - 120, height // 2)
        canvas.setFillColorRGB(*BLUE)
        canvas.rect(100, 100, width // 4, height // 5, stroke=0, fill=1)
        canvas.showPage()
    canvas.save()
    return path


def as_it_was_drawn(text: str, dpi: int, *, size: tuple[int, int] = (612, 792)) -> Image.Image:
    """What a page of `typeset` looks like, in gray."""
    width, height = size

    def pixels(*points: float) -> list[float]:
        return [point * dpi / 72 for point in points]

    image = Image.new("L", (round(width * dpi / 72), round(height * dpi / 72)), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(Path(reportlab.__file__).parent / "fonts" / FONT_FILE), FONT_SIZE * dpi / 72)
    draw.text((72 * dpi / 72, 108 * dpi / 72), text, "black", font, anchor="ls")
    half, bottom = LINE_WIDTH / 2, height - 60
    outer = (60 - half, bottom - height // 2 - half, width - 60 + half, bottom + half)
    draw.rectangle(pixels(*outer), outline="black", width=round(LINE_WIDTH * dpi / 72))
    draw.rectangle(pixels(100, height - 100 - height // 5, 100 + width // 4, height - 100), fill=BLUE_IN_GRAY)
    return image


def encrypted(plain: Path, path: Path, *, password: str) -> None:
    """The same PDF, to be opened with ``password``, which may be empty, and changed by its owner only."""
    with pikepdf.open(plain) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(user=password, owner="owner", R=6))


# --- by hand


def stream(dictionary: str, data: bytes) -> bytes:
    return f"<< {dictionary} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def deflated(chunk: bytes, times: int) -> bytes:
    """``chunk`` again and again, compressed: a thousandth of its size."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(chunk) for _ in range(times)) + packer.flush()


def by_hand(path: Path, contents: Sequence[bytes], xobjects: Sequence[bytes] = (), *, kids: str | None = None) -> Path:
    """A PDF of one page for each content stream. ``xobjects``: ``/X0``, ``/X1``, ... on all pages; ``kids``: other
    children than the pages."""
    first_page = 3 + len(xobjects)
    pages = [first_page + 2 * at for at in range(len(contents))]
    named = " ".join(f"/X{at} {3 + at} 0 R" for at in range(len(xobjects)))
    listed = " ".join(f"{page} 0 R" for page in pages)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{listed if kids is None else kids}] >>".encode(),
        *xobjects,
    ]
    for page, content in zip(pages, contents, strict=True):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {page + 1} 0 R "
            f"/Resources << /XObject << {named} >> >> >>".encode()
        )
        objects.append(content)
    written, offsets = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(written))
        written += f"{number} 0 obj\n".encode() + each + b"\nendobj\n"
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\n"
    )
    path.write_bytes(written + end.encode() + f"startxref\n{len(written)}\n%%EOF\n".encode())
    return path


SQUARE = stream("", b"1 0 0 rg 100 100 200 200 re f")
"""The content of a good page."""


@cache
def content_bomb() -> bytes:
    """A content stream of 700 megabytes of blanks, in one."""
    return blanks(700)


def blanks(megabytes: int) -> bytes:
    """A content stream that draws nothing, a thousandth of that size in the file."""
    return stream("/Filter /FlateDecode", deflated(b" " * 2**20, megabytes))


def image(width: int, height: int) -> bytes:
    """A black picture of three bytes a pixel, a thousandth of that in the file."""
    row = bytes(3 * width)
    head = f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /BitsPerComponent 8 /ColorSpace /DeviceRGB"
    return stream(f"{head} /Filter /FlateDecode", deflated(row, height))


def form(name: str, at: int) -> bytes:
    """A form that draws the XObject ``name``, which is object ``at``."""
    return stream(
        f"/Type /XObject /Subtype /Form /BBox [0 0 612 792] /Resources << /XObject << /{name} {at} 0 R >> >>",
        f"q 500 0 0 500 0 0 cm /{name} Do Q".encode(),
    )


# --- the shelf


@dataclass
class Shelf:
    """``sources``: where PDFs lie as ``CA/Lincoln/1901.pdf``; ``images``: where their pages come to lie."""

    root: Path
    settings: RenderSettings = SETTINGS
    progress: Progress = field(default_factory=Progress)

    @property
    def sources(self) -> Path:
        return self.root / "source_documents"

    @property
    def images(self) -> Path:
        return self.root / "page_images"

    def place(self, name: str) -> Path:
        """Where a PDF is to be written."""
        path = self.sources / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def scan(
        self, *, check: Callable[[], None] = lambda: None, processes: int = 2, page_seconds: float = PAGE_SECONDS
    ) -> "Scanned":
        """What a scan does with the PDFs."""
        page_of = page_reader(Settings(paths={"source_documents": self.sources}))
        folders = SourceFolders(self.sources, self.images, files=atomic, page_of=page_of)
        pdfs, problems = walk_pdfs(source_tree(self.sources), depth=3)
        plan = plan_rendering(pdfs, folders, self.settings, check=check)
        self.progress = Progress()
        rendered = render_all(
            plan.todo,
            folders,
            self.settings,
            processes=processes,
            check=check,
            progress=self.progress,
            page_seconds=page_seconds,
        )
        problems += [problem for document in plan.known + rendered for problem in document.problems]
        return Scanned([each.path for each in plan.todo], plan.known + rendered, problems)

    def pages(self, document: str) -> list[str]:
        """The names of the images of a document, such as ``CA/Lincoln/1901``, in their order."""
        names = [path.name for path in (self.images / document).iterdir() if not path.name.startswith(".")]
        return sorted(names, key=lambda name: (len(name), name))

    def leftovers(self) -> list[Path]:
        return list(self.images.rglob(f"{TEMPORARY_PREFIX}*"))


@dataclass(frozen=True)
class Scanned:
    """``rendered``: the PDFs that had to be; ``documents``: all that could be looked at; ``problems``: of all."""

    rendered: list[str]
    documents: list[Document]
    problems: list[SourceProblem]

    @property
    def left_out(self) -> dict[str, str]:
        return {each.path: each.reason for each in self.problems if each.left_out}

    @property
    def notes(self) -> dict[str, str]:
        return {each.path: each.reason for each in self.problems if not each.left_out}


def jpegs(count: int) -> list[str]:
    return [f"{page}.jpg" for page in range(1, count + 1)]
