"""PDFs rendered by two processes, against two bare processes of pypdfium2.

Both make the same JPEGs of the same PDFs: half of them typeset, half scans of just the pixels that 200 dpi give. Ours
starts a process for each PDF, looks at what is on each page, may be stopped, survives a page that breaks the
renderer, and has each image on the disk before its folder takes its place.
"""

import random
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import measured
from benchmarks.rows import CPU, WALL, Bar, Row, Sense, Taken

DPI, QUALITY = 200, 85

ROWS = (
    Row(
        name="render",
        work="render PDFs in 2 processes",
        against="two bare processes of pypdfium2",
        bars=(Bar(0.95, Sense.AT_LEAST, WALL, Taken.SPEED), Bar(0.95, Sense.AT_LEAST, CPU, Taken.SPEED)),
        ours=("-m", "benchmarks.rendering", "ours", "{data}"),
        theirs=("benchmarks/baselines/render.py", "{data}", str(DPI), str(QUALITY)),
        prepare=("-m", "benchmarks.rendering", "prepare", "{data}", "{pdfs}", "{pages}"),
        size={"pdfs": 16, "pages": 50},
        quick={"pdfs": 6, "pages": 20},
        repeats=7,
    ),
)


def prepare(folder: Path, pdfs: int, pages: int) -> None:
    """Half typeset, half scanned."""
    for number in range(pdfs):
        path = folder / f"{number:03d}.pdf"
        typeset(path, pages, number) if number % 2 else scanned(path, pages, number)


def typeset(path: Path, pages: int, seed: int) -> None:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    words = random.Random(seed)  # noqa: S311 - a text
    canvas = Canvas(str(path), pagesize=A4)
    for _ in range(pages):
        canvas.setFont("Times-Roman", 11)
        for line in range(55):
            text = " ".join("".join(words.choices("etaoinshrdlu", k=words.randint(2, 10))) for _ in range(11))
            canvas.drawString(60, 790 - 13.5 * line, text)
        canvas.showPage()
    canvas.save()


def scanned(path: Path, pages: int, seed: int) -> None:
    """Pages as a scanner sees them: grain, and lines of text that are not quite black."""
    import io

    import img2pdf
    import numpy as np
    from PIL import Image

    grain, images = np.random.default_rng(seed), list[bytes]()
    for _ in range(pages):
        page = grain.normal(225, 6, (2339, 1654))
        for line in range(60):
            ink = np.repeat(grain.random(220) < 0.45, 6)
            page[200 + 32 * line : 218 + 32 * line, 160 : 160 + len(ink)] -= 150 * ink
        buffer = io.BytesIO()
        Image.fromarray(page.clip(0, 255).astype(np.uint8)).convert("RGB").save(
            buffer, "JPEG", quality=80, dpi=(DPI, DPI)
        )
        images.append(buffer.getvalue())
    path.write_bytes(img2pdf.convert(images))


def ours(source: Path) -> None:
    from assets.sources import SourcePdf
    from flows.gateways.files import atomic
    from flows.gateways.pdf.rendering import Progress, SourceFolders, render_all
    from flows.gateways.pdf.worker import RenderSettings

    with tempfile.TemporaryDirectory() as made:
        folders = SourceFolders(source, Path(made), atomic, lambda name: None)
        settings = RenderSettings(DPI, 3072, QUALITY, 200_000_000)
        pdfs = [
            SourcePdf(path=pdf.name, fields=(pdf.stem,), bytes=pdf.stat().st_size, modified_ns=pdf.stat().st_mtime_ns)
            for pdf in sorted(source.glob("*.pdf"))
        ]
        with measured() as figures:
            found = render_all(pdfs, folders, settings, processes=2, check=lambda: None, progress=Progress())
            figures["n"] = sum(each.images for each in found)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["prepare", folder, pdfs, pages]:
            prepare(Path(folder), int(pdfs), int(pages))
        case ["ours", folder]:
            ours(Path(folder))
