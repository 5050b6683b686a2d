"""What to do when a scan finds no page at all: what lies there, and at which depth."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from config.settings import Settings
from flows.gateways.files.presence import is_folder
from flows.setup.look import list_files
from flows.terminal.facts import short


def why_no_pages(settings: Settings) -> list[str]:
    """A line for each thing that a person should look at."""
    folder, fields = settings.paths.page_images, settings.record.document_fields
    wanted = settings.record.depth
    lines = [f"no page was found in {short(folder)}: look at {short(settings.source or Path('the settings'))}"]
    listing = list_files(folder) if is_folder(folder) else None
    images = listing.images if listing is not None else ()
    if not images:
        lines.append("  not one image lies there or below; paths.page_images names the folder")
    for depth, count in sorted(Counter(len(path.parts) - 1 for path in images).items()):
        example = next(path for path in images if len(path.parts) - 1 == depth)
        lines.append(
            f"  {count:,} {'image lies' if count == 1 else 'images lie'} {_deep(depth)}, such as {example}"
            + ("" if depth == wanted else f", {_levels(depth - wanted)}: {_way(depth, () if not wanted else fields)}")
        )
        if depth == wanted:
            lines += _other_reasons(settings, example)
    if listing is not None and listing.pdfs:
        example = listing.pdfs[0]
        lines.append(f"  {len(listing.pdfs):,} PDFs lie there, such as {example}: paths.source_documents is for these")
    return lines


def _other_reasons(settings: Settings, example: PurePosixPath) -> list[str]:
    """Why images at the right depth can be no pages."""
    lines = []
    if settings.filters:
        lines.append(f"    filters let through {', '.join(settings.filters)} of certain values only")
    if settings.paths.allow_list is not None:
        lines.append(f"    paths.allow_list lets through what has a file in {short(settings.paths.allow_list)}")
    left_out = settings.paths.manifests / "left_out.parquet"
    return [
        *lines,
        f"    what was left out, and why, stands in {short(left_out)}: the name {example.name!r} must match "
        f"record.page_pattern, which is {settings.record.page_pattern}",
    ]


def _levels(deeper: int) -> str:
    levels = f"{abs(deeper)} level{'s' if abs(deeper) > 1 else ''}"
    return f"{levels} too {'deep' if deeper > 0 else 'high'}"


def _way(depth: int, fields: Sequence[str]) -> str:
    """Which document fields would fit images that lie so deep. ``fields``: those that are set."""
    if depth == 0:
        names = "[], for images in no folder"
    elif depth < len(fields):
        names = f"{depth} {'name' if depth == 1 else 'names'}, such as [{', '.join(fields[-depth:])}]"
    else:
        names = f"{depth} {'name' if depth == 1 else 'names'}, one for each folder above an image"
    said = f"[{', '.join(fields)}]"
    return f"set record.document_fields, which is {said}, to {names}"


def _deep(folders: int) -> str:
    return f"{folders} {'folder' if folders == 1 else 'folders'} deep"
