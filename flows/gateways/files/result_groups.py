"""The results of a batch, written in groups: some hundred temporary files beside their places, made durable together,
then put in place. While one group is synced the next one is judged and written. A single result is the matter of
`output_results`, and so is what takes the place of another.

What holds for one result holds for each of them: it is whole or absent, it is durable before it has its name, and its
name is durable once `ResultGroups.write_rest` has returned.
"""

import hashlib
import os
import secrets
import stat
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from assets.domain.errors import ManifestError
from assets.domain.labels import canonical_label
from assets.domain.record import document_of, label_of, parse_key
from flows.gateways.files.output_results import OutputResults, ResultFile
from flows.gateways.files.results_lock import placing_answers
from flows.gateways.files.syncing import Syncing
from flows.gateways.files.walking import check_inside
from flows.gateways.ports import TEMPORARY_PREFIX

GROUP_FILES = 512
GROUP_BYTES = 16 << 20
"""A group is written when it has so many results, or bytes: that much is held in memory, twice."""


class Placing(Protocol):
    """What a settlement says to, and hears of, the results that are written."""

    def check(self) -> None:
        """Before each write to the world. Raises LeaseLostError."""

    def check_folders(self) -> None:
        """Before a group. Raises HomeMismatchError, OSError."""

    def given_up(self, record_key: str) -> str | None:
        """SHA-256 of the record's result that may be replaced, or None. Raises ManifestError, OSError."""

    def placed(self, record_key: str, file: ResultFile) -> None:
        """It lies there."""

    def superseded(self, record_key: str) -> None:
        """The record has another result, and that stays."""

    def failed(self, record_key: str, error: ManifestError | OSError) -> None:
        """It cannot be written. Raises ``error`` where that concerns more than this result's place."""


@dataclass(slots=True)
class _Waiting:
    """A result that lies beside its place, on the disk or on its way."""

    record_key: str
    content: bytes
    path: str
    temporary: str
    file: ResultFile


@dataclass(slots=True)
class _Group:
    """``folders``: those of which names are to become durable, each with a record of it; ``is_one_device``: whether all
    lies on the file system of the output results."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    folders: dict[str, str] = field(default_factory=dict)
    is_one_device: bool = True


class ResultGroups:
    """Used as a context, by one thread at a time: what has no place in the end is removed."""

    def __init__(self, storage: OutputResults, placing: Placing, *, submission_id: str) -> None:
        self._storage, self._placing, self._submission_id = storage, placing, submission_id
        self._top = os.fspath(storage.output_results)
        self._syncing = Syncing(storage.output_results)
        self._pool: ThreadPoolExecutor | None = None
        self._new: list[tuple[str, bytes]] = []
        self._new_bytes = 0
        self._group = _Group()
        self._behind = _Group()
        self._sync: Future[dict[str, OSError]] | None = None
        self._name, self._number = secrets.token_hex(6), 0

    def __enter__(self) -> "ResultGroups":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._pool is not None:
                self._pool.shutdown()
            for each in (*self._group.waiting, *self._behind.waiting):
                _remove(each.temporary)
        finally:
            self._syncing.end_syncing()

    def write_soon(self, record_key: str, content: bytes) -> None:
        """The result of a record, to be written soon. Raises OSError, LeaseLostError, HomeMismatchError."""
        self._new.append((record_key, content))
        self._new_bytes += len(content)
        if len(self._new) >= GROUP_FILES or self._new_bytes >= GROUP_BYTES:
            self._write_new()
            self._put_in_place()
            self._begin_sync()

    def write_rest(self) -> None:
        """Write what is left, and see all of it durable. Raises as `write_soon`."""
        self._write_new()
        self._put_in_place()
        # Then the names of the last group.
        for _ in range(2):
            self._behind, self._group = self._group, _Group()
            self._after_sync(self._sync_now(self._behind))

    # --- a group of temporary files

    def _write_new(self) -> None:
        new, self._new, self._new_bytes = self._new, [], 0
        if not new:
            return
        # A share that was unmounted meanwhile has left an empty folder in its place.
        self._placing.check_folders()
        self._syncing.begin_syncing()
        folders: dict[str, str | ManifestError | OSError] = {}
        for record_key, content in new:
            self._placing.check()
            try:
                self._write_beside(record_key, content, folders)
            except (ManifestError, OSError) as error:
                self._placing.failed(record_key, error)

    def _write_beside(self, record_key: str, content: bytes, folders: dict[str, str | ManifestError | OSError]) -> None:
        document, label = document_of(record_key), canonical_label(label_of(record_key))
        if document not in folders:
            folders[document] = self._make_folder_of(record_key)
        folder = folders[document]
        if not isinstance(folder, str):
            raise folder
        path = f"{folder}/{label}.json"
        if _is_anything_at(path):
            self._write_alone(record_key, content)
            return
        self._number += 1
        temporary = f"{folder}/{TEMPORARY_PREFIX}{self._name}{self._number:x}"
        try:
            found = _write(temporary, content)
        except OSError as error:
            _remove(temporary)
            raise _named(error, path, temporary) from None
        file = ResultFile(found.st_size, found.st_mtime_ns, hashlib.sha256(content).hexdigest())
        self._group.waiting.append(_Waiting(record_key, content, path, temporary, file))

    def _make_folder_of(self, record_key: str) -> str | ManifestError | OSError:
        """The folder of a record's document, which is there; or why not. Raises RecordKeyError."""
        key = parse_key(record_key, field_count=len(self._storage.document_fields))
        folder = os.path.join(self._top, *key.fields)  # noqa: PTH118 - for each document of each group
        try:
            check_inside(folder, self._storage.output_results)
            for made in _make_folders(folder, self._top):
                self._group.folders[made] = record_key
            self._group.is_one_device &= os.stat(folder).st_dev == self._syncing.device  # noqa: PTH116 - likewise
        except (ManifestError, OSError) as error:
            return error
        return folder

    def _write_alone(self, record_key: str, content: bytes) -> None:
        """Where something lies already: it may be ours, another one that stays, or one that is given up."""
        with placing_answers(self._storage.manifests):
            given_up = self._placing.given_up(record_key)
            file = self._storage.write_result(record_key, content, given_up=given_up, submission_id=self._submission_id)
        if file is None:
            self._placing.superseded(record_key)
        else:
            self._placing.placed(record_key, file)

    # --- durable, and in place

    def _begin_sync(self) -> None:
        """Have the present group synced in a thread of its own."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="quire-sync")
        self._behind, self._group = self._group, _Group()
        self._sync = self._pool.submit(copy_context().run, self._sync_now, self._behind)

    def _sync_now(self, group: _Group) -> dict[str, OSError]:
        temporary = [each.temporary for each in group.waiting]
        return self._syncing.sync_group(temporary, list(group.folders), is_one_device=group.is_one_device)

    def _put_in_place(self) -> None:
        """The group whose sync was begun, once it has ended."""
        if self._sync is not None:
            sync, self._sync = self._sync, None
            self._after_sync(sync.result())

    def _after_sync(self, unsynced: dict[str, OSError]) -> None:
        behind = self._behind
        for folder, record_key in behind.folders.items():
            if folder in unsynced:
                self._placing.failed(record_key, unsynced[folder])
        taken: list[_Waiting] = []
        with placing_answers(self._storage.manifests):
            while behind.waiting:
                each = behind.waiting[0]
                self._placing.check()
                try:
                    if (error := unsynced.get(each.temporary)) is not None:
                        raise _named(error, each.path, each.temporary)
                    if not self._place(each):
                        taken.append(each)
                except (ManifestError, OSError) as error:
                    self._placing.failed(each.record_key, error)
                    _remove(each.temporary)
                behind.waiting.popleft()
        for each in taken:
            try:
                self._write_alone(each.record_key, each.content)
            except (ManifestError, OSError) as error:
                self._placing.failed(each.record_key, error)
        self._group.is_one_device &= behind.is_one_device
        self._behind = _Group()

    def _place(self, each: _Waiting) -> bool:
        """Whether its place was free."""
        if _is_anything_at(each.path):
            # It came meanwhile: somebody has put it there.
            _remove(each.temporary)
            return False
        try:
            os.replace(each.temporary, each.path)  # noqa: PTH105 - likewise
        except OSError as error:
            raise _named(error, each.path, each.temporary) from None
        self._group.folders[os.path.dirname(each.path)] = each.record_key  # noqa: PTH120 - likewise
        self._placing.placed(each.record_key, each.file)
        return True


def _is_anything_at(path: str) -> bool:
    """Also a link to nothing. Raises OSError."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _write(path: str, content: bytes) -> os.stat_result:
    """A new file. Raises OSError, without its name where the system gives none."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _remove(temporary: str) -> None:
    """What cannot be removed now is removed by a later pass."""
    with suppress(OSError):
        os.unlink(temporary)  # noqa: PTH108 - for each result of a batch


def _make_folders(folder: str, top: str) -> list[str]:
    """Make what is missing of ``folder`` below ``top``, and it; the folders that have new names then. Raises
    OSError."""
    changed = []
    missing = [folder]
    while not _is_folder(missing[-1]):
        missing.append(os.path.dirname(missing[-1]))  # noqa: PTH120 - for each document of each group
        changed.append(missing[-1])
    if changed:
        Path(folder).mkdir(parents=True, exist_ok=True)
    return changed


def _is_folder(path: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)  # noqa: PTH116 - for each document of each group
    except (FileNotFoundError, NotADirectoryError):
        return False


def _named(error: OSError, path: str, temporary: str) -> OSError:
    """``error`` with the name of the result, which a person knows."""
    if error.filename is None or os.fspath(error.filename) == temporary:
        error.filename, error.filename2 = path, None
    return error
