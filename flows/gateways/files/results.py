"""Output results in their tree: which there are, and what a file must be to be one. `output_results` reads and writes
a single one, by the same definition.

A result lies under its fields' names in NFC and nowhere else: that is where it is looked for when it is needed.
"""

import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from assets.domain.errors import ManifestError
from assets.domain.labels import is_canonical
from assets.domain.result_form import Result, result_in
from assets.result_files import DocumentResults, ResultFiles, label_order
from assets.results import MAX_LINE_BYTES
from flows.gateways.files.presence import is_there
from flows.gateways.files.walking import Tree, check_inside

MAX_RESULT_BYTES = 4 * MAX_LINE_BYTES
"""However an answer is laid out, its result stays far below: a larger file was put there, and would fill the memory."""


def is_result(path: str | Path, found: os.stat_result) -> bool:
    """Whether what lies where a record's result belongs makes the record done: a file that is not empty.

    Raises ManifestError for what is no result and would be in the way of one: a folder, a pipe that would never end, a
    file that would fill the memory.
    """
    if stat.S_ISDIR(found.st_mode):
        raise ManifestError(path, "is a folder where a result belongs; move it away")
    if not stat.S_ISREG(found.st_mode):
        raise ManifestError(path, "is no file; delete it")
    if found.st_size > MAX_RESULT_BYTES:
        raise ManifestError(path, f"has {found.st_size:,} bytes, more than any result; delete it")
    return found.st_size > 0


def walk_results(folder: Path, *, depth: int) -> list[str]:
    """Record keys of the records that have a result, as `walk_documents` finds them. Which of them are done,
    `output_results` tells: a person may want one read again."""
    keys: list[str] = walk_documents(folder, depth=depth).record_keys.to_pylist()
    return keys


def walk_documents(folder: Path, *, depth: int, unfinished: list[str] | None = None) -> ResultFiles:
    """The results ``{label}.json`` under ``folder``.

    What no record key can name (a folder of somebody's, ``004.json``, a name whose letters are not composed) is passed
    over. Raises ManifestError for what
    cannot be read, as it may hold results, and what `is_result` raises. Raises it also for a symbolic link that leads
    out of ``folder``: before anything is sent of which the answer could not be written. ``unfinished``: gets the
    folders in which temporary files lie, of a write that goes on or was cut off.
    """
    tree = Tree(folder, root=folder, strict=True, stays_inside=True, in_nfc=True)
    found = ResultFiles.of(results_in(tree, fields, directory)[0] for fields, directory in tree.documents(depth))
    if unfinished is not None:
        unfinished += tree.unfinished
    return found


def results_in(tree: Tree, fields: tuple[str, ...], directory: str) -> tuple[DocumentResults, bool]:
    """The results of one document; and whether links are among them, whose targets may change while the folder stays.
    Raises as `walk_documents`."""
    rows: list[tuple[tuple[int, str], int, int]] = []
    has_links = False
    for entry in tree.entries(directory):
        label, dot, suffix = entry.name.rpartition(".")
        if entry.is_symlink():
            has_links = True
            check_inside(entry.path, tree.top)
        if not label.isascii():
            label = _as_looked_for(label, directory)
        if dot and suffix == "json" and is_canonical(label) and (found := _result(tree, entry)) is not None:
            rows.append((label_order(label), found.st_size, modified_ns(found)))
    rows.sort()
    labels, sizes, times = [row[0][1] for row in rows], [row[1] for row in rows], [row[2] for row in rows]
    return DocumentResults(fields, labels, sizes, times), has_links


def modified_ns(found: os.stat_result) -> int:
    """When it was last modified, in nanoseconds since 1970 (UTC), as far as a column of times can say it."""
    return max(-(2**63), min(found.st_mtime_ns, 2**63 - 1))


def present_pages(document: Path, pages: Iterable[tuple[str, str]], folder: Path) -> set[str]:
    """The record keys of those ``pages`` of a ``document`` that have a result, each given with its file's name. Raises
    ManifestError for a symbolic link that leads out of ``folder``, and what `is_result` raises; OSError."""
    check_inside(document, folder)
    present = set()
    for record_key, name in pages:
        path = os.path.join(document, name)  # noqa: PTH118 - for each record of a batch
        try:
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                check_inside(path, folder)
                found = os.stat(path)  # noqa: PTH116 - likewise
        except FileNotFoundError:
            continue
        if is_result(path, found):
            present.add(record_key)
    return present


class StoredResults(Mapping[str, Result]):
    """Output results by record key, read when they are asked for: a batch's contexts never stand in memory together."""

    def __init__(
        self, folder: Path, depth: int, *, read: Callable[[str], bytes | None], path_of: Callable[[str], Path]
    ) -> None:
        self._folder, self._depth = folder, depth
        self._read, self._path_of = read, path_of

    def __getitem__(self, record_key: str) -> Result:
        content = self._read(record_key)
        if content is None:
            raise KeyError(record_key)
        document, problem = result_in(content)
        if document is None:
            raise ManifestError(self._path_of(record_key), f"{problem}; correct it, or delete it")
        return document

    def __iter__(self) -> Iterator[str]:
        return iter(walk_results(self._folder, depth=self._depth))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _as_looked_for(label: str, directory: str) -> str:
    """A label composed, where the file system takes its name for the same (as some do whose own names are decomposed):
    a result is found under its label in NFC and no other."""
    composed = unicodedata.normalize("NFC", label)
    if composed == label:
        return label
    name = f"{composed}.json"
    with os.scandir(directory) as entries:
        is_another = any(entry.name == name for entry in entries)
    return label if is_another or not is_there(os.path.join(directory, name)) else composed  # noqa: PTH118


def _result(tree: Tree, entry: os.DirEntry[str]) -> os.stat_result | None:
    """What the file system says of an entry that is a result; None: it is none."""
    try:
        found = entry.stat()
    except FileNotFoundError:
        # A link to nothing, or a result that was deleted while we walked.
        return None
    except OSError as error:
        tree.fail(entry.path, f"unreadable: {error.strerror}")
        return None
    return found if is_result(entry.path, found) else None
