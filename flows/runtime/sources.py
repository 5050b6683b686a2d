"""The PDFs of a collection as its settings name them: their tree, and what their images are to look like. What becomes
of them stands in `flows.render`.
"""

import re
from collections.abc import Callable, Collection
from pathlib import Path

from config.settings import Settings
from flows.gateways.files.walking import Tree
from flows.gateways.pdf.worker import RenderSettings


def source_tree(folder: Path, *, apart: Collection[Path] = ()) -> Tree:
    """Whatever lies among the source documents and is none is told; a link does not lead to those of others."""
    return Tree(folder, root=folder, stays_inside=True, merges_codings=True, apart=apart)


def page_reader(settings: Settings) -> Callable[[str], int | None]:
    """Which page an image is by the name of its file, for what lies beside the images of a PDF: a plain number, or what
    ``record.page_pattern`` makes of it; None for a page that has no number."""
    patterns = [re.compile(r"(?P<page>[0-9]+)"), re.compile(settings.record.page_pattern)]

    def page_of(name: str) -> int | None:
        stem = name.rpartition(".")[0] or name
        for pattern in patterns:
            match = pattern.fullmatch(stem)
            label = (match["page"] or "") if match is not None else ""
            if label.isascii() and label.isdigit() and len(label) < 20:
                return int(label)
        return None

    return page_of


def render_settings(settings: Settings) -> RenderSettings:
    return RenderSettings(
        dpi=settings.render.dpi,
        max_side_pixels=settings.render.max_side_pixels,
        jpeg_quality=settings.render.jpeg_quality,
        max_image_pixels=settings.safety.max_image_pixels,
        lossless=settings.render.lossless,
    )
