"""Output results one by one: where each lies, whether its record is done, what takes its place. `results` walks them
all, by the same definition.

A record is done when it has a result, unless a person wants that very result read again: then it stays in its place
until the new one is written, and goes to ``manifests/replaced``.
"""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.corrections import without_outlived
from assets.domain.errors import RecordKeyError
from assets.domain.record import SEPARATOR, parse_key
from assets.numbering import Numbering, Pages
from assets.reruns import RERUN_SCHEMA, RESULT_FILE_SCHEMA, is_as_it_was
from assets.result_files import ResultFiles
from flows.gateways.files.atomic import create_file, naming, replace_file
from flows.gateways.files.corrections import Corrections
from flows.gateways.files.decisions import Decisions
from flows.gateways.files.folder_times import NEVER
from flows.gateways.files.parquet import read_table, write_table
from flows.gateways.files.presence import found_at, is_there
from flows.gateways.files.result_index import SeenResults, see_results, write_seen
from flows.gateways.files.results import StoredResults, is_result, modified_ns, present_pages
from flows.gateways.files.walking import check_inside

WITHOUT_WISHES = (
    "delete it, or restore it from a backup: without it all results stay as they are, and quire rerun asks for new ones"
)


@dataclass(frozen=True)
class FoundResults:
    """``by_document``: all results in arrays; ``to_be_replaced``: the notes of those among them that a person wants
    read again, columns RERUN_SCHEMA; ``seen``: what `OutputResults.remember_results` keeps."""

    by_document: ResultFiles
    to_be_replaced: pa.Table
    seen: SeenResults | None = field(default=None, repr=False, compare=False)

    @cached_property
    def files(self) -> pa.Table:
        """All results, columns RESULT_FILE_SCHEMA."""
        return self.by_document.table()

    @property
    def present(self) -> list[str]:
        """The records that have a result."""
        keys: list[str] = self.by_document.record_keys.to_pylist()
        return keys

    @cached_property
    def pages(self) -> Pages:
        """The records that have a result, in the order of ``by_document``."""
        found = self.by_document
        return Pages.of_labels(found.documents, np.diff(found.offsets.to_numpy()), found.labels)

    @cached_property
    def done_pages(self) -> Pages:
        """The records that are done."""
        if not len(self.to_be_replaced):
            return self.pages
        is_done = ~Numbering(self.pages).mask(Pages.of_keys(self.to_be_replaced["record_key"]))
        return self.pages.take(is_done)

    @property
    def done(self) -> list[str]:
        """The records that are done."""
        keys: list[str] = self.done_pages.keys().to_pylist()
        return keys


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A result as it lies there. ``modified_ns``: since 1970, UTC; ``sha256``: of its content, in hex."""

    bytes: int
    modified_ns: int
    sha256: str


class OutputResults(Decisions):
    """Every method raises OSError for trouble with the disk, ManifestError for a file that cannot be understood;
    nothing is half written."""

    def __init__(self, manifests: Path, output_results: Path, document_fields: Sequence[str]) -> None:
        super().__init__(manifests, document_fields)
        self.output_results = output_results
        self.corrections = Corrections(manifests)
        self.clocks = NEVER
        """Which folders of results are believed by their times."""

    def result_path(self, record_key: str) -> Path:
        """Where the output result of ``record_key`` lies. Raises RecordKeyError for what is no safe key, ManifestError
        where a symbolic link leads out of the output results: nothing is read or written through it."""
        return self._path_of(record_key, self.output_results)

    def replaced_path(self, submission_id: str, record_key: str) -> Path:
        """Where the result lies whose place that of a submission has taken. Raises as `result_path`."""
        return self._path_of(record_key, self._replaced / submission_id)

    def replaced_results(self) -> dict[str, Path]:
        """Record key -> the result whose place another one took last, of those that are still kept."""
        found = dict[str, Path]()
        for path in sorted(self._replaced.glob("*/" + "*/" * len(self.document_fields) + "*.json")):
            submission_id, *fields = path.relative_to(self._replaced).parts
            key = SEPARATOR.join([*fields[:-1], fields[-1].removesuffix(".json")])
            with suppress(RecordKeyError):
                # Of several the newest comes last, as their folders sort by time.
                found[key] = self.replaced_path(submission_id, key)
        return found

    @property
    def _replaced(self) -> Path:
        return self.manifests / "replaced"

    def _path_of(self, record_key: str, folder: Path) -> Path:
        key = parse_key(record_key, field_count=len(self.document_fields))
        path = folder.joinpath(*key.fields) / f"{key.label}.json"
        check_inside(path, folder)
        return path

    def read_result(self, record_key: str) -> bytes | None:
        """The bytes of an output result, or None if there is none. Raises what `results.is_result` raises."""
        path = self.result_path(record_key)
        try:
            if not is_result(path, path.stat()):
                return None
            with naming(path):
                return path.read_bytes() or None
        except FileNotFoundError:
            return None

    def results(self) -> StoredResults:
        depth = len(self.document_fields)
        return StoredResults(self.output_results, depth, read=self.read_result, path_of=self.result_path)

    # --- which records are done

    def find_results(self, unfinished: list[str] | None = None) -> FoundResults:
        """All results; only folders that changed since `remember_results` are listed. ``unfinished``, and what it
        raises: see `results.walk_documents`."""
        depth = len(self.document_fields)
        seen = see_results(
            self.output_results, depth=depth, index=self._index_path, clocks=self.clocks, unfinished=unfinished
        )
        found = seen.files
        noted = self.read_reruns()
        if not len(noted):
            return FoundResults(found, noted, seen)
        files = found.table()
        at = pc.index_in(noted["record_key"], value_set=files["record_key"].combine_chunks())
        noted, there = noted.filter(at.is_valid()), files.take(at.drop_null().combine_chunks())
        return FoundResults(found, self._those_still_there(noted, there), seen)

    def remember_results(self, found: FoundResults) -> None:
        """Keep what was seen of the folders of results, unless no folder is believed."""
        if found.seen is not None and self.clocks.believe_any:
            write_seen(self._index_path, found.seen)

    def forget_results(self) -> None:
        """The next look at results lists every folder."""
        self._index_path.unlink(missing_ok=True)

    @property
    def _index_path(self) -> Path:
        return self.manifests / "index" / "results.arrow"

    def done_among(self, record_keys: Iterable[str]) -> set[str]:
        """Those of them that are done, in a question to the file system for each and a few for each document. Raises
        what `read_result` raises."""
        present = self.present_among(record_keys)
        return present.difference(self.to_be_replaced(present)["record_key"].to_pylist()) if present else present

    def present_among(self, record_keys: Iterable[str]) -> set[str]:
        """Those of them that have a result, done or not; likewise."""
        documents: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for record_key in record_keys:
            key = parse_key(record_key, field_count=len(self.document_fields))
            documents.setdefault(key.fields, []).append((record_key, f"{key.label}.json"))
        present: set[str] = set()
        for fields, pages in documents.items():
            present |= present_pages(self.output_results.joinpath(*fields), pages, self.output_results)
        return present

    # --- which are to be read again

    @property
    def reruns_path(self) -> Path:
        return self.manifests / "reruns.parquet"

    def read_reruns(self) -> pa.Table:
        """The results that a person wants read again, and that nobody has vouched for since; among them such as were
        replaced since, or edited: see `to_be_replaced`. Columns: RERUN_SCHEMA."""
        noted = self._noted_reruns()
        return without_outlived(noted, self.corrections.read()) if len(noted) else noted

    def _noted_reruns(self) -> pa.Table:
        if not is_there(self.reruns_path):
            return RERUN_SCHEMA.empty_table()
        return read_table(self.reruns_path, RERUN_SCHEMA, way_out=WITHOUT_WISHES).replace_schema_metadata(None)

    def write_reruns(self, table: pa.Table) -> None:
        """Under the ledger lock: notes are read, changed and written."""
        if len(table):
            replace_file(self.reruns_path, lambda path: write_table(table, path, compression="zstd"))
        else:
            self.reruns_path.unlink(missing_ok=True)

    def to_be_replaced(self, record_keys: Collection[str]) -> pa.Table:
        """The notes of those records that are to be read again and whose result is the one that was meant. Columns:
        RERUN_SCHEMA."""
        noted = self.read_reruns()
        if len(noted):
            noted = noted.filter(pc.is_in(noted["record_key"], value_set=pa.array(record_keys, pa.string())))
        rows = [found_at(self.result_path(key)) for key in noted["record_key"].to_pylist()]
        noted = noted.filter(pa.array([found is not None for found in rows], pa.bool_()))
        there = [(found.st_size, modified_ns(found)) for found in rows if found is not None]
        columns = [noted["record_key"], *(pa.array([each[at] for each in there], pa.int64()) for at in (0, 1))]
        files = pa.table(columns, names=RESULT_FILE_SCHEMA.names).cast(RESULT_FILE_SCHEMA)
        return self._those_still_there(noted, files)

    def _those_still_there(self, noted: pa.Table, there: pa.Table) -> pa.Table:
        is_same = is_as_it_was(noted, there)
        doubtful = noted.filter(is_same.is_null())
        pairs = zip(doubtful["record_key"].to_pylist(), doubtful["result_sha256"].to_pylist(), strict=True)
        known = np.asarray(pc.fill_null(is_same, False).to_numpy(zero_copy_only=False)).copy()
        known[is_same.is_null().to_numpy(zero_copy_only=False)] = [
            (content := self.read_result(key)) is not None and sha256_hex(content) == sha256 for key, sha256 in pairs
        ]
        return noted.filter(pa.array(known, pa.bool_())).combine_chunks()

    def look_at_result(self, record_key: str) -> tuple[int, int] | None:
        """The size of a result and when it was modified, as `ResultFile` has it, or None if there is none. Raises what
        `results.is_result` raises."""
        path = self.result_path(record_key)
        found = found_at(path)
        return (found.st_size, modified_ns(found)) if found is not None and is_result(path, found) else None

    def result_file(self, record_key: str) -> ResultFile | None:
        """A result as it lies there, read to its end; None where there is none."""
        found = self.result_as_it_is(record_key)
        return None if found is None else found[0]

    def result_as_it_is(self, record_key: str) -> tuple[ResultFile, bytes] | None:
        """The same with its content."""
        path = self.result_path(record_key)
        while (found := found_at(path)) is not None and (content := self.read_result(record_key)) is not None:
            after = found_at(path)
            # Whoever writes it meanwhile must not have his time and size noted for another content.
            if after is not None and _identity(after) == _identity(found):
                return ResultFile(len(content), modified_ns(found), sha256_hex(content)), content
        return None

    # --- writing

    def write_result(
        self, record_key: str, content: bytes, *, given_up: str | None = None, submission_id: str = ""
    ) -> ResultFile | None:
        """Write an output result. None: the record has another one, and that stays.

        ``given_up``: SHA-256 of the result that may be replaced, as a person wants it read again; it is kept as that
        whose place the result of ``submission_id`` has taken.
        """
        path, before = self.result_path(record_key), self.read_result(record_key)
        if before is not None and before != content:
            if given_up is None or sha256_hex(before) != given_up:
                return None
            self._keep(self.replaced_path(submission_id, record_key), before)
        if before != content:
            replace_file(path, lambda temporary: _write(temporary, content))
        return ResultFile(len(content), modified_ns(path.stat()), sha256_hex(content))

    def correct_result(self, record_key: str, content: bytes, *, note: Callable[[ResultFile], None]) -> ResultFile:
        """Let a person's result take the place of whatever lies there. Under `results_lock.correcting`. ``note``: is
        done just before, so that what is not noted is never there."""
        path, sha256 = self.result_path(record_key), sha256_hex(content)
        noted: list[ResultFile] = []

        def before(found: os.stat_result) -> None:
            noted.append(ResultFile(len(content), modified_ns(found), sha256))
            note(noted[0])

        replace_file(path, lambda temporary: _write(temporary, content), before=before)
        return noted[0]

    def _keep(self, path: Path, content: bytes) -> None:
        """Keep what is replaced, beside what was kept under the same name by a settlement that was cut off."""
        number, place = 1, path
        while not create_file(place, lambda temporary: _write(temporary, content), temporary_in=self._replaced):
            with naming(place):
                if place.read_bytes() == content:
                    return
            number += 1
            place = path.with_name(f"{path.name}.{number}")  # no label's own: those end in .json


def sha256_hex(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _identity(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
