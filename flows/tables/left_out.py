"""What a scan could not take as a page: listed in full in a file, and told in the log when it is new. What is wrong
with a file is found in `files.trees` and `pdf.tree`.
"""

import asyncio
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from assets.sources import SourceProblem, left_out
from flows.gateways.files.storage import Storage
from flows.runtime.logs import logger
from flows.runtime.passes import ScanPass
from flows.runtime.printable import printable

MAX_WARNINGS = 200
"""A tree of a thousand thumbnails must not become a thousand rows in Prefect's database."""


async def tell_left_out(p: ScanPass, problems: Iterable[SourceProblem]) -> int:
    """Tell what is new since the last scan, and keep the list. Returns how many files were left out.

    Told first and written then: a scan that is killed between the two is repeated, not silent.
    """
    storage = p.services.storage
    before, now = await asyncio.to_thread(storage.read_left_out), left_out(problems)
    if now.equals(before):
        return count_left_out(now)
    known = set(_rows(before))
    _warn([row for row in _rows(now) if row not in known])
    count = count_left_out(now)
    if count:
        logger().info("Left out: %d files in all; %s lists them", count, left_out_place(storage))
    p.lease.check()
    await asyncio.to_thread(storage.write_left_out, now)
    return count


def count_left_out(table: pa.Table) -> int:
    """How many files of the list were left out; the others are pages all the same."""
    return int(pc.sum(table["left_out"], min_count=0).as_py())


def left_out_place(storage: Storage) -> str:
    """The list's path as people would type it: from the project's root, if it lies below."""
    path = storage.left_out_path
    return path.relative_to(storage.root).as_posix() if path.is_relative_to(storage.root) else str(path)


def _rows(table: pa.Table) -> list[tuple[str, str, bool]]:
    columns = [table[name].to_pylist() for name in ("path", "reason", "left_out")]
    return list(zip(*columns, strict=True))


def _warn(rows: Sequence[tuple[str, str, bool]]) -> None:
    for path, reason, is_left_out in rows[:MAX_WARNINGS]:
        # The path comes from a folder of somebody's: its control characters are shown, not obeyed.
        what = "Left out" if is_left_out else "Please check"
        logger().warning("%s: %s: %s", what, printable(path), printable(reason))
    if len(rows) > MAX_WARNINGS:
        logger().warning("Left out: %d more files of this kind", len(rows) - MAX_WARNINGS)
