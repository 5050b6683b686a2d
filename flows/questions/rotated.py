"""``quire rotated``: the pages of which their results say that they lie otherwise than their text. Every result is
read; nothing is written.
"""

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import ManifestError
from assets.domain.record import sort_key
from assets.domain.result_form import result_in
from config.schemas.parts import ROTATION_DEGREES
from config.settings import load_settings
from flows.gateways.files.results import walk_results
from flows.gateways.files.storage import Storage
from flows.runtime.printable import printable, printable_json
from flows.runtime.wiring import config_path, make_storage

UPRIGHT = 0


@dataclass(frozen=True, slots=True)
class RotatedPage:
    """``degrees``: by how many the image has to be turned clockwise so that the text stands upright; ``image``: its
    path, "" where the record manifest has none."""

    record_key: str
    degrees: int
    image: str


@dataclass(frozen=True, slots=True)
class Rotated:
    """``pages``: in natural order; ``told``: of how many results the field says something; ``unread``: how many could
    not be read, or are no JSON; ``results``: how many there are."""

    pages: tuple[RotatedPage, ...]
    told: int
    unread: int
    results: int


async def rotated_text(config: str | None) -> str:
    """A line for each page, and how many there are. Raises ConfigError, ManifestError, OSError."""
    found = await find_rotated(config)
    unread = f"; {found.unread} could not be read: quire verify names them" if found.unread else ""
    if not found.told:
        return (
            f"none of {found.results:,} results tells how its page lies{unread}. Results tell it once the schema asks "
            f"for it: schema_options: {{rotation: true}}, or a field {ROTATION_DEGREES} in a schema of your own"
        )
    width = max((len(page.record_key) for page in found.pages), default=0)
    lines = [printable(f"{page.record_key:<{width}}  {page.degrees:>3}  {page.image}") for page in found.pages]
    lines.append(
        f"{len(found.pages):,} of the {found.told:,} pages that tell it have to be turned, clockwise by so many "
        f"degrees{unread}"
    )
    if found.pages:
        lines.append("Turn their images, and their results are outdated: quire rerun --outdated image")
    return "\n".join(lines)


async def rotated_json(config: str | None) -> str:
    return printable_json(asdict(await find_rotated(config)))


async def find_rotated(config: str | None) -> Rotated:
    settings = load_settings(config_path(config))
    return await asyncio.to_thread(_find, make_storage(settings))


def _find(storage: Storage) -> Rotated:
    keys = walk_results(storage.output_results, depth=len(storage.document_fields))
    turned, told, unread = dict[str, int](), 0, 0
    for key in keys:
        result, is_read = _result(storage, key)
        unread += not is_read
        degrees = result.get(ROTATION_DEGREES) if isinstance(result, dict) else None
        if type(degrees) is int:
            told += 1
            if degrees != UPRIGHT:
                turned[key] = degrees
    images = _images(storage, turned)
    pages = (RotatedPage(key, turned[key], images.get(key, "")) for key in sorted(turned, key=sort_key))
    return Rotated(tuple(pages), told, unread, len(keys))


def _result(storage: Storage, key: str) -> tuple[Any, bool]:
    try:
        content = storage.read_result(key)
    except (OSError, ManifestError):
        return None, False
    result, problem = result_in(content) if content is not None else (None, "")
    return result, not problem


def _images(storage: Storage, keys: dict[str, int]) -> dict[str, str]:
    records = storage.read_records()
    if records is None or not keys:
        return {}
    its = records.filter(pc.is_in(records["record_key"], value_set=pa.array(list(keys), pa.string())))
    return dict(zip(its["record_key"].to_pylist(), its["image_path"].to_pylist(), strict=True))
