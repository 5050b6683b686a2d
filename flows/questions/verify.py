"""``quire verify``: every result read and checked: whether it is JSON, fits the schema that it was judged by, and is
what was written. Nothing is written; results come and go one by one.
"""

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from assets.corrections import vouched_for
from assets.domain.errors import ManifestError, words_of
from assets.domain.result_form import result_in
from assets.domain.schema import schema_hash
from assets.edited import edited_by_content
from assets.validation import AnswerError, ModelValidator, ResultValidator, SentSchemaValidator
from config.settings import Settings, load_settings
from flows.gateways.files.results import walk_documents
from flows.gateways.files.storage import Storage
from flows.runtime.printable import printable
from flows.runtime.wiring import config_path, make_storage, make_template
from flows.tables.derived import results_table
from flows.tables.edited import of_pages

MAX_LISTED = 1000
CHUNK = 10_000
"""So many results are held against what was written at a time."""
EDITED = "edited by a person since it was written, or put there by one"
GONE = "is gone: the next pass has the page read again"


@dataclass(slots=True)
class Verified:
    """``results``: how many were read; ``problems``: (path, what is wrong), the first MAX_LISTED; ``counts``: how many
    results have which trouble, by a word; ``unjudged``: how many were judged by a schema that is kept nowhere."""

    results: int = 0
    problems: list[tuple[str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    unjudged: int = 0

    def tell(self, word: str, path: object, what: str) -> None:
        self.counts[word] += 1
        if len(self.problems) < MAX_LISTED:
            self.problems.append((str(path), what))

    def text(self) -> str:
        lines = [printable(f"{path}: {what}") for path, what in self.problems]
        if (more := self.counts.total() - len(self.problems)) > 0:
            lines.append(f"... and {more} more")
        sums = ", ".join(f"{count} {word}" for word, count in sorted(self.counts.items())) or "all as they were written"
        unjudged = f"; of {self.unjudged} the schema is not kept" if self.unjudged else ""
        return "\n".join([*lines, f"{self.results} results: {sums}{unjudged}"])

    def is_wrong(self, *, edited_is_fine: bool) -> bool:
        return any(count and not (edited_is_fine and word == "edited") for word, count in self.counts.items())


async def verify(config: str | None) -> Verified:
    """Read and check every result; one that cannot be read is told like what is wrong with others. Raises ConfigError,
    ManifestError, OSError (a folder cannot be read)."""
    settings = load_settings(config_path(config))
    return await asyncio.to_thread(_verify, settings, make_storage(settings))


def _verify(settings: Settings, storage: Storage) -> Verified:
    found, results, said = Verified(), results_table(storage, write=False), storage.corrections.read()
    schemas = _Schemas(settings, storage)
    files = of_pages(
        storage, walk_documents(storage.output_results, depth=len(storage.document_fields)).table(), results
    )
    for at in range(0, len(files), CHUNK):
        part = files.slice(at, CHUNK)
        _verify_part(storage, part["record_key"].to_pylist(), results, said, schemas, found)
    _tell_of_gone(storage, files, results, found)
    return found


def _verify_part(
    storage: Storage, keys: list[str], results: pa.Table, said: pa.Table, schemas: "_Schemas", found: Verified
) -> None:
    """``said``: of results by people, CORRECTION_SCHEMA."""
    by_people = dict(zip(said["record_key"].to_pylist(), said["response_schema_hash"].to_pylist(), strict=True))
    at = pc.index_in(pa.array(keys, pa.string()), value_set=results["record_key"].combine_chunks())
    made_by = results.select(["submission_id", "response_schema_hash"]).take(at).to_pylist()
    hashes: list[str | None] = []
    for key, made in zip(keys, made_by, strict=True):
        path = storage.result_path(key)
        try:
            content = storage.read_result(key)
        except OSError as error:
            # A disk that begins to fail is what this is asked for: all others are read as well.
            found.tell("unreadable", path, f"cannot be read: {words_of(error)}")
            content = None
        hashes.append(None if content is None else hashlib.sha256(content).hexdigest())
        if content is None:
            continue
        found.results += 1
        if problem := result_in(content)[1]:
            found.tell("no JSON", path, problem)
            continue
        validator = schemas.of(made["submission_id"], by_people.get(key) or made["response_schema_hash"])
        if validator is None:
            found.unjudged += 1
            continue
        try:
            validator.to_result(content.decode())
        except (AnswerError, UnicodeDecodeError) as error:
            found.tell("against the schema", path, f"does not fit the schema: {error}")
    table = pa.table({"record_key": pa.array(keys, pa.string()), "result_sha256": pa.array(hashes, pa.string())})
    # What a person has corrected is as it should be.
    table = table.filter(pc.invert(vouched_for(table, said)))
    table = table.filter(table["result_sha256"].is_valid())
    for key in table.filter(edited_by_content(table, results))["record_key"].to_pylist():
        found.tell("edited", storage.result_path(key), EDITED)


def _tell_of_gone(storage: Storage, files: pa.Table, results: pa.Table, found: Verified) -> None:
    """What was written and is not there, of pages that should have a result."""
    manifest = storage.read_records()
    if manifest is None:
        return
    is_missing = pc.invert(pc.is_in(results["record_key"], value_set=files["record_key"].combine_chunks()))
    is_wanted = pc.is_in(results["record_key"], value_set=manifest["record_key"].combine_chunks())
    for key in results.filter(pc.and_(is_missing, is_wanted))["record_key"].to_pylist():
        found.tell("gone", storage.result_path(key), GONE)


class _Schemas:
    """What results are judged by: the model in the code, or the schema that was sent."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        model, template = make_template(settings)
        self._storage = storage
        self._today = ModelValidator(model)
        self._known: dict[str | None, ResultValidator | None] = {
            None: self._today,
            schema_hash(template.response_schema): self._today,
        }

    def of(self, submission_id: str | None, response_schema_hash: str | None) -> ResultValidator | None:
        """None: it is kept nowhere. What nobody has sent is judged by today's."""
        if response_schema_hash not in self._known:
            self._known[response_schema_hash] = self._sent(submission_id, response_schema_hash)
        return self._known[response_schema_hash]

    def _sent(self, submission_id: str | None, response_schema_hash: str | None) -> ResultValidator | None:
        try:
            _, facts = self._storage.read_batch_manifest(submission_id or "")
        except ManifestError:
            return None
        is_its = facts.response_schema_hash == response_schema_hash
        return SentSchemaValidator(facts.result_schema) if is_its else None
