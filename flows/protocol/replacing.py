"""Answers that take the place of a result, since a person wants its page read again: which ones may, and how the wish
ends.
"""

from collections.abc import Callable, Collection, Mapping

import pyarrow as pa

from assets.reruns import answers_rerun, without_answered
from flows.gateways.files.presence import found_at
from flows.gateways.files.storage import Storage
from flows.runtime.passes import Pass


class GivenUp:
    """The results that the answers of a submission may replace. What a person says meanwhile counts. ``is_awaited``:
    see `assets.reruns.answers_rerun`."""

    def __init__(self, storage: Storage, record_keys: Collection[str], submission_id: str, *, is_awaited: bool) -> None:
        self._storage, self._keys = storage, record_keys
        self._submission_id, self._is_awaited = submission_id, is_awaited
        self._seen: list[tuple[int, int, int] | None] = []
        self._hashes: dict[str, str] = {}

    def of(self, record_key: str) -> str | None:
        """SHA-256 of the record's result that is given up, or None. Raises ManifestError, OSError."""
        paths = (self._storage.reruns_path, self._storage.corrections.path)
        seen = [(found.st_ino, found.st_mtime_ns, found.st_size) if found is not None else None
                for found in map(found_at, paths)]  # fmt: skip
        if seen != self._seen:
            self._seen, self._hashes = seen, self._read()
        return self._hashes.get(record_key)

    def _read(self) -> dict[str, str]:
        columns = ["record_key", "result_sha256", "rerun_id"]
        rows = self._storage.to_be_replaced(self._keys).select(columns).to_pylist()
        return {
            row["record_key"]: row["result_sha256"]
            for row in rows
            if answers_rerun(row["rerun_id"], self._submission_id, is_awaited=self._is_awaited)
        }


async def end_answered_reruns(
    p: Pass, submission_id: str, written: Callable[[str], str | None], moot: Mapping[str, str]
) -> None:
    """Forget the wishes that the results of a submission have answered, before its outcomes are noted: as long as those
    are not there, the records are in flight. ``written``: SHA-256 of the result that was written for a record, or None;
    ``moot``: see `assets.reruns.without_answered`. Raises LeaseLostError, ManifestError, OSError."""
    storage = p.services.storage

    def left(noted: pa.Table) -> pa.Table:
        keys: list[str] = noted["record_key"].to_pylist()
        hashes = {key: sha256 for key in keys if (sha256 := written(key)) is not None}
        return without_answered(noted, hashes, moot, submission_id)

    noted = storage.read_reruns()
    if len(left(noted)) == len(noted):
        return
    async with p.services.ledger.transaction() as change:
        still_wanted = left(storage.read_reruns())
        p.lease.check()
        change.check()
        storage.write_reruns(still_wanted)
