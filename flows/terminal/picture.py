"""`quire check --picture`: what goes up of a page, as a picture file. What is asked for is read in `questions.check`;
as a question writes nothing, the file is written here."""

import asyncio
from pathlib import Path

from assets.domain.errors import QuireError
from flows.gateways.images.pictures import picture_of
from flows.questions.check import Checked, check, text_of
from flows.runtime.printable import printable

MAX_SIDE_PIXELS = 2_000
"""Of the picture: enough to read a page by."""


async def check_with_picture(config: str | None, key: str | None, picture: Path) -> str:
    """What `quire check` says, and where the picture is. Raises what `check` does, ImageError, OSError."""
    found = await check(config, key)
    await asyncio.to_thread(_write, found, picture)
    return f"{text_of(found)}\n\n{printable(f'The page as it goes up: {picture}')}"


def _write(found: Checked, picture: Path) -> None:
    row, settings = found.row, found.settings
    columns = (row["image_left"], row["image_right"]) if row["image_right"] is not None else None
    content = picture_of(
        settings.root / row["image_path"],
        row["image_frame"],
        columns,
        max_pixels=settings.safety.max_image_pixels,
        max_side_pixels=MAX_SIDE_PIXELS,
        ending=picture.suffix,
    )
    try:
        with picture.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise QuireError(f"{picture} is there already: name another file for --picture") from None
