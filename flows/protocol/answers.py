"""The answers of a finished job, in one reading: each line is judged, and a good one written where its result belongs.
What becomes of them all stands in `settlement`, `late` and, for answers that are judged again, in `flows.resettle`.
"""

import asyncio
import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from assets.domain.batch import RemoteJob, submission_of
from assets.domain.errors import ManifestError, UnwrittenError
from assets.domain.result_form import json_schema_of
from assets.lines import line_problems
from assets.outcomes import WRITTEN_COLUMNS, with_superseded, with_written
from assets.planning import SubmissionFacts
from assets.validation import ModelValidator, ResultValidator, SentSchemaValidator
from flows.gateways.files.atomic import naming
from flows.gateways.files.output_results import ResultFile
from flows.gateways.files.result_groups import ResultGroups
from flows.gateways.files.set_aside import SetAside
from flows.gateways.files.trial import try_write
from flows.protocol.replaced import IMAGE_COLUMNS
from flows.protocol.replacing import GivenUp, end_answered_reruns
from flows.runtime.logs import logger, warn_of_each
from flows.runtime.one_line import told
from flows.runtime.passes import Pass

MAX_LINE_WARNINGS = 20
OF_ONE_PLACE = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}
)
"""What a folder or a file can have while all others are well; a full or broken disk is another matter."""
COLUMNS = ("record_key", *IMAGE_COLUMNS)
"""What a settlement needs of a batch manifest: all of it would fill the memory, of a large batch."""
_SHA256_BYTES = 32


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """What a job has answered, before it is judged. ``name``: under which its result file is kept, and that of the
    outcomes to be made of it; ``batch_id``: the job; ``rows``: record key -> its row in the batch manifest;
    ``is_there``: False if the job has no result file."""

    name: str
    batch_id: str
    batch_manifest: pa.Table
    facts: SubmissionFacts
    rows: Mapping[str, int]
    validator: ResultValidator
    is_there: bool


@dataclass(frozen=True, slots=True)
class Answers:
    """``judged``: the lines of the result file, or None if there is none; ``written``: what became of the good ones."""

    kept: KeptAnswers
    judged: pa.Table | None
    written: "Written"

    @property
    def answered(self) -> set[str]:
        """The records that have a line."""
        return set(self.judged["record_key"].drop_null().to_pylist()) if self.judged is not None else set()

    def among(self, reasons: Mapping[str, str]) -> dict[str, str]:
        """Those of records that have a line."""
        answered = self.answered if reasons else set()
        return {key: reason for key, reason in reasons.items() if key in answered}


async def keep_answers(p: Pass, name: str, job: RemoteJob, *, is_there: bool | None = None) -> KeptAnswers:
    """Keep the result file of ``job`` under ``name``. ``is_there``: what `keep_result` has said in this pass. Raises
    GeminiError, OSError, StateError."""
    batch_manifest, facts = p.services.storage.read_batch_manifest(submission_of(name), COLUMNS)
    validator = _validator(p, facts)
    if is_there is None:
        is_there = await keep_result(p, name, job)
    return kept_answers(name, job.name, batch_manifest, facts, validator, is_there=is_there)


def kept_answers(
    name: str,
    batch_id: str,
    batch_manifest: pa.Table,
    facts: SubmissionFacts,
    validator: ResultValidator,
    *,
    is_there: bool = True,
) -> KeptAnswers:
    rows = {key: row for row, key in enumerate(batch_manifest["record_key"].to_pylist())}
    return KeptAnswers(name, batch_id, batch_manifest, facts, rows, validator, is_there)


async def use_answers(
    p: Pass,
    kept: KeptAnswers,
    *,
    may_be_written: Callable[[str], bool],
    is_awaited: bool,
    set_aside: Callable[[str], tuple[int, int]],
) -> Answers:
    """Judge each line, and write the good answers of the records that ``may_be_written``. ``is_awaited``: the
    submission is in flight; ``set_aside``: as in `assets.results.batch_results`. Raises OSError, ManifestError,
    LeaseLostError; trouble of single documents waits for `note_written`: then all others are written."""
    written = Written(p, kept, is_awaited=is_awaited)
    if not kept.is_there:
        return Answers(kept, None, written)
    with ResultGroups(p.services.storage, written, submission_id=kept.facts.submission_id) as groups:

        def keep(record_key: str, result: bytes) -> None:
            if may_be_written(record_key):
                groups.write_soon(record_key, result)

        async def tell(table: pa.Table) -> dict[str, int]:
            await asyncio.to_thread(groups.write_rest)
            return {"lines": len(table)}

        judged = await p.services.mirror.materialize(
            "batch_results",
            None,
            lines=p.services.storage.raw.lines(kept.name),
            keys=kept.rows,
            validator=kept.validator,
            redact=p.services.gemini.redacted,
            keep=keep,
            set_aside=set_aside,
            write=tell,
            about=submission_of(kept.name),
        )
    return Answers(kept, judged, written)


def aside(p: Pass, name: str) -> SetAside:
    """For the texts of failed answers of the result file ``name``."""
    return SetAside(lambda: p.services.storage.work_path(f"{name}.texts"))


def warn_of_lines(answers: Answers) -> None:
    """Of lines that belong to no record."""
    if answers.judged is None:
        return
    problems = line_problems(answers.kept.batch_manifest, answers.judged)
    for problem in problems[:MAX_LINE_WARNINGS]:
        logger().warning("%s: %s", answers.kept.batch_id, problem)
    if len(problems) > MAX_LINE_WARNINGS:
        logger().warning("%s: %d or more lines belong to no record", answers.kept.batch_id, len(problems))


async def note_written(p: Pass, outcomes: pa.Table, answers: Answers) -> pa.Table:
    """The outcomes with what was written, where those records are superseded that were done before with another result.
    Raises OSError, and UnwrittenError where the trouble was that of single documents."""
    written, submission_id = answers.written, answers.kept.facts.submission_id
    storage = p.services.storage

    async def tell(good: pa.Table) -> dict[str, int]:
        if written.unwritten:
            # What the folder of all results has is no trouble of a document.
            await asyncio.to_thread(try_write, storage.output_results)
            raise UnwrittenError(*next(iter(written.unwritten.items())), len(written.unwritten))
        return {"written": len(good) - len(written.superseded_keys), "superseded": len(written.superseded_keys)}

    await p.services.mirror.materialize("output_results", outcomes, write=tell, about=submission_id)
    superseded = written.superseded_keys
    warn_of_each(dict.fromkeys(superseded, submission_id), "Done before, so that this answer is not written")
    await end_answered_reruns(p, submission_id, written.sha256_of, written.moot)
    return with_written(with_superseded(outcomes, superseded), written.table())


class Written:
    """What became of the good answers, in arrays over the rows of the batch manifest; to `ResultGroups` a `Placing`.

    ``superseded_keys``: records with another result, which stays; ``moot``: of these the note of a wish for another
    one, by the result that it gives up; ``unwritten``: record key -> why it cannot be written where it belongs.
    """

    def __init__(self, p: Pass, kept: KeptAnswers, *, is_awaited: bool) -> None:
        self._p, self._kept = p, kept
        self._given_up = GivenUp(p.services.storage, kept.rows, kept.facts.submission_id, is_awaited=is_awaited)
        self._wishes: dict[str, str] = {}
        self._is_written = np.zeros(len(kept.rows), np.bool_)
        self._bytes, self._modified_ns = (np.zeros(len(kept.rows), np.int64) for _ in range(2))
        self._sha256 = np.zeros((len(kept.rows), _SHA256_BYTES), np.uint8)
        self.superseded_keys: list[str] = []
        self.moot: dict[str, str] = {}
        self.unwritten: dict[str, str] = {}

    def check(self) -> None:
        self._p.lease.check()

    def check_folders(self) -> None:
        self._p.services.storage.home.check_marks()

    def given_up(self, record_key: str) -> str | None:
        sha256 = self._given_up.of(record_key)
        if sha256 is not None:
            self._wishes[record_key] = sha256
        return sha256

    def placed(self, record_key: str, file: ResultFile) -> None:
        row = self._kept.rows[record_key]
        self._is_written[row] = True
        self._bytes[row], self._modified_ns[row] = file.bytes, file.modified_ns
        self._sha256[row] = np.frombuffer(bytes.fromhex(file.sha256), np.uint8)

    def superseded(self, record_key: str) -> None:
        self.superseded_keys.append(record_key)
        if record_key in self._wishes:
            self.moot[record_key] = self._wishes[record_key]

    def failed(self, record_key: str, error: ManifestError | OSError) -> None:
        if isinstance(error, OSError) and error.errno not in OF_ONE_PLACE:
            raise error
        self.unwritten[record_key] = str(told(error))

    def sha256_of(self, record_key: str) -> str | None:
        """Of the result that was written for a record, in hex."""
        row = self._kept.rows.get(record_key)
        return self._sha256[row].tobytes().hex() if row is not None and self._is_written[row] else None

    def table(self) -> pa.Table:
        """The results that were written. Columns: record_key, WRITTEN_COLUMNS."""
        rows = np.flatnonzero(self._is_written)
        columns = [
            self._kept.batch_manifest["record_key"].take(pa.array(rows)),
            _in_hex(self._sha256[rows]),
            pa.array(self._bytes[rows]),
            pa.array(self._modified_ns[rows]),
        ]
        return pa.table(columns, names=["record_key", *WRITTEN_COLUMNS])


def _in_hex(hashes: np.ndarray[Any, np.dtype[np.uint8]]) -> pa.Array:
    """A row of bytes each, as text."""
    text = hashes.tobytes().hex().encode()
    offsets = np.arange(len(hashes) + 1, dtype=np.int32) * np.int32(2 * _SHA256_BYTES)
    return pa.StringArray.from_buffers(len(hashes), pa.py_buffer(offsets), pa.py_buffer(text))


async def keep_result(p: Pass, name: str, job: RemoteJob) -> bool:
    """Have all that ``job`` has answered on our own disk. False: it has no result file. Raises GeminiError, OSError,
    LeaseLostError."""
    storage = p.services.storage
    if await asyncio.to_thread(storage.raw.is_whole, name, job.name):
        return True
    if job.result_file is None:
        return False
    path = storage.work_path(f"{name}.results.jsonl")
    try:
        await _download(p, job.result_file, path)
        await asyncio.to_thread(storage.raw.keep, name, path, job)
        p.lease.check()
    finally:
        path.unlink(missing_ok=True)
    return True


def _validator(p: Pass, facts: SubmissionFacts) -> ResultValidator:
    """The model in the code, if it still is what was sent, in whatever form it was asked for; else the schema that
    was."""
    model = p.services.model
    if json_schema_of(model) == facts.result_schema:
        return ModelValidator(model)
    logger().info("%s was sent with another schema than today's: judged by that one", facts.submission_id)
    validator = SentSchemaValidator(facts.result_schema)
    left_out = "; ".join(validator.left_out())
    if left_out:
        logger().warning("%s: not all of its schema can be judged safely, left out: %s", facts.submission_id, left_out)
    return validator


async def _download(p: Pass, file_name: str, path: Path) -> None:
    async def download() -> int:
        # Another pass may be reading that file.
        p.lease.check()
        with naming(path):
            return await p.services.gemini.download(file_name, path)

    await p.services.mirror.retried("download_results", download)
    p.lease.check()
