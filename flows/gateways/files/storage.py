"""The files of a collection: manifests, batch manifests, jobs, outcomes. The only place that knows where each lies; of
results that is `output_results`. Reading and writing only: what the tables mean stands in `assets`, when they are
written in the flows.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from assets.domain.batch import LATE, SUBMISSION_ID_CHARS, is_resettled, is_submission_id, submission_of
from assets.domain.errors import ManifestError
from assets.domain.moments import Moment
from assets.manifest import manifest_schema
from assets.numbering import Records
from assets.outcomes import OUTCOME_SCHEMA, numbered, with_raw_texts
from assets.planning import BATCH_SCHEMA, SubmissionFacts
from assets.sources import LEFT_OUT_SCHEMA
from flows.gateways.files.acts import Acts
from flows.gateways.files.atomic import create_file, naming, replace_file, replace_text
from flows.gateways.files.decisions import read_json
from flows.gateways.files.folder_names import Names
from flows.gateways.files.formats import FORMAT, NEWEST_FORMAT
from flows.gateways.files.gold import ImportedGold
from flows.gateways.files.home import HomeFiles
from flows.gateways.files.leftovers import clear_temporary, clear_work
from flows.gateways.files.output_results import OutputResults
from flows.gateways.files.parquet import read_table, write_parts, write_table
from flows.gateways.files.parts import Parts
from flows.gateways.files.presence import is_folder, is_there
from flows.gateways.files.raw_results import RawResults
from flows.gateways.files.records import read_numbered, write_records
from flows.gateways.files.runs import Runs
from flows.gateways.files.stuck import Stuck
from flows.gateways.files.told import ToldFile
from flows.gateways.files.tries import Tries
from flows.gateways.files.upload_marks import UploadMarks

SHORT_HASH_CHARS = 12
RawTexts = Callable[[int, int], pa.Array]
_KEPT_PROMPT = re.compile(rf"(.+)-([0-9a-f]{{{SHORT_HASH_CHARS}}})\.jinja")


@dataclass(frozen=True, slots=True)
class JobFile:
    """``manifests/jobs/{submission id}.json``: what was tried at Gemini. Written before a create is sent.

    ``input_file``: ``files/...``, "" where nobody knows it any more; ``batch_id``: once it is known; ``first_look_at``:
    UTC, when the job was looked for and not found for the first time; ``looked``, ``posted``: by the
    collection's clock, from when on its look-up and its age count; ``key``: the fingerprint of the key that it was
    posted with.
    """

    submission_id: str
    input_file: str
    batch_id: str | None = None
    first_look_at: datetime | None = None
    looked: Moment | None = None
    posted: Moment | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class KeptPrompt:
    """A prompt's text as it was sent. ``short_hash``: the first SHORT_HASH_CHARS of its SHA-256 in hex."""

    name: str
    version: str
    short_hash: str
    path: Path


class Storage(OutputResults):
    """Files under ``root``. Every method raises OSError, and ManifestError for a file that cannot be understood;
    nothing is half written."""

    def __init__(self, *, root: Path, manifests: Path, output_results: Path, document_fields: Sequence[str]) -> None:
        super().__init__(manifests, output_results, document_fields)
        self.root = root
        self.home = HomeFiles(manifests, output_results)
        self.upload_marks = UploadMarks(manifests)
        self.raw = RawResults(manifests)
        self.stuck = Stuck(manifests)
        self.acts = Acts(manifests, document_fields)
        self.told = ToldFile(manifests)
        self.tries = Tries(manifests)
        self.imported_gold = ImportedGold(manifests)
        self.runs = Runs(manifests)
        self._batches = Names(manifests / "batches", _submission_named(".parquet"))
        self._jobs = Names(manifests / "jobs", _submission_named(".json"))
        self._outcomes = Names(manifests / "outcomes", _outcomes_named)
        self._parts: dict[str, Parts] = {}

    def own_folders(self) -> list[Path]:
        """The folders that a submission writes to, from its first upload to its last result."""
        kinds = ("batches", "jobs", "outcomes", "raw", "uploads", "work")
        return [self.output_results, self.manifests, *(self.manifests / kind for kind in kinds)]

    # --- the record manifest

    @property
    def records_path(self) -> Path:
        return self.manifests / "records.parquet"

    def has_records(self) -> bool:
        return is_there(self.records_path)

    def read_records(self) -> pa.Table | None:
        """The record manifest, or None before the first scan. Columns: `assets.manifest.manifest_schema`."""
        if not self.has_records():
            return None
        return read_table(self.records_path, manifest_schema(self.document_fields))

    def records(self) -> Records | None:
        """The same by number, without its texts, or None before the first scan."""
        return read_numbered(self.records_path, self.document_fields) if self.has_records() else None

    def write_records(self, table: pa.Table) -> None:
        replace_file(self.records_path, lambda path: write_records(table, path))

    @property
    def left_out_path(self) -> Path:
        return self.manifests / "left_out.parquet"

    def read_left_out(self) -> pa.Table:
        """What the last scan left out; empty where the file is missing or damaged, since the next scan makes it anew.
        Columns: `assets.sources.LEFT_OUT_SCHEMA`."""
        try:
            return read_table(self.left_out_path, LEFT_OUT_SCHEMA)
        except ManifestError:
            return LEFT_OUT_SCHEMA.empty_table()

    def write_left_out(self, table: pa.Table) -> None:
        replace_file(self.left_out_path, lambda path: write_table(table, path, compression="zstd"))

    # --- submissions

    def batch_path(self, submission_id: str) -> Path:
        return self.manifests / "batches" / f"{submission_id}.parquet"

    def outcomes_path(self, submission_id: str) -> Path:
        return self.manifests / "outcomes" / f"{submission_id}.parquet"

    def submissions(self) -> list[str]:
        """Submission ids that have a batch manifest, oldest first (a ULID sorts by its time)."""
        return list(self._batches.all())

    def closed_submissions(self) -> set[str]:
        """Submission ids that have an outcomes file."""
        return {each for each in self.outcome_files() if len(each) == SUBMISSION_ID_CHARS}

    def is_closed(self, submission_id: str) -> bool:
        return is_there(self.outcomes_path(submission_id))

    def has_batch_manifest(self, submission_id: str) -> bool:
        return is_there(self.batch_path(submission_id))

    def create_batch_manifest(self, submission_id: str, table: pa.Table) -> bool:
        return create_file(self.batch_path(submission_id), lambda path: write_table(table, path, compression="snappy"))

    def read_batch_manifest(
        self, submission_id: str, columns: Sequence[str] = BATCH_SCHEMA.names
    ) -> tuple[pa.Table, SubmissionFacts]:
        """Columns: ``columns`` of BATCH_SCHEMA."""
        path = self.batch_path(submission_id)
        table = read_table(path, pa.schema([BATCH_SCHEMA.field(name) for name in columns]))
        try:
            metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
            return table, SubmissionFacts.from_metadata(metadata)
        except (KeyError, ValueError) as error:
            raise ManifestError(path, f"its metadata is not a batch manifest's ({error}); restore it") from None

    def batch_keys(self, submission_id: str) -> list[str]:
        """The record keys of a batch manifest, in the order in which they were sent."""
        table = read_table(self.batch_path(submission_id), pa.schema([BATCH_SCHEMA.field("record_key")]))
        keys: list[str] = table["record_key"].to_pylist()
        return keys

    def create_outcomes(self, submission_id: str, table: pa.Table, raw_texts: RawTexts | None = None) -> bool:
        """The commit of a settlement, with the next number: under the ledger's lock. ``raw_texts``: of so many rows
        from a row on, where they are not in the table. False: there was one before."""
        table = numbered(table, self.settlements() + 1)

        def part_of(rows: pa.Table, start: int) -> pa.Table:
            return rows if raw_texts is None else with_raw_texts(rows, raw_texts(start, len(rows)))

        return create_file(self.outcomes_path(submission_id), lambda path: write_parts(table, path, part_of))

    def settlements(self) -> int:
        """The number of the last settlement: none of their files ever goes."""
        return len(self.outcome_files())

    def read_outcomes(self, submission_id: str, columns: Sequence[str] = OUTCOME_SCHEMA.names) -> pa.Table:
        """Columns: ``columns`` of OUTCOME_SCHEMA."""
        schema = pa.schema([OUTCOME_SCHEMA.field(name) for name in columns])
        return read_table(self.outcomes_path(submission_id), schema)

    def late_submissions(self) -> list[str]:
        """Submission ids whose late job was used, oldest first."""
        return [submission_of(each) for each in self.outcome_files() if each.endswith(LATE)]

    def outcome_files(self) -> tuple[str, ...]:
        """The names of all outcomes files, without their ending: those of closed submissions and of late jobs. Each is
        read by `read_outcomes`; `submission_of` tells whose it is. The same tuple where all is as it was."""
        return self._outcomes.all()

    def has_late(self, submission_id: str) -> bool:
        return is_there(self.outcomes_path(submission_id + LATE))

    def resettled(self, submission_id: str) -> list[str]:
        """The names of its outcomes files of answers that were judged again, oldest first."""
        found = [each for each in self.outcome_files() if each.startswith(submission_id) and is_resettled(each)]
        return sorted(found, key=lambda each: int(each.rpartition("-")[2]))

    # --- what is derived from those

    def parts(self, name: str) -> Parts:
        """A table that grows with history, as a folder of parts."""
        return self._parts.setdefault(name, Parts(self.manifests / name))

    def derived_path(self, name: str) -> Path:
        return self.manifests / f"{name}.parquet"

    def read_derived(self, name: str, schema: pa.Schema) -> pa.Table:
        """A table that can be made again. Raises ManifestError also where there is none."""
        return read_table(self.derived_path(name), schema)

    def write_derived(self, name: str, table: pa.Table) -> None:
        replace_file(self.derived_path(name), lambda path: write_table(table, path, compression="zstd"))

    # --- the prompts that were sent

    def prompt_path(self, name: str, version: str, prompt_hash: str) -> Path:
        return self.manifests / "prompts" / name / f"{version}-{prompt_hash[:SHORT_HASH_CHARS]}.jinja"

    def keep_prompt(self, name: str, version: str, prompt_hash: str, text: str) -> None:
        """Keep a prompt's text. It is written once: what stands under this name already is this text, or is damaged."""
        path, content = self.prompt_path(name, version, prompt_hash), text.encode()
        with naming(path):
            is_kept = is_there(path) and path.read_bytes() == content
        if not is_kept:
            replace_file(path, lambda temporary: _write_bytes(temporary, content))

    def kept_prompts(self) -> list[KeptPrompt]:
        """All that were kept, by name, version and hash."""
        found = []
        for path in (self.manifests / "prompts").glob("*/*.jinja"):
            match = _KEPT_PROMPT.fullmatch(path.name)
            if match is not None:
                found.append(KeptPrompt(path.parent.name, match[1], match[2], path))
        return sorted(found, key=lambda kept: (kept.name, kept.version, kept.short_hash))

    # --- jobs

    def job_path(self, submission_id: str) -> Path:
        return self.manifests / "jobs" / f"{submission_id}.json"

    def read_job(self, submission_id: str) -> JobFile | None:
        """The jobs file, or None: then nothing was ever posted."""
        path = self.job_path(submission_id)
        try:
            document = read_json(path)
            looked = document.get("first_look_at")
            return JobFile(
                submission_id=document["submission_id"],
                input_file=document["input_file"],
                batch_id=document.get("batch_id"),
                first_look_at=datetime.fromisoformat(looked) if looked else None,
                looked=_moment(document.get("looked")),
                posted=_moment(document.get("posted")),
                key=document.get("key"),
            )
        except FileNotFoundError:
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise ManifestError(path, f"is not a jobs file ({error}); restore it") from None

    def job_submissions(self) -> list[str]:
        """Submission ids that have a jobs file, oldest first."""
        return list(self._jobs.all())

    def write_job(self, job: JobFile) -> None:
        document = asdict(replace(job, first_look_at=None))
        document["first_look_at"] = job.first_look_at.isoformat() if job.first_look_at else None
        document["phase"] = "confirmed" if job.batch_id else "posting"
        document[FORMAT] = NEWEST_FORMAT
        replace_text(self.job_path(job.submission_id), json.dumps(document, indent=2) + "\n")

    # --- what is needed for a while

    def work_path(self, name: str) -> Path:
        """A file for the time of one step: an input file before it goes up, a result file while it is settled. No two
        calls get the same: a pass that lost its lease may still be at work."""
        folder = self.manifests / "work"
        folder.mkdir(parents=True, exist_ok=True)
        stem, dot, ending = name.partition(".")
        return folder / f"{stem}-{secrets.token_hex(4)}{dot}{ending}"

    def clear_leftovers(self, unfinished: Iterable[Path], *, now: datetime) -> int:
        """Remove what killed passes have left, under the pass lock: all files for the time of a step, and old temporary
        ones in our folders and in ``unfinished``. Returns how many went."""
        # Whatever its name is: a folder that came with a later release has its leftovers, too.
        below = [path for pattern in ("*", "prompts/*") for path in self.manifests.glob(pattern) if is_folder(path)]
        return clear_work(self.manifests / "work") + clear_temporary(
            [self.output_results, self.manifests, *below, *unfinished], now=now
        )


def _moment(document: Mapping[str, Any] | None) -> Moment | None:
    """Raises KeyError, TypeError, ValueError."""
    return None if document is None else Moment(str(document["clock"]), float(document["seconds"]))


def _submission_named(suffix: str) -> Callable[[str], str | None]:
    def read(name: str) -> str | None:
        stem = name.removesuffix(suffix)
        return stem if stem != name and is_submission_id(stem) else None

    return read


def _outcomes_named(name: str) -> str | None:
    stem = name.removesuffix(".parquet")
    return stem if stem != name and is_submission_id(submission_of(stem)) else None


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)
