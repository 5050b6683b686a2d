"""The ports: what the flows ask of the outside world, and what the gateways' folders know of each other. The ledger,
the locks and Gemini each have a real gateway in a folder beside this and an in-memory twin in the tests; one contract
suite holds both to what is written here. Vendor types never cross a port.

Every call over a network has a time-out of its own. What may be tried again says so by ``error.retry_helps``.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from assets.domain.batch import RemoteFile, RemoteJob
from assets.domain.home import Home
from assets.domain.ledger import CountChange, Ledger
from assets.sources import ImageHeader, SourceProblem

TEMPORARY_PREFIX = ".tmp-"
"""Temporary files carry it, so that whoever lists a folder can pass over them, and a later pass can clear them away."""
SOURCE_MARKER = ".source.json"
"""In a folder whose images were made from a PDF: which one, and how. No page; `pdf.page_folders` reads and writes
it."""


FETCHED_FOLDER = ".iiif"
"""In a folder whose images were fetched: what they came from. No page; `files.fetched` reads and writes it."""


class Lease(Protocol):
    """A lock that is held. Leases carry no fencing token: ask before each write."""

    def check(self) -> None:
        """Raise LeaseLostError unless the lease was renewed within the last 40 seconds."""


class Lock(Protocol):
    """A lock between processes, of which one can be held at a time."""

    name: str

    def hold(self, *, wait: bool) -> AbstractAsyncContextManager[Lease]:
        """Hold it. ``wait=False`` raises LockBusyError at once when somebody else holds it."""
        ...


class LedgerTransaction(Protocol):
    """One change of the Variables under the ledger lock. ``ledger`` is what was read after the lock was taken, and
    follows the writes. Each method checks the lease, writes only the Variables that change, and returns what is there
    then. All raise LeaseLostError and PrefectUnavailableError."""

    ledger: Ledger

    def check(self) -> None:
        """Before a file is written that goes with the change. Raises LeaseLostError where the lock may be another's."""
        ...

    async def set_active(self, names: Sequence[str]) -> Ledger:
        """Write ``active_batch_ids``."""
        ...

    async def apply_counts(self, changes: Iterable[CountChange]) -> Ledger:
        """Where a count equals ``before``, make it ``after``; leave every other alone (a person has edited it)."""
        ...

    async def set_views(self, records: Mapping[str, tuple[str, Sequence[str]]]) -> Ledger:
        """Rewrite both views. ``records``: name in the active list -> (submission id, its record keys)."""
        ...

    async def remove_counts(self, keys: Iterable[str]) -> Ledger:
        """Take the counts of ``keys`` out and pack the pages anew (prune)."""
        ...

    async def note_submissions(self, *, newest: str = "", closed: int = 0) -> Ledger:
        """Let ``quire_home`` say that this database has heard of the submission ``newest``, before that is claimed, or
        of so many ``closed`` ones. What is older, or fewer, than what is noted changes nothing."""
        ...


class LedgerGateway(Protocol):
    """The four Prefect Variables and ``quire_home``."""

    async def read(self) -> Ledger:
        """A validated snapshot. Raises LedgerError naming Variable and entry, PrefectUnavailableError."""
        ...

    async def recall(self) -> Ledger:
        """What this gateway has read or written last, or a snapshot if it has done neither: one request less for what
        is only told. Raises as `read`."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[LedgerTransaction]:
        """Take the ledger lock (waiting for it), read afresh, and let the body write."""
        ...

    async def read_home(self) -> Home | None:
        """What ``quire_home`` holds, or None if there is no such Variable. Raises LedgerError, and HomeMismatchError
        when it is another home, or an older state of it, than this gateway has seen before."""
        ...

    async def create_home(self, home_id: str) -> str:
        """Create missing Variables empty, then ``quire_home``. Returns the id that stands there then: somebody else's,
        if they were first. Raises LedgerError if a Variable that holds something is there without a ``quire_home``."""
        ...

    async def rebuild(
        self, home: Home, *, records: Mapping[str, tuple[str, Sequence[str]]], counts: Mapping[str, int]
    ) -> None:
        """Make the Variables say this and nothing else, whatever they say now. ``quire_home`` goes first and comes
        last, so that what is half done is never taken for whole. ``records``: name in the active list -> (submission
        id, its record keys). Raises LedgerError if it does not fit; then nothing was written."""
        ...


class GeminiGateway(Protocol):
    """The File and Batch APIs. Single tries all: who calls decides about another one.

    Raises GeminiTransientError, GeminiRefusedError, GeminiAccessError; ``create_job`` and ``generate`` also
    GeminiQuotaError and GeminiAmbiguousError.
    """

    @property
    def key_fingerprint(self) -> str:
        """Tells whether two jobs were posted with the same key to the same service. Nothing of the key can be had from
        it."""
        ...

    async def upload(self, source: Path | IO[bytes], *, display_name: str, mime_type: str) -> RemoteFile: ...

    async def list_files(self) -> list[RemoteFile]: ...

    async def delete_file(self, name: str) -> None:
        """Delete a file; one that is not there (any more) is deleted already."""
        ...

    async def create_job(self, *, model: str, display_name: str, input_file: str) -> RemoteJob:
        """POST exactly once. GeminiAmbiguousError: time-out, 408, 5xx or a cut connection; the job may exist."""
        ...

    async def get_job(self, name: str) -> RemoteJob: ...

    async def list_jobs(self) -> list[RemoteJob]:
        """All jobs of the project, newest first as Gemini gives them, all pages. An entry without a name is there if it
        bears the display name of a submission, under the name ""; any other is none of ours."""
        ...

    async def download(self, file_name: str, destination: Path) -> int:
        """Stream a result file to ``destination``; returns its bytes. GeminiDownloadError if it ended early."""
        ...

    async def cancel_job(self, name: str) -> None: ...

    async def delete_job(self, name: str) -> None: ...

    async def generate(self, *, model: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """One request answered at once, at the standard price: the GenerateContentResponse as it stands. POST exactly
        once. GeminiAmbiguousError: it may have been answered, and be billed; GeminiQuotaError: it was not."""
        ...

    def redacted(self, text: str) -> str:
        """``text`` without the API key: what is kept of a service's words is read by many."""
        ...

    async def close(self) -> None: ...


class DurableFiles(Protocol):
    """Files that are whole or absent, also after a power cut. Both raise OSError."""

    def replace_file(self, path: Path, write: Callable[[Path], None]) -> None:
        """Let what ``write`` makes of a temporary file take the place of ``path`` in one step."""
        ...

    def sync_folder(self, folder: Path) -> bool:
        """Make the names in ``folder`` durable, where its file system can. Returns whether it can."""
        ...


class DocumentTree(Protocol):
    """A tree with a folder for each field of a document and entries in the last ones, which is walked as far as it can
    be read."""

    problems: list[SourceProblem]

    def documents(self, depth: int) -> Iterator[tuple[tuple[str, ...], str]]:
        """(fields, path) of every folder ``depth`` levels down."""
        ...

    def entries(self, directory: str) -> list[os.DirEntry[str]]:
        """What lies in a folder, by name."""
        ...

    def tell(self, path: str, reason: str) -> None:
        """Add to ``problems``."""
        ...

    def place(self, path: str) -> str:
        """``path`` as it stands in ``problems``."""
        ...


class ReadHeader(Protocol):
    """What the head of an image file says. Raises ImageError, OSError."""

    def __call__(self, path: str, *, max_pixels: int) -> ImageHeader: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes up. ``source``: the original file, or the bytes that were made of it; ``sha256``: of the original
    file's bytes, in hex; ``size_bytes``, ``width``, ``height``: of what goes up; ``conversion``: what was done, in a
    few words, or "" for nothing; ``original_bytes``, ``original_modified_ns``: of the original file, as it was when it
    was read."""

    source: Path | bytes
    mime_type: str
    sha256: str
    size_bytes: int
    width: int
    height: int
    conversion: str = ""
    original_bytes: int = 0
    original_modified_ns: int = 0
