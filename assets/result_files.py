"""All output results as they lie there, document by document and in arrays: a collection has a million, and each pass
goes by all of them. What makes a record done, `flows.gateways.files.results` says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.domain.record import SEPARATOR
from assets.reruns import RESULT_FILE_SCHEMA

_BEHIND_NUMBERS = 1_000
"""More digits than a label can have."""


@dataclass(frozen=True)
class ResultFiles:
    """``documents``: text, each once, as record keys begin (``CA:Lincoln:2023``), in the order of their fields as text,
    which is that of the record manifest. ``offsets``: int64, one more than there are documents; the results of document
    ``d`` are the rows from ``offsets[d]`` to before ``offsets[d + 1]``. ``labels``: text, in each document the plain
    numbers by their value, then all others as text; ``bytes``: int64; ``modified_ns``: int64, since 1970, UTC.
    """

    documents: pa.Array
    offsets: pa.Array
    labels: pa.Array
    bytes: pa.Array
    modified_ns: pa.Array

    @classmethod
    def of(cls, documents: "Iterable[DocumentResults]") -> Self:
        """``documents``: in any order, none twice; those without a result are left out."""
        found = sorted((each for each in documents if each.labels), key=lambda each: each.fields)
        offsets = np.cumsum([0, *(len(each.labels) for each in found)], dtype=np.int64)
        return cls(
            documents=pa.array([SEPARATOR.join(each.fields) for each in found], pa.string()),
            offsets=pa.array(offsets),
            labels=pa.array([label for each in found for label in each.labels], pa.string()),
            bytes=pa.array([size for each in found for size in each.bytes], pa.int64()),
            modified_ns=pa.array([time for each in found for time in each.modified_ns], pa.int64()),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def record_keys(self) -> pa.Array:
        """Of each result, in the order of the rows."""
        counts = np.diff(self.offsets.to_numpy())
        documents = self.documents.take(pa.array(np.repeat(np.arange(len(self.documents)), counts)))
        return pc.binary_join_element_wise(documents, self.labels, SEPARATOR)

    def table(self) -> pa.Table:
        """A row for each result. Columns: RESULT_FILE_SCHEMA."""
        columns = [self.record_keys, self.bytes, self.modified_ns]
        return pa.table(columns, names=RESULT_FILE_SCHEMA.names).cast(RESULT_FILE_SCHEMA)


@dataclass(frozen=True, slots=True)
class DocumentResults:
    """The results of one document. ``fields``: see `assets.domain.record`; the others have one entry for each result,
    in the order of `label_order`."""

    fields: tuple[str, ...]
    labels: Sequence[str]
    bytes: Sequence[int]
    modified_ns: Sequence[int]


def label_order(label: str) -> tuple[int, str]:
    """By what the labels of `ResultFiles` are sorted. A good label that is a plain number has no zeros in front."""
    return (len(label), label) if label.isascii() and label.isdigit() else (_BEHIND_NUMBERS, label)
