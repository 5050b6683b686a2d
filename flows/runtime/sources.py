"""The PDFs of a collection as its settings name them: their tree, and what their images are to look like. What becomes
of them stands in `flows.render`.
"""

from collections.abc import Collection
from pathlib import Path

from config.settings import Settings
from flows.gateways.files.walking import Tree
from flows.gateways.pdf.worker import RenderSettings


def source_tree(folder: Path, *, apart: Collection[Path] = ()) -> Tree:
    """Whatever lies among the source documents and is none is told; a link does not lead to those of others."""
    return Tree(folder, root=folder, stays_inside=True, merges_codings=True, apart=apart)


def render_settings(settings: Settings) -> RenderSettings:
    return RenderSettings(
        dpi=settings.render.dpi,
        max_side_pixels=settings.render.max_side_pixels,
        jpeg_quality=settings.render.jpeg_quality,
        max_image_pixels=settings.safety.max_image_pixels,
    )
