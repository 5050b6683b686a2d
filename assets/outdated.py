"""Which results were made from another image, prompt, schema, model or context than today's: a state, worked out from
what made a result (`provenance`) and what stands there now, so that whoever looks later sees the same. What is done
about it is for a person to say.

Results and records meet by the records' numbers: of a million of them no key is made as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from assets.context import ContextMode, line_starts
from assets.domain.batch import submitted_at
from assets.domain.model_names import is_same_model
from assets.numbering import NOWHERE, IntArray, Pages, Records

BoolArray = npt.NDArray[np.bool_]


class Reason(StrEnum):
    """What is another one today."""

    IMAGE = "image"
    PROMPT = "prompt"
    SCHEMA = "schema"
    MODEL = "model"
    CONTEXT = "context"


ANOTHER = {
    Reason.IMAGE: "made from another image, by its content",
    Reason.PROMPT: "made with another prompt",
    Reason.SCHEMA: "made with another schema",
    Reason.MODEL: "made by another model",
    Reason.CONTEXT: "made with another context",
}
"""Each reason in words."""
IMAGE_COLUMNS = ("image_frame", "image_bytes", "image_modified_at", "image_sha256")
MADE_COLUMNS = (
    *IMAGE_COLUMNS,
    *("prompt_name", "prompt_version", "prompt_hash", "schema_name", "response_schema_hash", "model"),
    *("context_key", "context_kind", "submission_id", "settled_at"),
)
"""What of RESULTS_SCHEMA in `provenance` it goes by."""

IMAGE_HASH_SCHEMA = pa.schema(
    [
        pa.field("image_path", pa.string(), nullable=False),
        pa.field("image_bytes", pa.int64(), nullable=False),
        pa.field("image_modified_at", pa.timestamp("ns", tz="UTC"), nullable=False),
        pa.field("image_sha256", pa.string(), nullable=False),
    ]
)
"""Described in manifests/README.md."""
_FILE = IMAGE_HASH_SCHEMA.names[:3]


@dataclass(frozen=True, slots=True)
class Making:
    """What a result would be made by now. Hashes as in `assets.planning.SubmissionFacts`; None: not known, since prompt
    or schema cannot be loaded. ``context``: how today's settings send context along; None: it is not compared."""

    model: str
    prompt_hash: str | None
    response_schema_hash: str | None
    context: ContextMode | None = None
    max_chain: int | None = None


@dataclass(frozen=True)
class Pairs:
    """Records with what made their result, row by row. ``numbers``: the records; ``then``: MADE_COLUMNS, as far as they
    were given; ``there``: IMAGE_COLUMNS of `assets.sources`."""

    records: Records
    numbers: IntArray
    then: pa.Table
    there: pa.Table
    done: BoolArray
    settled: IntArray
    """By number, of all records: whether it has a result, and when that was settled (microseconds; 0: not known)."""


@dataclass(frozen=True)
class Outdated:
    """``numbers``: the records that are outdated, ``reasons``: for each of them whether it is one of its; ``then``:
    what made their results, MADE_COLUMNS; ``unknown``: the numbers of those whose image nobody has compared yet."""

    records: Records
    numbers: IntArray
    reasons: Mapping[Reason, BoolArray]
    then: pa.Table
    unknown: IntArray

    def __len__(self) -> int:
        return len(self.numbers)

    def of(self, *reasons: Reason) -> IntArray:
        """The numbers of the records that are outdated for one of ``reasons``, each once."""
        return self.numbers[np.logical_or.reduce([self.reasons[each] for each in reasons])]

    def keys(self, *reasons: Reason) -> list[str]:
        """Likewise their record keys."""
        found: list[str] = self.records.keys(self.of(*reasons)).to_pylist()
        return found

    def reasons_of(self) -> dict[str, list[Reason]]:
        """Record key -> its reasons."""
        columns = zip(*(self.reasons[each].tolist() for each in Reason), strict=True)
        keys = self.records.keys(self.numbers).to_pylist()
        return {
            key: [reason for reason, holds in zip(Reason, row, strict=True) if holds]
            for key, row in zip(keys, columns, strict=True)
        }

    def but_for_image(self, numbers: IntArray) -> "Outdated":
        """The same, where these records can be outdated by their image alone."""
        is_free = ~np.isin(self.numbers, numbers)
        reasons = {
            reason: holds if reason is Reason.IMAGE else holds & is_free for reason, holds in self.reasons.items()
        }
        is_left = np.logical_or.reduce(list(reasons.values()))
        left = {reason: holds[is_left] for reason, holds in reasons.items()}
        return Outdated(self.records, self.numbers[is_left], left, self.then.filter(pa.array(is_left)), self.unknown)

    def by_reason(self) -> dict[str, int]:
        """Reason -> how many records, of those that there are."""
        counts = {reason.value: int(np.count_nonzero(holds)) for reason, holds in self.reasons.items()}
        return {reason: count for reason, count in counts.items() if count}


def paired(records: Records, made: pa.Table, done: BoolArray, wanted: BoolArray | None = None) -> Pairs:
    """What each result was made from, with the record that it is of today, in the order of the records.

    ``made``: columns of MADE_COLUMNS, and what `Pages.of_places` takes, one row a record; ``done``: for each number
    whether the record has a result that counts; ``wanted``: of these alone, of all that are done where it is None.
    """
    at = records.numbers_of(Pages.of_places(made))
    settled = np.zeros(len(records), dtype=np.int64)
    if "settled_at" in made.column_names:
        is_known = at != NOWHERE
        settled[at[is_known]] = made["settled_at"].cast(pa.int64()).to_numpy()[is_known]
    is_asked = done if wanted is None else done & wanted
    rows = np.flatnonzero(at != NOWHERE)
    rows = rows[is_asked[at[rows]]]
    if not np.all(at[rows][1:] > at[rows][:-1]):
        rows = rows[np.argsort(at[rows], kind="stable")]
    numbers, then = at[rows], made.select([name for name in MADE_COLUMNS if name in made.column_names])
    if not np.array_equal(rows, np.arange(len(made))):
        then = then.take(pa.array(rows))
    return Pairs(records, numbers, then, records.read(numbers), done, settled)


def to_be_hashed(pairs: Pairs) -> pa.Table:
    """The images of which only their content can tell whether they are others: of the size of the one that was read,
    with another time. Nothing of an image that has not changed. Columns: those of IMAGE_HASH_SCHEMA but the hash."""
    _, is_doubtful = _compared(pairs.then, pairs.there)
    return pairs.there.select(_FILE).filter(pa.array(is_doubtful))


def outdated(pairs: Pairs, hashes: pa.Table, making: Making) -> Outdated:
    """Which of ``pairs`` are outdated. ``hashes``: IMAGE_HASH_SCHEMA, of images that `to_be_hashed` named."""
    then, there = pairs.then, pairs.there
    is_other, is_doubtful = _compared(then, there)
    doubtful = np.flatnonzero(is_doubtful)
    at = pc.index_in(_identity(there.take(doubtful)), value_set=_identity(hashes).combine_chunks())
    known = hashes["image_sha256"].take(at.combine_chunks())
    differs = pc.fill_null(pc.not_equal(known, then["image_sha256"].take(pa.array(doubtful))), False)
    is_other[doubtful] = differs.to_numpy(zero_copy_only=False)
    reasons = {
        Reason.IMAGE: is_other,
        Reason.PROMPT: _differs(then, "prompt_hash", making.prompt_hash),
        Reason.SCHEMA: _differs(then, "response_schema_hash", making.response_schema_hash),
        Reason.MODEL: _of_another_model(then, making.model),
        Reason.CONTEXT: _with_other_context(pairs, making),
    }
    is_outdated = np.logical_or.reduce(list(reasons.values()))
    return Outdated(
        pairs.records,
        pairs.numbers[is_outdated],
        {reason: holds[is_outdated] for reason, holds in reasons.items()},
        then.filter(pa.array(is_outdated)),
        pairs.numbers[doubtful][at.is_null().to_numpy(zero_copy_only=False)],
    )


def _compared(then: pa.Table, there: pa.Table) -> tuple[BoolArray, BoolArray]:
    """Which images are others for sure, by their size or their place in the file, and which may be."""
    is_other = pc.or_(*(pc.not_equal(then[name], there[name]) for name in ("image_bytes", "image_frame")))
    is_newer = pc.not_equal(then["image_modified_at"], there["image_modified_at"])
    return _array(is_other), _array(pc.and_(is_newer, pc.invert(is_other)))


def _identity(images: pa.Table) -> pa.ChunkedArray:
    """A file as it was at a moment, as one text. Few are asked for it."""
    parts = (images["image_bytes"], images["image_modified_at"].cast(pa.int64()))
    return pc.binary_join_element_wise(*(part.cast(pa.string()) for part in parts), images["image_path"], " ")


def _differs(then: pa.Table, name: str, value: str | None) -> BoolArray:
    return np.zeros(len(then), dtype=bool) if value is None else _array(pc.not_equal(then[name], value))


def _of_another_model(then: pa.Table, model: str) -> BoolArray:
    if not model:
        return np.zeros(len(then), dtype=bool)
    others = [name for name in then["model"].unique().to_pylist() if not is_same_model(model, name)]
    return _array(pc.is_in(then["model"], value_set=pa.array(others, pa.string())))


def _with_other_context(pairs: Pairs, making: Making) -> BoolArray:
    """Which pages would be told something else of the page before: nothing where there was something or the other way
    round, its image and not its result, or another result than the one that was there when the page was sent.

    A page that went without, as the page before has no result, and still has none, would go without again. What an
    earlier version has noted says that there was a context, and not which: that is not compared.
    """
    mode, then, numbers = making.context, pairs.then, pairs.numbers
    if mode is None:
        return np.zeros(len(then), dtype=bool)
    had_any = _array(pc.is_valid(then["context_key"]))
    had = {kind: _array(pc.fill_null(pc.equal(then["context_kind"], kind), False)) for kind in ("image", "result")}
    follows = pairs.records.follows[numbers]
    if not mode.sends_anything:
        return had_any
    is_there = follows.copy()
    if mode.sends_image:
        return (had_any & ~follows) | (is_there & ~had_any) | had["result"]
    is_there[follows] = pairs.done[numbers[follows] - 1]
    is_cut = line_starts(pairs.records.follows, mode=mode, max_chain=making.max_chain)[numbers]
    other: BoolArray = (had_any & ~follows) | (is_there & ~had_any) | (is_there & had["image"] & ~is_cut)
    sent = _sent(then["submission_id"])
    is_newer = np.zeros(len(then), dtype=bool)
    is_newer[follows] = pairs.settled[numbers[follows] - 1] > sent[follows]
    return other | (had["result"] & is_there & is_newer)


def _sent(submission_ids: pa.ChunkedArray) -> IntArray:
    """When each submission was made, in microseconds."""
    encoded = submission_ids.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    times = [round(submitted_at(each).timestamp() * 1_000_000) for each in encoded.dictionary.to_pylist()]
    found: IntArray = np.array(times, dtype=np.int64)[encoded.indices.to_numpy()]
    return found


def _array(values: pa.ChunkedArray) -> BoolArray:
    found: BoolArray = values.to_numpy(zero_copy_only=False).copy()
    return found
