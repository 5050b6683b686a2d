"""Result files as they were downloaded, compressed, for as long as they are needed: ``manifests/raw/{name}.jsonl.zst``,
where the name is that of the outcomes that are made of it. What a settlement needs is here before anything is judged,
so that it can go on after Gemini has forgotten the file, and its answers can be judged again.

The first line says whose it is, and how to tell that all of it is there; the file as it came follows.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from assets.domain.batch import JobState, RemoteJob, is_submission_id, submission_of
from assets.domain.errors import ManifestError
from assets.results import MAX_LINE_BYTES
from flows.gateways.files.atomic import lines_of, naming, replace_file, sync_folder
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT, check_format

SUFFIX = ".jsonl.zst"
_CHUNK_BYTES = 1 << 20
_MAX_HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class _Head:
    """``job``: as it was when the file was downloaded; ``size_bytes``, ``sha256`` (in hex): of the file as it came."""

    job: RemoteJob
    size_bytes: int
    sha256: str


class RawResults:
    """Every method raises OSError, and ManifestError for a file of a newer version of Quire."""

    def __init__(self, manifests: Path) -> None:
        self.folder = manifests / "raw"

    def path(self, name: str) -> Path:
        return self.folder / f"{name}{SUFFIX}"

    def names(self) -> list[str]:
        """Whose files are kept, oldest first."""
        with suppress(FileNotFoundError):
            names = (path.name.removesuffix(SUFFIX) for path in self.folder.iterdir() if path.name.endswith(SUFFIX))
            return sorted(name for name in names if is_submission_id(submission_of(name)))
        return []

    def keep(self, name: str, source: Path, job: RemoteJob) -> None:
        """Keep a whole copy of ``source``, which ``job`` has answered, on the disk."""
        with naming(source), source.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size_bytes = file.tell()
            file.seek(0)
            head = json.dumps(
                {
                    FORMAT: NEWEST_FORMAT,
                    "batch_id": job.name,
                    "submission_id": job.display_name,
                    "state": job.state.value,
                    "model": job.model,
                    "result_file": job.result_file,
                    "bytes": size_bytes,
                    "sha256": digest,
                }
            )
            replace_file(self.path(name), lambda temporary: _compress(temporary, head.encode() + b"\n", file, source))

    def job(self, name: str) -> RemoteJob | None:
        """The job whose answers are kept; None where there is no such file, or a damaged one."""
        try:
            with self._opened(name) as file:
                return self._head(name, file).job
        except (FileNotFoundError, _DamagedError):
            return None

    def is_whole(self, name: str, batch_id: str) -> bool:
        """Whether all is there that this job has answered: the file is read to its end."""
        try:
            with self._opened(name) as file:
                head, digest = self._head(name, file), hashlib.sha256()
                while chunk := file.read(_CHUNK_BYTES):
                    digest.update(chunk)
        except (FileNotFoundError, _DamagedError):
            return False
        return (head.job.name, head.sha256) == (batch_id, digest.hexdigest())

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """(offset in the file as it came, content) of every line, as `lines_of` gives them."""
        try:
            with self._opened(name) as file:
                self._head(name, file)
                yield from lines_of(file, max_line_bytes=MAX_LINE_BYTES)
        except _DamagedError as error:
            raise ManifestError(
                self.path(name), f"is damaged ({error}); delete it, and it is downloaded again"
            ) from None

    def rename_raw(self, name: str, new: str) -> None:
        """What is kept under ``name`` is kept as ``new`` from now on."""
        with naming(self.path(name)):
            self.path(name).replace(self.path(new))
        sync_folder(self.folder)

    def remove_raw(self, name: str) -> None:
        self.path(name).unlink(missing_ok=True)

    @contextmanager
    def _opened(self, name: str) -> Iterator[IO[bytes]]:
        """The content. Raises _DamagedError, also from within the block."""
        path = self.path(name)
        try:
            with naming(path), path.open("rb") as file, _decompressed(file) as stream:
                yield stream
        except OSError as error:
            if error.errno is not None:
                raise
            # Without a number it is Arrow's word for what is no zstd, or ends early (pyarrow 26).
            raise _DamagedError(str(error)) from None

    def _head(self, name: str, file: IO[bytes]) -> _Head:
        try:
            head = json.loads(file.readline(_MAX_HEAD_BYTES))
            check_format(self.path(name), head[FORMAT])
            return _Head(_job(head), head["bytes"], head["sha256"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _DamagedError(f"its first line cannot be read: {error}") from None


class _DamagedError(Exception):
    """What lies there is not what was written."""


def _job(head: dict[str, Any]) -> RemoteJob:
    return RemoteJob(
        name=head["batch_id"],
        display_name=head["submission_id"],
        state=JobState(head["state"]),
        raw_state=head["state"],
        model=head["model"],
        result_file=head["result_file"],
    )


def _compress(path: Path, head: bytes, source: IO[bytes], source_path: Path) -> None:
    def chunk() -> bytes:
        with naming(source_path):
            return source.read(_CHUNK_BYTES)

    with path.open("wb") as file, pa.CompressedOutputStream(file, "zstd") as stream:
        stream.write(head)
        for each in iter(chunk, b""):
            stream.write(each)


@contextmanager
def _decompressed(file: IO[bytes]) -> Iterator[IO[bytes]]:
    with pa.CompressedInputStream(file, "zstd") as stream, io.BufferedReader(stream, _CHUNK_BYTES) as reader:
        yield reader
