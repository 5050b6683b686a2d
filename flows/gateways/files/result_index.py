"""What was seen of the folders of results (``manifests/index/results.arrow``), so that a pass lists again only those
that changed. A result that a person deletes moves its folder's time, as does one that we write; of what is claimed each
record's result is asked for by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from assets.domain.record import SEPARATOR
from assets.result_files import DocumentResults, ResultFiles
from flows.gateways.files.folder_times import FolderClocks, FolderLook, look_at_folders, side_by_side
from flows.gateways.files.index_files import read_index, write_index
from flows.gateways.files.results import results_in
from flows.gateways.files.walking import Tree

RESULT_INDEX_SCHEMA = pa.schema(
    [
        pa.field("document", pa.string(), nullable=False),
        pa.field("stamp", pa.string(), nullable=False),
        pa.field("is_settled", pa.bool_(), nullable=False),
        pa.field("labels", pa.list_(pa.string()), nullable=False),
        pa.field("bytes", pa.list_(pa.int64()), nullable=False),
        pa.field("modified_ns", pa.list_(pa.int64()), nullable=False),
    ]
)
"""Described in manifests/README.md. In the order of the documents' fields as text."""
_LISTS = ("labels", "bytes", "modified_ns")


@dataclass(frozen=True, slots=True)
class SeenResults:
    """``files``: all results; ``table``: RESULT_INDEX_SCHEMA; ``is_news``: whether it says something else than what was
    kept last; ``unread``: why that could not be read, so that every folder was listed."""

    files: ResultFiles
    table: pa.Table
    is_news: bool
    unread: OSError | pa.ArrowException | None = None


def see_results(
    folder: Path, *, depth: int, index: Path, clocks: FolderClocks, unfinished: list[str] | None = None
) -> SeenResults:
    """All results under ``folder``, as `results.walk_documents` finds them, which says what is raised. ``index``: the
    file in which what was seen is kept; one that cannot be read is none."""
    tree = Tree(folder, root=folder, strict=True, stays_inside=True, in_nfc=True)
    documents = sorted(tree.documents(depth), key=lambda document: document[0])
    looks = look_at_folders([directory for _, directory in documents], clocks)
    before, unread = _read(index)
    rows = _believed(before, documents, looks)
    changed = [(fields, directory) for fields, directory in documents if SEPARATOR.join(fields) not in rows]

    def look(document: tuple[tuple[str, ...], str]) -> tuple[DocumentResults, bool, list[str]]:
        alone = tree.apart_from_others()
        found, has_links = results_in(alone, *document)
        return found, has_links or bool(alone.unfinished), alone.unfinished

    found = dict(zip((SEPARATOR.join(fields) for fields, _ in changed), side_by_side(look, changed), strict=True))
    if unfinished is not None:
        unfinished += [*tree.unfinished, *(place for _, _, places in found.values() for place in places)]
    if before is not None and not found and len(before) == len(documents):
        return SeenResults(_files(before), before, is_news=False)
    names = [SEPARATOR.join(fields) for fields, _ in documents]
    fresh = _fresh(found, dict(zip(names, looks, strict=True)))
    order = {name: at for at, name in enumerate(fresh["document"].to_pylist())}
    start = 0 if before is None else len(before)
    at = [rows[name] if name in rows else start + order[name] for name in names]
    both = fresh if before is None else pa.concat_tables([before, fresh])
    table = both.take(pa.array(at, pa.int64())).combine_chunks()
    return SeenResults(_files(table), table, before is None or not table.equals(before), unread)


def write_seen(index: Path, seen: SeenResults) -> None:
    """Raises OSError."""
    if seen.is_news:
        write_index(index, seen.table)


def _read(index: Path) -> tuple[pa.Table | None, OSError | pa.ArrowException | None]:
    """What was kept, or why it could not be read; neither where there is none that can be believed."""
    try:
        table = read_index(index, RESULT_INDEX_SCHEMA)
    except (OSError, pa.ArrowException) as error:
        return None, error
    return None if table is None else table.replace_schema_metadata(None), None


def _believed(
    before: pa.Table | None, documents: Sequence[tuple[tuple[str, ...], str]], looks: Sequence[FolderLook | None]
) -> Mapping[str, int]:
    """Document -> its row, of those whose folder is as it was."""
    if before is None:
        return {}
    columns = (before[name].to_pylist() for name in ("document", "stamp", "is_settled"))
    known = {name: (row, stamp, settled) for row, (name, stamp, settled) in enumerate(zip(*columns, strict=True))}
    believed = {}
    for (fields, _), look in zip(documents, looks, strict=True):
        row, stamp, is_settled = known.get(SEPARATOR.join(fields), (0, "", False))
        if look is not None and is_settled and look.is_settled and look.stamp == stamp:
            believed[SEPARATOR.join(fields)] = row
    return believed


def _fresh(
    found: Mapping[str, tuple[DocumentResults, bool, list[str]]], looks: Mapping[str, FolderLook | None]
) -> pa.Table:
    """RESULT_INDEX_SCHEMA of the documents that were listed."""
    stamps, settled = [], []
    for name, (_, is_moving, _) in found.items():
        look = looks[name]
        stamps.append("" if look is None else look.stamp)
        settled.append(look is not None and look.is_settled and not is_moving)
    lists = [[getattr(each, name) for each, _, _ in found.values()] for name in _LISTS]
    columns = [list(found), stamps, settled, *lists]
    types = RESULT_INDEX_SCHEMA.types
    return pa.table([pa.array(*each) for each in zip(columns, types, strict=True)], schema=RESULT_INDEX_SCHEMA)


def _files(table: pa.Table) -> ResultFiles:
    lengths = [column.combine_chunks() for column in (table["document"], *(table[name] for name in _LISTS))]
    documents, labels, sizes, times = lengths
    counts = labels.value_lengths().to_numpy(zero_copy_only=False)
    if not counts.all():
        with_results = pa.array(counts > 0)
        documents, labels, sizes, times = (column.filter(with_results) for column in lengths)
        counts = counts[counts > 0]
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    return ResultFiles(documents, offsets, labels.flatten(), sizes.flatten(), times.flatten())
