"""Outcomes in the order in which they were settled."""

from collections.abc import Iterable

from assets.domain.settlements import order_of
from flows.gateways.files.storage import Storage


def in_order_of_settlement(storage: Storage, names: Iterable[str]) -> list[str]:
    """Those of the outcomes files ``names`` that have a row, the latest last: a late job that has answered nothing has
    none. Raises ManifestError, OSError."""
    order = {}
    for each in names:
        first = storage.read_outcomes(each, ["settlement", "settled_at"]).slice(0, 1).to_pylist()
        if first:
            order[each] = order_of(first[0]["settlement"], first[0]["settled_at"], each)
    return sorted(order, key=order.__getitem__)


def settlement_of(storage: Storage, name: str) -> int:
    """The number of the settlement that made the outcomes file ``name``, which has a row; 0 if an earlier version
    settled it. Raises ManifestError."""
    return storage.read_outcomes(name, ["settlement"])["settlement"][0].as_py() or 0
