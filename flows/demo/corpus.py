"""The demo's corpus: four made-up catalogues of six pages each, as scans in folders, with the text they ought to give.

What is said stands in ``text`` and ``catalogue``, how it looks in ``typeset``; here are names, files and the truth.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from flows.demo.catalogue import catalogues
from flows.demo.typeset import degrade as degraded
from flows.demo.typeset import typeset

DOCUMENTS = 4
PAGES_PER_DOCUMENT = 6
SKEW_DEGREES = 1.0
JPEG_QUALITY = 60
_CLEAN_JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class CorpusPage:
    """``path``: its image. ``text``: what is printed on it, words in reading order; divided words are whole, leader
    dots left out. ``printed_page_number``: as printed; differs from the page of the key, as in real books."""

    key: str
    path: Path
    text: str
    printed_page_number: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """``pages``: by record key, in the order of documents and pages."""

    folder: Path
    pages: Mapping[str, CorpusPage]

    @property
    def texts(self) -> dict[str, str]:
        """The true text by record key."""
        return {key: page.text for key, page in self.pages.items()}


def make_corpus(
    folder: Path,
    *,
    seed: int,
    degrade: bool = True,
    document_count: int = DOCUMENTS,
    pages_per_document: int = PAGES_PER_DOCUMENT,
) -> Corpus:
    """Write the images to ``folder/{state}/{school}/{year}/{page}.jpg`` and return them with their text.

    One document has leading zeros in its file names, and the last two pages of another are PNG. The same seed gives
    the same bytes (with the same Pillow and numpy). With ``degrade=False`` the same pages under the same names are as
    clean as they were set. ``document_count``, ``pages_per_document``: only the first so many. Existing files are
    overwritten.
    Raises FontsMissingError without matplotlib's fonts.
    """
    pages: dict[str, CorpusPage] = {}
    for n, catalogue in enumerate(catalogues(seed)[:document_count]):
        place = folder / catalogue.state / catalogue.school / str(catalogue.year)
        place.mkdir(parents=True, exist_ok=True)
        for page, printed in enumerate(typeset(catalogue, pages_per_document), start=1):
            stem = f"{page:04}" if n == 0 else str(page)
            is_png = n == 2 and page > PAGES_PER_DOCUMENT - 2
            path = place / f"{stem}.{'png' if is_png else 'jpg'}"
            if degrade:
                skew = SKEW_DEGREES if page % 2 else -SKEW_DEGREES
                rng = np.random.default_rng([seed, n, page])
                data = degraded(printed.image, rng, skew_degrees=skew, jpeg_quality=JPEG_QUALITY)
            else:
                data = _jpeg(printed.image)
            path.write_bytes(_png(data) if is_png else data)
            key = f"{catalogue.state}:{catalogue.school}:{catalogue.year}:{page}"
            pages[key] = CorpusPage(key, path, printed.text, str(printed.number))
    return Corpus(folder, pages)


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_CLEAN_JPEG_QUALITY)
    return buffer.getvalue()


def _png(jpeg: bytes) -> bytes:
    """The same picture as a grey PNG, with the traces of its JPEG compression."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(jpeg)) as image:
        image.convert("L").save(buffer, "PNG")
    return buffer.getvalue()
