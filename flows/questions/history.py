"""What became of records over time, read from batch manifests and outcomes: each of their outcomes, and what was sent.
Why it is not done, or who made its result, is said in `why`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.batch import is_late, is_resettled, submission_of
from assets.domain.model_names import is_same_model, model_id
from assets.domain.money import Price
from assets.domain.settlements import order_of
from assets.outcomes import OUTCOME_SCHEMA
from assets.plain_rows import plain_rows
from assets.provenance import result_rows
from assets.repair import Change
from flows.gateways.files.contents import ImageThen
from flows.gateways.files.storage import Storage
from flows.tables.derived import attempts_table
from flows.tables.settlements import in_order_of_settlement

_COLUMNS = ["record_key", "batch_id", "kind", "message", "settled_at", "settlement", "prompt_tokens", "output_tokens"]
_COLUMNS += ["thoughts_tokens", "cached_tokens", "unsure", "model_version", "count_before", "count_after"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An outcome of the record. ``outcomes``: the name of the file; ``is_late``: of a job that had been let go of;
    ``is_resettled``: the answer was judged again; ``answered_by``: the model that has answered, where it is not the one
    that was asked for; ``changed``: what was another in its request, in words, "" if nothing was. Tokens are None
    where Gemini did not say, ``usd`` also where no price was known; ``unsure``: it
    was answered, and what that cost is not known; ``model``, ``prompt``: what was sent with, the latter as name and
    version; ``count_before``, ``count_after``: the failure count, None where it is no failure of the record."""

    submission_id: str
    outcomes: str
    is_late: bool
    is_resettled: bool
    batch_id: str | None
    settled_at: datetime
    settlement: int | None
    kind: str
    message: str
    prompt_tokens: int | None
    output_tokens: int | None
    thoughts_tokens: int | None
    unsure: bool
    answered_by: str | None
    changed: str
    usd: float | None
    model: str
    prompt: str
    count_before: int | None
    count_after: int | None


@dataclass(frozen=True, slots=True)
class MadeBy:
    """What made the result, as `assets.provenance` tells it. ``result_sha256``: None if an earlier version wrote it."""

    submission_id: str
    batch_id: str | None
    settled_at: datetime
    model: str
    model_version: str | None
    prompt_name: str
    prompt_version: str
    prompt_hash: str
    schema_name: str
    response_schema_hash: str
    context_key: str | None
    context_kind: str | None
    result_sha256: str | None
    image: ImageThen


def attempts_of(storage: Storage, record_key: str) -> list[Attempt]:
    """All outcomes of a record, in the order of settlement. Raises ManifestError, OSError."""
    found = []
    for name in attempts_table(storage, ["outcomes"], keys=[record_key], write=False)["outcomes"].to_pylist():
        table = storage.read_outcomes(name, _COLUMNS)
        submission_id = submission_of(name)
        (row,) = plain_rows(table.filter(_is_key(table, record_key)))
        del row["record_key"]
        cached, unsure = row.pop("cached_tokens"), bool(row.pop("unsure"))
        sent, facts = storage.read_batch_manifest(submission_id)
        version = row.pop("model_version")
        is_other = version is not None and not is_same_model(facts.model, version)
        price = facts.price_of(version)
        usd = _usd(price, row["prompt_tokens"], (row["output_tokens"], row["thoughts_tokens"]), cached)
        found.append(
            Attempt(
                submission_id=submission_id,
                outcomes=name,
                is_resettled=is_resettled(name),
                is_late=is_late(name),
                unsure=unsure,
                answered_by=model_id(version) if is_other else None,
                changed=Change.from_text(sent.filter(_is_key(sent, record_key))["repair"][0].as_py()).in_words(),
                usd=usd,
                model=facts.model,
                prompt=f"{facts.prompt_name} {facts.prompt_version}",
                **row,
            )
        )
    return sorted(found, key=lambda each: order_of(each.settlement, each.settled_at, each.outcomes))


def all_outcomes(storage: Storage, columns: Sequence[str]) -> pa.Table:
    """The outcomes of all records in the order of `attempts_of`, those of late jobs and of answers that were judged
    again, too. ``columns``: of OUTCOME_SCHEMA. Columns: these, and ``outcomes``: the name of the file. Raises
    ManifestError, OSError."""
    schema = pa.schema([*(OUTCOME_SCHEMA.field(name) for name in columns), pa.field("outcomes", pa.string())])
    tables = [schema.empty_table()]
    for name in in_order_of_settlement(storage, storage.outcome_files()):
        table = storage.read_outcomes(name, columns).replace_schema_metadata()
        tables.append(table.append_column("outcomes", pa.array([name] * len(table), pa.string())))
    return pa.concat_tables(tables)


def made_by(storage: Storage, attempts: Iterable[Attempt], record_key: str) -> MadeBy | None:
    """What made the result that was written last, or None if none of the outcomes is a success."""
    for attempt in reversed(list(attempts)):
        batch, facts = storage.read_batch_manifest(attempt.submission_id)
        rows = result_rows(batch, storage.read_outcomes(attempt.outcomes), facts)
        rows = rows.filter(_is_key(rows, record_key))
        if len(rows):
            kept = [name for name in MadeBy.__dataclass_fields__ if name != "image"]
            (row,) = plain_rows(rows.select(kept))
            return MadeBy(image=_image_in(rows), **row)
    return None


def image_sent(storage: Storage, submission_id: str, record_key: str) -> ImageThen:
    """The record's image in a submission that it is in."""
    table, _ = storage.read_batch_manifest(submission_id)
    return _image_in(table.filter(_is_key(table, record_key)))


def _image_in(row: pa.Table) -> ImageThen:
    # As a number: Python's datetime has no nanoseconds.
    modified_ns = row["image_modified_at"].cast(pa.int64())[0].as_py()
    path, frame, size, sha256 = (
        row[name][0].as_py() for name in ("image_path", "image_frame", "image_bytes", "image_sha256")
    )
    return ImageThen(path, frame, size, modified_ns, sha256)


def _usd(
    price: Price | None, prompt: int | None, answered: tuple[int | None, int | None], cached: int | None
) -> float | None:
    if price is None or prompt is None:
        return None
    output = sum(tokens or 0 for tokens in answered)
    return price.usd(input_tokens=prompt, output_tokens=output, cached_tokens=cached or 0)


def _is_key(table: pa.Table, record_key: str) -> pa.ChunkedArray:
    return pc.equal(table["record_key"], record_key)
