"""Which results were edited by a person, or are no JSON: those whose file is not as it was written are read, once for
each time and size. What is compared is decided in `assets.edited`.

What was read is kept in `manifests/result_checks.parquet`; a pass reads so many of them and no more, and the next one
goes on. A pass that finds all results as the last one has opens nothing else.
"""

import asyncio
import hashlib
import json
from array import array
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.errors import ManifestError
from assets.domain.result_form import result_in
from assets.edited import RESULT_CHECK_SCHEMA, Comparison, compared, not_as_written
from assets.numbering import NOWHERE, IntArray
from assets.reruns import RESULT_FILE_SCHEMA
from flows.gateways.files.output_results import FoundResults
from flows.gateways.files.storage import Storage
from flows.runtime.logs import MAX_LINES, logger
from flows.runtime.passes import Pass
from flows.tables.derived import placed_results, results_table

FILES_A_PASS = 20_000
BYTES_A_PASS = 500_000_000
"""So much is read in a pass, which takes some seconds from a slow disk: a pass is to be short."""
_TABLE = "result_checks"
_GOES_BY = b"quire.goes_by"
_LISTS_WERE_NONE = "is no JSON object"
"""Said of a list by versions of before, which took none for a result: what they have noted is looked at again."""


def find_edited(storage: Storage, found: FoundResults, *, look: bool = False) -> Comparison:
    """``found``: all results; ``look``: also read what only its content can tell of, as much as a pass would. Writes
    nothing. Raises ManifestError, OSError."""
    comparison = _compared(storage, found, _read(storage)[0])
    if not look or not len(comparison.unread):
        return comparison
    added, _ = _checked(storage, comparison.unread)
    return _compared(storage, found, pa.concat_tables([comparison.checks, added]))


async def notice_edited(p: Pass, found: FoundResults) -> int:
    """Read those results that have to be read, and warn of those that are no JSON: they count as done, and no pass
    sends them again. Returns how many these are. What goes wrong is made good by a later pass."""
    storage = p.services.storage
    try:
        noticed = await asyncio.to_thread(_compare, storage, found)
        if noticed.has_news:
            p.lease.check()
            await asyncio.to_thread(_write, storage, noticed)
    except (ManifestError, OSError) as error:
        logger().warning("Which results were edited is not known now: %s", error)
        return 0
    problems = noticed.checks.filter(noticed.checks["problem"].is_valid())
    _warn(storage, problems)
    return len(problems)


@dataclass(frozen=True, slots=True)
class _Noticed:
    """``checks``: what was read and still holds; ``goes_by``: "" where something is left to be read."""

    checks: pa.Table
    goes_by: str
    has_news: bool


def _compare(storage: Storage, found: FoundResults) -> _Noticed:
    before, goes_by = _read(storage)
    stamp = _stamp(storage, found)
    if goes_by == stamp:
        return _Noticed(before, goes_by, has_news=False)
    comparison = _compared(storage, found, before)
    added, is_complete = _checked(storage, comparison.unread)
    checks = pa.concat_tables([comparison.checks, added]).sort_by("record_key").combine_chunks()
    after = stamp if is_complete else ""
    return _Noticed(checks, after, has_news=after != goes_by or not checks.equals(before))


def _compared(storage: Storage, found: FoundResults, checks: pa.Table) -> Comparison:
    results = placed_results(storage, RESULT_FILE_SCHEMA.names[1:])
    suspects = _rows(found, not_as_written(found.by_document, found.pages, results))
    columns = ["result_sha256", *RESULT_FILE_SCHEMA.names]
    written = results_table(storage, columns, keys=suspects["record_key"].to_pylist(), write=False)
    return compared(of_pages(storage, suspects, written), written, checks)


def _rows(found: FoundResults, at: IntArray) -> pa.Table:
    """The results at these places. Columns: RESULT_FILE_SCHEMA."""
    files, places = found.by_document, pa.array(at)
    columns = [found.pages.take(at).keys(), files.bytes.take(places), files.modified_ns.take(places)]
    return pa.table(columns, names=RESULT_FILE_SCHEMA.names).cast(RESULT_FILE_SCHEMA)


def of_pages(storage: Storage, files: pa.Table, results: pa.Table) -> pa.Table:
    """Without what is called like no page that there is or was: an ``index.json`` of a person's among the results.
    ``files``: RESULT_FILE_SCHEMA; ``results``: what was written, of these records at least."""
    keys = files["record_key"]
    is_page = pc.or_(
        pc.match_substring_regex(keys, pattern=r":[0-9]+$"),
        pc.is_in(keys, value_set=results["record_key"].combine_chunks()),
    )
    if pc.all(is_page, min_count=0).as_py():
        return files
    records = storage.records()
    if records is not None:
        is_page = pc.or_(is_page, pa.chunked_array([pa.array(records.numbers_of_keys(keys) != NOWHERE)]))
    return files.filter(is_page).combine_chunks()


def _checked(storage: Storage, files: pa.Table) -> tuple[pa.Table, bool]:
    """As many of ``files`` as may be read in a pass; and whether these are all."""
    keys, hashes, problems, sizes, times = list[str](), list[str](), list[str | None](), array("q"), array("q")
    read_bytes, is_complete = 0, len(files) <= FILES_A_PASS
    for key in files["record_key"].slice(0, FILES_A_PASS).to_pylist():
        if read_bytes > BYTES_A_PASS:
            is_complete = False
            break
        try:
            found = storage.result_as_it_is(key)
        except OSError as error:
            logger().warning("Cannot be read: %s: %s", storage.result_path(key), error.strerror or error)
            is_complete = False
            continue
        if found is None:
            continue
        file, content = found
        read_bytes += file.bytes
        keys.append(key)
        hashes.append(file.sha256)
        problems.append(result_in(content)[1] or None)
        sizes.append(file.bytes)
        times.append(file.modified_ns)
    columns = [pa.array(keys, pa.string()), pa.array(sizes, pa.int64()), pa.array(times, pa.int64())]
    columns += [pa.array(hashes, pa.string()), pa.array(problems, pa.string())]
    return pa.table(columns, names=RESULT_CHECK_SCHEMA.names).cast(RESULT_CHECK_SCHEMA), is_complete


def _warn(storage: Storage, problems: pa.Table) -> None:
    rows = problems.select(["record_key", "problem"]).slice(0, MAX_LINES).to_pylist()
    for row in rows:
        logger().warning(
            "Counts as done, though it %s: %s; correct it, or have it read again: quire rerun --edited %s",
            row["problem"],
            storage.result_path(row["record_key"]),
            row["record_key"],
        )
    if len(problems) > MAX_LINES:
        logger().warning("%d more results are no JSON: quire verify lists them", len(problems) - MAX_LINES)


def _read(storage: Storage) -> tuple[pa.Table, str]:
    """What was read of results, and by what that goes. Empty where the table is missing or damaged: the next pass makes
    it anew."""
    try:
        table = storage.read_derived(_TABLE, RESULT_CHECK_SCHEMA)
        if pc.any(pc.equal(table["problem"], _LISTS_WERE_NONE)).as_py():
            return RESULT_CHECK_SCHEMA.empty_table(), ""
        return table.replace_schema_metadata(None), (table.schema.metadata or {})[_GOES_BY].decode()
    except (ManifestError, KeyError, ValueError):
        return RESULT_CHECK_SCHEMA.empty_table(), ""


def _write(storage: Storage, noticed: _Noticed) -> None:
    storage.write_derived(_TABLE, noticed.checks.replace_schema_metadata({_GOES_BY: noticed.goes_by.encode()}))


def _stamp(storage: Storage, found: FoundResults) -> str:
    """Tells whether any result, or what is known of what was written, is another."""
    files, pages = found.by_document, found.pages
    digest = hashlib.sha256("\n".join(files.documents.to_pylist()).encode())
    digest.update("\n".join(pages.odd.to_pylist()).encode())
    for column in (files.offsets, files.bytes, files.modified_ns):
        digest.update(column.to_numpy())
    digest.update(pages.numbers.data)
    return json.dumps([digest.hexdigest(), storage.parts("results").stamp()])
