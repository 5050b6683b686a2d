"""Every page of every PDF of a folder as a JPEG, in two processes: what pypdfium2's own documentation shows.

python benchmarks/baselines/render.py FOLDER DPI QUALITY
"""

import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

import pypdfium2 as pdfium

from benchmarks.measuring import measured


def render(order: tuple[Path, Path, int, int]) -> int:
    pdf, folder, dpi, quality = order
    document = pdfium.PdfDocument(pdf)
    folder.mkdir(parents=True)
    for number, page in enumerate(document, 1):
        image = page.render(scale=dpi / 72).to_pil()
        image.save(folder / f"{number}.jpg", "JPEG", quality=quality, dpi=(dpi, dpi))
    return len(document)


def main(source: Path, dpi: int, quality: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        orders = [(pdf, Path(made, pdf.stem), dpi, quality) for pdf in sorted(source.glob("*.pdf"))]
        with measured() as figures, get_context("spawn").Pool(2) as pool:
            figures["n"] = sum(pool.imap_unordered(render, orders))
            pool.close()
            pool.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
