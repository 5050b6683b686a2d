"""People's corrections: saved as the result, with who and when, and the answer of before kept. Which of them stand is
worked out from what lies there (`assets.corrections`).

The effects of saving, in their order: what the person saw is kept, what the person wrote is kept, the note is written,
the result takes its place. Whoever dies before the last one has saved nothing: a note of a content that does not lie
there says nothing of the page. So no result of a person's is ever there without its note.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from assets.corrections import CORRECTION_SCHEMA, CorrectionKind, doubtful_keys, standing
from assets.domain.batch import behind
from assets.domain.errors import CorrectionConflictError, CorrectionError
from assets.domain.record import parse_key
from assets.domain.result_form import result_in
from assets.domain.schema import schema_hash
from assets.numbering import NOWHERE
from assets.plain_rows import plain_rows
from assets.reruns import RESULT_FILE_SCHEMA
from assets.validation import AnswerError, ModelValidator, ResultValidator
from config.settings import Settings
from flows.gateways.files.output_results import FoundResults, ResultFile, sha256_hex
from flows.gateways.files.results_lock import PATIENCE_SECONDS, correcting
from flows.gateways.files.storage import Storage
from flows.runtime.wiring import make_storage, make_template, new_submission_id, utc_now
from flows.tables.derived import results_table

MAX_NAME_CHARS = 200


@dataclass(frozen=True, slots=True)
class Saved:
    """``kind``: what became of it: saving what was there already is a check; ``sha256``: of the result that lies there
    now."""

    record_key: str
    kind: CorrectionKind
    correction_id: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Corrector:
    """Saves what people say of results. ``validator``: judges as a settlement does; ``response_schema_hash``: of the
    schema that it judges by."""

    storage: Storage
    validator: ResultValidator
    response_schema_hash: str
    now: Callable[[], datetime] = utc_now
    new_id: Callable[[], str] = new_submission_id
    patience_seconds: float = field(default=PATIENCE_SECONDS)

    @classmethod
    def of(cls, settings: Settings) -> "Corrector":
        """For the collection of ``settings``. Raises ConfigError, SchemaError, PromptError."""
        model, template = make_template(settings)
        return cls(make_storage(settings), ModelValidator(model), schema_hash(template.response_schema))

    def correct(self, record_key: str, text: str, *, seen: str | None, by: str) -> Saved:
        """Save ``text`` (JSON) as the result of a page. ``seen``: SHA-256, in hex, of the result that the person saw,
        None where there was none; ``by``: the person's name.

        Raises CorrectionConflictError if another one lies there by now, CorrectionError for what is no result of this
        collection, RecordKeyError, LockBusyError, StateError, OSError. Nothing is saved then.
        """
        return self._save(record_key, self.judged(record_key, text), seen=seen, by=by)

    def judged(self, record_key: str, text: str) -> bytes:
        """The bytes that `correct` would save. Raises CorrectionError for what is no result of this collection."""
        try:
            return self.validator.to_result(text)
        except AnswerError as error:
            raise CorrectionError(f"{record_key}: {error}; nothing is saved") from None

    def check(self, record_key: str, *, seen: str, by: str) -> Saved:
        """Note that a person has read a page beside its image and found its result good. Arguments and errors as of
        `correct`."""
        return self._save(record_key, None, seen=seen, by=by)

    def _save(self, record_key: str, content: bytes | None, *, seen: str | None, by: str) -> Saved:
        storage, by = self.storage, _name(by)
        key = str(parse_key(record_key, field_count=len(storage.document_fields)))
        # A share that was unmounted has left an empty folder in its place.
        storage.home.check_marks()
        with correcting(storage.manifests, patience_seconds=self.patience_seconds):
            there = storage.result_as_it_is(key)
            if (there[0].sha256 if there is not None else None) != seen:
                raise self._conflict(key, there, content)
            if there is None:
                self._expect_page(key)
            is_same = there is not None and (content is None or self._says_the_same(there[1], content))
            kind = CorrectionKind.CHECKED if is_same else CorrectionKind.CORRECTED
            note = _Note(self, key, kind, by, seen)
            if there is not None and is_same:
                if problem := result_in(there[1])[1]:
                    raise CorrectionError(f"{storage.result_path(key)} {problem}: correct it; nothing is saved")
                storage.corrections.keep(there[1], there[0].sha256)
                note.write(there[0])
                return Saved(key, kind, note.correction_id, there[0].sha256)
            if content is None:
                raise CorrectionError(f"{key} has no result that could be checked; nothing is saved")
            if there is not None:
                storage.corrections.keep(there[1], there[0].sha256)
            storage.corrections.keep(content, sha256_hex(content))
            saved = storage.correct_result(key, content, note=note.write)
        return Saved(key, kind, note.correction_id, saved.sha256)

    def _says_the_same(self, there: bytes, content: bytes) -> bool:
        """However it is laid out."""
        try:
            return there == content or self.validator.to_result(there.decode()) == content
        except (AnswerError, UnicodeDecodeError):
            return False

    def _conflict(
        self, key: str, there: tuple[ResultFile, bytes] | None, mine: bytes | None
    ) -> CorrectionConflictError:
        sha256 = there[0].sha256 if there is not None else None
        said = self.storage.corrections.read()
        is_of_this = pc.equal(said["result_sha256"], pa.scalar(sha256, pa.string()))
        said = said.filter(pc.and_(pc.equal(said["record_key"], key), is_of_this))
        if there is None:
            whose = "its result is gone since you saw it"
        elif len(said):
            last = plain_rows(said.slice(len(said) - 1))[0]
            whose = f"{last['corrected_by']} has saved another result at {last['corrected_at']:%Y-%m-%d %H:%M} UTC"
        else:
            whose = "its result is another one than the one that you saw"
        return CorrectionConflictError(
            key, there=there[1] if there is not None else None, there_sha256=sha256, mine=mine, whose=whose
        )

    def _expect_page(self, key: str) -> None:
        """Raise CorrectionError for what is no page of the collection."""
        records = self.storage.records()
        if records is None or records.numbers_of_keys(pa.array([key]))[0] == NOWHERE:
            raise CorrectionError(f"{key} is no page of this collection: quire why {key} says more; nothing is saved")


class _Note:
    """A row to be written. ``seen``: as of `Corrector.correct`."""

    def __init__(self, corrector: Corrector, key: str, kind: CorrectionKind, by: str, seen: str | None) -> None:
        storage = corrector.storage
        self._storage, self._before = storage, storage.corrections.read()
        # Behind all that was said of it so far: the last word counts, whatever the clocks say.
        wishes = storage.read_reruns()
        wishes = wishes.filter(pc.equal(wishes["record_key"], key))["rerun_id"].to_pylist()
        ids = self._before["correction_id"].slice(max(0, len(self._before) - 1)).to_pylist()
        self.correction_id = behind(corrector.new_id(), max([*wishes, *ids], default=""))
        made = results_table(
            storage, ["record_key", "submission_id", "batch_id", "result_sha256"], keys=[key], write=False
        ).to_pylist()
        answer = made[0] if made else {}
        self._row = {
            "record_key": key,
            "correction_id": self.correction_id,
            "corrected_at": corrector.now(),
            "corrected_by": by,
            "kind": kind.value,
            "submission_id": answer.get("submission_id"),
            "batch_id": answer.get("batch_id"),
            "answer_sha256": answer.get("result_sha256"),
            "seen_sha256": seen,
            "response_schema_hash": corrector.response_schema_hash,
        }

    def write(self, result: ResultFile) -> None:
        """``result``: as it is to lie there. Raises OSError."""
        file = {"result_bytes": result.bytes, "result_sha256": result.sha256}
        columns = {name: pa.array([value]) for name, value in (self._row | file).items()}
        # As a number: Python's datetime has no nanoseconds.
        columns["result_modified_at"] = pa.array([result.modified_ns], pa.int64()).cast(pa.timestamp("ns", tz="UTC"))
        row = pa.table({name: columns[name] for name in CORRECTION_SCHEMA.names}).cast(CORRECTION_SCHEMA)
        self._storage.corrections.write(pa.concat_tables([self._before, row]))


def standing_corrections(storage: Storage, found: FoundResults | None = None) -> pa.Table:
    """Of each page whose result a person has vouched for, what was said of it last. ``found``: all results, if they
    were walked already. Columns: CORRECTION_SCHEMA. Writes nothing. Raises ManifestError, OSError."""
    said = storage.corrections.read()
    if not len(said):
        return said
    if found is None:
        return _standing(storage, said, _files(storage, said["record_key"].unique().to_pylist()))
    files = found.files
    is_meant = pc.is_in(files["record_key"], value_set=said["record_key"].combine_chunks())
    return _standing(storage, said, files.filter(is_meant).combine_chunks())


def corrected_by_kind(storage: Storage, found: FoundResults | None = None) -> dict[str, CorrectionKind]:
    """Record key -> what a person has done with its result, of `standing_corrections`."""
    rows = standing_corrections(storage, found)
    kinds = map(CorrectionKind, rows["kind"].to_pylist())
    return dict(zip(rows["record_key"].to_pylist(), kinds, strict=True))


def corrections_of(storage: Storage, keys: Sequence[str]) -> pa.Table:
    """The same of these records alone."""
    said = storage.corrections.read()
    said = said.filter(pc.is_in(said["record_key"], value_set=pa.array(keys, pa.string())))
    return _standing(storage, said, _files(storage, said["record_key"].unique().to_pylist()))


def model_answer(storage: Storage, record_key: str) -> bytes | None:
    """What the model had answered for a page that a person has corrected or checked, as it was written; None where
    there is none, or it was not kept: it was edited before by hand, or nobody has said anything of the page. Raises
    ManifestError, OSError."""
    said = storage.corrections.read()
    said = said.filter(pc.equal(said["record_key"], record_key))["answer_sha256"].to_pylist()
    return storage.corrections.content(said[-1]) if said and said[-1] is not None else None


def _standing(storage: Storage, said: pa.Table, files: pa.Table) -> pa.Table:
    hashes = {key: file.sha256 for key in doubtful_keys(said, files) if (file := storage.result_file(key)) is not None}
    return standing(said, files, hashes)


def _files(storage: Storage, keys: Sequence[str]) -> pa.Table:
    found = [(key, there) for key in keys if (there := storage.look_at_result(key)) is not None]
    columns = [
        pa.array([key for key, _ in found], pa.string()),
        pa.array([there[0] for _, there in found], pa.int64()),
        pa.array([there[1] for _, there in found], pa.int64()),
    ]
    return pa.table(columns, names=RESULT_FILE_SCHEMA.names).cast(RESULT_FILE_SCHEMA)


def _name(by: str) -> str:
    name = " ".join(by.split())
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise CorrectionError(f"say who you are, in at most {MAX_NAME_CHARS} letters; nothing is saved")
    return name
