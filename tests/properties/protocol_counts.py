"""What the failure counts may be while the protocol runs: the failures since the last reset, and what is known to go
otherwise. Part of `protocol_laws`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assets.domain.outcome import COUNTED

Row = Mapping[str, Any]


class ExpectedCounts:
    """Record key -> the counts that are right; more than one where nobody can know which."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._right: dict[str, set[int]] = {key: {0} for key in keys}

    def set(self, counts: Mapping[str, int], *, is_sure: bool) -> None:
        """An operator sets these. ``is_sure``: False: or not."""
        for key, count in counts.items():
            self._right[key] = {count} if is_sure else self._right[key] | {count}

    def failed(self, rows: Iterable[Row]) -> None:
        """Outcomes were committed: each failure counts."""
        for row in rows:
            if row["kind"] in COUNTED:
                key = row["record_key"]
                self._right[key] = {count + 1 for count in self._right[key]}

    def may_apply(self, rows: Iterable[Row]) -> None:
        """These outcomes may be applied to the counts once more, wherever a count is what it was before them."""
        for row in rows:
            if row["kind"] in COUNTED and row["count_before"] in self._right[row["record_key"]]:
                self._right[row["record_key"]].add(row["count_after"])

    def taken_back(self, rows: Iterable[Row], *, is_sure: bool) -> None:
        """Answers were judged again, and are good: their failures count no more, where the count still is what it was
        with them. ``is_sure``: False: or they do, as the command has died."""
        for row in rows:
            if row["count_after"] is None:
                continue
            right = self._right[row["record_key"]]
            now = {row["count_after"] if count == row["count_before"] else count for count in right}
            self._right[row["record_key"]] = now if is_sure else now | right

    def compare(self, actual: Mapping[str, int]) -> list[str]:
        """What is wrong with the counts as they are, in words; they are right from now on."""
        wrong = [
            f"{key} has the count {actual.get(key, 0)}, not {right}"
            for key, right in self._right.items()
            if actual.get(key, 0) not in right
        ]
        self._right = {key: {actual.get(key, 0)} for key in self._right}
        return wrong
