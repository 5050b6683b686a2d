"""The walk of a tree of documents: a folder for each of a document's fields, level by level, and entries in the last.
``os.scandir`` all the way: a collection has a million pages, and a walk is made in every pass.

What an entry is, and what is made of it, stands with each tree: page images and the allow list in `trees`, output
results in `results`, PDFs in `pdf.tree`.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Self

from assets.domain.errors import ManifestError, RecordKeyError
from assets.domain.record import check_field
from assets.misplaced import too_high
from assets.sources import SourceProblem
from flows.gateways.ports import TEMPORARY_PREFIX

PASSED_OVER = frozenset({"thumbs.db", "desktop.ini"})
"""What systems leave in folders, in small letters; beside it all names that begin with a dot."""
_NOTHING_GOES_ON = "nothing goes on before it can be read"


class Tree:
    """A tree under ``top``; one that is not there is empty. If ``top`` itself cannot be read, each walk stops with a
    ManifestError: a tree of which nothing is known is not taken for empty.

    ``strict``: what cannot be read stops the walk with a ManifestError that names it, so that it is never taken for
    empty, and what is no document's is passed over. Else both are listed in ``problems``, whose paths are relative to
    ``root``, and the walk goes on. ``stays_inside``: a link to a folder outside ``top`` is an error. ``in_nfc``: a
    folder's path is made of the fields, whatever the coding in which the file system tells its name; what is not there
    under that path is not found. ``merges_codings``: folders whose names differ in their coding alone are all walked;
    else the first one is, and the others are problems. ``apart``: absolute paths that are no part of the tree though
    they may lie in it, and are passed over without a word.
    ``unfinished``: the folders in which temporary files of ours were seen.
    """

    def __init__(
        self,
        top: Path,
        *,
        root: Path,
        strict: bool = False,
        stays_inside: bool = False,
        in_nfc: bool = False,
        merges_codings: bool = False,
        apart: Collection[Path] = (),
    ) -> None:
        self.top = top
        self.problems: list[SourceProblem] = []
        self.unfinished: list[str] = []
        self._root = root
        self._strict = strict
        self._stays_inside = stays_inside
        self._in_nfc = in_nfc
        self._merges_codings = merges_codings
        self._apart = frozenset(os.fspath(each) for each in apart if each.is_relative_to(top) and each != top)

    def documents(self, depth: int) -> Iterator[tuple[tuple[str, ...], str]]:
        """(fields, path) of every folder ``depth`` levels down."""
        yield from self._descend(os.fspath(self.top), depth, ())

    def apart_from_others(self) -> Self:
        """The same tree with no problem yet: for a look into one folder beside others."""
        alone = self.__class__.__new__(self.__class__)
        alone.__dict__ = {**self.__dict__, "problems": [], "unfinished": []}
        return alone

    def entries(self, directory: str) -> list[os.DirEntry[str]]:
        """What lies in a folder, by name."""
        return self.looked_at(directory, self.listed(directory) or [])

    def listed(self, directory: str) -> list[os.DirEntry[str]] | None:
        """All that lies in a folder, in the order of the file system; None where it cannot be read, which is told."""
        try:
            with os.scandir(directory) as entries:
                return list(entries)
        except FileNotFoundError:
            # Removed while we walked, or an output folder that nothing was written to yet.
            return []
        except OSError as error:
            reason = f"unreadable folder: {error.strerror}"
            if directory == os.fspath(self.top):
                raise ManifestError(directory, f"{reason}; {_NOTHING_GOES_ON}") from error
            self.fail(directory, reason)
            return None

    def looked_at(self, directory: str, found: Sequence[os.DirEntry[str]]) -> list[os.DirEntry[str]]:
        """What of that is not passed over, by name."""
        wanted = [each for each in found if each.name[0] != "." and each.name.lower() not in PASSED_OVER]
        if len(wanted) < len(found) and any(each.name.startswith(TEMPORARY_PREFIX) for each in found):
            self.unfinished.append(directory)
        if self._apart:
            wanted = [each for each in wanted if each.path not in self._apart]
        return sorted(wanted, key=attrgetter("name"))

    def tell(self, path: str, reason: str) -> None:
        """``path`` is no document's, or nothing that the tree is looked at for."""
        if not self._strict:
            self.problems.append(SourceProblem(self.place(path), reason))

    def fail(self, path: str, reason: str) -> None:
        """``path`` cannot be read. Raises ManifestError if the walk is strict."""
        if self._strict:
            raise ManifestError(path, f"{reason}; {_NOTHING_GOES_ON}")
        self.tell(path, reason)

    def place(self, path: str) -> str:
        """``path`` from the root, with forward slashes."""
        return sayable(os.path.relpath(path, self._root).replace(os.sep, "/"))

    def _descend(self, directory: str, depth: int, fields: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
        if depth == 0:
            yield fields, directory
            return
        seen: set[str] = set()
        for entry in self.entries(directory):
            if not self._is_folder(entry, depth):
                continue
            try:
                field = check_field(entry.name)
            except RecordKeyError as error:
                self.tell(entry.path, error.reason)
                continue
            if field in seen and not self._merges_codings:
                self.tell(entry.path, "the same name as another folder, but for how its letters are coded")
                continue
            seen.add(field)
            below = os.path.join(directory, field) if self._in_nfc else entry.path  # noqa: PTH118 - a million files
            yield from self._descend(below, depth - 1, (*fields, field))

    def _is_folder(self, entry: os.DirEntry[str], depth: int) -> bool:
        leads_out = self._stays_inside and entry.is_symlink() and not is_inside(entry.path, self.top)
        if leads_out and self._strict:
            # First of all: a link to what is not there is no folder, and becomes one when somebody makes its target.
            check_inside(entry.path, self.top)
        try:
            is_folder = entry.is_dir()
        except OSError as error:
            self.fail(entry.path, f"unreadable: {error.strerror}")
            return False
        if not is_folder:
            self.tell(entry.path, too_high(depth))
        elif leads_out:
            self.tell(entry.path, "a symbolic link to a folder elsewhere")
        return is_folder and not leads_out


def is_inside(path: str | Path, folder: Path) -> bool:
    """Whether ``path`` stays in ``folder``, wherever symbolic links lead; ``folder`` itself may be one."""
    real, top = os.path.realpath(path), os.path.realpath(folder)
    return real.startswith(os.path.join(top, ""))  # noqa: PTH118 - for each result of a batch


def check_inside(path: str | Path, folder: Path) -> None:
    """Raise ManifestError if ``path`` leads out of ``folder`` by a symbolic link."""
    if not is_inside(path, folder):
        raise ManifestError(path, f"a symbolic link leads out of {folder} here; put a folder or a file in its place")


def sayable(path: str) -> str:
    """A name that is not in UTF-8 cannot stand in a table: what is wrong with it is escaped."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()
