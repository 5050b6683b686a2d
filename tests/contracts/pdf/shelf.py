"""PDFs made with other tools than those under test, and a shelf of them that is rendered as a scan renders it.

Tools: Ghostscript, ImageMagick, qpdf; pdftoppm is the witness of what a page looks like. What no tool makes, since it
is broken or a trap, is written by hand.
"""

import shutil
import subprocess
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from assets.sources import SourceProblem
from flows.gateways.files import atomic
from flows.gateways.pdf.rendering import Document, Progress, SourceFolders, plan_rendering, render_all
from flows.gateways.pdf.tree import walk_pdfs
from flows.gateways.pdf.worker import PAGE_SECONDS, RenderSettings
from flows.gateways.ports import TEMPORARY_PREFIX

SETTINGS = RenderSettings(dpi=100, max_side_pixels=3072, jpeg_quality=85, max_image_pixels=150_000_000)


def tool(*names: str) -> str:
    """The first of these programs that is there; else the test is skipped."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    pytest.skip(f"needs {names[0]}")


def run(*command: str | Path, may_warn: bool = False) -> None:
    done = subprocess.run([str(each) for each in command], capture_output=True, check=False, text=True)
    # qpdf ends with 3 after a warning.
    assert done.returncode in ((0, 3) if may_warn else (0,)), done.stderr


def typeset(path: Path, pages: int | Sequence[str], *, size: tuple[int, int] = (612, 792)) -> Path:
    """A PDF by Ghostscript: a line of text and a frame on each page. ``pages``: how many, or the texts."""
    texts = [f"Page {number}" for number in range(1, pages + 1)] if isinstance(pages, int) else pages
    width, height = size
    drawn = [
        f"/Helvetica findfont 36 scalefont setfont 72 {height - 108} moveto ({text}) show "
        f"4 setlinewidth 60 60 {width - 120} {height // 2} rectstroke 0.2 0.5 0.8 setrgbcolor "
        f"100 100 {width // 4} {height // 5} rectfill showpage"
        for text in texts
    ]
    source = path.with_suffix(".ps")
    source.write_text(f"%!PS\n<< /PageSize [{width} {height}] >> setpagedevice\n" + "\n".join(drawn))
    run(tool("gs"), "-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=pdfwrite", f"-sOutputFile={path}", source)
    source.unlink()
    return path


def imagemagick() -> str:
    """The real ``convert``, wherever something else bears its name."""
    return tool("convert-im6.q16", "/usr/bin/convert")


def qpdf(*arguments: str | Path) -> None:
    run(tool("qpdf"), *arguments, may_warn=True)


def as_pdftoppm_sees_it(pdf: Path, page: int, dpi: int, folder: Path) -> Path:
    """A PNG of one page."""
    run(tool("pdftoppm"), "-r", str(dpi), "-f", str(page), "-l", str(page), "-png", "-singlefile", pdf, folder / "seen")
    return folder / "seen.png"


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
        folders = SourceFolders(self.sources, self.images, files=atomic)
        pdfs, problems = walk_pdfs(self.sources, depth=3)
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
