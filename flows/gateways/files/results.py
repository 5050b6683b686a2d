"""Output results in their tree: which records are done. `storage` reads and writes a single one, by the same
definition.

A result lies under its fields' names in NFC and nowhere else: that is where it is looked for when it is needed.
"""

import os
import stat
from pathlib import Path

from assets.domain.errors import ManifestError
from assets.results import MAX_LINE_BYTES
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


def walk_results(folder: Path, *, depth: int, unfinished: list[str] | None = None) -> list[str]:
    """Record keys of the records that are done: those with a result ``{page}.json`` under ``folder``.

    What no record key can name (a folder of somebody's, ``004.json``) is passed over. Raises ManifestError for what
    cannot be read, as it may hold results, and what `is_result` raises. Raises it also for a symbolic link that leads
    out of ``folder``: before anything is sent of which the answer could not be written. ``unfinished``: gets the
    folders in which temporary files lie, of a write that goes on or was cut off.
    """
    tree = Tree(folder, root=folder, strict=True, stays_inside=True, in_nfc=True)
    keys: list[str] = []
    for fields, directory in tree.documents(depth):
        document = ":".join(fields)
        for entry in tree.entries(directory):
            page, dot, suffix = entry.name.partition(".")
            if entry.is_symlink():
                check_inside(entry.path, folder)
            if dot and suffix == "json" and _is_canonical(page) and _is_done(tree, entry):
                keys.append(f"{document}:{page}")
    if unfinished is not None:
        unfinished += tree.unfinished
    return keys


def _is_canonical(page: str) -> bool:
    return page.isascii() and page.isdigit() and page[0] != "0"


def _is_done(tree: Tree, entry: os.DirEntry[str]) -> bool:
    try:
        found = entry.stat()
    except FileNotFoundError:
        # A link to nothing, or a result that was deleted while we walked.
        return False
    except OSError as error:
        tree.fail(entry.path, f"unreadable: {error.strerror}")
        return False
    return is_result(entry.path, found)
