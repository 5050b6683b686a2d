"""Where the gutters of two-page spreads are: looked for once for each wide image, by each scan those that are new, and
kept in `manifests/spreads.parquet`. What becomes of them is decided in `assets.spreads`.
"""

import os
from collections.abc import Callable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from assets.domain.errors import ImageError, ManifestError
from assets.domain.spread_words import SplitSpreads
from assets.image_checks import Stamp, stamps
from assets.sources import PageImage, SourceProblem
from assets.spreads import SPREAD_SCHEMA, may_be_spread, split, stamp_of
from config.settings import Settings
from flows.gateways.files.storage import Storage
from flows.gateways.images.spreads import find_gutter

_TABLE = "spreads"


def split_spreads(
    settings: Settings,
    storage: Storage,
    images: Sequence[PageImage],
    *,
    kept: Set[str],
    full: bool,
    on_image: Callable[[], None],
) -> tuple[list[PageImage], list[SourceProblem], pa.Table | None]:
    """``images`` with the two pages of each spread; what a person should know; and the table of gutters, if it is
    another now. ``kept``: places of folders that hold what they held, and are not among ``images``; ``full``: believe
    nothing of what was found before; ``on_image``: called for each that was looked at. Writes nothing. Raises
    OSError."""
    if settings.images.split_spreads is SplitSpreads.NEVER:
        return list(images), [], None
    wide = {stamp_of(image): image for image in images if may_be_spread(image)}
    before = _read(storage)
    of_kept = {stamp: gutter for stamp, gutter in before.items() if stamp[0].rpartition("/")[0] in kept}
    known = {} if full else {stamp: gutter for stamp, gutter in before.items() if stamp in wide}
    missing = [image for stamp, image in wide.items() if stamp not in known]

    def look(image: PageImage) -> float | None:
        try:
            return find_gutter(storage.root / image.path, image.frame, max_pixels=settings.safety.max_image_pixels)
        except (ImageError, OSError):
            # Whoever uploads it says what is wrong with it.
            return None
        finally:
            on_image()

    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="spreads") as pool:
        known |= dict(zip(map(stamp_of, missing), pool.map(look, missing), strict=True))
    pages, problems = split(images, known, settings.images.spread_order)
    known |= of_kept
    return pages, problems, None if known == before else _table(known)


def write_spreads(storage: Storage, table: pa.Table) -> None:
    """Raises OSError."""
    storage.write_derived(_TABLE, table)


def _read(storage: Storage) -> dict[Stamp, float | None]:
    """Empty where the table is missing or damaged: it is made anew."""
    try:
        table = storage.read_derived(_TABLE, SPREAD_SCHEMA)
    except ManifestError:
        return {}
    return dict(zip(stamps(table), table["gutter"].to_pylist(), strict=True))


def _table(gutters: dict[Stamp, float | None]) -> pa.Table:
    rows = sorted(gutters)
    columns = [pa.array([row[at] for row in rows]) for at in range(4)]
    columns.append(pa.array([gutters[row] for row in rows], pa.float64()))
    return pa.table(columns, names=SPREAD_SCHEMA.names).cast(SPREAD_SCHEMA)
